//! When the nodes that are left are not enough, so that a drained one has to come back.

use std::collections::VecDeque;
use std::fmt;
use std::time::Duration;

use super::usual;
use crate::config;

/// Fewer failed requests prove nothing.
const FEWEST: u64 = 3;

/// So many standard deviations are no chance.
const SURE: u128 = 3;

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
    /// What became of its requests before the drain, as far as that is known.
    pub usual: Requests,
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
    /// Takes what was counted until `now`, and says whether that is too bad to leave a node drained.
    ///
    /// It is if of the requests of the time that `rules` say more failed than did before the drain (`usual`), by more than
    /// the share that `rules` say and by more than chance does, and if so they did in more than half of its samples. One
    /// bad second, however bad, is not enough where the time is longer. Requests that failed and requests that were turned
    /// away are compared each with their own: whoever always answers 500 to some has nothing turned away for that.
    pub fn look(
        &mut self,
        so_far: Requests,
        usual: Requests,
        rules: &config::Recall,
        now: u64,
    ) -> Option<Plight> {
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
        let is_bad = |sample: Requests| sample.excess(usual, 0).is_over(rules.percent);
        let bad = self.samples.iter().filter(|(sample, _)| is_bad(*sample)).count();
        let is_bad = requests.failed >= FEWEST && requests.excess(usual, SURE).is_over(rules.percent);
        (millis >= wanted && is_bad && bad * 2 > busy).then_some(Plight { requests, millis, usual })
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

/// How many more requests failed than usual, exactly: a whole number of parts of a request.
#[derive(Clone, Copy, Debug)]
struct Excess {
    parts: u128,
    /// So many parts are all requests.
    all: u128,
}

impl Excess {
    fn is_over(self, percent: u32) -> bool {
        self.parts.saturating_mul(100) > self.all.saturating_mul(u128::from(percent))
    }
}

impl Requests {
    pub(super) fn since(self, before: Self) -> Self {
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

    /// Those that failed and were not turned away.
    fn broken(self) -> u64 {
        self.failed.saturating_sub(self.shed)
    }

    /// What is more than `usual`, of the requests that failed and of those that were turned away each for itself. Failures
    /// come by chance: of them it counts nothing unless it is more than so many standard deviations (of a Poisson
    /// distribution). What few requests say is not usual.
    fn excess(self, usual: Self, deviations: u128) -> Excess {
        let usual = if usual.total < usual::FEWEST { Self { total: 1, ..Self::default() } } else { usual };
        let (here, there) = (u128::from(self.total), u128::from(usual.total));
        let parts = |mine: u64, usual: u64| (u128::from(mine) * there, u128::from(usual) * here);
        let (broken, expected) = parts(self.broken(), usual.broken());
        let more = broken.saturating_sub(expected);
        let deviation = expected.saturating_mul(there).isqrt();
        let broken = if more > deviations * deviation { more } else { 0 };
        let (shed, expected) = parts(self.shed, usual.shed);
        Excess { parts: broken + shed.saturating_sub(expected), all: here * there }
    }
}

/// `412 of 1091 requests failed in 10s (37.8 %), 400 of them turned away; before the drain it was 8.0 %`.
impl fmt::Display for Plight {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Requests { total, failed, shed } = self.requests;
        let time = humantime::format_duration(Duration::from_secs(self.millis.div_ceil(1_000)));
        let percent = percent(self.requests);
        write!(
            f,
            "{failed} of {total} requests failed in {time} ({percent:.1} %), {shed} of them turned away"
        )?;
        match percent_of_usual(self.usual) {
            Some(percent) => write!(f, "; before the drain it was {percent:.1} %"),
            None => Ok(()),
        }
    }
}

/// The share of failures that was usual, where there were any.
fn percent_of_usual(usual: Requests) -> Option<f64> {
    (usual.total >= usual::FEWEST && usual.failed > 0).then(|| percent(usual))
}

#[expect(clippy::cast_precision_loss, reason = "a share for people")]
fn percent(requests: Requests) -> f64 {
    requests.failed as f64 * 100.0 / requests.total.max(1) as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    const RULES: config::Recall = config::Recall { percent: 5, after: Duration::from_secs(10) };

    const UNKNOWN: Requests = Requests { total: 0, failed: 0, shed: 0 };

    /// Samples of a second each, after what was usual; the second at which it is too bad.
    fn played(strain: &mut Strain, usual: Requests, samples: &[Requests]) -> Option<usize> {
        let mut so_far = Requests::default();
        assert_eq!(strain.look(so_far, usual, &RULES, 0), None);
        samples.iter().enumerate().find_map(|(index, &sample)| {
            so_far = so_far.with(sample);
            strain.look(so_far, usual, &RULES, (index as u64 + 1) * 1_000).map(|_| index + 1)
        })
    }

    /// The same with so many requests in each second of which so many are turned away, where nothing is known.
    fn seconds(samples: &[(u64, u64)]) -> Option<usize> {
        let samples: Vec<_> =
            samples.iter().map(|&(total, shed)| Requests { total, failed: shed, shed }).collect();
        played(&mut Strain::default(), UNKNOWN, &samples)
    }

    /// The same with a minute of seconds that are all alike, each (requests, failed, of these turned away), after what was
    /// usual in the same form.
    fn after(usual: (u64, u64, u64), second: (u64, u64, u64)) -> Option<usize> {
        let requests = |(total, failed, shed)| Requests { total, failed, shed };
        played(&mut Strain::default(), requests(usual), &[requests(second); 60])
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
        let bad = Requests { total: 100, failed: 50, shed: 0 };
        assert_eq!(played(&mut strain, UNKNOWN, &[bad; 10]), Some(10));
        strain.pause(12_000);
        let at = |second: u64| Requests { total: second * 100, failed: second * 50, shed: 0 };
        let mut found = (11..60)
            .filter_map(|second| strain.look(at(second), UNKNOWN, &RULES, second * 1_000).map(|_| second));
        assert_eq!(found.next(), Some(22));
    }

    #[test]
    fn site_that_always_fails_some_is_left_alone_until_it_fails_more() {
        let usual = (30_000, 2_400, 0);
        assert_eq!(after(usual, (100, 8, 0)), None);
        assert_eq!(after(usual, (100, 13, 0)), None, "more than the share, not as much");
        assert_eq!(after(usual, (100, 14, 0)), Some(10));
        assert_eq!(after((30_000, 29_000, 0), (100, 100, 0)), None, "it could not be worse");
    }

    #[test]
    fn shedding_counts_whatever_failed_before() {
        let usual = (30_000, 2_400, 0);
        assert_eq!(after(usual, (100, 14, 6)), Some(10), "6 of a hundred are turned away");
        assert_eq!(after(usual, (100, 8, 6)), Some(10), "that fewer fail makes up for nothing");
        assert_eq!(after(usual, (100, 12, 4)), None);
        assert_eq!(after((30_000, 6_000, 6_000), (100, 20, 20)), None, "as much was turned away before");
        assert_eq!(after((30_000, 6_000, 6_000), (100, 26, 26)), Some(10));
    }

    #[test]
    fn chance_is_no_reason() {
        assert_eq!(after((600, 48, 0), (2, 1, 0)), Some(10), "half of them");
        let usual = Requests { total: 600, failed: 48, shed: 0 };
        // Where 8 of a hundred fail, so many do one time in fourteen.
        let four_of_twenty = Requests { total: 20, failed: 4, shed: 0 };
        assert!(four_of_twenty.excess(usual, 0).is_over(5) && !four_of_twenty.excess(usual, SURE).is_over(5));
        let six_of_twenty = Requests { failed: 6, ..four_of_twenty };
        assert!(six_of_twenty.excess(usual, SURE).is_over(5));
    }

    #[test]
    fn few_requests_before_the_drain_excuse_nothing() {
        assert_eq!(after((19, 19, 0), (100, 8, 0)), Some(10));
        assert_eq!(after((20, 20, 0), (100, 8, 0)), None);
    }

    #[test]
    fn no_count_is_too_large() {
        let most = Requests { total: u64::MAX, failed: u64::MAX, shed: u64::MAX / 2 };
        assert!(!most.excess(most, SURE).is_over(1));
        assert!(most.excess(UNKNOWN, SURE).is_over(99));
    }

    #[test]
    fn plight_is_told_in_numbers() {
        let requests = Requests { total: 1_091, failed: 412, shed: 400 };
        let plight = Plight { requests, millis: 9_999, usual: UNKNOWN };
        assert_eq!(plight.served().round(), 68.0);
        let text = "412 of 1091 requests failed in 10s (37.8 %), 400 of them turned away";
        assert_eq!(plight.to_string(), text);
        let known = Plight { usual: Requests { total: 100, failed: 8, shed: 0 }, ..plight };
        assert_eq!(known.to_string(), format!("{text}; before the drain it was 8.0 %"));
    }
}
