//! How a pool is, as far as its events tell.

use std::collections::{BTreeMap, BTreeSet};

use super::{AlarmKind, Event, Stage, What};

/// Events that are remembered of one drain.
const MOST_OF_DRAIN: usize = 20;

/// How a pool is.
#[derive(Clone, Debug, Default)]
pub(super) struct Watched {
    nodes: BTreeMap<String, NodeNow>,
    /// Whether it may not lose its largest node, or has none.
    is_exposed: bool,
    alarms: BTreeSet<AlarmKind>,
}

/// How a node is.
#[derive(Clone, Debug, Default)]
struct NodeNow {
    /// What took it out.
    out: Option<Event>,
    /// What made it suspect, and what held it back.
    strained: Vec<Event>,
    drain: Option<Drain>,
}

/// A drain that is in force.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Drain {
    /// The node.
    pub(super) node: String,
    /// Who asked for it.
    pub(super) by: String,
    /// What for.
    pub(super) reason: String,
    /// Since when.
    pub(super) since: u64,
    /// Until when.
    pub(super) until: u64,
    /// What is known of it, the oldest first.
    events: Vec<Event>,
}

impl Watched {
    /// Whether nothing is wrong.
    pub(super) fn is_well(&self) -> bool {
        !self.is_exposed && self.alarms.is_empty() && self.nodes.values().all(NodeNow::is_well)
    }

    /// The drains in force.
    pub(super) fn drains(&self, now: u64) -> impl Iterator<Item = &Drain> {
        self.nodes.values().filter_map(|node| node.drain.as_ref()).filter(move |drain| drain.until > now)
    }

    /// What happened before `now` and still holds, the oldest first.
    pub(super) fn context(&self, now: u64) -> Vec<Event> {
        let mut events: Vec<Event> = self.drains(now).flat_map(|drain| drain.events.clone()).collect();
        for node in self.nodes.values() {
            events.extend(node.out.iter().chain(&node.strained).cloned());
        }
        events.sort_by_key(|event| event.at);
        events
    }

    /// Another process looks at the pool from now on. What people asked for still holds.
    pub(super) fn forget(&mut self) {
        self.is_exposed = false;
        self.alarms.clear();
        for node in self.nodes.values_mut() {
            *node = NodeNow { drain: node.drain.take(), ..NodeNow::default() };
        }
    }

    /// A node is no longer in the configuration.
    pub(super) fn remove(&mut self, node: &str) {
        self.nodes.remove(node);
    }

    /// Takes an event of the pool, and says whether it is a bad one.
    pub(super) fn take(&mut self, event: &Event) -> bool {
        match &event.what {
            What::Redundancy { state, .. } => {
                self.is_exposed = state != "protected";
                self.is_exposed
            }
            What::Alarm { alarm, stage, .. } => self.alarm(*alarm, *stage),
            What::Traffic { total, failed, shed, .. } => {
                // A single request may fail for reasons of its own.
                *shed > 0 || *failed >= 3 && failed.saturating_mul(100) >= *total
            }
            _ => self.take_of_node(event),
        }
    }

    /// Whether a pool is exposed or down is told by its redundancy, sooner and without the calm of an alarm.
    fn alarm(&mut self, kind: AlarmKind, stage: Stage) -> bool {
        if matches!(kind, AlarmKind::Exposed | AlarmKind::Down) {
            return false;
        }
        match stage {
            Stage::Begins | Stage::Lasts => self.alarms.insert(kind),
            Stage::Ends => self.alarms.remove(&kind),
        };
        stage != Stage::Ends
    }

    fn take_of_node(&mut self, event: &Event) -> bool {
        let Some(name) = &event.node else { return false };
        let node = self.nodes.entry(name.clone()).or_default();
        match &event.what {
            What::Down { .. } | What::Ejected { .. } | What::NotBack { .. } => {
                node.out = Some(event.clone());
                return !node.is_well();
            }
            What::Up | What::Returning | What::Returned | What::Back => {
                node.out = None;
                node.strained.retain(|event| matches!(event.what, What::Limited { .. }));
            }
            What::Suspect => {
                node.strained.retain(|event| !matches!(event.what, What::Suspect));
                node.strained.push(event.clone());
            }
            What::Limited { .. } => {
                node.strained.retain(|event| !matches!(event.what, What::Limited { .. }));
                node.strained.push(event.clone());
            }
            What::Unlimited => node.strained.retain(|event| !matches!(event.what, What::Limited { .. })),
            What::Drained { by, reason, until, .. } => {
                let (by, reason) = (by.clone(), reason.clone());
                let (node_name, events) = (name.clone(), vec![event.clone()]);
                node.drain =
                    Some(Drain { node: node_name, by, reason, since: event.at, until: *until, events });
            }
            What::Renewed { until, .. } | What::Reminded { until, .. } => {
                if let Some(drain) = node.drain.as_mut() {
                    drain.until = *until;
                    drain.remember(event);
                }
            }
            What::Undrained { .. } | What::LeaseEnded { .. } | What::Recalled { .. } => node.drain = None,
            _ => {}
        }
        false
    }
}

impl NodeNow {
    /// Whether it works, or nobody expects it to.
    fn is_well(&self) -> bool {
        self.out.is_none() || self.drain.is_some()
    }
}

impl Drain {
    fn remember(&mut self, event: &Event) {
        if self.events.len() < MOST_OF_DRAIN {
            self.events.push(event.clone());
        }
    }

    /// Whether so much of its time is over that whoever asked for it may have forgotten it.
    pub(super) fn is_old(&self, now: u64) -> bool {
        now.saturating_sub(self.since).saturating_mul(2) >= self.until.saturating_sub(self.since)
    }
}
