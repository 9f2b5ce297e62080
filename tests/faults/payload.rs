//! Bodies that belong to one request each, so that a truncated or mixed-up one is seen.

use std::sync::LazyLock;

/// The largest body that is ever asked for.
pub(crate) const LARGEST: usize = 1 << 20;

/// What the bodies of calls are: messages of gRPC.
pub(crate) const CALL: &str = "application/grpc";

/// The largest message.
const MESSAGE: usize = 16 << 10;

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

/// This body as messages of gRPC, at least one: each is its length and what it says, as it stands on the wire.
pub(crate) fn messages(body: &[u8]) -> Vec<Vec<u8>> {
    let said = if body.is_empty() { vec![body] } else { body.chunks(MESSAGE).collect() };
    said.into_iter()
        .map(|said| {
            let length = u32::try_from(said.len()).unwrap().to_be_bytes();
            // Nothing is compressed.
            [&[0], &length[..], said].concat()
        })
        .collect()
}
