//! Smooth weighted round robin.
//!
//! Every pick credits each contender with its weight and charges the winner with the sum of them, so that 2:1 comes out as
//! A B A and not A A B (the algorithm of nginx's `ngx_http_upstream_round_robin`). Picking and charging are one step under
//! a lock: whatever the number of threads, the counts are exact.

use parking_lot::Mutex;

/// The credits of a pool's members.
#[derive(Debug)]
pub(in crate::upstream) struct RoundRobin {
    credits: Mutex<Box<[i64]>>,
}

impl RoundRobin {
    /// Turns among `count` members, numbered from 0, that all begin alike.
    pub(super) fn new(count: usize) -> Self {
        Self { credits: Mutex::new(vec![0; count].into_boxed_slice()) }
    }

    /// Picks one of the `contenders` (members with their weights) and charges it; `None` if there are none.
    ///
    /// Among equals the one named first wins.
    pub(super) fn pick(&self, contenders: &[(usize, u32)]) -> Option<usize> {
        let mut credits = self.credits.lock();
        let mut best: Option<(usize, i64)> = None;
        let mut total = 0;
        for &(member, weight) in contenders {
            let Some(credit) = credits.get_mut(member) else { continue };
            *credit += i64::from(weight);
            total += i64::from(weight);
            if best.is_none_or(|(_, most)| *credit > most) {
                best = Some((member, *credit));
            }
        }
        let (winner, _) = best?;
        if let Some(credit) = credits.get_mut(winner) {
            *credit -= total;
        }
        Some(winner)
    }

    /// Takes back a pick of `winner` among `contenders` that was not used, as if it had never been.
    pub(super) fn take_back(&self, winner: usize, contenders: &[(usize, u32)]) {
        let mut credits = self.credits.lock();
        let mut total = 0;
        for &(member, weight) in contenders {
            let Some(credit) = credits.get_mut(member) else { continue };
            *credit -= i64::from(weight);
            total += i64::from(weight);
        }
        if let Some(credit) = credits.get_mut(winner) {
            *credit += total;
        }
    }
}
