//! What the frames on a connection are good for, seen from their headers alone (RFC 9113, 4.1).
//!
//! Whatever is no part of a request or of its answer only makes work: a PING or SETTINGS is answered, the rest is read for
//! nothing. A client needs some of that, in proportion to what it is sent; more is a flood (CVE-2019-9512 and its kin).

/// Over how long a client's frames are counted, in milliseconds.
const WINDOW: u64 = 10_000;

/// How many frames in that time may be good for nothing.
const MOST: u64 = 1_000;

/// How many may be for each piece of work that they can belong to. A client that makes room for every 4 KiB of an answer that
/// it has read, on its stream and on the connection, needs two for a piece.
const FOR_EACH_PIECE: u64 = 8;

/// What a frame of a body counts for, beside itself: a piece for so many bytes of it.
const PIECE: u64 = 4_096;

/// How a client begins, before its first frame (RFC 9113, 3.4).
const PREFACE: u32 = 24;

const HEAD: usize = 9;
const DATA: u8 = 0;
const HEADERS: u8 = 1;
const END_STREAM: u8 = 1;

/// The frames of one connection, in both directions.
#[derive(Debug)]
pub(super) struct Ledger {
    from_client: Heads,
    to_client: Heads,
    /// When the window began, in milliseconds of the clock.
    since: u64,
    /// Frames of the client since then that are good for nothing.
    idle: u64,
    /// Pieces of work since then, and in the window before: what belongs to them may come later.
    work: u64,
    work_before: u64,
}

/// Finds the headers of frames in bytes that come in any pieces.
#[derive(Debug, Default)]
struct Heads {
    /// So many bytes are none of a header.
    skip: u32,
    /// The first bytes of a header that is not all there, and how many they are.
    begun: [u8; HEAD],
    count: usize,
}

/// What is read of a frame.
#[derive(Clone, Copy, Debug)]
struct Head {
    length: u32,
    kind: u8,
    flags: u8,
}

impl Default for Ledger {
    fn default() -> Self {
        let from_client = Heads { skip: PREFACE, ..Heads::default() };
        Self { from_client, to_client: Heads::default(), since: 0, idle: 0, work: 0, work_before: 0 }
    }
}

impl Ledger {
    /// The client has sent `bytes`; whether that makes a flood of it, at `now` in milliseconds of the clock.
    pub(super) fn received(&mut self, bytes: &[u8], now: impl FnOnce() -> u64) -> bool {
        let (mut idle, mut work) = (0, 0);
        self.from_client.read(bytes, |head| match head.work() {
            0 => idle += 1,
            pieces => work += pieces,
        });
        if idle > 0 {
            self.turn(now());
        }
        self.idle += idle;
        self.work += work;
        self.is_flood()
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

impl Heads {
    /// Calls `seen` with each header that ends in `bytes`, which follow those of the call before.
    fn read(&mut self, mut bytes: &[u8], mut seen: impl FnMut(Head)) {
        loop {
            let skipped = bytes.len().min(self.skip as usize);
            // No more than the bytes to skip, which are a u32.
            self.skip -= skipped as u32;
            bytes = bytes.get(skipped..).unwrap_or_default();
            if bytes.is_empty() {
                return;
            }
            let Some(head) = self.take_head(&mut bytes) else { return };
            self.skip = head.length;
            seen(head);
        }
    }

    /// Takes a header from `bytes`, or what there is of it.
    fn take_head(&mut self, bytes: &mut &[u8]) -> Option<Head> {
        if self.count == 0
            && let Some((head, rest)) = bytes.split_first_chunk()
        {
            *bytes = rest;
            return Some(Head::parse(*head));
        }
        while let (Some(place), Some((byte, rest))) = (self.begun.get_mut(self.count), bytes.split_first()) {
            *place = *byte;
            *bytes = rest;
            self.count += 1;
        }
        (self.count == HEAD).then(|| {
            self.count = 0;
            Head::parse(self.begun)
        })
    }
}

impl Head {
    fn parse([high, middle, low, kind, flags, ..]: [u8; HEAD]) -> Self {
        Self { length: u32::from_be_bytes([0, high, middle, low]), kind, flags }
    }

    /// How much of a request or an answer the frame is; 0 for one that is nothing of it.
    fn work(self) -> u64 {
        match self.kind {
            HEADERS => 1,
            DATA if self.length > 0 || self.flags & END_STREAM != 0 => 1 + u64::from(self.length) / PIECE,
            _ => 0,
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::collection::vec;
    use proptest::prelude::*;

    use super::*;

    const PING: u8 = 6;
    const WINDOW_UPDATE: u8 = 8;

    fn frame(kind: u8, flags: u8, length: u32) -> Vec<u8> {
        let [_, high, middle, low] = length.to_be_bytes();
        let mut frame = vec![high, middle, low, kind, flags, 0, 0, 0, 1];
        frame.resize(HEAD + length as usize, 0);
        frame
    }

    /// The frames of a client that has begun.
    fn begun() -> Ledger {
        let mut ledger = Ledger::default();
        assert!(!ledger.received(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", || 1));
        ledger
    }

    /// How many of these frames it takes at `now` until they are a flood.
    fn flood(ledger: &mut Ledger, frame: &[u8], now: u64) -> Option<u64> {
        (1..100_000).find(|_| ledger.received(frame, || now))
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
        assert!((0..100_000).all(|at| !ledger.received(&ping, || at * gap)));
    }

    #[test]
    fn client_that_makes_room_for_every_little_piece_is_no_flood() {
        let (mut ledger, update) = (begun(), frame(WINDOW_UPDATE, 0, 4));
        for _ in 0..10_000 {
            ledger.sent(&frame(DATA, 0, 16_384));
            assert!((0..8).all(|_| !ledger.received(&update, || 1)));
        }
        for _ in 0..10_000 {
            ledger.sent(&frame(DATA, 0, 5));
            assert!((0..4).all(|_| !ledger.received(&update, || 1)));
        }
    }

    #[test]
    fn room_for_what_came_before_may_be_made_later() {
        let (mut ledger, update) = (begun(), frame(WINDOW_UPDATE, 0, 4));
        (0..5_000).for_each(|_| ledger.sent(&frame(DATA, 0, 16_384)));
        assert!((0..10_000).all(|_| !ledger.received(&update, || WINDOW)));
    }

    #[test]
    fn work_that_is_long_past_excuses_nothing() {
        let (mut ledger, ping) = (begun(), frame(PING, 0, 8));
        (0..5_000).for_each(|_| ledger.sent(&frame(DATA, 0, 16_384)));
        assert!(!ledger.received(&ping, || WINDOW));
        assert_eq!(flood(&mut ledger, &ping, 2 * WINDOW), Some(MOST + 1));
    }

    #[test]
    fn few_requests_do_not_excuse_many_frames() {
        let (mut ledger, ping) = (begun(), frame(PING, 0, 8));
        for _ in 0..MOST {
            assert!(!ledger.received(&frame(HEADERS, 5, 20), || 1));
        }
        assert_eq!(flood(&mut ledger, &ping, 1), Some(FOR_EACH_PIECE * (MOST + 1)));
    }

    #[test]
    fn a_header_of_a_longest_frame_is_read() {
        let mut heads = Heads::default();
        heads.read(&[0xff, 0xff, 0xff, PING, 0], |_| panic!("it is not all there"));
        let mut lengths = Vec::new();
        heads.read(&[0, 0, 0, 0, 1, 2], |head| lengths.push(head.length));
        assert_eq!((lengths, heads.skip), (vec![0xff_ff_ff], 0xff_ff_fd));
    }

    proptest! {
        #[test]
        fn frames_are_found_in_any_pieces(
            frames in vec((any::<u8>(), any::<u8>(), 0..40_u32), 0..20),
            cuts in vec(1..30_usize, 1..200),
        ) {
            let bytes: Vec<_> = frames.iter().flat_map(|&(kind, flags, length)| frame(kind, flags, length)).collect();
            let (mut heads, mut found, mut rest) = (Heads::default(), Vec::new(), &bytes[..]);
            for cut in cuts.iter().cycle() {
                if rest.is_empty() {
                    break;
                }
                let (piece, later) = rest.split_at((*cut).min(rest.len()));
                heads.read(piece, |head| found.push((head.kind, head.flags, head.length)));
                rest = later;
            }
            prop_assert_eq!(found, frames);
        }
    }
}
