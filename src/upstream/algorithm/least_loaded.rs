//! The member with the fewest requests in flight for its weight; ties in turn.
//!
//! For requests that differ much in what they cost: downloads beside clicks, reports, long polls, WebSockets. Turns would
//! give a node its tenth long request while another has none; this gives it to whoever has finished most. Where requests
//! are few and short it is round robin, because then everybody has none. It goes by numbers and not by time: a node that
//! is slow for all requests gets less only once they pile up there, and one that answers 500 at once looks idle until it is
//! ejected. `power_of_two` sees both.

use std::sync::Arc;

use super::{Contenders, RoundRobin};
use crate::upstream::Member;

/// Whose turn it is among those who have the same to do.
#[derive(Debug)]
pub(in crate::upstream) struct LeastLoaded {
    turns: RoundRobin,
}

impl LeastLoaded {
    pub(super) fn new(count: usize) -> Self {
        Self { turns: RoundRobin::new(count) }
    }

    /// Picks the member with the least to do; only those who have the same are left of the `contenders`.
    pub(super) fn pick(&self, contenders: &mut Contenders, members: &[Arc<Member>]) -> Option<usize> {
        let mut least: Option<(u32, u32)> = None;
        let mut ties = Contenders::new();
        for &(number, weight) in contenders.iter() {
            let Some(member) = members.get(number) else { continue };
            let load = (member.node.load().in_flight(), weight);
            if least.is_none_or(|least| is_less(load, least)) {
                least = Some(load);
                ties.clear();
            }
            if least.is_some_and(|least| !is_less(least, load)) {
                ties.push((number, weight));
            }
        }
        *contenders = ties;
        self.turns.pick(contenders)
    }

    pub(super) fn take_back(&self, winner: usize, ties: &Contenders) {
        self.turns.take_back(winner, ties);
    }
}

/// Whether a node with so many requests for its weight has less to do than the other.
fn is_less((requests, weight): (u32, u32), (of_other, other): (u32, u32)) -> bool {
    u64::from(requests) * u64::from(other) < u64::from(of_other) * u64::from(weight)
}
