//! How long a node takes, with an eye for the worst.

use std::sync::atomic::{AtomicU64, Ordering};

/// After so many milliseconds without a sample a latency counts for a third, and before as much of it is left.
const FADES: f32 = 10_000.0;

/// What a failure counts for beside what it took: four times what answers took, and at least so many microseconds; not
/// more than the last, so that a node that comes back is not waited for too long.
const FAILURE: f32 = 4.0;
const LEAST_FAILURE: f32 = 100_000.0;
const MOST_FAILURE: f32 = 5_000_000.0;

/// How much one answer counts in what is usual: what the last thirty or so were like.
const ONE_ANSWER: f32 = 1.0 / 32.0;

/// A moving average of how long a node takes to answer, which follows a slower answer at once and a faster one by degrees
/// (Finagle's peak EWMA). It fades while there are no samples, so that a node that was slow is tried again.
///
/// Costs one exchange for each sample and no lock. Threads that hand in samples at the same moment all count.
#[derive(Debug, Default)]
pub struct Latency {
    /// The average as the bits of an `f32` in microseconds, and the milliseconds of the clock when it was taken; 0 is none.
    value: AtomicU64,
    /// What was usual lately: the mean of what answers took, in microseconds, and of the requests in flight meanwhile, each
    /// answer's with itself, as the bits of two `f32`; 0 if there was no answer yet.
    usual: AtomicU64,
}

/// How long one more request would take, in microseconds, by either measure.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Outlook {
    /// The moving average, which remembers one answer that was slow.
    pub peak: f32,
    /// As long as usual, while no more are in flight than usually are: what they cost each other is in it. Beyond that, longer
    /// by as much as they are more, as at a node that does one thing after the other (Little's law). One answer that was slow
    /// by chance counts little here, and a node that is not asked any more is tried again like any other.
    pub expected: f32,
}

impl Latency {
    /// What one more request may expect at `now` (milliseconds of the clock) beside so many in flight; `None` if there was no
    /// sample yet.
    pub fn outlook(&self, in_flight: u32, now: u64) -> Option<Outlook> {
        let (average, at) = unpack(self.value.load(Ordering::Relaxed))?;
        let (mean, beside) = match self.usual.load(Ordering::Relaxed) {
            0 => (average, 1.0),
            usual => halves(usual),
        };
        let left = left(at, now);
        let more = ((count(in_flight) + 1.0) / beside).max(1.0);
        Some(Outlook { peak: average * left, expected: mean * left * more })
    }

    /// The node took so many microseconds to answer, and had so many requests in flight, with the one that it answered.
    pub fn answered(&self, took: u64, in_flight: u32, now: u64) {
        self.sample(now, |_| micros(took));
        let (took, beside) = (micros(took).max(1.0), count(in_flight).max(1.0));
        // What another thread notes at the same moment may be lost: one of thirty.
        let (mean, usual) = match self.usual.load(Ordering::Relaxed) {
            0 => (took, beside),
            usual => {
                let (mean, usual) = halves(usual);
                (mean + (took - mean) * ONE_ANSWER, usual + (beside - usual) * ONE_ANSWER)
            }
        };
        self.usual.store(joined(mean, usual), Ordering::Relaxed);
    }

    /// The node failed after so many microseconds: a slow answer, however fast it was.
    pub fn failed(&self, took: u64, now: u64) {
        self.sample(now, |average| (average * FAILURE).clamp(LEAST_FAILURE, MOST_FAILURE).max(micros(took)));
        // No answer by chance: it is what is usual from now on.
        if let Some((worst, _)) = unpack(self.value.load(Ordering::Relaxed)) {
            let beside = halves(self.usual.load(Ordering::Relaxed)).1.max(1.0);
            self.usual.store(joined(worst, beside), Ordering::Relaxed);
        }
    }

    /// Forgets all: the node is another than it was.
    pub fn forget(&self) {
        self.value.store(0, Ordering::Relaxed);
        self.usual.store(0, Ordering::Relaxed);
    }

    fn sample(&self, now: u64, sample: impl Fn(f32) -> f32) {
        let next = |value: u64| {
            let Some((average, at)) = unpack(value) else { return Some(pack(sample(0.0), now)) };
            let sample = sample(average);
            let kept = left(at, now);
            Some(pack(if sample > average { sample } else { average * kept + sample * (1.0 - kept) }, now))
        };
        // It never gives up, because there is always a next value.
        let _ = self.value.fetch_update(Ordering::Relaxed, Ordering::Relaxed, next);
    }
}

/// How much of an average is left that was taken at `at`.
fn left(at: u32, now: u64) -> f32 {
    let passed = lower(now).wrapping_sub(at);
    // Another thread's clock may have been read a moment later.
    if passed > u32::MAX / 2 {
        return 1.0;
    }
    #[expect(clippy::cast_precision_loss, reason = "an hour more or less in a month is the same")]
    let passed = passed as f32;
    (-passed / FADES).exp()
}

fn pack(average: f32, now: u64) -> u64 {
    // No sample is the same as no time, which an answer never takes.
    u64::from(average.max(1.0).to_bits()) << 32 | u64::from(lower(now))
}

/// The two numbers of what is usual, in one.
fn joined(mean: f32, beside: f32) -> u64 {
    u64::from(mean.to_bits()) << 32 | u64::from(beside.to_bits())
}

fn halves(usual: u64) -> (f32, f32) {
    (f32::from_bits(lower(usual >> 32)), f32::from_bits(lower(usual)))
}

fn unpack(value: u64) -> Option<(f32, u32)> {
    let bits = u32::try_from(value >> 32).unwrap_or_default();
    (bits != 0).then(|| (f32::from_bits(bits), lower(value)))
}

#[expect(clippy::cast_possible_truncation, reason = "what is left tells moments within 49 days apart")]
fn lower(value: u64) -> u32 {
    value as u32
}

#[expect(clippy::cast_precision_loss, reason = "a latency is not that exact")]
fn micros(took: u64) -> f32 {
    took as f32
}

#[expect(clippy::cast_precision_loss, reason = "a node has not that many requests")]
fn count(in_flight: u32) -> f32 {
    in_flight as f32
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    impl Latency {
        fn micros(&self, now: u64) -> Option<f32> {
            self.outlook(0, now).map(|outlook| outlook.peak)
        }

        fn expected(&self, in_flight: u32, now: u64) -> Option<f32> {
            self.outlook(in_flight, now).map(|outlook| outlook.expected)
        }
    }

    #[test]
    fn slower_answer_counts_at_once_and_faster_ones_by_degrees() {
        let latency = Latency::default();
        assert_eq!(latency.micros(1), None);
        latency.answered(2_000, 1, 1_000);
        assert_eq!(latency.micros(1_000), Some(2_000.0));
        latency.answered(9_000, 1, 1_000);
        assert_eq!(latency.micros(1_000), Some(9_000.0));
        latency.answered(1_000, 1, 1_001);
        let soon = latency.micros(1_001).unwrap();
        assert!((8_990.0..9_000.0).contains(&soon), "{soon}");
        for now in 1_002..31_000 {
            latency.answered(1_000, 1, now);
        }
        let later = latency.micros(31_000).unwrap();
        assert!((1_000.0..1_500.0).contains(&later), "{later}");
    }

    #[test]
    fn more_than_were_measured_are_expected_to_take_longer() {
        let latency = Latency::default();
        assert_eq!(latency.expected(9, 1_000), None);
        (0..1_000).for_each(|_| latency.answered(6_000, 16, 1_000));
        assert_eq!(latency.expected(0, 1_000), Some(6_000.0), "fewer than usual");
        assert_eq!(latency.expected(15, 1_000), Some(6_000.0));
        let doubled = latency.expected(31, 1_000).unwrap();
        assert!((11_990.0..12_010.0).contains(&doubled), "{doubled}");
        (0..1_000).for_each(|_| latency.answered(6_000, 2, 1_000));
        let less = latency.expected(15, 1_000).unwrap();
        assert!((47_000.0..48_001.0).contains(&less), "{less}");
    }

    #[test]
    fn one_slow_answer_is_chance_and_a_failure_is_not() {
        let latency = Latency::default();
        (0..100).for_each(|_| latency.answered(5_000, 1, 1_000));
        latency.answered(60_000, 1, 1_000);
        assert_eq!(latency.micros(1_000), Some(60_000.0));
        assert!(latency.expected(0, 1_000).unwrap() < 7_000.0);
        latency.failed(300, 1_000);
        latency.answered(1_000, 1, 1_000);
        assert!(latency.expected(0, 1_000).unwrap() > 90_000.0, "however fast what it answers between");
    }

    #[test]
    fn node_that_was_slow_is_tried_again() {
        let latency = Latency::default();
        latency.answered(1_000_000, 1, 1_000);
        assert!(latency.micros(1_000 + 70_000).unwrap() < 1_000.0);
        assert!(latency.micros(500).unwrap() > 999_999.0, "a clock that is behind counts as no time");
    }

    #[test]
    fn failure_counts_as_a_slow_answer_however_fast_it_was() {
        let latency = Latency::default();
        latency.answered(1_000, 1, 1_000);
        latency.failed(500, 1_000);
        assert_eq!(latency.micros(1_000), Some(LEAST_FAILURE));
        (0..9).for_each(|_| latency.failed(500, 1_000));
        assert_eq!(latency.micros(1_000), Some(MOST_FAILURE));
        latency.failed(60_000_000, 1_000);
        assert_eq!(latency.micros(1_000), Some(60_000_000.0));
        latency.forget();
        assert_eq!(latency.micros(1_000), None);
    }

    proptest! {
        /// Whatever comes, the average is a number between the least and the most of what came.
        #[test]
        fn average_stays_within_what_came(samples in prop::collection::vec((0u64..1 << 40, 0u64..1 << 34), 1..50)) {
            let latency = Latency::default();
            let (mut now, mut most) = (0, 1);
            for (took, after) in samples {
                now += after;
                most = most.max(took);
                latency.answered(took, 1, now);
                let average = latency.micros(now).unwrap();
                prop_assert!(average.is_finite() && average >= 0.0 && average <= micros(most) * 1.001);
            }
        }
    }
}
