//! What a row of the table says: a site, what arrives there, and what is expected of it.

use std::time::Duration;

use crate::node::{Overfilled, Works};
use crate::table::ROW;

/// One replay of the incident.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Row {
    pub(crate) name: &'static str,
    /// Requests a second that one node can carry.
    pub(crate) capacity: u32,
    /// Requests that one node works on at once.
    pub(crate) workers: u32,
    /// How many may be in it before it dies of memory.
    pub(crate) holds: Holds,
    /// What arrives while one node is out, in capacities of one.
    pub(crate) overload: f64,
    pub(crate) outage: Outage,
    pub(crate) methods: Methods,
    /// The part of the requests that come on connections of their own.
    pub(crate) fresh: f64,
    pub(crate) clients: Clients,
    pub(crate) meanwhile: Meanwhile,
    /// Whether it is in the short form, too.
    pub(crate) is_short: bool,
    /// Whether it is put in front of bookend's peers, too.
    pub(crate) is_compared: bool,
    pub(crate) promise: Promise,
    /// The logic that bookend lacks for it; such a row is reported as "not yet".
    pub(crate) awaits: Option<&'static str>,
}

/// The memory of a node, in requests.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Holds {
    /// As many as it serves in half a second, and eight for each worker if that is more.
    Usual,
    /// So many for each worker.
    EachWorker(u32),
}

/// Which node is out, and when.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Outage {
    /// The second is killed while both serve.
    Later,
    /// The second is out before the first request, so that bookend has seen nothing of the other when too much arrives.
    FromTheStart,
    /// The second is taken out by a person, who forgets it: nobody brings it back.
    Forgotten,
    /// None: both are there, and it is too much for both.
    Never,
}

/// What is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Methods {
    Get,
    /// All kinds, with bodies of up to 30 KB both ways.
    Mixed,
    /// POST with 100 KB each.
    Uploads,
}

/// What makes it worse.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Meanwhile {
    Nothing,
    /// Half of the clients leave after 100 ms. Nodes do not notice.
    ClientsLeave,
    /// A node that is full knows it, and answers 503 instead of dying.
    NodesSay503,
    /// While one is out, the other gets slower by degrees, to a quarter of what it could.
    NodeGrowsSlow,
    /// While one is out, the configuration is read anew ten times a second.
    Reloads,
}

/// Who asks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Clients {
    /// So many, alike.
    Alike(u32),
    /// One that sends nearly everything, and a hundred others that send a tenth of what a node can carry between them.
    OneFloods,
}

/// What is expected.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Promise {
    /// The least part of what the nodes that are there can carry (of what arrives, if that is less) that is served in any
    /// second but the first.
    pub(crate) served: f64,
    /// How soon whoever is turned away knows.
    pub(crate) refused_within: Duration,
    /// How often a node may die of memory.
    pub(crate) deaths: usize,
    /// How soon all is served when the second node is back.
    pub(crate) all_served_within: Duration,
    /// Requests of those that do not flood that may be turned away, after the first second.
    pub(crate) others_refused: usize,
}

impl Row {
    /// A replay of one's own, from `BOOKEND_INCIDENT_ROW='workers=32 capacity=500 overload=2 holds=16 …'`; what is not said
    /// is as in [`ROW`]. `holds` is in requests for each worker.
    pub(crate) fn from_environment() -> Option<Self> {
        let said = std::env::var("BOOKEND_INCIDENT_ROW").ok()?;
        let mut row = Self { name: "your_own", ..ROW };
        for word in said.split_whitespace() {
            row.set(word).unwrap_or_else(|| panic!("BOOKEND_INCIDENT_ROW: nobody knows what {word:?} is"));
        }
        Some(row)
    }

    fn set(&mut self, word: &str) -> Option<()> {
        match word.split_once('=').unwrap_or((word, "")) {
            ("workers", number) => self.workers = number.parse().ok()?,
            ("capacity", number) => self.capacity = number.parse().ok()?,
            ("overload", number) => self.overload = number.parse().ok()?,
            ("holds", number) => self.holds = Holds::EachWorker(number.parse().ok()?),
            ("fresh", number) => self.fresh = number.parse().ok()?,
            ("mixed", "") => self.methods = Methods::Mixed,
            ("cold", "") => self.outage = Outage::FromTheStart,
            ("forgotten", "") => self.outage = Outage::Forgotten,
            ("both", "") => self.outage = Outage::Never,
            ("uploads", "") => self.methods = Methods::Uploads,
            ("clients", number) => self.clients = Clients::Alike(number.parse().ok()?),
            ("leave", "") => self.meanwhile = Meanwhile::ClientsLeave,
            ("say_503", "") => self.meanwhile = Meanwhile::NodesSay503,
            ("grows_slow", "") => self.meanwhile = Meanwhile::NodeGrowsSlow,
            ("reloads", "") => self.meanwhile = Meanwhile::Reloads,
            ("floods", "") => self.clients = Clients::OneFloods,
            _ => return None,
        }
        Some(())
    }

    /// What one of its nodes can do.
    pub(crate) fn works(&self) -> Works {
        let takes = Duration::from_secs(1) * self.workers / self.capacity;
        let holds = match self.holds {
            Holds::Usual => (self.capacity / 2).max(8 * self.workers),
            Holds::EachWorker(requests) => requests * self.workers,
        };
        let overfilled = match self.meanwhile {
            Meanwhile::NodesSay503 => Overfilled::Says503,
            _ => Overfilled::Dies,
        };
        Works { workers: self.workers, takes, slows_at: holds / 2, holds, overfilled }
    }

    /// What a node can do of what it could, so long after the other was out.
    pub(crate) fn speed(&self, lasts: Duration, all: Duration) -> f64 {
        match self.meanwhile {
            Meanwhile::NodeGrowsSlow => 1.0 - 0.75 * lasts.as_secs_f64() / all.as_secs_f64(),
            _ => 1.0,
        }
    }

    /// What arrives each second while one node is out.
    pub(crate) fn arrives(&self) -> f64 {
        self.overload * f64::from(self.capacity)
    }

    /// What arrives each second before and after: never more than two nodes carry with ease.
    pub(crate) fn arrives_otherwise(&self) -> f64 {
        self.overload.min(1.6) * f64::from(self.capacity)
    }

    /// What the nodes that are there while one is out can carry each second.
    pub(crate) fn can_be_carried(&self) -> f64 {
        let nodes = if self.outage == Outage::Never { 2.0 } else { 1.0 };
        nodes * f64::from(self.capacity)
    }
}
