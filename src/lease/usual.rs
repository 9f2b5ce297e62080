//! What usually becomes of a pool's requests, so that what a drain does to them can be told from what was so before it.

use std::collections::VecDeque;

use super::Requests;

/// How far back the usual goes, in milliseconds.
const SPAN: u64 = 5 * 60_000;

/// How often it is looked at, in milliseconds.
const INTERVAL: u64 = 10_000;

/// Fewer requests say nothing about what is usual.
pub(super) const FEWEST: u64 = 20;

/// What became of a pool's requests in the last five minutes in which none of its nodes was drained.
#[derive(Clone, Debug, Default)]
pub struct Usual {
    /// What was counted until when, the oldest first; no more than `SPAN` has room for.
    counts: VecDeque<(Requests, u64)>,
    /// What was usual before the last drain, for as long as too little came after it.
    before: Requests,
    /// Nothing counts before: nodes are coming back.
    from: u64,
}

impl Usual {
    /// Takes what was counted until `now`.
    pub fn look(&mut self, so_far: Requests, now: u64) {
        let is_due = self.counts.back().is_none_or(|(_, at)| now.saturating_sub(*at) >= INTERVAL);
        if now < self.from || !is_due {
            return;
        }
        self.counts.push_back((so_far, now));
        while self.counts.front().is_some_and(|(_, at)| now.saturating_sub(*at) > SPAN) {
            self.counts.pop_front();
        }
    }

    /// What was usual when `so_far` had been counted; nothing if too little is known.
    pub fn until(&self, so_far: Requests) -> Requests {
        let counted = self.counts.front().map(|(before, _)| so_far.since(*before)).unwrap_or_default();
        if counted.total >= FEWEST { counted } else { self.before }
    }

    /// A node is drained: what comes until `from` at least is not usual, and what was so `before` it is for now.
    pub fn pause(&mut self, before: Requests, from: u64) {
        *self = Self { before, from: self.from.max(from), ..Self::default() };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn requests(total: u64, failed: u64) -> Requests {
        Requests { total, failed, shed: 0 }
    }

    #[test]
    fn usual_is_what_the_last_five_minutes_had() {
        let mut usual = Usual::default();
        let at = |second: u64| requests(second * 100, second.saturating_sub(1_000) * 8);
        for second in 0..2_000 {
            usual.look(at(second), second * 1_000);
            assert!(usual.counts.len() <= 31);
        }
        let Requests { total, failed, .. } = usual.until(at(2_000));
        assert!((29_000..=31_000).contains(&total) && failed * 100 == total * 8, "{failed} of {total}");
    }

    #[test]
    fn few_requests_are_not_usual_and_what_was_before_is() {
        let mut usual = Usual::default();
        assert_eq!(usual.until(requests(1_000, 80)), Requests::default(), "nobody has looked");
        usual.look(requests(1_000, 80), 0);
        assert_eq!(usual.until(requests(1_019, 99)), Requests::default());
        assert_eq!(usual.until(requests(1_020, 82)), requests(20, 2));
        usual.pause(requests(20, 2), 60_000);
        usual.look(requests(2_000, 900), 59_999);
        assert_eq!(usual.until(requests(3_000, 1_900)), requests(20, 2), "nodes were coming back");
        usual.look(requests(3_000, 1_900), 60_000);
        assert_eq!(usual.until(requests(3_100, 1_900)), requests(100, 0));
    }
}
