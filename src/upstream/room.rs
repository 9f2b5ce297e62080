//! What a node may have to do at once, and who is told when it has less.

use std::num::NonZeroU32;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::time::Duration;

use super::{Node, OverloadLine, Slot};

/// The bounds of a node's load.
#[derive(Debug)]
pub(super) struct Room {
    /// The bound that the configuration in force sets; 0 is none, [`UNTOLD`] not told.
    most: AtomicU64,
    /// The most requests that the node takes on its way back.
    ceiling: AtomicU32,
    /// Where those wait who want a place.
    line: Arc<OverloadLine>,
}

/// Which node it is, for those who compare nodes and do not hold them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct NodeKey(usize);

/// No configuration in force has said yet how much a node may have to do.
const UNTOLD: u64 = u64::MAX;

impl Default for Room {
    fn default() -> Self {
        Self { most: AtomicU64::new(UNTOLD), ceiling: AtomicU32::new(u32::MAX), line: Arc::default() }
    }
}

impl Node {
    /// The node, whose places are waited for in `line`.
    #[must_use]
    pub fn with_line(mut self, line: Arc<OverloadLine>) -> Self {
        self.room.line = line;
        self
    }

    /// Which node it is.
    pub fn key(&self) -> NodeKey {
        NodeKey(std::ptr::from_ref(self).addr())
    }

    /// From now on `most` may be at it at once, whatever the configuration of a request says.
    pub(super) fn bound(&self, most: Option<NonZeroU32>) {
        self.room.most.store(most.map_or(0, |most| u64::from(most.get())), Ordering::Relaxed);
    }

    /// On its way back it takes no more than so many at once.
    pub(super) fn limit_return(&self, ceiling: u32) {
        self.room.ceiling.store(ceiling, Ordering::Relaxed);
    }

    /// How many more requests it takes, of `most` at once where no configuration in force says more.
    pub(super) fn room(&self, most: Option<NonZeroU32>) -> usize {
        self.load().room(self.most(most)).min(self.room_of_return())
    }

    /// Takes a place for a request at `now`; `None` if there is none.
    pub(super) fn enter(self: &Arc<Self>, most: Option<NonZeroU32>, now: u64) -> Option<Slot> {
        if self.room_of_return() == 0 || !self.load().take(self.most(most)) {
            return None;
        }
        let is_trial = self.wants_trial(now).is_some();
        if is_trial {
            self.tried_at.store(now.max(1), Ordering::Relaxed);
        }
        Some(Slot::new(Arc::clone(self), now, is_trial))
    }

    /// A request got the head of its answer, so long after it was with the node, where that says anything of the node: there
    /// may be room for one that waits.
    pub(super) fn answered_one(&self, waited: Option<Duration>, now: u64) {
        let takes_more = waited.is_some_and(|waited| self.load().answered(waited, now));
        if waited.is_none() {
            self.load().end_wait();
        }
        if !self.counts_whole_requests() {
            self.room.line.freed(self.key());
        }
        if takes_more {
            self.takes_more();
        }
        self.stir_if_limited();
    }

    /// Its limit was raised: there may be room for several that wait.
    pub(super) fn takes_more(&self) {
        self.room.line.offer(self.key(), self.room(None));
    }

    /// A request is no longer at it, and whether it was still waiting for the head of its answer: there may be room for one
    /// that waits.
    pub(super) fn left(&self, was_waiting: bool) {
        if was_waiting {
            self.load().end_wait();
        }
        self.load().give_back();
        if was_waiting || self.counts_whole_requests() {
            self.room.line.freed(self.key());
        }
    }

    /// Whether a place is taken until the end of an answer, and not only until its head.
    fn counts_whole_requests(&self) -> bool {
        self.room.most.load(Ordering::Relaxed) != 0 || self.is_returning()
    }

    /// The bound that holds for a request whose own configuration says `most`.
    pub(super) fn most(&self, most: Option<NonZeroU32>) -> Option<NonZeroU32> {
        match self.room.most.load(Ordering::Relaxed) {
            UNTOLD => most,
            told => u32::try_from(told).ok().and_then(NonZeroU32::new),
        }
    }

    fn room_of_return(&self) -> usize {
        if !self.is_returning() {
            return usize::MAX;
        }
        let room = self.room.ceiling.load(Ordering::Relaxed).saturating_sub(self.load().in_flight());
        usize::try_from(room).unwrap_or(usize::MAX)
    }
}
