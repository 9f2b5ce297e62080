//! How bookend is: one plain tree of data, as it goes over the wire and as the command line shows it.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::ConfigProblem;
use crate::incident::Summary;
use crate::terminal::Colour;

/// How bookend is.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Status {
    /// The version of the program.
    pub version: String,
    /// `starting`, `ready` or `stopping`.
    pub phase: String,
    /// When it started (RFC 3339).
    pub started_at: String,
    /// For how long it has been running.
    pub uptime_seconds: u64,
    /// The configuration.
    pub configuration: Configuration,
    /// The addresses that clients connect to.
    pub listeners: Vec<String>,
    /// Client connections that are open.
    pub connections: usize,
    /// All requests since the start.
    pub requests: Requests,
    /// The pools, by name.
    pub pools: Vec<Pool>,
    /// Leases of nodes that are not in the configuration.
    #[serde(default)]
    pub leases_of_others: Vec<Lease>,
    /// Drained nodes that were taken back in the last hour because the others were not enough, and not drained since.
    #[serde(default)]
    pub recalls: Vec<Recall>,
    /// What is wrong for a while, by pool.
    #[serde(default)]
    pub alarms: Vec<Alarm>,
    /// Pools of whose alarms nobody wants to be told.
    #[serde(default)]
    pub silences: Vec<Silence>,
    /// Incidents that are not over.
    #[serde(default)]
    pub incidents_open: Vec<Summary>,
    /// What is not well, each as a sentence; empty when all is well.
    pub complaints: Vec<String>,
}

/// The configuration in force, and the last one that was refused.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Configuration {
    /// The file.
    pub file: String,
    /// The number of the one in force; the one at the start is 1.
    pub generation: u64,
    /// When it came into force (RFC 3339).
    pub in_force_at: String,
    /// For how long it has been in force.
    pub in_force_seconds: u64,
    /// The last one that was refused.
    pub refused: Option<Refused>,
}

/// A configuration that was refused.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Refused {
    /// When (RFC 3339).
    pub at: String,
    /// How long ago.
    pub seconds_ago: u64,
    /// Whether another has come into force since, so that nobody has to act any more.
    pub superseded: bool,
    /// Why.
    pub why: String,
    /// What is wrong with the file, if it is that.
    pub problems: Vec<ConfigProblem>,
}

/// Requests since the start.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Requests {
    /// All that ended.
    pub total: u64,
    /// Those that a retry saved.
    pub saved: u64,
    /// Those that a client saw fail through no fault of its own.
    pub failed: u64,
    /// All, by how they ended.
    pub outcomes: BTreeMap<String, u64>,
}

/// A set of nodes.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Pool {
    /// What it is called.
    pub name: String,
    /// Nodes that nothing speaks against.
    pub available: usize,
    /// Requests that wait because no node takes any.
    pub waiting: usize,
    /// Requests that wait for a place because every node is full.
    pub in_line: usize,
    /// Requests that waited for a place in vain.
    pub shed: u64,
    /// Whether there was one of those in the last ten seconds.
    pub overloaded: bool,
    /// Requests for it.
    pub requests: Requests,
    /// Whether it may lose its largest node; `None` before anybody looked.
    #[serde(default)]
    pub redundancy: Option<Redundancy>,
    /// What retries hide lately; `None` if nobody asks, or there was no request.
    #[serde(default)]
    pub masked: Option<Masked>,
    /// What it could carry without its largest node; `None` if no node can serve.
    pub headroom: Option<Headroom>,
    /// Its nodes, in the order of the file.
    pub nodes: Vec<Node>,
}

/// Whether a pool may lose its largest node.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Redundancy {
    /// `protected` if it may, `exposed` if it may not, `down` if no node can serve.
    pub state: String,
    /// Why it may not; empty if it may.
    pub why: String,
    /// For how long it has been in this state.
    pub seconds: u64,
    /// For how long it was not protected since the start.
    pub exposed_seconds: u64,
}

/// Something that is wrong for a while.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Alarm {
    /// The pool.
    pub pool: String,
    /// `down`, `exposed`, `missing`, `overloaded` or `masked`.
    pub kind: String,
    /// Since when (RFC 3339).
    pub since: String,
    /// For how long.
    pub seconds: u64,
    /// What is wrong.
    pub what: String,
    /// The command that would help; empty if none would.
    pub help: String,
}

/// Nobody is told of the alarms of a pool until then.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Silence {
    /// The pool.
    pub pool: String,
    /// Who asked for it.
    pub by: String,
    /// What for.
    pub reason: String,
    /// When it ends (RFC 3339).
    pub until: String,
    /// For how long it still lasts.
    pub seconds_left: u64,
}

/// How many requests retries saved lately, and why they had to.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Masked {
    /// The time that this is about.
    pub seconds: u64,
    /// Requests in that time.
    pub requests: u64,
    /// Those that a retry saved.
    pub saved: u64,
    /// Their part, from 0 to 1.
    pub share: f64,
    /// The node at which most attempts failed; `None` if none did.
    pub node: Option<String>,
    /// How far those got.
    pub reach: Option<String>,
    /// Their part of all attempts that failed, from 0 to 1.
    pub part: Option<f64>,
}

/// What a pool would have to spare, or lack, without its largest node; in answers a second.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Headroom {
    /// The node that carries the most.
    pub without: String,
    /// What all nodes carry now.
    pub load: f64,
    /// What the others have shown that they can carry.
    pub rest: f64,
    /// `rest` less `load`.
    pub spare: f64,
    /// `enough` if the others have carried the load, `lacking` if all were at their limits at less, else `unproven`.
    pub proof: String,
}

/// One server.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Node {
    /// What it is called.
    pub name: String,
    /// Where it is, as configured.
    pub address: String,
    /// 0 serves; others are backups.
    pub tier: u8,
    /// Its share of its tier.
    pub weight: u16,
    /// How it stands.
    pub state: NodeState,
    /// Why it stands like that; `None` while all is well.
    pub why: Option<String>,
    /// For how long it has stood like that; `None` if since the start.
    pub state_seconds: Option<u64>,
    /// Its part of the pool's requests in the last minute, from 0 to 1; `None` if there were none.
    pub share: Option<f64>,
    /// Requests that are at it.
    pub in_flight: u32,
    /// How many of them may wait for the heads of their answers, if it was found to have more to do than it can.
    pub limit: Option<u32>,
    /// The most answers in a second that it gave for ten seconds without being late; 0 if it never has for so long.
    pub shown_per_second: f64,
    /// Answers in a second that it gives with more to do than it can; `None` if it never was at its limit.
    pub capacity_per_second: Option<f64>,
    /// Requests that ended at it.
    pub requests: Requests,
    /// From the last byte of a request to the first of its answer; `None` if there was none.
    pub first_byte: Option<FirstByte>,
    /// Attempts that failed at it, by how far they got.
    pub attempts_failed: BTreeMap<String, u64>,
    /// Who has drained it, and for how long; `None` if nobody has.
    #[serde(default)]
    pub lease: Option<Lease>,
}

/// A node gets no new work until then.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Lease {
    /// The node, as in `web/web-02`.
    pub node: String,
    /// Who asked for it.
    pub owner: String,
    /// What for.
    pub reason: String,
    /// Since when (RFC 3339).
    pub since: String,
    /// When it ends (RFC 3339).
    pub until: String,
    /// For how long it still lasts.
    pub seconds_left: u64,
    /// Since when the node has no request any more (RFC 3339); `None` while it has.
    pub empty_since: Option<String>,
    /// Whether the node is not taken back before that, whatever becomes of the others.
    #[serde(default)]
    pub never_recall: bool,
}

/// A drained node was taken back because the others were not enough.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Recall {
    /// The node, as in `web/web-02`.
    pub node: String,
    /// When (RFC 3339).
    pub at: String,
    /// How long ago.
    pub seconds_ago: u64,
    /// Who had drained it.
    pub owner: String,
    /// What for.
    pub reason: String,
    /// For how long it was drained.
    pub drained_seconds: u64,
    /// What was wrong without it.
    pub why: String,
}

/// How a node stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum NodeState {
    /// Nothing speaks against it.
    Up,
    /// It gets a growing part of its share, after it was out.
    Returning,
    /// It is silent while others answer.
    Suspect,
    /// It asked to be left alone for a while.
    Resting,
    /// It was out and waits for a request that tries it.
    OnTrial,
    /// It was taken out for what its traffic said.
    Ejected,
    /// Some of the addresses of its name are down.
    PartlyDown,
    /// Its checks fail.
    Down,
    /// A person took it out for a while.
    Drained,
    /// Its name has no address.
    Unresolved,
}

/// How long a node takes to its first byte, in seconds.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct FirstByte {
    /// The mean.
    pub mean: f64,
    /// The median, about.
    pub p50: f64,
    /// The 99th percentile, about.
    pub p99: f64,
}

impl Status {
    /// Whether nothing is wrong.
    pub fn is_well(&self) -> bool {
        self.complaints.is_empty()
    }
}

impl NodeState {
    /// The state in words.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Up => "up",
            Self::Returning => "returning",
            Self::Suspect => "suspect",
            Self::Resting => "resting",
            Self::OnTrial => "on trial",
            Self::Ejected => "ejected",
            Self::PartlyDown => "partly down",
            Self::Down => "down",
            Self::Drained => "drained",
            Self::Unresolved => "no address",
        }
    }

    /// The colour that says how bad it is.
    pub fn colour(self) -> Colour {
        match self {
            Self::Up => Colour::Green,
            Self::Returning
            | Self::Suspect
            | Self::Resting
            | Self::OnTrial
            | Self::PartlyDown
            | Self::Drained => Colour::Yellow,
            Self::Ejected | Self::Down | Self::Unresolved => Colour::Red,
        }
    }

    /// Whether the node can be given requests.
    pub fn is_serving(self) -> bool {
        match self {
            Self::Up | Self::Returning | Self::Suspect | Self::Resting | Self::OnTrial | Self::PartlyDown => {
                true
            }
            Self::Ejected | Self::Down | Self::Drained | Self::Unresolved => false,
        }
    }
}
