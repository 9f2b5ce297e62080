//! What a node has to do, and whether it gets more.

use std::num::NonZeroU32;
use std::sync::atomic::{AtomicU32, Ordering};

/// The requests that are at a node.
#[derive(Debug, Default)]
pub struct Load {
    in_flight: AtomicU32,
}

impl Load {
    /// Requests that are at the node, from their beginning to the end of their answers.
    pub fn in_flight(&self) -> u32 {
        self.in_flight.load(Ordering::SeqCst)
    }

    /// Whether the node takes another request, where no more than `most` may be at it at once.
    pub fn has_room(&self, most: Option<NonZeroU32>) -> bool {
        most.is_none_or(|most| self.in_flight() < most.get())
    }

    /// How many more requests the node takes, where no more than `most` may be at it at once.
    pub(super) fn room(&self, most: Option<NonZeroU32>) -> usize {
        let room = most.map_or(u32::MAX, |most| most.get().saturating_sub(self.in_flight()));
        usize::try_from(room).unwrap_or(usize::MAX)
    }

    /// Takes a place; `false` if there is none.
    pub(super) fn take(&self, most: Option<NonZeroU32>) -> bool {
        let taken = self.in_flight.fetch_add(1, Ordering::Relaxed);
        let is_free = most.is_none_or(|most| taken < most.get());
        if !is_free {
            self.give_back();
        }
        is_free
    }

    /// Gives a place back that was taken.
    pub(super) fn give_back(&self) {
        // Ordered with the look at the line that follows: see `OverloadLine::is_idle`.
        self.in_flight.fetch_sub(1, Ordering::SeqCst);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_more_than_the_most_get_in() {
        let (load, most) = (Load::default(), NonZeroU32::new(2));
        assert_eq!([load.take(most), load.take(most), load.take(most)], [true, true, false]);
        assert_eq!((load.in_flight(), load.has_room(most), load.has_room(None)), (2, false, true));
        load.give_back();
        assert!(load.has_room(most));
        assert_eq!(load.room(most), 1);
    }
}
