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
    /// Those that were told to come later.
    pub(super) turned_away: u64,
    /// Right answers, by the node that gave them.
    pub(super) by_node: BTreeMap<String, u64>,
    /// The first failures, in words.
    pub(super) failures: Vec<String>,
    latencies: Latencies,
    /// How long it took until those were told that are to come later.
    waits: Latencies,
}

/// How long the latest requests took.
#[derive(Clone, Debug, Default, PartialEq)]
struct Latencies(VecDeque<Duration>);

impl Tally {
    /// A request was answered as it should be, `took` after it was due.
    pub(super) fn answered(&mut self, node: &str, took: Duration) {
        self.ended += 1;
        match self.by_node.get_mut(node) {
            Some(count) => *count += 1,
            None => drop(self.by_node.insert(node.to_owned(), 1)),
        }
        self.latencies.add(took);
    }

    /// A request was told to come later, `took` after it was due.
    pub(super) fn turned_away(&mut self, took: Duration) {
        self.ended += 1;
        self.turned_away += 1;
        self.waits.add(took);
    }

    /// A request failed, and that is how.
    pub(super) fn failed(&mut self, how: String) {
        self.ended += 1;
        self.failed += 1;
        if self.failures.len() < TOLD {
            self.failures.push(how);
        }
    }

    /// Only so many were turned away for a good reason; with all others it was a failure.
    pub(super) fn excuse(&mut self, reasons: u64) {
        let others = self.turned_away.saturating_sub(reasons);
        if others > 0 {
            self.turned_away -= others;
            self.failed += others;
            self.failures.push(format!("503 although not every node was full: {others} times"));
        }
    }

    /// Right answers of one node.
    pub(super) fn of_node(&self, node: &str) -> u64 {
        self.by_node.get(node).copied().unwrap_or_default()
    }

    /// Within what time the given share of the latest requests was answered; `None` if there was none.
    pub(super) fn within(&self, share: f64) -> Option<Duration> {
        self.latencies.within(share)
    }

    /// Within what time the given share of those knew who were told to come later; `None` if there was none.
    pub(super) fn told_within(&self, share: f64) -> Option<Duration> {
        self.waits.within(share)
    }

    /// Forgets latencies, so that those to come stand alone.
    pub(super) fn forget_latencies(&mut self) {
        self.latencies.0.clear();
    }
}

impl Latencies {
    fn add(&mut self, took: Duration) {
        if self.0.len() == REMEMBERED {
            self.0.pop_front();
        }
        self.0.push_back(took);
    }

    fn within(&self, share: f64) -> Option<Duration> {
        let mut sorted: Vec<Duration> = self.0.iter().copied().collect();
        sorted.sort_unstable();
        let last = sorted.len().checked_sub(1)?;
        sorted.get((last as f64 * share) as usize).copied()
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
        tally.turned_away(Duration::from_millis(200));
        assert_eq!((tally.ended, tally.failed, tally.of_node("a"), tally.of_node("b")), (4, 1, 2, 0));
        assert_eq!((tally.turned_away, tally.within(1.0)), (1, Some(Duration::ZERO)));
        assert_eq!(tally.told_within(1.0), Some(Duration::from_millis(200)));
        assert_eq!(tally.failures, ["no answer"]);
    }

    #[test]
    fn who_is_turned_away_without_need_has_failed() {
        let mut tally = Tally::default();
        for _ in 0..3 {
            tally.turned_away(Duration::ZERO);
        }
        tally.excuse(4);
        assert_eq!((tally.ended, tally.turned_away, tally.failed), (3, 3, 0));
        tally.excuse(1);
        assert_eq!((tally.ended, tally.turned_away, tally.failed), (3, 1, 2));
        assert_eq!(tally.failures, ["503 although not every node was full: 2 times"]);
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
