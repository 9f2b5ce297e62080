//! Requests that are themselves at fault: what failed alike on two nodes would fail on the next.

use std::collections::VecDeque;
use std::hash::{BuildHasher, RandomState};
use std::sync::atomic::{AtomicUsize, Ordering};

use parking_lot::Mutex;

use super::Reach;

/// How long requests of a kind are not retried, in milliseconds.
const REMEMBERED: u64 = 10_000;

/// How many kinds are remembered; the oldest is forgotten first.
const MOST: usize = 256;

/// The kinds of requests (route and path) that failed alike on two nodes, for ten seconds or until one succeeds.
#[derive(Debug, Default)]
pub struct AtFault {
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

impl AtFault {
    /// Remembers requests for `path` on `route` at `now`, in milliseconds of the clock.
    pub fn remember(&self, route: &str, path: &str, now: u64) {
        let hash = self.hash(route, path);
        let mut kinds = self.kinds.lock();
        kinds.retain(|kind| kind.hash != hash && kind.until > now);
        if kinds.len() >= MOST {
            kinds.pop_front();
        }
        kinds.push_back(Kind { hash, until: now.saturating_add(REMEMBERED) });
        self.count.store(kinds.len(), Ordering::Relaxed);
    }

    /// Whether requests for `path` on `route` are at fault.
    pub fn contains(&self, route: &str, path: &str, now: u64) -> bool {
        if self.count.load(Ordering::Relaxed) == 0 {
            return false;
        }
        let hash = self.hash(route, path);
        self.kinds.lock().iter().any(|kind| kind.hash == hash && kind.until > now)
    }

    /// One of them was served: they are not at fault.
    pub fn acquit(&self, route: &str, path: &str) {
        if self.count.load(Ordering::Relaxed) == 0 {
            return;
        }
        let hash = self.hash(route, path);
        let mut kinds = self.kinds.lock();
        kinds.retain(|kind| kind.hash != hash);
        self.count.store(kinds.len(), Ordering::Relaxed);
    }

    fn hash(&self, route: &str, path: &str) -> u64 {
        self.hasher.hash_one((route, path))
    }
}

impl Reach {
    /// Whether two attempts that got this far and `other` failed alike, so that the request may be what they have in
    /// common.
    pub fn is_like(self, other: Self) -> bool {
        match (self, other) {
            (Self::Answered(one), Self::Answered(other)) => one == other,
            (Self::PartSent | Self::MaybeSent, Self::PartSent | Self::MaybeSent)
            | (Self::Silent, Self::Silent)
            | (Self::Nonsense, Self::Nonsense)
            | (Self::Truncated, Self::Truncated) => true,
            (
                Self::NotSent
                | Self::PartSent
                | Self::MaybeSent
                | Self::Silent
                | Self::Answered(_)
                | Self::Nonsense
                | Self::Truncated,
                _,
            ) => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_kind_is_remembered_for_ten_seconds() {
        let at_fault = AtFault::default();
        at_fault.remember("site", "/crash", 1_000);
        assert!(at_fault.contains("site", "/crash", 10_999));
        assert!(!at_fault.contains("site", "/crash", 11_000));
        assert!(!at_fault.contains("site", "/", 1_000));
        assert!(!at_fault.contains("other", "/crash", 1_000));
    }

    #[test]
    fn a_success_ends_it() {
        let at_fault = AtFault::default();
        at_fault.remember("site", "/crash", 1);
        at_fault.acquit("site", "/");
        assert!(at_fault.contains("site", "/crash", 1));
        at_fault.acquit("site", "/crash");
        assert!(!at_fault.contains("site", "/crash", 1));
    }

    #[test]
    fn memory_is_bounded_and_forgets_the_oldest() {
        let at_fault = AtFault::default();
        for number in 0..1_000 {
            at_fault.remember("site", &format!("/{number}"), 1);
            at_fault.remember("site", &format!("/{number}"), 1);
        }
        assert_eq!(at_fault.kinds.lock().len(), MOST);
        assert!(!at_fault.contains("site", "/0", 1));
        assert!(at_fault.contains("site", "/999", 1));
    }
}
