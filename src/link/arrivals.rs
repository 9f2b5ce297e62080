//! What comes on a connection that many requests share, for whoever looks after it.

use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::task::{Context, Poll};

use tokio::sync::Notify;

use crate::clock;
use crate::framing::{Frames, Sifted};

/// So many small pieces of bodies are read at a time; then whoever looks after the connection puts together what nobody takes.
const MANY: u32 = 16_384;

/// After so many empty pieces that could not be taken out there are no more requests on the connection: the library ends it, with
/// those under way, after 100.
const MOST_EMPTY: u32 = 50;

/// When something last came, and how much of it costs more than it holds.
#[derive(Debug)]
pub(super) struct Arrivals {
    /// In milliseconds of the clock.
    last: AtomicU64,
    small_pieces: AtomicU32,
    are_many: Notify,
    /// Empty pieces that could not be taken out.
    empty: AtomicU32,
}

impl Arrivals {
    /// Nothing but the connection.
    pub(super) fn new() -> Self {
        let (last, small_pieces) = (AtomicU64::new(clock::millis()), AtomicU32::new(0));
        Self { last, small_pieces, are_many: Notify::new(), empty: AtomicU32::new(0) }
    }

    /// When something last came, in milliseconds of the clock.
    pub(super) fn last(&self) -> u64 {
        self.last.load(Ordering::Relaxed)
    }

    /// Whether the connection is soon ended by the library.
    pub(super) fn are_spoilt(&self) -> bool {
        self.empty.load(Ordering::Relaxed) >= MOST_EMPTY
    }

    /// Ends when many small pieces have come.
    pub(super) async fn are_many(&self) {
        self.are_many.notified().await;
    }

    /// Ready when there may be more; after many small pieces, others get to look at them first.
    pub(super) fn poll_more(&self, cx: &mut Context<'_>) -> Poll<()> {
        if self.small_pieces.load(Ordering::Relaxed) < MANY {
            return Poll::Ready(());
        }
        self.small_pieces.store(0, Ordering::Relaxed);
        self.are_many.notify_one();
        cx.waker().wake_by_ref();
        Poll::Pending
    }

    /// Takes note of what `came`, without what is nothing of a message; returns how much is left.
    pub(super) fn came(&self, came: &mut [u8], frames: &mut Frames) -> usize {
        self.last.store(clock::millis(), Ordering::Relaxed);
        let mut small = 0;
        let Sifted { left, stayed } = frames.sift(came, |head| small += u32::from(head.is_small_piece()));
        self.small_pieces.fetch_add(small, Ordering::Relaxed);
        self.empty.fetch_add(stayed, Ordering::Relaxed);
        left
    }
}
