//! A set of nodes, and how they are used.

use std::cell::RefCell;
use std::collections::hash_map::Entry;
use std::collections::{BTreeMap, HashMap};
use std::time::Duration;

use super::locate::Place;
use super::read::{Fault, Fields, Value, fault};
use super::{
    Balance, CheckKind, Ejection, HealthCheck, Http2, Node, Protocol, Queue, Recall, Sticky, balance, bounds,
    check, ejection, node, node_tls, protocol, queue, recall, sticky,
};
use crate::model::{CookieName, Name, StatusSet};

/// A set of nodes that can each serve the same requests.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pool {
    /// The servers; never empty, no address and no name twice.
    pub nodes: Vec<Node>,
    /// How HTTP/2 is spoken with those that speak it.
    pub http2: Http2,
    /// How many nodes there ought to be, so that one that was taken out of the file is missed; `None` is those in the file.
    pub expect_nodes: Option<usize>,
    /// How nodes are picked.
    pub balance: Balance,
    /// How clients stay with one node; `None` is not at all.
    pub sticky: Option<Sticky>,
    /// How nodes are checked; `None` is not at all.
    pub health_check: Option<HealthCheck>,
    /// When a node is taken out for what its traffic says; `None` is never.
    pub ejection: Option<Ejection>,
    /// How long a node that comes back takes to get all of its share, at most as long as it was out.
    pub slow_start: Duration,
    /// What is done about a failed attempt.
    pub retry: Retry,
    /// Retries of what may have reached a node, for each hundred requests, beside ten a second.
    pub retry_budget: u32,
    /// How requests wait while no node takes any, or while all are full; `None` is not at all.
    pub queue: Option<Queue>,
    /// How long a node may take.
    pub timeouts: NodeTimeouts,
    /// How often the names among the nodes' addresses are looked up again.
    pub resolve_interval: Duration,
    /// How many nodes that can serve a drain or a reload has to leave; at least 1, no more than there are nodes.
    pub min_available: usize,
    /// When a drained node is taken back because the others are not enough; `None` is never.
    pub recall: Option<Recall>,
}

/// What is done about a failed attempt.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Retry {
    /// Attempts in all that may have reached a node, at least 1.
    pub attempts: u32,
    /// Whether a request that broke before its last byte was sent goes to another node whatever its method.
    pub part_sent: bool,
    /// Statuses by which this site's nodes say that they have not begun the request.
    pub unprocessed_statuses: StatusSet,
    /// Whether an answer to a GET that breaks off is finished by another node.
    pub finish_answers: bool,
    /// Bytes of a request's body that are kept so that it can be sent again; 0 is none.
    pub body_buffer: u64,
}

/// How long a node may take; every one is longer than zero.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NodeTimeouts {
    /// To accept a connection.
    pub connect: Duration,
    /// To agree on keys, where TLS is spoken.
    pub tls: Duration,
    /// From the last byte of the request to the first of the answer.
    pub first_byte: Duration,
    /// Between two pieces of an answer.
    pub between_bytes: Duration,
    /// Between two pieces of a request that the node takes.
    pub write: Duration,
    /// How long an idle connection is kept for the next request.
    pub idle: Duration,
}

impl Default for Retry {
    fn default() -> Self {
        Self {
            attempts: 3,
            part_sent: true,
            unprocessed_statuses: StatusSet::default(),
            finish_answers: true,
            body_buffer: 1024 * 1024,
        }
    }
}

impl Default for NodeTimeouts {
    fn default() -> Self {
        Self {
            connect: Duration::from_secs(1),
            tls: Duration::from_secs(2),
            first_byte: Duration::from_secs(60),
            between_bytes: Duration::from_secs(60),
            write: Duration::from_secs(60),
            idle: Duration::from_secs(4),
        }
    }
}

/// How often names are looked up unless told.
const RESOLVE_INTERVAL: Duration = Duration::from_secs(10);

/// Retries for each hundred requests unless told.
const RETRY_BUDGET: u32 = 20;

/// How many nodes have to be left unless told.
const MIN_AVAILABLE: usize = 1;

/// How long a node takes to get all of its share unless told.
const SLOW_START: Duration = Duration::from_secs(2);

/// The cookies by which clients stay with nodes, and where in the file they stand.
type Cookies = HashMap<CookieName, Place>;

/// The pools that could be read, and the names of all.
pub(super) struct Pools {
    pub(super) good: BTreeMap<Name, Pool>,
    pub(super) names: Vec<String>,
}

/// Reads all pools.
pub(super) fn read_all(value: Value<'_>) -> Option<Pools> {
    let taken = RefCell::new(Cookies::new());
    let named = value.named("a mapping of pools by name", |name, pool| {
        let is_name = name.parse::<Name>();
        if let Err(error) = &is_name {
            pool.report(fault(error).on_key());
        }
        let pool = pool.fields("a mapping with the key `nodes`", |fields| read(fields, &taken));
        Some((name.to_owned(), is_name.ok().zip(pool.flatten())))
    })?;
    if value.is_empty_mapping() {
        return value.fail(Fault::new("no pool, so no request could be served").help(EXAMPLE));
    }
    let names = named.iter().map(|(name, _)| name.clone()).collect();
    Some(Pools { good: named.into_iter().filter_map(|(_, pool)| pool).collect(), names })
}

/// What a mapping of pools looks like.
pub(super) const EXAMPLE: &str = "\
write at least one, as in
web:
  nodes:
    - address: 10.0.0.11:8000";

fn read(fields: &Fields<'_>, taken: &RefCell<Cookies>) -> Option<Pool> {
    let base = node::Base {
        tls: fields.read("tls", node_tls::read).flatten(),
        protocol: fields.read("protocol", protocol::read).unwrap_or_default(),
    };
    let http2 = fields.read("http2", protocol::read_http2);
    let help = "add it, as in `nodes: [10.0.0.11:8000, 10.0.0.12:8000]`";
    let nodes = fields.require("nodes", help, |v| node::read_all(v, &base));
    let expect_nodes = fields.read("expect_nodes", |v| v.whole(bounds::NODES));
    let balance = fields.read("balance", balance::read);
    let sticky = fields.read("sticky", |v| read_sticky(v, balance.as_ref(), taken));
    let health_check = fields.read("health_check", |v| read_check(v, nodes.as_deref()));
    let ejection = fields.read("ejection", ejection::read);
    let slow_start = fields.read("slow_start", |v| v.duration(bounds::SLOW_START));
    let retry = fields.read("retry", |v| read_retry(v, &Retry::default()));
    let queue = fields.read("queue", queue::read);
    let retry_budget = fields.read("retry_budget", |v| v.whole(bounds::PERCENT));
    let timeouts = fields.read("timeouts", |v| read_timeouts(v, &NodeTimeouts::default()));
    let resolve_interval = fields.read("resolve_interval", |v| v.duration(bounds::INTERVAL));
    let min_available = fields.read("min_available", |v| read_min_available(v, nodes.as_deref()));
    let recall = fields.read("recall", recall::read);
    Some(Pool {
        nodes: nodes?,
        http2: http2.unwrap_or_default(),
        expect_nodes,
        balance: balance.unwrap_or_default(),
        sticky,
        health_check: health_check.unwrap_or_else(|| Some(HealthCheck::default())),
        ejection: ejection.unwrap_or_else(|| Some(Ejection::default())),
        slow_start: slow_start.unwrap_or(SLOW_START),
        retry: retry.unwrap_or_default(),
        retry_budget: retry_budget.unwrap_or(RETRY_BUDGET),
        queue: queue.unwrap_or_else(|| Some(Queue::default())),
        timeouts: timeouts.unwrap_or_default(),
        resolve_interval: resolve_interval.unwrap_or(RESOLVE_INTERVAL),
        min_available: min_available.unwrap_or(MIN_AVAILABLE),
        recall: recall.unwrap_or_else(|| Some(Recall::default())),
    })
}

/// Reads how `nodes` are checked; `None` are nodes that something is wrong with.
fn read_check(value: Value<'_>, nodes: Option<&[Node]>) -> Option<Option<HealthCheck>> {
    let check = check::read(value)?;
    let is_call = matches!(&check, Some(HealthCheck { kind: CheckKind::Grpc { .. }, .. }));
    let deaf = nodes.unwrap_or_default().iter().find(|node| node.protocol == Protocol::Http1);
    if let Some(deaf) = deaf.filter(|_| is_call) {
        let fault = Fault::new(format!("gRPC needs HTTP/2, and {} is spoken to by HTTP/1.1", deaf.name));
        value.report(fault.help("add `protocol: http2` to the pool, or choose another type of check"));
    }
    Some(check)
}

/// Reads how many of `nodes` have to be able to serve; `None` are nodes that something is wrong with.
fn read_min_available(value: Value<'_>, nodes: Option<&[Node]>) -> Option<usize> {
    let wanted = value.whole(bounds::NODES)?;
    let Some(nodes) = nodes.filter(|nodes| nodes.len() < wanted) else { return Some(wanted) };
    let fault = Fault::new(format!("{wanted} nodes cannot be available where there are {}", nodes.len()));
    value.fail(fault.help("write a smaller number, or add nodes"))
}

/// Reads how clients stay with one node; `taken` has the cookies of the pools before.
fn read_sticky(value: Value<'_>, balance: Option<&Balance>, taken: &RefCell<Cookies>) -> Option<Sticky> {
    let sticky = sticky::read(value)?;
    if let Some(Balance::Hash(_)) = balance {
        let fault = Fault::new("a session stays with its node, and `balance: {hash: …}` has another for it");
        return value
            .fail(fault.help("keep one of them: `hash` needs no cookie, `sticky` moves fewer").on_key());
    }
    match taken.borrow_mut().entry(sticky.cookie.clone()) {
        Entry::Vacant(free) => drop(free.insert(value.place())),
        Entry::Occupied(first) => {
            let fault = Fault::new("the same cookie as the pool").first(first.get().clone());
            value.report(fault.help("give it another name, or a client of both loses its node each time"));
        }
    }
    Some(sticky)
}

/// Reads retry rules; what is not told is as in `base`.
pub(super) fn read_retry(value: Value<'_>, base: &Retry) -> Option<Retry> {
    value.fields("a mapping of retry rules", |fields| Retry {
        attempts: fields.read("attempts", |v| v.whole(bounds::ATTEMPTS)).unwrap_or(base.attempts),
        part_sent: fields.read("part_sent", |v| v.boolean()).unwrap_or(base.part_sent),
        unprocessed_statuses: fields
            .read("unprocessed_statuses", unprocessed_statuses)
            .unwrap_or_else(|| base.unprocessed_statuses.clone()),
        finish_answers: fields.read("finish_answers", |v| v.boolean()).unwrap_or(base.finish_answers),
        body_buffer: fields
            .read("body_buffer", |v| v.size_or_off(bounds::BUFFER))
            .unwrap_or(base.body_buffer),
    })
}

fn unprocessed_statuses(value: Value<'_>) -> Option<StatusSet> {
    let statuses = value.statuses()?;
    if statuses.is_within(&(500..=599)) {
        return Some(statuses);
    }
    let fault = Fault::new("only a status from 500 to 599 can say that a request was not processed");
    value.fail(fault.help("list those that your servers send before they begin a request, as in `[503]`"))
}

/// Reads time-outs; what is not told is as in `base`.
pub(super) fn read_timeouts(value: Value<'_>, base: &NodeTimeouts) -> Option<NodeTimeouts> {
    let timeout = |v: Value<'_>| v.duration(bounds::TIMEOUT);
    value.fields("a mapping of durations", |fields| NodeTimeouts {
        connect: fields.read("connect", timeout).unwrap_or(base.connect),
        tls: fields.read("tls", timeout).unwrap_or(base.tls),
        first_byte: fields.read("first_byte", timeout).unwrap_or(base.first_byte),
        between_bytes: fields.read("between_bytes", timeout).unwrap_or(base.between_bytes),
        write: fields.read("write", timeout).unwrap_or(base.write),
        idle: fields.read("idle", timeout).unwrap_or(base.idle),
    })
}
