//! One server: who it is, how it stands, and its place in a pool.

use std::fmt;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};

use parking_lot::Mutex;

use super::{Health, Thresholds};
use crate::model::{Tier, Weight};

/// Where a node is, once its name has been looked up.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Place {
    /// An IP address and port.
    Tcp(SocketAddr),
    /// A Unix socket.
    Unix(PathBuf),
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tcp(address) => write!(f, "{address}"),
            Self::Unix(path) => write!(f, "unix:{}", path.display()),
        }
    }
}

/// Whether a node may get new work, best first; the order is the order of resort.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Availability {
    /// Nothing speaks against it.
    Available,
    /// It asked to be left alone for a while (`Retry-After`).
    Resting,
    /// Its checks fail.
    CheckFailed,
}

/// A change in a node's standing that people want to hear of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use = "a transition that nobody publishes is a node that dies unseen"]
pub enum Transition {
    /// Its checks pass again.
    Up,
    /// Its checks fail.
    Down,
}

/// The live state of one server in one pool. It outlives configurations: a reload changes nothing here.
#[derive(Debug)]
pub struct Node {
    place: Place,
    checks: Mutex<Checks>,
    /// The verdict of `checks`, for those who pick nodes.
    is_passing: AtomicBool,
    /// Milliseconds of the clock until which the node asked to rest; 0 is never.
    resting_until: AtomicU64,
    in_flight: AtomicU32,
}

/// What checks said.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Checks {
    /// The standing of the node by them.
    pub health: Health,
    /// Milliseconds of the clock when that changed; 0 is never.
    pub since: u64,
    /// Why the last one failed; `None` if it passed or there was none.
    pub failure: Option<Arc<str>>,
}

/// A place for one request on a node; freed on drop.
#[derive(Debug)]
pub struct Slot(Arc<Node>);

impl Node {
    /// A node that nothing is known of yet; it may serve.
    pub fn new(place: Place) -> Self {
        Self {
            place,
            checks: Mutex::default(),
            is_passing: AtomicBool::new(true),
            resting_until: AtomicU64::new(0),
            in_flight: AtomicU32::new(0),
        }
    }

    /// Where the node is.
    pub fn place(&self) -> &Place {
        &self.place
    }

    /// How the node stands at `now`, in milliseconds of the clock.
    pub fn availability(&self, now: u64) -> Availability {
        if !self.is_passing.load(Ordering::Relaxed) {
            Availability::CheckFailed
        } else if self.resting_until.load(Ordering::Relaxed) > now {
            Availability::Resting
        } else {
            Availability::Available
        }
    }

    /// What checks said.
    pub fn checks(&self) -> Checks {
        self.checks.lock().clone()
    }

    /// Requests that are at the node.
    pub fn in_flight(&self) -> u32 {
        self.in_flight.load(Ordering::Relaxed)
    }

    /// Takes a place for a request.
    pub fn enter(self: &Arc<Self>) -> Slot {
        self.in_flight.fetch_add(1, Ordering::Relaxed);
        Slot(Arc::clone(self))
    }

    /// Takes the outcome of one check at `now`, in milliseconds of the clock: why it failed, if it did.
    #[must_use]
    pub fn checked(&self, failure: Option<&str>, thresholds: Thresholds, now: u64) -> Option<Transition> {
        let passed = failure.is_none();
        let mut checks = self.checks.lock();
        checks.failure = failure.map(Arc::from);
        if !checks.health.record(passed, thresholds) {
            return None;
        }
        checks.since = now;
        self.is_passing.store(passed, Ordering::Relaxed);
        Some(if passed { Transition::Up } else { Transition::Down })
    }

    /// Forgets what checks said: for a pool that is checked no longer.
    #[must_use]
    pub fn unchecked(&self) -> Option<Transition> {
        *self.checks.lock() = Checks::default();
        (!self.is_passing.swap(true, Ordering::Relaxed)).then_some(Transition::Up)
    }

    /// Gives the node no new work until `until`, in milliseconds of the clock, if another can take it.
    pub fn rest(&self, until: u64) {
        self.resting_until.fetch_max(until, Ordering::Relaxed);
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        self.0.in_flight.fetch_sub(1, Ordering::Relaxed);
    }
}

/// A node's place in a pool of one configuration.
#[derive(Debug)]
pub struct Member {
    /// What people call it.
    pub name: String,
    /// Its share of its tier's traffic.
    pub weight: Weight,
    /// When it gets any.
    pub tier: Tier,
    /// Its live state.
    pub node: Arc<Node>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slot_counts_until_it_is_dropped() {
        let node = Arc::new(Node::new(Place::Unix("/a".into())));
        let slots = (node.enter(), node.enter());
        assert_eq!(node.in_flight(), 2);
        drop(slots.0);
        assert_eq!(node.in_flight(), 1);
    }

    #[test]
    fn node_knows_why_its_last_check_failed_and_since_when_it_is_out() {
        let node = Node::new(Place::Unix("/a".into()));
        let thresholds = Thresholds { fall: 2, rise: 1 };
        assert_eq!(node.checked(Some("refused"), thresholds, 10), None);
        assert_eq!((node.checks().since, node.checks().failure.as_deref()), (0, Some("refused")));
        assert_eq!(node.checked(Some("no answer"), thresholds, 20), Some(Transition::Down));
        assert_eq!(node.checked(Some("refused"), thresholds, 30), None);
        assert_eq!((node.checks().since, node.checks().failure.as_deref()), (20, Some("refused")));
        assert_eq!(node.checked(None, thresholds, 40), Some(Transition::Up));
        assert_eq!((node.checks().since, node.checks().failure), (40, None));
    }
}
