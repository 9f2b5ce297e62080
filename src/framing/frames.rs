//! The frames of HTTP/2, by their headers (RFC 9113, 4.1).

/// How a client begins, before its first frame (RFC 9113, 3.4).
const PREFACE: u32 = 24;

const HEAD: usize = 9;
const END_STREAM: u8 = 1;
const PADDED: u8 = 8;

/// A piece of a body.
const DATA: u8 = 0;
/// The fields before a body, or behind it.
const HEADERS: u8 = 1;

/// What a frame of a body counts for, beside itself: a piece for so many bytes of it.
const PIECE: u64 = 4_096;

/// A piece of a body under this size in bytes is a small one: whoever reads it keeps more about it than what is in it.
pub const SMALL_PIECE: usize = 256;

/// Finds the headers of frames in the bytes of one direction, which come in any pieces.
#[derive(Debug, Default)]
pub struct Frames {
    /// So many bytes are none of a header.
    skip: u32,
    /// The first bytes of a header that is not all there, and how many they are.
    begun: [u8; HEAD],
    count: usize,
}

/// What became of bytes from which frames were taken.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Sifted {
    /// So many bytes are left, from the first on.
    pub left: usize,
    /// Frames that stayed although they are nothing of a message.
    pub stayed: u32,
}

/// What is read of a frame.
#[derive(Clone, Copy, Debug)]
pub struct Head {
    length: u32,
    kind: u8,
    flags: u8,
    stream: u32,
}

impl Frames {
    /// What a client sends, which begins with words that are no frame.
    pub fn of_client() -> Self {
        Self { skip: PREFACE, ..Self::default() }
    }

    /// Calls `seen` with each header that ends in `bytes`, which follow those of the call before.
    pub fn read(&mut self, bytes: &[u8], mut seen: impl FnMut(Head)) {
        let mut rest = bytes;
        while let Some((head, _)) = self.next(&mut rest) {
            seen(head);
        }
    }

    /// The same, and takes frames out of `bytes` that are nothing of a message: empty pieces of a body that do not end it.
    ///
    /// A frame whose header came in two parts stays.
    pub fn sift(&mut self, bytes: &mut [u8], mut seen: impl FnMut(Head)) -> Sifted {
        // All before `from` was looked at: what is to be kept of it ends at `kept`.
        let (mut kept, mut from, mut left, mut stayed) = (0, 0, bytes.len(), 0);
        loop {
            let mut rest = bytes.get(bytes.len() - left..).unwrap_or_default();
            let Some((head, is_whole)) = self.next(&mut rest) else { break };
            left = rest.len();
            seen(head);
            let end = bytes.len() - left;
            if !head.is_nothing() {
                continue;
            }
            if is_whole {
                bytes.copy_within(from..end - HEAD, kept);
                kept += end - HEAD - from;
                from = end;
            } else {
                stayed += 1;
            }
        }
        if from > 0 {
            bytes.copy_within(from.., kept);
        }
        Sifted { left: kept + bytes.len() - from, stayed }
    }

    /// Takes the next header that ends in `bytes` from them, with what is before it, and says whether all of it was there.
    fn next(&mut self, bytes: &mut &[u8]) -> Option<(Head, bool)> {
        let skipped = bytes.len().min(self.skip as usize);
        // No more than the bytes to skip, which are a u32.
        self.skip -= skipped as u32;
        *bytes = bytes.get(skipped..).unwrap_or_default();
        let is_whole = self.count == 0;
        let head = self.take_head(bytes)?;
        self.skip = head.length;
        Some((head, is_whole))
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
    fn parse([high, middle, low, kind, flags, stream @ ..]: [u8; HEAD]) -> Self {
        Self {
            length: u32::from_be_bytes([0, high, middle, low]),
            kind,
            flags,
            stream: u32::from_be_bytes(stream),
        }
    }

    /// How much of a request or an answer the frame is; 0 for one that is nothing of it.
    pub fn work(self) -> u64 {
        match self.kind {
            HEADERS => 1,
            DATA if self.length > 0 || self.flags & END_STREAM != 0 => 1 + u64::from(self.length) / PIECE,
            _ => 0,
        }
    }

    /// Whether it is a piece of a body that is hardly worth a frame.
    pub fn is_small_piece(self) -> bool {
        self.kind == DATA && (1..SMALL_PIECE).contains(&(self.length as usize))
    }

    /// Whether the message would be the same without the frame, and the frame is no error of the protocol.
    fn is_nothing(self) -> bool {
        self.kind == DATA && self.length == 0 && self.flags & (END_STREAM | PADDED) == 0 && self.stream != 0
    }
}

#[cfg(test)]
mod tests {
    use proptest::collection::vec;
    use proptest::prelude::*;

    use super::*;

    const PING: u8 = 6;

    fn frame(kind: u8, flags: u8, length: u32) -> Vec<u8> {
        let [_, high, middle, low] = length.to_be_bytes();
        let mut frame = vec![high, middle, low, kind, flags, 0, 0, 0, 1];
        frame.resize(HEAD + length as usize, 7);
        frame
    }

    #[test]
    fn a_header_of_a_longest_frame_is_read() {
        let mut frames = Frames::default();
        frames.read(&[0xff, 0xff, 0xff, PING, 0], |_| panic!("it is not all there"));
        let mut lengths = Vec::new();
        frames.read(&[0, 0, 0, 0, 1, 2], |head| lengths.push(head.length));
        assert_eq!((lengths, frames.skip), (vec![0xff_ff_ff], 0xff_ff_fd));
    }

    #[test]
    fn empty_pieces_are_taken_out_and_nothing_else() {
        let whole = [
            frame(HEADERS, 4, 5),
            frame(DATA, END_STREAM, 0),
            frame(DATA, 0, 3),
            frame(DATA, PADDED, 0),
            frame(PING, 0, 0),
            [[0; 9], frame(DATA, 0, 1)[..9].try_into().expect("nine")].concat(),
        ];
        let empty = frame(DATA, 0, 0);
        let mixed = whole.iter().flat_map(|frame| [&empty[..], &empty[..], &frame[..]].concat());
        let mut bytes: Vec<u8> = mixed.collect();
        let mut count = 0;
        let Sifted { left, stayed } = Frames::default().sift(&mut bytes, |_| count += 1);
        assert_eq!(bytes[..left], whole.concat());
        assert_eq!((count, stayed), (3 * 6 + 1, 0));
    }

    #[test]
    fn empty_piece_that_was_cut_stays_and_is_counted() {
        let (mut frames, mut empty) = (Frames::default(), frame(DATA, 0, 0));
        let (begun, rest) = empty.split_at_mut(4);
        assert_eq!(frames.sift(begun, |_| ()), Sifted { left: 4, stayed: 0 });
        assert_eq!(frames.sift(rest, |_| ()), Sifted { left: 5, stayed: 1 });
    }

    proptest! {
        #[test]
        fn frames_are_found_in_any_pieces(
            frames in vec((any::<u8>(), any::<u8>(), 0..40_u32), 0..20),
            cuts in vec(1..30_usize, 1..200),
        ) {
            let bytes: Vec<_> = frames.iter().flat_map(|&(kind, flags, length)| frame(kind, flags, length)).collect();
            let (mut heads, mut found, mut rest) = (Frames::default(), Vec::new(), &bytes[..]);
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

        /// In any pieces, all that is missing afterwards are empty pieces of bodies, and only where a header was cut do they stay.
        #[test]
        fn sifted_frames_say_the_same(
            frames in vec((0..3_u8, 0..2_u8, 0..3_u32), 0..40),
            cuts in vec(1..30_usize, 1..200),
        ) {
            let say = |bytes: &[u8]| {
                let mut said = Vec::new();
                Frames::default().read(bytes, |head| said.push((head.kind, head.flags, head.length)));
                said.retain(|said| *said != (DATA, 0, 0));
                said
            };
            let mut bytes: Vec<_> = frames.iter().flat_map(|&(kind, flags, length)| frame(kind, flags, length)).collect();
            let (mut sieve, mut sifted, mut from, before) = (Frames::default(), Vec::new(), 0, say(&bytes));
            for cut in cuts.iter().cycle() {
                if from == bytes.len() {
                    break;
                }
                let to = (from + cut).min(bytes.len());
                let Sifted { left, .. } = sieve.sift(&mut bytes[from..to], |_| {});
                sifted.extend_from_slice(&bytes[from..from + left]);
                from = to;
            }
            prop_assert_eq!(say(&sifted), before);
        }
    }
}
