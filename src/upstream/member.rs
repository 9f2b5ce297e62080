//! Who a node is: where, and with what part in a pool.

use std::fmt;
use std::net::SocketAddr;
use std::num::NonZeroU32;
use std::path::PathBuf;
use std::sync::Arc;

use super::{Node, Slot};
use crate::model::{Tier, Weight};

/// A node's place in a pool of one configuration.
#[derive(Debug)]
pub struct Member {
    /// What people call it.
    pub name: String,
    /// Its share of its tier's traffic.
    pub weight: Weight,
    /// When it gets any.
    pub tier: Tier,
    /// The most requests that may be at it at once; `None` is no such bound.
    pub max_in_flight: Option<NonZeroU32>,
    /// Its live state.
    pub node: Arc<Node>,
}

impl Member {
    /// Whether its node takes another request.
    pub fn has_room(&self) -> bool {
        self.node.room(self.max_in_flight) > 0
    }

    /// How many more requests its node takes.
    pub fn room(&self) -> usize {
        self.node.room(self.max_in_flight)
    }

    /// Its bound holds from now on, for requests of older configurations as well.
    pub fn bound(&self) {
        self.node.bound(self.max_in_flight);
    }

    /// Takes a place for a request at `now`, in milliseconds of the clock; `None` if there is none.
    pub fn enter(&self, now: u64) -> Option<Slot> {
        self.node.enter(self.max_in_flight, now)
    }
}

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
