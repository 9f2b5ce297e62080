//! Which requests belong to the same node: those with the same key, and those of one session.

use pingora_proxy::Session;

use super::access;
use super::context::Context;
use crate::config::{Balance, HashKey};
use crate::headers;
use crate::model::ClientNetwork;
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
        // Of an IPv6 address only the network stays the same: the rest changes every day.
        HashKey::ClientAddress => {
            access::client(session, context).map(|client| key(&[&ClientNetwork::of(client).to_bytes()]))
        }
        HashKey::Path => Some(key(&[head.uri.path().as_bytes()])),
        HashKey::Header(name) => head.headers.get(name).and_then(|value| of_value(value.as_bytes())),
        HashKey::Cookie(name) => headers::cookies(&head.headers, name.as_str()).next().and_then(of_value),
    }
}

/// What is empty tells nobody from anybody.
fn of_value(value: &[u8]) -> Option<u64> {
    (!value.is_empty()).then(|| key(&[value]))
}
