//! Whether a client still listens, as far as its socket can tell.

use std::sync::atomic::{AtomicU64, Ordering};

use crate::clock;

/// For how long a client that has closed its side is not taken to have left, in milliseconds: it may only have no more to ask
/// (RFC 9112, 9.6).
const MAY_LISTEN: u64 = 1_000;

/// What a client's socket has shown.
#[derive(Debug)]
pub(super) struct Presence {
    /// When a client that has closed its side has left, in milliseconds of the clock; the largest of numbers while it has not
    /// closed it.
    leaves_at: AtomicU64,
    /// How often the socket has begun or ended to take nothing.
    stalls: AtomicU64,
}

impl Default for Presence {
    fn default() -> Self {
        Self { leaves_at: AtomicU64::new(u64::MAX), stalls: AtomicU64::new(0) }
    }
}

impl Presence {
    /// The client has closed its side. It may listen on.
    pub(super) fn closed_its_side(&self) {
        if self.leaves_at() == u64::MAX {
            self.leaves_at.store(clock::millis().saturating_add(MAY_LISTEN), Ordering::Relaxed);
        }
    }

    /// The client has taken something. If it is gone, what comes back will say so.
    pub(super) fn took_something(&self) {
        if self.leaves_at() != u64::MAX {
            self.leaves_at.store(u64::MAX, Ordering::Relaxed);
        }
    }

    /// When it is to be asked whether the client has left, in milliseconds of the clock.
    pub(super) fn leaves_at(&self) -> u64 {
        self.leaves_at.load(Ordering::Relaxed)
    }

    /// Whether the client has closed its side, and nothing could be sent to it for so long that it has left at `now`.
    pub(super) fn has_left(&self, now: u64) -> bool {
        if now < self.leaves_at() {
            return false;
        }
        if is_stalled(self.stalls()) {
            // It has not taken what it was sent. There are other limits to that.
            self.leaves_at.store(now.saturating_add(MAY_LISTEN), Ordering::Relaxed);
            return false;
        }
        true
    }

    /// Whether the socket takes nothing at the moment; told by whoever writes to it, and nobody else.
    pub(super) fn set_stalled(&self, now_is: bool) {
        let stalls = self.stalls();
        if is_stalled(stalls) != now_is {
            self.stalls.store(stalls + 1, Ordering::Relaxed);
        }
    }

    /// How often the socket has begun or ended to take nothing; see [`is_stalled`].
    pub(super) fn stalls(&self) -> u64 {
        self.stalls.load(Ordering::Relaxed)
    }
}

/// Whether a socket that has so often begun or ended to take nothing takes nothing.
pub(super) fn is_stalled(stalls: u64) -> bool {
    !stalls.is_multiple_of(2)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_closes_its_side_has_left_once_it_has_been_sent_nothing_for_a_while() {
        let presence = Presence::default();
        assert!(!presence.has_left(u64::MAX - 1));
        presence.closed_its_side();
        let at = presence.leaves_at();
        presence.closed_its_side();
        assert_eq!(presence.leaves_at(), at, "it closes it once");
        assert!(!presence.has_left(at - 1) && presence.has_left(at));
        presence.took_something();
        assert!(!presence.has_left(at));
    }

    #[test]
    fn who_reads_slowly_has_not_left() {
        let presence = Presence::default();
        presence.closed_its_side();
        presence.set_stalled(true);
        let at = presence.leaves_at();
        assert!(!presence.has_left(at));
        assert_eq!(presence.leaves_at(), at + MAY_LISTEN);
        presence.set_stalled(false);
        assert!(presence.has_left(at + MAY_LISTEN));
    }
}
