//! Kinds of requests of which something was found out that holds for the next one as well.

use std::collections::VecDeque;
use std::hash::{BuildHasher, Hash, RandomState};
use std::sync::atomic::{AtomicUsize, Ordering};

use parking_lot::Mutex;

/// How many kinds are remembered; the oldest is forgotten first.
const MOST: usize = 256;

/// A bounded memory of kinds of requests, as in "what is asked of this route by this path". Each is forgotten after a
/// while, or when it is found not to be so any more.
///
/// Asking costs next to nothing while it is empty, which it mostly is.
#[derive(Debug)]
pub struct Kinds {
    /// In milliseconds.
    remembered: u64,
    hasher: RandomState,
    kinds: Mutex<VecDeque<Kind>>,
    /// How many there are, for those who only want to know whether there are any.
    count: AtomicUsize,
}

#[derive(Debug)]
struct Kind {
    hash: u64,
    until: u64,
}

impl Kinds {
    /// A memory that keeps each kind for so many milliseconds.
    pub fn new(remembered: u64) -> Self {
        Self { remembered, hasher: RandomState::new(), kinds: Mutex::default(), count: AtomicUsize::new(0) }
    }

    /// Remembers a kind at `now`, in milliseconds of the clock.
    pub fn remember(&self, kind: impl Hash, now: u64) {
        let hash = self.hasher.hash_one(kind);
        let mut kinds = self.kinds.lock();
        kinds.retain(|kind| kind.hash != hash && kind.until > now);
        if kinds.len() >= MOST {
            kinds.pop_front();
        }
        kinds.push_back(Kind { hash, until: now.saturating_add(self.remembered) });
        self.count.store(kinds.len(), Ordering::Relaxed);
    }

    /// Whether a kind is remembered.
    pub fn contains(&self, kind: impl Hash, now: u64) -> bool {
        if self.count.load(Ordering::Relaxed) == 0 {
            return false;
        }
        let hash = self.hasher.hash_one(kind);
        self.kinds.lock().iter().any(|kind| kind.hash == hash && kind.until > now)
    }

    /// Forgets a kind: it is not so any more.
    pub fn forget(&self, kind: impl Hash) {
        if self.count.load(Ordering::Relaxed) == 0 {
            return;
        }
        let hash = self.hasher.hash_one(kind);
        let mut kinds = self.kinds.lock();
        kinds.retain(|kind| kind.hash != hash);
        self.count.store(kinds.len(), Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_kind_is_remembered_for_its_time() {
        let kinds = Kinds::new(10_000);
        kinds.remember(("site", "/crash"), 1_000);
        assert!(kinds.contains(("site", "/crash"), 10_999));
        assert!(!kinds.contains(("site", "/crash"), 11_000));
        assert!(!kinds.contains(("site", "/"), 1_000));
        assert!(!kinds.contains(("other", "/crash"), 1_000));
    }

    #[test]
    fn a_kind_can_be_forgotten() {
        let kinds = Kinds::new(10_000);
        kinds.remember(("site", "/crash"), 1);
        kinds.forget(("site", "/"));
        assert!(kinds.contains(("site", "/crash"), 1));
        kinds.forget(("site", "/crash"));
        assert!(!kinds.contains(("site", "/crash"), 1));
    }

    #[test]
    fn memory_is_bounded_and_forgets_the_oldest() {
        let kinds = Kinds::new(10_000);
        for number in 0..1_000 {
            kinds.remember(number, 1);
            kinds.remember(number, 1);
        }
        assert_eq!(kinds.kinds.lock().len(), MOST);
        assert!(!kinds.contains(0, 1));
        assert!(kinds.contains(999, 1));
    }
}
