//! Who a node is: where, and with what part in a pool.

use std::fmt;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;

use super::Node;
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
    /// Its live state.
    pub node: Arc<Node>,
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
