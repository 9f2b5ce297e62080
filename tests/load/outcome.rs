//! What came of a simulation, second by second.

use std::ops::Range;

#[derive(Clone, Debug, Default)]
pub(crate) struct Second {
    pub(crate) asked: u32,
    pub(crate) served: u32,
    pub(crate) shed: u32,
    pub(crate) failed: u32,
    /// How long those took that were served and needed a worker, in microseconds.
    pub(crate) took: Vec<u32>,
    /// The longest that one waited for any answer who asked in this second, in microseconds.
    pub(crate) longest: u64,
    /// The most requests in each server.
    pub(crate) inside: Vec<usize>,
    /// How often a node was found to be held, of twenty looks at each, and its limit at the last.
    pub(crate) held: u32,
    pub(crate) limits: Vec<Option<u32>>,
}

#[derive(Clone, Debug)]
pub(crate) struct Outcome {
    pub(crate) seconds: Vec<Second>,
    pub(crate) deaths: u32,
    /// Requests that waited for a place.
    pub(crate) waited: u32,
}

impl Outcome {
    pub(crate) fn new(seconds: usize, servers: usize) -> Self {
        let second = Second { inside: vec![0; servers], limits: vec![None; servers], ..Second::default() };
        Self { seconds: vec![second; seconds], deaths: 0, waited: 0 }
    }

    pub(crate) fn second(&mut self, now: u64) -> &mut Second {
        let last = self.seconds.len() - 1;
        &mut self.seconds[((now / 1_000_000) as usize).min(last)]
    }

    pub(crate) fn note(&mut self, now: u64, server: usize, most: Option<u32>, held: Option<u32>) {
        let second = self.second(now);
        second.limits[server] = most;
        second.held += u32::from(held.is_some());
    }

    pub(crate) fn all(&self) -> Range<usize> {
        0..self.seconds.len()
    }

    fn sum(&self, range: Range<usize>, of: impl Fn(&Second) -> u32) -> u32 {
        self.seconds[range].iter().map(of).sum()
    }

    pub(crate) fn shed(&self, range: Range<usize>) -> u32 {
        self.sum(range, |second| second.shed)
    }

    pub(crate) fn failed(&self, range: Range<usize>) -> u32 {
        self.sum(range, |second| second.failed)
    }

    /// The part of the requests that was shed.
    pub(crate) fn part_shed(&self, range: Range<usize>) -> f64 {
        f64::from(self.shed(range.clone())) / f64::from(self.sum(range, |second| second.asked).max(1))
    }

    /// Served in a second, on average.
    pub(crate) fn rate(&self, range: Range<usize>) -> f64 {
        let length = range.len() as f64;
        f64::from(self.sum(range, |second| second.served)) / length
    }

    /// Served in the worst second.
    pub(crate) fn worst(&self, range: Range<usize>) -> f64 {
        f64::from(self.seconds[range].iter().map(|second| second.served).min().unwrap_or(0))
    }

    /// A percentile of how long those took that were served, in milliseconds.
    pub(crate) fn took(&self, percent: usize, range: Range<usize>) -> f64 {
        let mut all: Vec<u32> =
            self.seconds[range].iter().flat_map(|second| second.took.iter().copied()).collect();
        all.sort_unstable();
        let at = (all.len() * percent / 100).min(all.len().saturating_sub(1));
        all.get(at).map_or(0.0, |&micros| f64::from(micros) / 1_000.0)
    }

    /// The longest that anybody waited for any answer who asked then, in milliseconds.
    pub(crate) fn longest(&self, range: Range<usize>) -> f64 {
        self.seconds[range].iter().map(|second| second.longest).max().unwrap_or(0) as f64 / 1_000.0
    }

    pub(crate) fn inside(&self, range: Range<usize>) -> usize {
        self.seconds[range].iter().flat_map(|second| second.inside.iter().copied()).max().unwrap_or(0)
    }

    /// For how long nodes were held, in seconds.
    pub(crate) fn held(&self, range: Range<usize>) -> f64 {
        f64::from(self.sum(range, |second| second.held)) / 20.0
    }
}
