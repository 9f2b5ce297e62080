//! Connections to nodes that are more than a plain one with HTTP/1.1.
//!
//! Those Pingora makes by itself. Where TLS or HTTP/2 is spoken, it asks here: its own TLS would bring another cryptography
//! along, read the files of certificates for each connection, and resume no session; and its own HTTP/2 does not tell a
//! request that the node has not begun from one that may have run.

mod ahead;
mod arrivals;
mod connector;
mod dial;
mod errand;
mod exchange;
mod inbox;
mod leftovers;
mod shared;
mod shelf;
mod sieve;
mod stream;
mod trouble;
mod upload;

use std::collections::HashMap;
use std::hash::{BuildHasher, RandomState};
use std::sync::Arc;

use tokio_rustls::rustls::ClientConfig;
use tokio_rustls::rustls::pki_types::ServerName;

pub use self::connector::{Connector, Known, known_of};
pub use self::dial::Limits;
pub use self::errand::send_out;
pub use self::exchange::NO_DESCRIPTOR;
pub use self::sieve::poll_sifted;
pub use self::stream::NodeStream;
pub use self::trouble::Trouble;
pub use self::upload::Overseer;
use crate::config::{Http2, Protocol};
use crate::model::Name;
use crate::upstream::Place;

/// What HTTP/2 and HTTP/1.1 are called where a protocol is agreed on (RFC 7301, 6).
const HTTP2: &[u8] = b"h2";
const HTTP1: &[u8] = b"http/1.1";

/// How one node is reached.
#[derive(Debug)]
pub struct Link {
    security: Security,
    protocol: Protocol,
    http2: Http2,
    /// Connections of links that differ are not for each other.
    key: u64,
}

/// Whether and how a node is verified.
#[derive(Clone, Debug, PartialEq)]
pub enum Security {
    /// It is not: the connection is a plain one.
    Plain,
    /// By TLS.
    Tls(Tls),
    /// It ought to be, and nobody knows how, so that it must not be reached at all.
    Unknown,
}

/// How one node is reached by TLS and verified.
#[derive(Clone, Debug)]
pub struct Tls {
    client: Arc<ClientConfig>,
    /// With what the link adds to it.
    settings: Arc<ClientConfig>,
    server_name: ServerName<'static>,
}

/// The links of all nodes that are reached by one, by pool and the name of the node.
#[derive(Clone, Debug, Default)]
pub struct Links(HashMap<Name, HashMap<String, Arc<Link>>>);

impl Link {
    /// A link by which this protocol is spoken.
    pub fn new(security: Security, protocol: Protocol, http2: Http2) -> Self {
        let security = security.offering(match protocol {
            Protocol::Http1 => &[HTTP1],
            Protocol::Http2 => &[HTTP2],
            Protocol::Auto => &[HTTP2, HTTP1],
        });
        // Random, and never one of the few that Pingora's connections are grouped by.
        Self { security, protocol, http2, key: RandomState::new().hash_one(0) | 1 << 63 }
    }

    /// Whether nothing would be different by `other`.
    pub fn is_like(&self, other: &Self) -> bool {
        self.security == other.security && self.protocol == other.protocol && self.http2 == other.http2
    }

    /// What the node at `place` is called where no request says it.
    pub fn host(&self, place: &Place) -> String {
        match (&self.security, place) {
            (Security::Tls(tls), _) => tls.server_name.to_str().into_owned(),
            (Security::Plain | Security::Unknown, Place::Tcp(address)) => address.to_string(),
            (Security::Plain | Security::Unknown, Place::Unix(_)) => "localhost".to_owned(),
        }
    }

    /// The whole of a target.
    pub fn url(&self, path: &str, host: &str) -> String {
        let scheme = if matches!(self.security, Security::Plain) { "http" } else { "https" };
        format!("{scheme}://{host}{path}")
    }

    /// What its connections are grouped by.
    pub fn key(&self) -> u64 {
        self.key
    }

    /// Whether all of its connections are shared by requests.
    pub fn is_shared(&self) -> bool {
        self.protocol == Protocol::Http2
    }

    /// Whether some may be.
    fn may_be_shared(&self) -> bool {
        self.protocol != Protocol::Http1
    }

    fn http2(&self) -> Http2 {
        self.http2
    }
}

impl Tls {
    /// Follows `client`, to a node whose certificate is for `server_name`.
    pub fn new(client: &Arc<ClientConfig>, server_name: &ServerName<'static>) -> Self {
        Self { client: Arc::clone(client), settings: Arc::clone(client), server_name: server_name.clone() }
    }
}

impl Security {
    /// Offers the node these protocols, the first rather than the others.
    fn offering(self, protocols: &[&[u8]]) -> Self {
        match self {
            Self::Tls(tls) => {
                let mut settings = ClientConfig::clone(&tls.client);
                settings.alpn_protocols = protocols.iter().map(|name| name.to_vec()).collect();
                Self::Tls(Tls { settings: Arc::new(settings), ..tls })
            }
            Self::Plain | Self::Unknown => self,
        }
    }
}

impl PartialEq for Tls {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.client, &other.client) && self.server_name == other.server_name
    }
}

impl Links {
    /// Takes `link` for the node of `pool` with this name, or the one of `known` that is like it, with its connections.
    pub fn add(&mut self, pool: &Name, node: &str, link: Link, known: Option<&Self>) {
        let known = known.and_then(|known| known.of(pool, node)).filter(|known| known.is_like(&link));
        let link = known.map_or_else(|| Arc::new(link), Arc::clone);
        self.0.entry(pool.clone()).or_default().insert(node.to_owned(), link);
    }

    /// The link to the node of `pool` with this name; `None` if it is reached by a plain connection.
    pub fn of(&self, pool: &Name, node: &str) -> Option<&Arc<Link>> {
        self.0.get(pool)?.get(node)
    }

    /// Whether the nodes of `pool` are reached as by `other`.
    pub fn are_like(&self, other: &Self, pool: &Name) -> bool {
        let (ours, theirs) = (self.0.get(pool), other.0.get(pool));
        match (ours, theirs) {
            (None, None) => true,
            (Some(ours), Some(theirs)) => {
                let is_there = |(name, link): (&String, &Arc<Link>)| {
                    theirs.get(name).is_some_and(|other| Arc::ptr_eq(link, other))
                };
                ours.len() == theirs.len() && ours.iter().all(is_there)
            }
            (Some(_), None) | (None, Some(_)) => false,
        }
    }
}
