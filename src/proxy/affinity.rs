//! Which requests belong to the same node: those with the same key, and those of one session.

use std::net::IpAddr;

use pingora_proxy::Session;

use super::access;
use super::context::Context;
use crate::config::{Balance, HashKey};
use crate::headers;
use crate::upstream::{Pass, key};

/// What ties a request to a node.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Affinity {
    /// Requests with the same key go to the same node; `None` if its pool goes by no key, or the request has none.
    pub(super) key: Option<u64>,
    /// What its client shows to get back to its node.
    pub(super) pass: Option<Pass>,
}

impl Affinity {
    /// What ties the request to a node of its route's pool.
    pub(super) fn of(session: &Session, context: &Context) -> Self {
        let pass = pass(session, context);
        // Requests of one session that lost its node all move to the same one.
        let key = pass.map(|pass| pass.session).or_else(|| hash(session, context));
        Self { key, pass }
    }
}

/// The pass in the one cookie that is for it. With two of them nobody knows which of them is the client's.
fn pass(session: &Session, context: &Context) -> Option<Pass> {
    let pool = &context.route()?.pool;
    let (sessions, sticky) = (pool.sessions()?, pool.settings().sticky.as_ref()?);
    let mut cookies = headers::cookies(&session.req_header().headers, sticky.cookie.as_str());
    let value = cookies.next()?;
    if cookies.next().is_some() { None } else { sessions.read(value) }
}

fn hash(session: &Session, context: &Context) -> Option<u64> {
    match &context.route()?.pool.settings().balance {
        Balance::Hash(by) => hash_by(by, session, context),
        Balance::RoundRobin
        | Balance::LeastLoaded
        | Balance::PowerOfTwo
        | Balance::Random
        | Balance::First => None,
    }
}

fn hash_by(by: &HashKey, session: &Session, context: &Context) -> Option<u64> {
    let head = session.req_header();
    match by {
        HashKey::ClientAddress => access::client(session, context).map(|client| key(&[&network(client)])),
        HashKey::Path => Some(key(&[head.uri.path().as_bytes()])),
        HashKey::Header(name) => head.headers.get(name).and_then(|value| of_value(value.as_bytes())),
        HashKey::Cookie(name) => headers::cookies(&head.headers, name.as_str()).next().and_then(of_value),
    }
}

/// What is empty tells nobody from anybody.
fn of_value(value: &[u8]) -> Option<u64> {
    (!value.is_empty()).then(|| key(&[value]))
}

/// What stays the same of a client's address: of IPv6 the first 64 bits, because the others change every day.
fn network(client: IpAddr) -> [u8; 8] {
    let mut network = [0; 8];
    match client.to_canonical() {
        IpAddr::V4(address) => network.iter_mut().zip(address.octets()).for_each(|(to, from)| *to = from),
        IpAddr::V6(address) => network.iter_mut().zip(address.octets()).for_each(|(to, from)| *to = from),
    }
    network
}

#[cfg(test)]
mod tests {
    use super::network as network_of;

    #[test]
    fn client_is_its_address_or_its_network() {
        let network = |text: &str| network_of(text.parse().unwrap());
        assert_eq!(network("10.0.0.1"), [10, 0, 0, 1, 0, 0, 0, 0]);
        assert_eq!(network("::ffff:10.0.0.1"), network("10.0.0.1"));
        assert_eq!(network("2001:db8:1:2::1"), network("2001:db8:1:2:ffff::9"));
        assert_ne!(network("2001:db8:1:2::1"), network("2001:db8:1:3::1"));
    }
}
