//! A count over the last ten seconds.

/// What one slot stands for, in milliseconds.
const STEP: u64 = 1_000;

const SLOTS: usize = 10;

/// How often something happened in the last ten seconds, in steps of one second: what happened is forgotten between nine
/// and ten seconds later.
///
/// The time is in milliseconds of any clock; one that appears to run backwards counts as standing still.
#[derive(Clone, Debug, Default)]
pub struct Window {
    slots: [u32; SLOTS],
    sum: u32,
    /// The number of the newest step.
    step: u64,
}

impl Window {
    /// Counts one at `now`.
    pub fn count(&mut self, now: u64) {
        self.advance(now);
        let Some(slot) = self.slots.get_mut(place(self.step)) else { return };
        // As many as this in one second cannot be; a count that stops is better than one that begins again.
        if *slot < u32::MAX / SLOTS as u32 {
            *slot += 1;
            self.sum += 1;
        }
    }

    /// How many were counted in the ten seconds before `now`.
    pub fn sum(&mut self, now: u64) -> u32 {
        self.advance(now);
        self.sum
    }

    fn advance(&mut self, now: u64) {
        let step = now / STEP;
        if step <= self.step {
            return;
        }
        let passed = step - self.step;
        if passed >= SLOTS as u64 {
            *self = Self { step, ..Self::default() };
            return;
        }
        for old in self.step + 1..=step {
            if let Some(slot) = self.slots.get_mut(place(old)) {
                self.sum -= *slot;
                *slot = 0;
            }
        }
        self.step = step;
    }
}

#[expect(clippy::cast_possible_truncation, reason = "a remainder of a small number")]
fn place(step: u64) -> usize {
    (step % SLOTS as u64) as usize
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn what_is_older_than_ten_seconds_is_forgotten() {
        let mut window = Window::default();
        window.count(500);
        window.count(9_999);
        assert_eq!(window.sum(9_999), 2);
        assert_eq!(window.sum(10_000), 1);
        assert_eq!(window.sum(18_999), 1);
        assert_eq!(window.sum(19_000), 0);
    }

    #[test]
    fn a_clock_that_runs_backwards_stands_still() {
        let mut window = Window::default();
        window.count(20_000);
        window.count(5_000);
        assert_eq!(window.sum(1), 2);
        assert_eq!(window.sum(29_999), 2);
        assert_eq!(window.sum(30_000), 0);
    }

    proptest! {
        /// The sum is what a list of all moments says.
        #[test]
        fn sum_is_exact(mut moments in prop::collection::vec(0u64..60_000, 0..200), later in 0u64..15_000) {
            moments.sort_unstable();
            let mut window = Window::default();
            for &moment in &moments {
                window.count(moment);
            }
            let now = moments.last().copied().unwrap_or_default() + later;
            let oldest = (now / STEP).saturating_sub(SLOTS as u64 - 1) * STEP;
            let expected = moments.iter().filter(|&&moment| moment >= oldest).count();
            prop_assert_eq!(window.sum(now) as usize, expected);
        }
    }
}
