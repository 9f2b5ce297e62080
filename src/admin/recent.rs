//! How many requests each node had in the last minute.

use std::collections::{HashMap, VecDeque};
use std::time::Duration;

use crate::observe::Tally;

/// From one sample to the next.
pub(super) const INTERVAL: Duration = Duration::from_secs(5);
/// Samples that are a minute together.
const SAMPLES: usize = 12;

/// Requests by pool and node.
pub(super) type Counts = HashMap<(String, String), u64>;

/// Samples of the last minute, the oldest first.
#[derive(Debug, Default)]
pub(super) struct Recent {
    samples: VecDeque<Counts>,
}

impl Recent {
    /// Takes a sample.
    pub(super) fn sample(&mut self, now: Counts) {
        if self.samples.len() >= SAMPLES {
            self.samples.pop_front();
        }
        self.samples.push_back(now);
    }

    /// Requests since a minute ago, or since the start if that is less.
    pub(super) fn since(&self, now: &Counts) -> Counts {
        let is_young = self.samples.len() < SAMPLES;
        let then = |key| {
            let oldest = self.samples.front().filter(|_| !is_young);
            oldest.and_then(|oldest| oldest.get(key)).copied().unwrap_or_default()
        };
        now.iter().map(|(key, count)| (key.clone(), count.saturating_sub(then(key)))).collect()
    }
}

/// All requests so far.
pub(super) fn counts(tally: &Tally) -> Counts {
    tally.nodes.iter().map(|(key, node)| (key.clone(), node.outcomes.values().sum())).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn counts(count: u64) -> Counts {
        Counts::from([(("web".to_owned(), "a".to_owned()), count)])
    }

    #[test]
    fn only_the_last_minute_counts() {
        let mut recent = Recent::default();
        assert_eq!(recent.since(&counts(7)), counts(7));
        for sample in 0..SAMPLES as u64 {
            recent.sample(counts(100 + sample));
        }
        assert_eq!(recent.since(&counts(150)), counts(50));
        recent.sample(counts(150));
        assert_eq!(recent.since(&counts(150)), counts(49));
        assert_eq!(recent.since(&Counts::default()), Counts::default());
    }
}
