//! What the frames on a connection are good for, seen from their headers alone (RFC 9113, 4.1).
//!
//! Whatever is no part of a request or of its answer only makes work: a PING or SETTINGS is answered, the rest is read for
//! nothing. A client needs some of that, in proportion to what it is sent; more is a flood (CVE-2019-9512 and its kin).

use crate::framing::{Frames, Sifted};

/// Over how long a client's frames are counted, in milliseconds.
const WINDOW: u64 = 10_000;

/// How many frames in that time may be good for nothing.
const MOST: u64 = 1_000;

/// How many may be for each piece of work that they can belong to. A client that makes room for every 4 KiB of an answer that
/// it has read, on its stream and on the connection, needs two for a piece.
const FOR_EACH_PIECE: u64 = 8;

/// The frames of one connection, in both directions.
#[derive(Debug)]
pub(super) struct Ledger {
    from_client: Frames,
    to_client: Frames,
    /// When the window began, in milliseconds of the clock.
    since: u64,
    /// Frames of the client since then that are good for nothing.
    idle: u64,
    /// Pieces of work since then, and in the window before: what belongs to them may come later.
    work: u64,
    work_before: u64,
}

impl Default for Ledger {
    fn default() -> Self {
        let (from_client, to_client) = (Frames::of_client(), Frames::default());
        Self { from_client, to_client, since: 0, idle: 0, work: 0, work_before: 0 }
    }
}

impl Ledger {
    /// The client has sent `bytes`, from which empty pieces of bodies are taken: the library ends a connection for a hundred in
    /// all its life. Returns how many are left; `None` if that makes a flood of it, at `now` in milliseconds of the clock.
    pub(super) fn received(&mut self, bytes: &mut [u8], now: impl FnOnce() -> u64) -> Option<usize> {
        let (mut idle, mut work) = (0, 0);
        let Sifted { left, .. } = self.from_client.sift(bytes, |head| match head.work() {
            0 => idle += 1,
            pieces => work += pieces,
        });
        if idle > 0 {
            self.turn(now());
        }
        self.idle += idle;
        self.work += work;
        (!self.is_flood()).then_some(left)
    }

    /// The client was sent `bytes`.
    pub(super) fn sent(&mut self, bytes: &[u8]) {
        let work = &mut self.work;
        self.to_client.read(bytes, |head| *work += head.work());
    }

    fn turn(&mut self, now: u64) {
        if now.saturating_sub(self.since) >= WINDOW {
            self.since = now;
            self.idle = 0;
            self.work_before = std::mem::take(&mut self.work);
        }
    }

    fn is_flood(&self) -> bool {
        self.idle > MOST && self.idle / FOR_EACH_PIECE > self.work + self.work_before
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const DATA: u8 = 0;
    const HEADERS: u8 = 1;
    const END_STREAM: u8 = 1;
    const PING: u8 = 6;
    const WINDOW_UPDATE: u8 = 8;

    fn frame(kind: u8, flags: u8, length: u32) -> Vec<u8> {
        let [_, high, middle, low] = length.to_be_bytes();
        let mut frame = vec![high, middle, low, kind, flags, 0, 0, 0, 1];
        frame.resize(frame.len() + length as usize, 0);
        frame
    }

    /// The frames of a client that has begun.
    fn begun() -> Ledger {
        let mut ledger = Ledger::default();
        assert!(!is_flood(&mut ledger, b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 1));
        ledger
    }

    fn is_flood(ledger: &mut Ledger, bytes: &[u8], now: u64) -> bool {
        ledger.received(&mut bytes.to_vec(), || now).is_none()
    }

    /// How many of these frames it takes at `now` until they are a flood.
    fn flood(ledger: &mut Ledger, frame: &[u8], now: u64) -> Option<u64> {
        (1..100_000).find(|_| is_flood(ledger, frame, now))
    }

    #[test]
    fn frames_that_carry_nothing_are_a_flood() {
        let of_each_kind = (2..=u8::MAX).map(|kind| frame(kind, 0, 8)).chain([frame(DATA, 0, 0)]);
        for frame in of_each_kind {
            assert_eq!(flood(&mut begun(), &frame, 1), Some(MOST + 1), "{frame:?}");
        }
    }

    #[test]
    fn frames_that_carry_something_are_none() {
        for frame in [frame(HEADERS, 5, 20), frame(DATA, 0, 1), frame(DATA, END_STREAM, 0)] {
            assert_eq!(flood(&mut begun(), &frame, 1), None, "{frame:?}");
        }
    }

    #[test]
    fn client_that_asks_now_and_then_whether_anybody_is_there_is_no_flood() {
        let (mut ledger, ping) = (begun(), frame(PING, 0, 8));
        let gap = WINDOW / MOST;
        assert!((0..100_000).all(|at| !is_flood(&mut ledger, &ping, at * gap)));
    }

    #[test]
    fn client_that_makes_room_for_every_little_piece_is_no_flood() {
        let (mut ledger, update) = (begun(), frame(WINDOW_UPDATE, 0, 4));
        for _ in 0..10_000 {
            ledger.sent(&frame(DATA, 0, 16_384));
            assert!((0..8).all(|_| !is_flood(&mut ledger, &update, 1)));
        }
        for _ in 0..10_000 {
            ledger.sent(&frame(DATA, 0, 5));
            assert!((0..4).all(|_| !is_flood(&mut ledger, &update, 1)));
        }
    }

    #[test]
    fn room_for_what_came_before_may_be_made_later() {
        let (mut ledger, update) = (begun(), frame(WINDOW_UPDATE, 0, 4));
        (0..5_000).for_each(|_| ledger.sent(&frame(DATA, 0, 16_384)));
        assert!((0..10_000).all(|_| !is_flood(&mut ledger, &update, WINDOW)));
    }

    #[test]
    fn work_that_is_long_past_excuses_nothing() {
        let (mut ledger, ping) = (begun(), frame(PING, 0, 8));
        (0..5_000).for_each(|_| ledger.sent(&frame(DATA, 0, 16_384)));
        assert!(!is_flood(&mut ledger, &ping, WINDOW));
        assert_eq!(flood(&mut ledger, &ping, 2 * WINDOW), Some(MOST + 1));
    }

    #[test]
    fn few_requests_do_not_excuse_many_frames() {
        let (mut ledger, ping) = (begun(), frame(PING, 0, 8));
        for _ in 0..MOST {
            assert!(!is_flood(&mut ledger, &frame(HEADERS, 5, 20), 1));
        }
        assert_eq!(flood(&mut ledger, &ping, 1), Some(FOR_EACH_PIECE * (MOST + 1)));
    }
}
