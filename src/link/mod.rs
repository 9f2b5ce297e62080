//! Connections to nodes that are more than a plain one.
//!
//! Pingora makes plain connections by itself. Where TLS is spoken, it asks for them here: its own TLS would bring another
//! cryptography along, read the files of certificates for each connection, and resume no session.

mod connector;
mod dial;
mod errand;
mod stream;
mod trouble;

use std::collections::HashMap;
use std::hash::{BuildHasher, RandomState};
use std::sync::Arc;

use tokio_rustls::rustls::ClientConfig;
use tokio_rustls::rustls::pki_types::ServerName;

pub use self::connector::Connector;
pub use self::dial::Limits;
pub use self::errand::send_out;
pub use self::stream::NodeStream;
pub use self::trouble::Trouble;
use crate::model::Name;
use crate::upstream::Place;

/// How one node is reached.
#[derive(Debug)]
pub struct Link {
    /// `None` if nobody knows how to verify it, so that it must not be reached at all.
    security: Option<Security>,
    /// Connections of links that differ are not for each other.
    key: u64,
}

/// How one node is reached by TLS and verified.
#[derive(Clone, Debug)]
pub struct Security {
    client: Arc<ClientConfig>,
    /// With what the link adds to it.
    settings: Arc<ClientConfig>,
    server_name: ServerName<'static>,
}

/// The links of all nodes that are reached by one, by pool and the name of the node.
#[derive(Clone, Debug, Default)]
pub struct Links(HashMap<Name, HashMap<String, Arc<Link>>>);

impl Link {
    /// A link by TLS; `None` is one by which nothing is reached.
    pub fn by_tls(security: Option<Security>) -> Self {
        // Random, and never one of the few that Pingora's connections are grouped by.
        Self { security, key: RandomState::new().hash_one(0) | 1 << 63 }
    }

    /// Whether nothing would be different by `other`.
    pub fn is_like(&self, other: &Self) -> bool {
        self.security == other.security
    }

    /// What the node at `place` is called where no request says it.
    pub fn host(&self, place: &Place) -> String {
        match (&self.security, place) {
            (Some(security), _) => security.server_name.to_str().into_owned(),
            (None, Place::Tcp(address)) => address.to_string(),
            (None, Place::Unix(_)) => "localhost".to_owned(),
        }
    }

    /// What its connections are grouped by.
    pub fn key(&self) -> u64 {
        self.key
    }
}

impl Security {
    /// Follows `client`, to a node whose certificate is for `server_name`.
    pub fn new(client: &Arc<ClientConfig>, server_name: &ServerName<'static>) -> Self {
        let mut settings = ClientConfig::clone(client);
        settings.alpn_protocols = vec![b"http/1.1".to_vec()];
        Self { client: Arc::clone(client), settings: Arc::new(settings), server_name: server_name.clone() }
    }
}

impl PartialEq for Security {
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
