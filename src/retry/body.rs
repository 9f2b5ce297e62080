//! Bodies that are kept, so that a request can be sent again after it was sent in part.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use bytes::Bytes;

use super::{Policy, Repeatability, Request};

/// Pieces shorter than this are copied together: each piece that is kept as it is costs a handle and an allocation.
const SMALL: usize = 4 * 1024;

/// What is copied together is cut off at this size.
const TAIL: usize = 16 * 1024;

/// The memory that all kept bodies of the process hold.
#[derive(Debug, Default)]
pub struct BodyRoom {
    taken: AtomicU64,
}

/// The body of one request, as far as it has come; what it takes of the room is given back on drop.
#[derive(Debug)]
pub struct KeptBody {
    pieces: Vec<Bytes>,
    /// Small pieces that came after the last of `pieces`.
    tail: Vec<u8>,
    length: u64,
    share: Share,
}

/// How much may be kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct KeepLimits {
    /// Bytes of one body.
    pub body: u64,
    /// Bytes of memory for all bodies of the process.
    pub process: u64,
}

/// Why a body is not kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NotKept {
    /// It is longer than a body may be.
    TooLarge,
    /// The others leave no room for it.
    NoRoom,
}

/// A part of the room, given back on drop.
#[derive(Debug)]
struct Share {
    room: Arc<BodyRoom>,
    bytes: u64,
}

impl BodyRoom {
    /// Bytes that kept bodies hold now.
    pub fn taken(&self) -> u64 {
        self.taken.load(Ordering::Relaxed)
    }
}

impl KeptBody {
    /// The body of a request of which nothing has come yet.
    pub fn new(room: &Arc<BodyRoom>) -> Self {
        let share = Share { room: Arc::clone(room), bytes: 0 };
        Self { pieces: Vec::new(), tail: Vec::new(), length: 0, share }
    }

    /// How many bytes of the body are kept.
    pub fn length(&self) -> u64 {
        self.length
    }

    /// Keeps the next piece of the body: a long one as it is, a short one as a copy.
    ///
    /// A long piece counts by its length, so it should be all that its allocation holds.
    ///
    /// # Errors
    ///
    /// If the piece is too much. What was kept is then of no use any more: a body has no end without it.
    pub fn keep(&mut self, piece: &Bytes, limits: KeepLimits) -> Result<(), NotKept> {
        let length = self.length + piece.len() as u64;
        if length > limits.body {
            return Err(NotKept::TooLarge);
        }
        if piece.len() < SMALL {
            self.copy(piece, limits.process)?;
        } else {
            self.share.grow(piece.len() as u64, limits.process)?;
            self.cut_off_tail();
            self.pieces.push(piece.clone());
        }
        self.length = length;
        Ok(())
    }

    /// All that was kept, in pieces that share its memory.
    pub fn pieces(&mut self) -> impl ExactSizeIterator<Item = Bytes> {
        self.cut_off_tail();
        self.pieces.iter().cloned()
    }

    fn copy(&mut self, piece: &[u8], most: u64) -> Result<(), NotKept> {
        if self.tail.len() + piece.len() > TAIL {
            self.cut_off_tail();
        }
        let needed = self.tail.len() + piece.len();
        let capacity = self.tail.capacity();
        if needed > capacity {
            let wanted = needed.next_power_of_two().min(TAIL).max(needed);
            self.share.grow((wanted - capacity) as u64, most)?;
            self.tail.reserve_exact(wanted - self.tail.len());
        }
        self.tail.extend_from_slice(piece);
        Ok(())
    }

    fn cut_off_tail(&mut self) {
        if !self.tail.is_empty() {
            self.pieces.push(Bytes::from(std::mem::take(&mut self.tail)));
        }
    }
}

impl Policy {
    /// Whether a repeat could need the body of a request that was sent, if only in part.
    pub fn may_need_body(&self, request: Request) -> bool {
        let is_repeatable = request.repeatability != Repeatability::Unsafe;
        self.rules.attempts > 1
            && (is_repeatable || self.rules.part_sent || !self.rules.unprocessed_statuses.is_empty())
    }
}

impl NotKept {
    /// The reason as a word for metrics.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::TooLarge => "too_large",
            Self::NoRoom => "no_room",
        }
    }
}

impl Share {
    fn grow(&mut self, bytes: u64, most: u64) -> Result<(), NotKept> {
        let more = |taken: u64| taken.checked_add(bytes).filter(|&taken| taken <= most);
        self.room
            .taken
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, more)
            .map_err(|_| NotKept::NoRoom)?;
        self.bytes += bytes;
        Ok(())
    }
}

impl Drop for Share {
    fn drop(&mut self) {
        self.room.taken.fetch_sub(self.bytes, Ordering::Relaxed);
    }
}

#[cfg(test)]
#[path = "body_tests.rs"]
mod tests;
