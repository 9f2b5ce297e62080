//! The retry budget: how much work retries may add to what clients ask for.

use parking_lot::Mutex;

use crate::model::Window;

/// Retries a second that are always allowed: on a quiet site a share of the requests would be none.
const ALWAYS: u32 = 10;

/// How far back the budget looks, in seconds.
const SECONDS: u32 = 10;

/// Keeps the retries of a pool within a share of its requests over ten seconds, plus ten a second.
///
/// Without it, a pool whose nodes all fail because they are overloaded would get each request twice. A retry counts from
/// the moment that it is decided on, so that those that still wait count as well. What was refused before it was sent is
/// free: it cost the nodes nothing.
#[derive(Debug)]
pub struct Budget {
    /// Retries for each hundred requests.
    percent: u32,
    spent: Mutex<Spent>,
}

#[derive(Debug, Default)]
struct Spent {
    requests: Window,
    retries: Window,
}

impl Budget {
    /// A budget of `percent` retries for each hundred requests.
    pub fn new(percent: u32) -> Self {
        Self { percent, spent: Mutex::default() }
    }

    /// Counts a request at `now`, in milliseconds of the clock.
    pub fn request(&self, now: u64) {
        self.spent.lock().requests.count(now);
    }

    /// Takes a retry out of the budget at `now`; `false` if there is none left.
    #[must_use]
    pub fn spend(&self, now: u64) -> bool {
        let mut spent = self.spent.lock();
        let requests = u64::from(spent.requests.sum(now));
        let allowed = requests * u64::from(self.percent) / 100 + u64::from(ALWAYS * SECONDS);
        if u64::from(spent.retries.sum(now)) >= allowed {
            return false;
        }
        spent.retries.count(now);
        true
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_fifth_of_the_requests_and_ten_a_second() {
        let budget = Budget::new(20);
        for _ in 0..1_000 {
            budget.request(5_000);
        }
        let granted = (0..1_000).filter(|_| budget.spend(5_000)).count();
        assert_eq!(granted, 300);
        assert!(!budget.spend(14_999));
        assert!(budget.spend(15_000));
    }

    #[test]
    fn a_quiet_pool_has_its_ten_a_second() {
        let budget = Budget::new(0);
        assert_eq!((0..1_000).filter(|_| budget.spend(1)).count(), 100);
    }

    proptest! {
        /// Whatever comes when, no ten seconds see more retries than their budget.
        #[test]
        fn retries_stay_within_the_budget(mut moments in prop::collection::vec((0u64..40_000, any::<bool>()), 0..2_000)) {
            moments.sort_unstable();
            let budget = Budget::new(20);
            let (mut requests, mut retries) = (Vec::new(), Vec::new());
            for (now, is_retry) in moments {
                if !is_retry {
                    requests.push(now);
                    budget.request(now);
                } else if budget.spend(now) {
                    retries.push(now);
                    let oldest = (now / 1_000).saturating_sub(9) * 1_000;
                    let within = |list: &[u64]| list.iter().filter(|&&at| at >= oldest).count();
                    prop_assert!(within(&retries) <= within(&requests) / 5 + 100);
                }
            }
        }
    }
}
