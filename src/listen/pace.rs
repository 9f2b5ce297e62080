//! How fast a client has to be, in the time in which it alone is waited for.

use std::time::Duration;

use crate::clock;

/// So many bytes at least in each stretch of so much waiting.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pace {
    /// Bytes.
    least: u64,
    /// Milliseconds.
    stretch: u64,
}

impl Pace {
    /// So many bytes a second, counted over each `stretch`; `None` where that asks for nothing.
    pub fn new(bytes_per_second: u64, stretch: Duration) -> Option<Self> {
        let stretch = clock::to_millis(stretch);
        let least = u128::from(bytes_per_second) * u128::from(stretch) / 1000;
        let least = u64::try_from(least).unwrap_or(u64::MAX);
        (least > 0).then_some(Self { least, stretch })
    }

    /// The same with so many bytes less in each stretch.
    pub(super) fn less(self, bytes: u64) -> Self {
        Self { least: self.least.saturating_sub(bytes), ..self }
    }
}

/// A client that is held to a pace.
///
/// Only waiting counts: a client that was not listened to, because a node or bookend itself had to go on first, has lost no
/// time. Stretches follow each other, so that one that is too slow is found out after two of them at the latest.
#[derive(Debug, Default)]
pub(super) struct Pacer {
    /// Milliseconds that were waited in this stretch, and bytes that came.
    waited: u64,
    moved: u64,
    /// When the wait began that goes on, in milliseconds of the clock.
    since: Option<u64>,
}

impl Pacer {
    /// The client is waited for at `now`; says when it has to be judged.
    pub(super) fn waits(&mut self, pace: Pace, now: u64) -> u64 {
        let since = *self.since.get_or_insert(now);
        since.saturating_add(pace.stretch.saturating_sub(self.waited))
    }

    /// Whether the client was too slow in the stretch that ends at `now`, if one does.
    pub(super) fn is_too_slow(&mut self, pace: Pace, now: u64) -> bool {
        if let Some(since) = self.since.replace(now) {
            self.waited = self.waited.saturating_add(now.saturating_sub(since));
        }
        if self.waited < pace.stretch {
            return false;
        }
        let moved = std::mem::take(&mut self.moved);
        self.waited = 0;
        moved < pace.least
    }

    /// So many bytes moved at `now`; whatever wait there was is over.
    pub(super) fn moved(&mut self, bytes: u64, now: impl FnOnce() -> u64) {
        self.credit(bytes);
        if let Some(since) = self.since.take() {
            self.waited = self.waited.saturating_add(now().saturating_sub(since));
        }
    }

    /// So many bytes came, and the wait goes on.
    pub(super) fn credit(&mut self, bytes: u64) {
        self.moved = self.moved.saturating_add(bytes);
    }

    /// Somebody else is waited for; the time since the client was last seen to be late does not count.
    pub(super) fn pause(&mut self) {
        self.since = None;
    }

    /// The client is not waited for any more, and what it had to do is done or does not matter.
    pub(super) fn end(&mut self) {
        *self = Self::default();
    }
}

/// The body of a request that is held to a pace, or comes at will.
#[derive(Debug, Default)]
pub(super) struct Upload {
    pace: Option<Pace>,
    pacer: Pacer,
}

impl Upload {
    /// From now on it has to come this fast; `None` is at will.
    pub(super) fn hold_to(&mut self, pace: Option<Pace>) {
        self.pacer.end();
        self.pace = pace;
    }

    /// So many bytes came at `now`.
    pub(super) fn came(&mut self, bytes: u64, now: u64) {
        if self.pace.is_some() {
            self.pacer.moved(bytes, || now);
        }
    }

    /// It is waited for at `now`; says when it has to be judged.
    pub(super) fn waits(&mut self, now: u64) -> u64 {
        self.pace.map_or(u64::MAX, |pace| self.pacer.waits(pace, now))
    }

    /// Whether it was too slow in the stretch that ends at `now`, if one does.
    pub(super) fn is_too_slow(&mut self, now: u64) -> bool {
        self.pace.is_some_and(|pace| self.pacer.is_too_slow(pace, now))
    }

    /// Nobody listens to it: until it is waited for again no time counts.
    pub(super) fn pause(&mut self) {
        self.pacer.pause();
    }
}

#[cfg(test)]
mod tests {
    use proptest::collection::vec;
    use proptest::prelude::*;

    use super::*;

    fn pace() -> Pace {
        Pace::new(1000, Duration::from_secs(30)).expect("a pace")
    }

    /// Waits for pieces of so many bytes, each after so many milliseconds; when the client was found to be too slow.
    fn play(pieces: impl IntoIterator<Item = (u64, u64)>) -> Option<u64> {
        let (mut pacer, mut now) = (Pacer::default(), 0);
        for (bytes, after) in pieces {
            let comes = now + after;
            let mut deadline = pacer.waits(pace(), now);
            while deadline < comes {
                if pacer.is_too_slow(pace(), deadline.max(now)) {
                    return Some(deadline);
                }
                deadline = pacer.waits(pace(), deadline);
            }
            now = comes;
            pacer.moved(bytes, || now);
        }
        None
    }

    #[test]
    fn client_that_crawls_is_found_out_at_the_end_of_its_stretch() {
        assert_eq!(play(vec![(1, 1_000); 100]), Some(30_000));
        assert_eq!(play(vec![(999, 1_000); 100]), Some(30_000));
        assert_eq!(play([(0, 100_000)]), Some(30_000));
    }

    #[test]
    fn client_that_keeps_the_pace_may_go_on_for_ever() {
        assert_eq!(play(vec![(1_001, 1_000); 1_000]), None);
        assert_eq!(play(vec![(30_001, 28_000); 1_000]), None);
        assert_eq!(play(vec![(1 << 20, 0); 1_000]), None);
    }

    #[test]
    fn client_that_falls_asleep_later_is_found_out_then() {
        let pieces = vec![(10_000, 1_000); 30].into_iter().chain([(0, 100_000)]);
        assert_eq!(play(pieces), Some(60_000));
    }

    #[test]
    fn time_in_which_nobody_waited_does_not_count() {
        let mut pacer = Pacer::default();
        let deadline = pacer.waits(pace(), 0);
        assert_eq!(deadline, 30_000);
        pacer.moved(10, || 1_000);
        assert_eq!(pacer.waits(pace(), 1_000_000), 1_029_000);
    }

    #[test]
    fn what_asks_for_nothing_is_no_pace() {
        assert_eq!(Pace::new(0, Duration::from_secs(30)), None);
        assert_eq!(Pace::new(1, Duration::from_millis(999)), None);
        assert!(Pace::new(u64::MAX, Duration::MAX).is_some());
    }

    proptest! {
        #[test]
        fn nobody_who_is_fast_in_every_piece_is_too_slow(pieces in vec(1..5_000_u64, 0..200)) {
            let pieces = pieces.into_iter().map(|after| (2 * after, after));
            prop_assert_eq!(play(pieces), None);
        }

        #[test]
        fn nobody_crawls_for_longer_than_two_stretches(after in vec(1_000..5_000_u64, 200)) {
            let found = play(after.into_iter().map(|after| (after / 2, after)));
            prop_assert!(found.is_some_and(|found| found <= 60_000), "{found:?}");
        }
    }
}
