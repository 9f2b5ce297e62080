//! Text in, [`Config`] out, or every [`Problem`] of the text at once.
//!
//! A `Config` is complete: what the file left out stands there with its default, and nothing in it needs to be checked
//! again.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::time::Duration;

use http::{HeaderName, HeaderValue, Method};
use ipnet::IpNet;

use crate::model::{HostPattern, Name, NodeAddress, PathPrefix, StatusSet, Tier, Weight};

/// Everything that one configuration file says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Config {
    /// The process as a whole.
    pub server: Server,
    /// Where clients connect; never empty, no address twice.
    pub listeners: Vec<Listener>,
    /// The sets of nodes, by name; never empty.
    pub pools: BTreeMap<Name, Pool>,
    /// Which requests go to which pool, in the order of the file; never empty, every pool exists.
    pub routes: Vec<Route>,
}

/// Settings of the process.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Server {
    /// Worker threads; `None` is one for each core.
    pub threads: Option<NonZeroUsize>,
    /// Where the process id is written, for whoever sends signals.
    pub pid_file: Option<PathBuf>,
    /// How long requests may go on after the process was asked to stop.
    pub grace_period: Duration,
    /// How long new requests are still taken after the process was asked to stop.
    pub shutdown_delay: Duration,
    /// Client connections in all; `None` is what the descriptors allow.
    pub max_connections: Option<NonZeroUsize>,
}

/// One address that clients connect to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listener {
    /// The address and port.
    pub address: SocketAddr,
    /// Peers whose `X-Forwarded-*` and `Forwarded` are believed.
    pub trusted_proxies: Vec<IpNet>,
    /// Whether nodes also get `Forwarded` (RFC 7239).
    pub forwarded: bool,
    /// How long a client may take.
    pub timeouts: ClientTimeouts,
    /// How much a client may take.
    pub limits: ClientLimits,
}

/// How long a client may take; every one is longer than zero.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClientTimeouts {
    /// The whole head of a request, from its first byte (and from accepting the connection).
    pub head: Duration,
    /// Between two pieces of a request's body.
    pub body: Duration,
    /// Between two pieces of an answer that the client takes.
    pub write: Duration,
    /// Idle between two requests.
    pub keep_alive: Duration,
}

/// How much a client may take.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClientLimits {
    /// Connections of one client address; `None` is no limit.
    pub connections_per_client: Option<NonZeroUsize>,
    /// The head of a request, in bytes.
    pub head: u64,
    /// The body of a request, in bytes; `None` is no limit.
    pub body: Option<u64>,
}

/// A set of nodes that can each serve the same requests.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pool {
    /// The servers; never empty, no address and no name twice.
    pub nodes: Vec<Node>,
    /// How nodes are picked.
    pub balance: Balance,
    /// How nodes are checked; `None` is not at all.
    pub health_check: Option<HealthCheck>,
    /// What is done about a failed attempt.
    pub retry: Retry,
    /// How long a node may take.
    pub timeouts: NodeTimeouts,
    /// How often the names among the nodes' addresses are looked up again.
    pub resolve_interval: Duration,
}

/// One server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Node {
    /// Where it is.
    pub address: NodeAddress,
    /// What it is called; its address unless told.
    pub name: String,
    /// Its share of the traffic.
    pub weight: Weight,
    /// When it gets any.
    pub tier: Tier,
}

/// How a pool picks nodes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Balance {
    /// Each in turn, smoothly by weight.
    #[default]
    RoundRobin,
}

/// How a pool's nodes are checked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HealthCheck {
    /// What is asked of a node.
    pub kind: CheckKind,
    /// From the start of one check to the start of the next.
    pub interval: Duration,
    /// How long a check may take.
    pub timeout: Duration,
    /// Failures in a row after which a node is out, at least 1.
    pub fall: u32,
    /// Successes in a row after which it is back, at least 1.
    pub rise: u32,
}

/// What a check asks of a node.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CheckKind {
    /// To accept a connection.
    Tcp,
    /// To answer a GET.
    Http {
        /// The path and query to get.
        path: String,
        /// The `Host` to send; the node's address unless told.
        host: Option<String>,
        /// The statuses that are a success.
        status: StatusSet,
    },
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
}

/// How long a node may take; every one is longer than zero.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NodeTimeouts {
    /// To accept a connection.
    pub connect: Duration,
    /// From the last byte of the request to the first of the answer.
    pub first_byte: Duration,
    /// Between two pieces of an answer.
    pub between_bytes: Duration,
    /// Between two pieces of a request that the node takes.
    pub write: Duration,
    /// How long an idle connection is kept for the next request.
    pub idle: Duration,
}

/// Which requests go to which pool.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Route {
    /// What it is called; unique.
    pub name: Name,
    /// The hosts it takes; `[Any]` unless told, never empty.
    pub hosts: Vec<HostPattern>,
    /// The paths it takes.
    pub path: PathPrefix,
    /// The methods it takes; empty is all.
    pub methods: Vec<Method>,
    /// Headers that a request must have, with the value if one is given.
    pub headers: Vec<(HeaderName, Option<HeaderValue>)>,
    /// Where its requests go.
    pub pool: Name,
    /// Its own retry rules; the pool's unless told.
    pub retry: Retry,
    /// Its own time-outs; the pool's unless told.
    pub timeouts: NodeTimeouts,
    /// The largest body in bytes; the listener's unless told.
    pub max_body: Option<u64>,
}
