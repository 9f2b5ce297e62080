//! What a node has to do, and whether it gets more.

use std::num::NonZeroU32;
use std::sync::atomic::{AtomicI32, AtomicU32, Ordering};
use std::time::Duration;

use super::Limit;

/// The requests that are at a node.
#[derive(Debug, Default)]
pub struct Load {
    in_flight: AtomicU32,
    /// Attempts that wait for a head and do not linger. One that lingers may be taken off a moment too early, or put back a
    /// moment too late: below 0 is 0.
    waiting: AtomicI32,
    limit: Limit,
}

impl Load {
    /// No load, under a limit that is learnt.
    pub fn new(limit: Limit) -> Self {
        Self { limit, ..Self::default() }
    }

    /// Requests that are at the node, from their beginning to the end of their answers.
    pub fn in_flight(&self) -> u32 {
        self.in_flight.load(Ordering::SeqCst)
    }

    /// Attempts that wait for the heads of their answers, but for those that linger.
    pub fn waiting(&self) -> u32 {
        u32::try_from(self.waiting.load(Ordering::SeqCst)).unwrap_or(0)
    }

    /// How many of those there may be, as far as that was learnt.
    pub fn limit(&self) -> &Limit {
        &self.limit
    }

    /// How many more requests the node takes: where no more than `most` may be at it at once, or else as many as it was
    /// learnt that it can finish.
    pub fn room(&self, most: Option<NonZeroU32>) -> usize {
        let room = match most {
            Some(most) => most.get().saturating_sub(self.in_flight()),
            None => self.limit.room(self.waiting()),
        };
        usize::try_from(room).unwrap_or(usize::MAX)
    }

    /// One goes elsewhere, because there is no place for it.
    pub(super) fn passed_by(&self) {
        self.limit.passed_by(self.waiting());
    }

    /// Takes a place; `false` if there is none.
    pub(super) fn take(&self, most: Option<NonZeroU32>) -> bool {
        let taken = self.in_flight.fetch_add(1, Ordering::Relaxed);
        let waiting = u32::try_from(self.waiting.fetch_add(1, Ordering::Relaxed)).unwrap_or(0);
        let is_free = match most {
            Some(most) => taken < most.get(),
            None => self.limit.enter(waiting),
        };
        if !is_free {
            self.end_wait();
            self.give_back();
        }
        is_free
    }

    /// One that waited got its head, after so long, and not a bad one. Whether the node takes more from now on.
    pub(super) fn answered(&self, waited: Duration, now: u64) -> bool {
        self.end_wait();
        self.limit.answered(waited, self.waiting(), now)
    }

    /// One waits no longer for a head.
    pub(super) fn end_wait(&self) {
        // Ordered with the look at the line that follows: see `OverloadLine::is_idle`.
        self.waiting.fetch_sub(1, Ordering::SeqCst);
    }

    /// Gives a place back that was taken.
    pub(super) fn give_back(&self) {
        // As above.
        self.in_flight.fetch_sub(1, Ordering::SeqCst);
    }

    /// An attempt failed. Whether the node takes more from now on.
    pub(super) fn failed(&self, now: u64) -> bool {
        self.limit.failed(self.waiting(), now)
    }

    /// An attempt is slow for reasons of its own, and does not count until [`Load::stop_lingering`].
    pub(super) fn linger(&self) {
        self.end_wait();
    }

    /// The attempt that lingered is about to end.
    pub(super) fn stop_lingering(&self) {
        self.waiting.fetch_add(1, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_more_than_the_most_get_in() {
        let (load, most) = (Load::default(), NonZeroU32::new(2));
        assert_eq!([load.take(most), load.take(most), load.take(most)], [true, true, false]);
        assert_eq!((load.in_flight(), load.room(most)), (2, 0));
        load.give_back();
        assert_eq!(load.room(most), 1);
    }

    #[test]
    fn those_wait_that_have_no_head_yet_and_do_not_linger() {
        let load = Load::default();
        assert_eq!([load.take(None), load.take(None), load.take(None)], [true; 3]);
        load.linger();
        load.answered(Duration::from_millis(1), 10);
        assert_eq!((load.in_flight(), load.waiting()), (3, 1));
        load.end_wait();
        // The end of the one that lingers, in either order.
        load.end_wait();
        assert_eq!(load.waiting(), 0);
        load.stop_lingering();
        assert_eq!(load.waiting(), 0);
    }
}
