//! Bodies that belong to one request each, so that a truncated or mixed-up one is seen.

use std::sync::LazyLock;

/// The largest body that is ever asked for.
pub(crate) const LARGEST: usize = 1 << 20;

/// A prime, so that neighbours among the ids begin far apart.
const STARTS: usize = 65_521;

/// The same random bytes in every process.
static BLOCK: LazyLock<Vec<u8>> = LazyLock::new(|| {
    let mut bytes = vec![0; LARGEST + STARTS];
    fastrand::Rng::with_seed(4).fill(&mut bytes);
    bytes
});

/// The way that a body goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Way {
    ToNode,
    ToClient,
}

/// The `length` bytes of the body that goes this way in the exchange of this id; at most [`LARGEST`].
pub(crate) fn of(id: u64, way: Way, length: usize) -> &'static [u8] {
    let turn = match way {
        Way::ToNode => 0,
        Way::ToClient => 1,
    };
    let start = usize::try_from((id * 2 + turn) * 7_919 % STARTS as u64).unwrap();
    &BLOCK[start..start + length]
}
