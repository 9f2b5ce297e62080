//! How a node stands by its traffic: in, out, or on its way back.
//!
//! A node that is ejected stays out for a while, which doubles with every time it fails again. Then it is on trial: it gets
//! one request at a time until one succeeds. Then it returns, with a share that grows from a tenth to all of it, so that
//! cold caches and empty pools are not met by all of the traffic at once.

use serde::{Deserialize, Serialize};

use crate::config;

/// How long a node has to behave until its ejections before are forgotten, in milliseconds.
const FORGIVEN_AFTER: u64 = 10_000;

/// The first step of the way back, and the most of it, in parts of [`Share::FULL`].
const FIRST_STEP: u64 = 26;

/// The part of its weight that a node gets, in 256ths; never 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Share(u16);

impl Share {
    /// All of its weight.
    pub const FULL: Self = Self(256);

    /// The part in 256ths.
    pub fn get(self) -> u16 {
        self.0
    }
}

/// Why a node was taken out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Why {
    /// This many attempts in a row got no connection.
    Unreachable(u32),
    /// This many attempts in a row failed.
    Failing(u32),
    /// Of so many attempts in ten seconds too many failed, while other nodes did better.
    Flaky {
        /// The attempts.
        all: u32,
        /// Those that failed.
        failed: u32,
    },
    /// Nothing came from it while others answered.
    Silent,
    /// Its checks failed, and pass again.
    Checks,
    /// A person took it out, and that is over.
    Drained,
}

impl std::fmt::Display for Why {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Unreachable(count) => write!(f, "{count} attempts in a row got no connection"),
            Self::Failing(count) => write!(f, "{count} attempts in a row failed"),
            Self::Flaky { all, failed } => write!(f, "{failed} of {all} attempts failed in ten seconds"),
            Self::Silent => f.write_str("nothing came from it while others answered"),
            Self::Checks => f.write_str("its checks failed and pass again"),
            Self::Drained => f.write_str("it was drained and comes back"),
        }
    }
}

/// Where a node is; all times in milliseconds of the clock.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stay {
    /// It gets its share.
    In,
    /// It gets nothing before `until`, and then one request at a time.
    Out {
        /// When it was first taken out.
        since: u64,
        /// When its trial begins.
        until: u64,
        /// Why.
        why: Why,
    },
    /// It gets a part of its share, which grows.
    Returning {
        /// Since when.
        since: u64,
        /// How long it takes.
        window: u64,
    },
}

/// How a node stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Standing {
    stay: Stay,
    /// How often it was taken out and failed again.
    times: u32,
    /// When it was last let in.
    in_since: u64,
}

impl Default for Standing {
    fn default() -> Self {
        Self { stay: Stay::In, times: 0, in_since: 0 }
    }
}

impl Standing {
    /// Out `since` then, and `until` its trial.
    pub fn out(since: u64, until: u64, why: Why) -> Self {
        Self { stay: Stay::Out { since, until, why }, times: 1, in_since: 0 }
    }

    /// Where the node is.
    pub fn stay(&self) -> Stay {
        self.stay
    }

    /// Takes the node out at `now`, or out again if its trial failed. `chance` in `0.0..=1.0` spreads the ends of several
    /// ejections over two fifths of their length.
    pub fn eject(&mut self, why: Why, rules: &config::Ejection, now: u64, chance: f64) {
        let is_forgiven = match self.stay {
            Stay::In => now.saturating_sub(self.in_since) >= FORGIVEN_AFTER,
            Stay::Out { .. } | Stay::Returning { .. } => false,
        };
        self.times = if is_forgiven { 0 } else { self.times };
        let doubled = rules.time.saturating_mul(1 << self.times.min(16)).min(rules.longest);
        let length = doubled.mul_f64(0.8 + 0.4 * chance.clamp(0.0, 1.0)).as_millis();
        let since = match self.stay {
            Stay::Out { since, .. } => since,
            Stay::In | Stay::Returning { .. } => now,
        };
        let until = now.saturating_add(u64::try_from(length).unwrap_or(u64::MAX));
        self.times = self.times.saturating_add(1);
        self.stay = Stay::Out { since, until, why };
    }

    /// The node, out for another reason, says nothing to those that it has, either. It is out no longer for that.
    pub fn fell_silent(&mut self) {
        if let Stay::Out { why, .. } = &mut self.stay {
            *why = Why::Silent;
        }
    }

    /// Something new speaks for the node: its trial begins now. A node that was kept out by its checks `since` goes on
    /// trial as well.
    pub fn reconsider(&mut self, since: Option<u64>, now: u64) {
        match (&mut self.stay, since) {
            (Stay::Out { until, .. }, _) => *until = now.min(*until),
            (Stay::In | Stay::Returning { .. }, Some(since)) => {
                self.stay = Stay::Out { since, until: now, why: Why::Checks };
            }
            (Stay::In | Stay::Returning { .. }, None) => {}
        }
    }

    /// A node that a person took out `since` may come back: its trial begins now, whatever was held against it before.
    pub fn bring_back(&mut self, since: u64, now: u64) {
        self.stay = Stay::Out { since, until: now, why: Why::Drained };
        self.times = 0;
    }

    /// The node answered well while it was out: it returns over `slow_start` (milliseconds), or less if it was out for less.
    pub fn let_in(&mut self, slow_start: u64, now: u64) {
        let Stay::Out { since, .. } = self.stay else { return };
        let window = slow_start.min(now.saturating_sub(since));
        self.stay = Stay::Returning { since: now, window };
        self.settle(now);
    }

    /// Ends a return that is over, and says whether it did.
    pub fn settle(&mut self, now: u64) -> bool {
        match self.stay {
            Stay::Returning { since, window } if now.saturating_sub(since) >= window => {
                self.stay = Stay::In;
                self.in_since = now;
                true
            }
            Stay::In | Stay::Out { .. } | Stay::Returning { .. } => false,
        }
    }

    /// Lets the node in at once, with its whole share: no node is better.
    pub fn pardon(&mut self, now: u64) {
        *self = Self { stay: Stay::In, times: 0, in_since: now };
    }

    /// The part of its weight that the node gets at `now`.
    pub fn share(&self, now: u64) -> Share {
        let Stay::Returning { since, window } = self.stay else { return Share::FULL };
        let passed = now.saturating_sub(since).min(window);
        let full = u64::from(Share::FULL.0);
        // The window is not zero here: a return that takes no time is over at once.
        let grown = (full - FIRST_STEP) * passed / window.max(1);
        Share(u16::try_from(FIRST_STEP + grown).unwrap_or(Share::FULL.0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MIDDLE: f64 = 0.5;

    fn until(standing: &Standing) -> u64 {
        match standing.stay() {
            Stay::Out { until, .. } => until,
            stay => panic!("{stay:?}"),
        }
    }

    #[test]
    fn ejections_double_up_to_the_longest_and_are_forgiven() {
        let rules = config::Ejection::default();
        let mut standing = Standing::default();
        let mut now = 100_000;
        let mut lengths = Vec::new();
        for _ in 0..4 {
            standing.eject(Why::Silent, &rules, now, MIDDLE);
            lengths.push(until(&standing) - now);
            now = until(&standing);
        }
        assert_eq!(lengths, [1_000, 2_000, 2_000, 2_000]);
        standing.let_in(0, now);
        assert_eq!(standing.stay(), Stay::In);
        standing.eject(Why::Silent, &rules, now + FORGIVEN_AFTER, MIDDLE);
        assert_eq!(until(&standing) - now - FORGIVEN_AFTER, 1_000);
    }

    #[test]
    fn chance_spreads_the_ends() {
        let rules = config::Ejection::default();
        for (chance, length) in [(0.0, 800), (1.0, 1_200), (f64::INFINITY, 1_200)] {
            let mut standing = Standing::default();
            standing.eject(Why::Silent, &rules, 20_000, chance);
            assert_eq!(until(&standing), 20_000 + length);
        }
    }

    #[test]
    fn share_grows_over_the_shorter_of_slow_start_and_time_out() {
        let mut standing = Standing::default();
        standing.eject(Why::Silent, &config::Ejection::default(), 10_000, MIDDLE);
        standing.let_in(2_000, 11_000);
        assert_eq!(standing.stay(), Stay::Returning { since: 11_000, window: 1_000 });
        assert_eq!(standing.share(11_000).get(), 26);
        assert_eq!(standing.share(11_500).get(), 141);
        assert!(!standing.settle(11_999));
        assert!(standing.settle(12_000));
        assert_eq!(standing.share(12_000), Share::FULL);
    }

    #[test]
    fn checks_that_pass_again_put_a_node_on_trial_at_once() {
        let mut standing = Standing::default();
        standing.reconsider(Some(4_000), 9_000);
        assert_eq!(standing.stay(), Stay::Out { since: 4_000, until: 9_000, why: Why::Checks });
        standing.let_in(2_000, 9_100);
        assert_eq!(standing.stay(), Stay::Returning { since: 9_100, window: 2_000 });
        standing.reconsider(None, 9_200);
        assert_eq!(standing.stay(), Stay::Returning { since: 9_100, window: 2_000 });
    }
}
