//! One server: who it is, how it stands, and its place in a pool.

use std::fmt;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

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
    health: Mutex<Health>,
    /// `health`'s verdict, for those who pick nodes.
    is_passing: AtomicBool,
    /// Milliseconds of the clock until which the node asked to rest; 0 is never.
    resting_until: AtomicU64,
}

impl Node {
    /// A node that nothing is known of yet; it may serve.
    pub fn new(place: Place) -> Self {
        Self {
            place,
            health: Mutex::new(Health::default()),
            is_passing: AtomicBool::new(true),
            resting_until: AtomicU64::new(0),
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

    /// Takes the outcome of one check.
    #[must_use]
    pub fn checked(&self, passed: bool, thresholds: Thresholds) -> Option<Transition> {
        let mut health = self.health.lock();
        if !health.record(passed, thresholds) {
            return None;
        }
        self.is_passing.store(passed, Ordering::Relaxed);
        Some(if passed { Transition::Up } else { Transition::Down })
    }

    /// Forgets what checks said: for a pool that is checked no longer.
    #[must_use]
    pub fn unchecked(&self) -> Option<Transition> {
        *self.health.lock() = Health::default();
        (!self.is_passing.swap(true, Ordering::Relaxed)).then_some(Transition::Up)
    }

    /// Gives the node no new work until `until`, in milliseconds of the clock, if another can take it.
    pub fn rest(&self, until: u64) {
        self.resting_until.fetch_max(until, Ordering::Relaxed);
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
