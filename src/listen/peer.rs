//! A client at the other end of a connection, and how it came.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};

use arc_swap::{ArcSwap, Guard};
use tokio::sync::watch;

use super::cut::Ending;
use crate::config;
use crate::framing::Bounds;

/// What a client and bookend have agreed on by TLS.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Security {
    /// Whom the client's certificate is for (RFC 4514); `None` if it showed none.
    pub client: Option<String>,
}

/// What is the same for all that comes over a connection.
#[derive(Debug)]
pub struct Peer {
    client: Option<SocketAddr>,
    local: Option<SocketAddr>,
    listener: Arc<ArcSwap<config::Listener>>,
    /// What was agreed on; `None` where no TLS is spoken.
    security: Option<Security>,
    closing: watch::Receiver<bool>,
    /// Which connections end: an [`Ending`].
    ending: AtomicU8,
}

impl Peer {
    pub(super) fn new(
        client: Option<SocketAddr>,
        local: Option<SocketAddr>,
        listener: Arc<ArcSwap<config::Listener>>,
        security: Option<Security>,
        closing: watch::Receiver<bool>,
    ) -> Self {
        Self { client, local, listener, security, closing, ending: AtomicU8::new(Ending::None as u8) }
    }

    /// The address the client connected from; over a Unix socket it has none.
    pub fn client(&self) -> Option<SocketAddr> {
        self.client
    }

    /// The address the client connected to; a Unix socket has none.
    pub fn local(&self) -> Option<SocketAddr> {
        self.local
    }

    /// What was agreed on by TLS; `None` where none is spoken.
    pub fn security(&self) -> Option<&Security> {
        self.security.as_ref()
    }

    /// The settings of its listener, as they are now.
    pub fn listener(&self) -> Guard<Arc<config::Listener>> {
        self.listener.load()
    }

    /// How many fields and how long a target its requests may have.
    pub fn bounds(&self) -> Bounds {
        let limits = &self.listener().limits;
        Bounds { fields: limits.fields, target: limits.target }
    }

    /// Whether its listener has closed: the answer under way is its last.
    pub fn is_closing(&self) -> bool {
        *self.closing.borrow()
    }

    /// From now on its connections end like this.
    pub(super) fn end(&self, ending: Ending) {
        self.ending.store(ending as u8, Ordering::Relaxed);
    }

    /// Whether no further request of it is waited for: the process stops.
    pub(super) fn is_over_when_idle(&self) -> bool {
        self.ending.load(Ordering::Relaxed) >= Ending::Idle as u8
    }

    /// Whether it was cut because the process stops.
    pub fn is_cut(&self) -> bool {
        self.ending.load(Ordering::Relaxed) == Ending::All as u8
    }
}
