//! The streams of one connection, and what their client does with them.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use parking_lot::Mutex;
use tokio::sync::Notify;

use crate::clock;
use crate::observe::Flood;

/// Over how long a client's conduct is judged, in milliseconds.
const WINDOW: u64 = 10_000;

/// How many requests a client may give up in that time before it is asked how many it did not.
const RESETS: u32 = 200;

/// How many requests in that time may be none.
const MALFORMED: u32 = 32;

/// The streams of one connection that somebody works on. A client that resets a stream is rid of it at once, which is how
/// it could have more work done than it may ask for.
#[derive(Debug, Default)]
pub(super) struct Streams {
    open: AtomicUsize,
    changed: Notify,
    conduct: Mutex<Conduct>,
    has_idle_frames: AtomicBool,
}

/// A stream, counted until dropped.
#[derive(Debug)]
pub(super) struct Place(Arc<Streams>);

/// What a client did since the window began.
#[derive(Debug, Default)]
struct Conduct {
    since: u64,
    requests: u32,
    resets: u32,
    malformed: u32,
}

impl Streams {
    /// Counts a stream.
    pub(super) fn enter(self: &Arc<Self>) -> Place {
        self.open.fetch_add(1, Ordering::Relaxed);
        self.conduct.lock().at(clock::millis()).requests += 1;
        Place(Arc::clone(self))
    }

    /// Whether fewer than `most` are worked on.
    pub(super) fn have_room(&self, most: usize) -> bool {
        self.open.load(Ordering::Relaxed) < most
    }

    /// Whether there is none.
    pub(super) fn are_none(&self) -> bool {
        self.open.load(Ordering::Relaxed) == 0
    }

    /// Ready once a stream has ended, or the client has sent too many frames that are good for nothing.
    pub(super) async fn changed(&self) {
        self.changed.notified().await;
    }

    /// Ready once there is none.
    pub(super) async fn all_ended(&self) {
        while !self.are_none() {
            self.changed().await;
        }
    }

    /// What came at `now` (milliseconds of the clock) is no request.
    pub(super) fn malformed(&self, now: u64) {
        self.conduct.lock().at(now).malformed += 1;
    }

    /// The client has sent too many frames that are good for nothing.
    pub(super) fn idle_frames(&self) {
        self.has_idle_frames.store(true, Ordering::Relaxed);
        self.changed.notify_one();
    }

    /// What the client does that nobody has to put up with, if it does.
    pub(super) fn flood(&self) -> Option<Flood> {
        if self.has_idle_frames.load(Ordering::Relaxed) {
            return Some(Flood::Control);
        }
        self.conduct.lock().flood()
    }
}

impl Place {
    /// The client gave up the stream.
    pub(super) fn was_reset(&self) {
        self.0.conduct.lock().at(clock::millis()).resets += 1;
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.0.open.fetch_sub(1, Ordering::Relaxed);
        self.0.changed.notify_one();
    }
}

impl Conduct {
    fn at(&mut self, now: u64) -> &mut Self {
        if now.saturating_sub(self.since) >= WINDOW {
            *self = Self { since: now, ..Self::default() };
        }
        self
    }

    /// Who closes a page gives up all that is under way, but not more than it asked for before.
    fn flood(&self) -> Option<Flood> {
        if self.resets >= RESETS && self.resets > self.requests / 2 {
            return Some(Flood::Resets);
        }
        (self.malformed >= MALFORMED).then_some(Flood::Malformed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn conduct(requests: u32, resets: u32, malformed: u32) -> Option<Flood> {
        Conduct { requests, resets, malformed, ..Conduct::default() }.flood()
    }

    #[test]
    fn who_closes_a_page_is_no_flood() {
        assert_eq!(conduct(100, 100, 0), None);
        assert_eq!(conduct(1_000, 400, 3), None);
    }

    #[test]
    fn who_gives_up_most_of_what_it_asks_for_is_one() {
        assert_eq!(conduct(RESETS, RESETS, 0), Some(Flood::Resets));
        assert_eq!(conduct(RESETS * 2, RESETS, 0), None);
    }

    #[test]
    fn who_sends_what_is_no_request_is_one() {
        assert_eq!(conduct(500, 0, MALFORMED), Some(Flood::Malformed));
    }

    #[test]
    fn what_is_long_past_is_forgotten() {
        let mut conduct = Conduct::default();
        for _ in 0..RESETS {
            conduct.at(1).resets += 1;
        }
        assert_eq!(conduct.at(WINDOW - 1).flood(), Some(Flood::Resets));
        assert_eq!(conduct.at(WINDOW).flood(), None);
    }
}
