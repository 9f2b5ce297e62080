//! Where a node is.

use std::fmt;
use std::net::SocketAddr;
use std::path::PathBuf;

/// Where a node listens.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum NodeAddress {
    /// An IP address and port.
    Socket(SocketAddr),
    /// A DNS name and port, looked up again and again.
    Name {
        /// The name, in lower case, without a trailing dot.
        host: String,
        /// The port, never 0.
        port: u16,
    },
    /// A Unix socket, written `unix:/path`.
    Unix(PathBuf),
}

/// Text that is no node's address.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct AddressError(pub String);

impl fmt::Display for NodeAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Socket(address) => write!(f, "{address}"),
            Self::Name { host, port } => write!(f, "{host}:{port}"),
            Self::Unix(path) => write!(f, "unix:{}", path.display()),
        }
    }
}
