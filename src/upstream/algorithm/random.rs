//! Any member, by weight.
//!
//! For many bookends in front of the same nodes, which know nothing of each other: turns that each of them takes by itself
//! fall into step, chance does not. Over a thousand requests it is as even as round robin is, over ten it is not, so with
//! few requests at a time one node has three of them while another has none; `power_of_two` costs the same and does not do
//! that.

use fastrand::Rng;

use super::Contenders;

/// Picks one of the `contenders`, each as likely as it is heavy.
pub(super) fn pick(contenders: &Contenders, rng: &mut Rng) -> Option<usize> {
    draw(contenders, None, rng).map(|(number, _)| number)
}

/// Draws one of the `contenders` by weight, but not `without`.
pub(super) fn draw(
    contenders: &Contenders,
    without: Option<(usize, u32)>,
    rng: &mut Rng,
) -> Option<(usize, u32)> {
    let candidates = || contenders.iter().copied().filter(|&contender| Some(contender) != without);
    let total: u64 = candidates().map(|(_, weight)| u64::from(weight)).sum();
    if total == 0 {
        return candidates().next();
    }
    let mut left = rng.u64(..total);
    candidates().find(|&(_, weight)| {
        let is_here = left < u64::from(weight);
        left = left.saturating_sub(u64::from(weight));
        is_here
    })
}
