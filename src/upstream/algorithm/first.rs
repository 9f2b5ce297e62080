//! The first in the order of the file; the next only when the one before is not available or full.
//!
//! For traffic that one node can carry and that is better off on one: a cache that is warm there, a licence for each node,
//! a second machine that costs money for every minute that it does something. With `max_in_flight` on the nodes it fills
//! one after the other. What one node cannot carry and nobody bounds, it drowns; weights mean nothing to it, but the share of a node that
//! comes back does.

use std::sync::Arc;

use fastrand::Rng;

use super::Contenders;
use crate::upstream::Member;

/// Picks the first of the `contenders`, which are in the order of the file; one that comes back as often as its share says,
/// or all of the traffic would meet a node that has just started.
pub(super) fn pick(contenders: &Contenders, members: &[Arc<Member>], rng: &mut Rng) -> Option<usize> {
    let mut takes_it = |&&(number, weight): &&(usize, u32)| {
        let full = members.get(number).map_or(0, |member| u32::from(member.weight.get()) * FULL);
        weight >= full || rng.u32(..full) < weight
    };
    let first = contenders.iter().find(|contender| takes_it(contender)).or(contenders.first());
    first.map(|&(number, _)| number)
}

/// A whole share, in 256ths.
const FULL: u32 = 256;
