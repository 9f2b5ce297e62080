//! What the clients saw.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

/// Latencies that are remembered, so many of the latest.
const REMEMBERED: usize = 2_000;
/// Failures that are told in words.
const TOLD: usize = 5;

/// What the clients saw, counted by themselves.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Tally {
    /// Requests that ended, well or not.
    pub(super) ended: u64,
    /// Those that did not end with the answer that they should have.
    pub(super) failed: u64,
    /// Right answers, by the node that gave them.
    pub(super) by_node: BTreeMap<String, u64>,
    /// The first failures, in words.
    pub(super) failures: Vec<String>,
    latencies: VecDeque<Duration>,
}

impl Tally {
    /// A request was answered as it should be, `took` after it was due.
    pub(super) fn answered(&mut self, node: &str, took: Duration) {
        self.ended += 1;
        match self.by_node.get_mut(node) {
            Some(count) => *count += 1,
            None => drop(self.by_node.insert(node.to_owned(), 1)),
        }
        if self.latencies.len() == REMEMBERED {
            self.latencies.pop_front();
        }
        self.latencies.push_back(took);
    }

    /// A request failed, and that is how.
    pub(super) fn failed(&mut self, how: String) {
        self.ended += 1;
        self.failed += 1;
        if self.failures.len() < TOLD {
            self.failures.push(how);
        }
    }

    /// Right answers of one node.
    pub(super) fn of_node(&self, node: &str) -> u64 {
        self.by_node.get(node).copied().unwrap_or_default()
    }

    /// Within what time the given share of the latest requests was answered; `None` if there was none.
    pub(super) fn within(&self, share: f64) -> Option<Duration> {
        let mut sorted: Vec<Duration> = self.latencies.iter().copied().collect();
        sorted.sort_unstable();
        let last = sorted.len().checked_sub(1)?;
        sorted.get((last as f64 * share) as usize).copied()
    }

    /// Forgets latencies, so that those to come stand alone.
    pub(super) fn forget_latencies(&mut self) {
        self.latencies.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_request_counts_once() {
        let mut tally = Tally::default();
        tally.answered("a", Duration::ZERO);
        tally.answered("a", Duration::ZERO);
        tally.failed("no answer".to_owned());
        assert_eq!((tally.ended, tally.failed, tally.of_node("a"), tally.of_node("b")), (3, 1, 2, 0));
        assert_eq!(tally.failures, ["no answer"]);
    }

    #[test]
    fn latencies_are_those_of_the_latest() {
        let mut tally = Tally::default();
        assert_eq!(tally.within(0.5), None);
        for millis in 0..REMEMBERED as u64 + 101 {
            tally.answered("a", Duration::from_millis(millis));
        }
        assert_eq!(tally.within(0.0), Some(Duration::from_millis(101)));
        assert_eq!(tally.within(1.0), Some(Duration::from_millis(2_100)));
    }
}
