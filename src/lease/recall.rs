//! When the nodes that are left are not enough, so that a drained one has to come back.

use std::collections::VecDeque;
use std::fmt;
use std::time::Duration;

use crate::config;

/// Fewer failed requests prove nothing.
const FEWEST: u64 = 3;

/// Requests of a pool that ended, so far or in some time.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Requests {
    /// All.
    pub total: u64,
    /// Those that a client saw fail, those that were turned away among them.
    pub failed: u64,
    /// Those that were turned away because every node was full.
    pub shed: u64,
}

/// What a pool suffers while nodes of it are drained.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Plight {
    /// Its requests.
    pub requests: Requests,
    /// In so many milliseconds.
    pub millis: u64,
}

/// How a pool does while nodes of it are drained, sample by sample.
#[derive(Clone, Debug, Default)]
pub struct Strain {
    /// What was counted last, and when.
    last: Option<(Requests, u64)>,
    /// What became of its requests of late, each with how long that took in milliseconds; the oldest first.
    samples: VecDeque<(Requests, u64)>,
    /// Nothing counts before.
    from: u64,
}

impl Strain {
    /// Takes what was counted until `now`, and says whether that is too bad to leave a node drained: of the requests of the
    /// time that `rules` say too many failed, and so they did in more than half of its samples. One bad second, however bad,
    /// is not enough where the time is longer.
    pub fn look(&mut self, so_far: Requests, rules: &config::Recall, now: u64) -> Option<Plight> {
        if now < self.from {
            return None;
        }
        let (before, at) = self.last.replace((so_far, now))?;
        self.samples.push_back((so_far.since(before), now.saturating_sub(at)));
        let wanted = u64::try_from(rules.after.as_millis()).unwrap_or(u64::MAX);
        let mut millis: u64 = self.samples.iter().map(|(_, length)| length).sum();
        while let Some((_, oldest)) = self.samples.front().filter(|(_, oldest)| millis - oldest >= wanted) {
            millis -= oldest;
            self.samples.pop_front();
        }
        let requests = self.samples.iter().fold(Requests::default(), |sum, (sample, _)| sum.with(*sample));
        let busy = self.samples.iter().filter(|(sample, _)| sample.total > 0).count();
        let bad = self.samples.iter().filter(|(sample, _)| sample.are_bad(rules)).count();
        let is_bad = requests.are_bad(rules) && requests.failed >= FEWEST && bad * 2 > busy;
        (millis >= wanted && is_bad).then_some(Plight { requests, millis })
    }

    /// Begins anew at `from`: by then it shows whether what was done about it was enough.
    pub fn pause(&mut self, from: u64) {
        *self = Self { from, ..Self::default() };
    }
}

impl Plight {
    /// Requests in a second that did not fail.
    #[expect(clippy::cast_precision_loss, reason = "a rate for people")]
    pub fn served(&self) -> f64 {
        let good = self.requests.total.saturating_sub(self.requests.failed);
        good as f64 * 1_000.0 / self.millis.max(1) as f64
    }
}

impl Requests {
    fn since(self, before: Self) -> Self {
        Self {
            total: self.total.saturating_sub(before.total),
            failed: self.failed.saturating_sub(before.failed),
            shed: self.shed.saturating_sub(before.shed),
        }
    }

    fn with(self, other: Self) -> Self {
        Self {
            total: self.total + other.total,
            failed: self.failed + other.failed,
            shed: self.shed + other.shed,
        }
    }

    fn are_bad(self, rules: &config::Recall) -> bool {
        self.failed.saturating_mul(100) > self.total.saturating_mul(u64::from(rules.percent))
    }
}

/// `412 of 1091 requests failed in 10s (37.8 %), 400 of them turned away`.
impl fmt::Display for Plight {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Requests { total, failed, shed } = self.requests;
        let time = humantime::format_duration(Duration::from_secs(self.millis.div_ceil(1_000)));
        #[expect(clippy::cast_precision_loss, reason = "a share for people")]
        let percent = failed as f64 * 100.0 / total.max(1) as f64;
        write!(
            f,
            "{failed} of {total} requests failed in {time} ({percent:.1} %), {shed} of them turned away"
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const RULES: config::Recall = config::Recall { percent: 5, after: Duration::from_secs(10) };

    /// Samples of a second each, of so many requests with so many failures; the second at which it is too bad.
    fn played(strain: &mut Strain, samples: &[(u64, u64)]) -> Option<usize> {
        let mut so_far = Requests::default();
        assert_eq!(strain.look(so_far, &RULES, 0), None);
        samples.iter().enumerate().find_map(|(index, &(total, failed))| {
            so_far = so_far.with(Requests { total, failed, shed: failed });
            strain.look(so_far, &RULES, (index as u64 + 1) * 1_000).map(|_| index + 1)
        })
    }

    fn seconds(samples: &[(u64, u64)]) -> Option<usize> {
        played(&mut Strain::default(), samples)
    }

    #[test]
    fn overload_that_lasts_is_too_bad_after_its_time() {
        assert_eq!(seconds(&[(1_300, 490); 30]), Some(10));
        let quiet_before = [[(800, 0); 10].as_slice(), &[(1_300, 490); 20]].concat();
        assert_eq!(seconds(&quiet_before), Some(16), "more than half of ten seconds");
        assert_eq!(seconds(&[(1_000, 51); 30]), Some(10));
        assert_eq!(seconds(&[(1_000, 50); 30]), None, "more than the share, not as much");
    }

    #[test]
    fn a_bad_moment_is_not_enough() {
        let mut samples = [(800, 0); 40];
        samples[1] = (800, 800);
        assert_eq!(seconds(&samples), None, "one second after the drain");
        (samples[10], samples[12], samples[14], samples[16]) =
            ((800, 800), (800, 800), (800, 800), (800, 800));
        assert_eq!(seconds(&samples), None, "four of ten");
    }

    #[test]
    fn few_requests_count_as_well_but_not_one_or_two() {
        let mut samples = [(0, 0); 40];
        (samples[12], samples[14]) = ((1, 1), (1, 1));
        assert_eq!(seconds(&samples), None);
        samples[16] = (1, 1);
        assert_eq!(seconds(&samples), Some(17));
        assert_eq!(seconds(&[(0, 0); 40]), None);
    }

    #[test]
    fn after_a_recall_it_takes_the_time_anew() {
        let mut strain = Strain::default();
        assert_eq!(played(&mut strain, &[(100, 50); 10]), Some(10));
        strain.pause(12_000);
        let at = |second: u64| Requests { total: second * 100, failed: second * 50, shed: 0 };
        let mut found =
            (11..60).filter_map(|second| strain.look(at(second), &RULES, second * 1_000).map(|_| second));
        assert_eq!(found.next(), Some(22));
    }

    #[test]
    fn plight_is_told_in_numbers() {
        let requests = Requests { total: 1_091, failed: 412, shed: 400 };
        let plight = Plight { requests, millis: 9_999 };
        assert_eq!(plight.served().round(), 68.0);
        let text = plight.to_string();
        assert_eq!(text, "412 of 1091 requests failed in 10s (37.8 %), 400 of them turned away");
    }
}
