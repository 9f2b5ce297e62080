//! How many checks in a row it takes to believe them.

/// Checks in a row that change a node's standing; both at least 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Thresholds {
    /// Failures in a row that take a node out.
    pub fall: u32,
    /// Successes in a row that bring it back.
    pub rise: u32,
}

/// The standing of a node by its checks alone.
///
/// A node begins as passing: a new server is not kept waiting, and a request that meets a dead one goes on to another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Health {
    passing: bool,
    /// Checks in a row that said the opposite of `passing`.
    against: u32,
}

impl Default for Health {
    fn default() -> Self {
        Self { passing: true, against: 0 }
    }
}

impl Health {
    /// Whether the checks let the node serve.
    pub fn is_passing(self) -> bool {
        self.passing
    }

    /// Takes the outcome of one check and says whether it changed the standing.
    #[must_use]
    pub fn record(&mut self, passed: bool, thresholds: Thresholds) -> bool {
        if passed == self.passing {
            self.against = 0;
            return false;
        }
        self.against = self.against.saturating_add(1);
        let needed = if passed { thresholds.rise } else { thresholds.fall };
        if self.against < needed {
            return false;
        }
        *self = Self { passing: passed, against: 0 };
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const THRESHOLDS: Thresholds = Thresholds { fall: 3, rise: 2 };

    #[test]
    fn three_failures_in_a_row_take_a_node_out() {
        let mut health = Health::default();
        assert!(!health.record(false, THRESHOLDS));
        assert!(!health.record(false, THRESHOLDS));
        assert!(health.record(false, THRESHOLDS));
        assert!(!health.is_passing());
    }

    #[test]
    fn a_success_between_failures_starts_the_count_again() {
        let mut health = Health::default();
        for passed in [false, false, true, false, false] {
            assert!(!health.record(passed, THRESHOLDS));
        }
        assert!(health.is_passing());
    }

    #[test]
    fn two_successes_in_a_row_bring_it_back() {
        let mut health = Health { passing: false, against: 0 };
        assert!(!health.record(true, THRESHOLDS));
        assert!(!health.record(false, THRESHOLDS));
        assert!(!health.record(true, THRESHOLDS));
        assert!(health.record(true, THRESHOLDS));
        assert!(health.is_passing());
    }
}
