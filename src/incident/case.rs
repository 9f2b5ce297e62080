//! One incident: what happened in it, and whom it touched.

use std::collections::{BTreeSet, VecDeque};

use super::watched::{Drain, Watched};
use super::{AlarmKind, Event, What};

/// Events of its beginning that are kept, and as many of its end.
const MOST_EVENTS: usize = 200;

/// The same for an old one.
const FEW_EVENTS: usize = 20;

/// Events of one pool that belong together.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Incident {
    /// Day and number, as in `2026-11-22-1`.
    pub id: String,
    /// The pool.
    pub pool: String,
    /// When it began.
    pub began: u64,
    /// When it ended; `None` if it is not over.
    pub ended: Option<u64>,
    /// How often it came again after it had seemed to be over.
    pub returned: u32,
    /// The nodes that something was wrong with, or that were out.
    pub nodes: BTreeSet<String>,
    /// What became of the requests.
    pub requests: Requests,
    /// When something bad last happened, or was last so.
    pub(super) bad_at: u64,
    /// The drains that were in force when it began.
    pub(super) drains: Vec<Drain>,
    /// The reload shortly before that changed the pool.
    pub(super) reload: Option<Event>,
    pub(super) seen: Seen,
    events: Vec<Event>,
    latest: VecDeque<Event>,
    left_out: u64,
}

/// What became of the requests of an incident.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Requests {
    /// All that ended.
    pub total: u64,
    /// Those that a retry saved.
    pub saved: u64,
    /// Those that a client saw fail, those turned away among them.
    pub failed: u64,
    /// Those that were turned away because all nodes were full.
    pub shed: u64,
    /// When the first failed, and when the last.
    pub lost: Option<(u64, u64)>,
}

/// What was seen in an incident.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Seen {
    /// What took nodes out, the first [`FEW_EVENTS`] times.
    pub(super) failures: Vec<Event>,
    pub(super) is_down: bool,
    pub(super) is_exposed: bool,
    pub(super) is_overloaded: bool,
    pub(super) is_silent: bool,
    pub(super) is_masked: bool,
    /// What an alarm said of nodes that are missing.
    pub(super) missing: Option<String>,
    /// What ended it: the last event by which something became well again.
    pub(super) relief: Option<Event>,
    /// When bookend last took a drained node back.
    pub(super) recalled_at: Option<u64>,
    /// The drains that are in force.
    pub(super) drained: BTreeSet<String>,
}

impl Incident {
    /// An incident that begins with `event` in a pool that was as `before`.
    pub(super) fn new(
        id: String,
        pool: &str,
        event: &Event,
        before: &Watched,
        reload: Option<&Event>,
    ) -> Self {
        let mut incident = Self {
            id,
            pool: pool.to_owned(),
            began: event.at,
            ended: None,
            returned: 0,
            nodes: BTreeSet::new(),
            requests: Requests::default(),
            bad_at: event.at,
            drains: before.drains(event.at).cloned().collect(),
            reload: reload.cloned(),
            seen: Seen::default(),
            events: Vec::new(),
            latest: VecDeque::new(),
            left_out: 0,
        };
        let mut context: Vec<&Event> = reload.into_iter().collect();
        let known = before.context(event.at);
        context.extend(&known);
        context.sort_by_key(|event| event.at);
        for earlier in context {
            incident.add(earlier);
        }
        incident.seen.relief = None;
        incident.add(event);
        incident
    }

    /// It seemed to be over, and was not.
    pub(super) fn go_on(&mut self, event: &Event) {
        self.ended = None;
        self.returned = self.returned.saturating_add(1);
        self.bad_at = event.at;
        self.add(event);
    }

    /// Its events, the oldest first; and how many are left out after the first so many.
    pub fn events(&self) -> (&[Event], u64, impl Iterator<Item = &Event>) {
        (&self.events, self.left_out, self.latest.iter())
    }

    /// How long it was, or is at `now`, in milliseconds.
    pub fn length(&self, now: u64) -> u64 {
        self.ended.unwrap_or(now).saturating_sub(self.began)
    }

    /// Takes an event that belongs to it.
    pub(super) fn add(&mut self, event: &Event) {
        self.notice(event);
        if let What::Traffic { .. } = event.what {
            return;
        }
        if self.events.len() < MOST_EVENTS {
            self.events.push(event.clone());
            return;
        }
        self.latest.push_back(event.clone());
        if self.latest.len() > MOST_EVENTS {
            self.latest.pop_front();
            self.left_out += 1;
        }
    }

    /// Forgets most of its events.
    pub(super) fn thin_out(&mut self) {
        let mut all: Vec<Event> = self.events.drain(..).chain(self.latest.drain(..)).collect();
        if all.len() > 2 * FEW_EVENTS {
            self.left_out += (all.len() - 2 * FEW_EVENTS) as u64;
            self.latest = all.split_off(all.len() - FEW_EVENTS).into();
            all.truncate(FEW_EVENTS);
        }
        self.events = all;
    }

    fn notice(&mut self, event: &Event) {
        let seen = &mut self.seen;
        match &event.what {
            What::Down { .. } | What::Ejected { .. } | What::NotBack { .. } => {
                seen.failures.push(event.clone());
                seen.failures.truncate(FEW_EVENTS);
            }
            What::Suspect => seen.is_silent = true,
            What::Limited { .. } => seen.is_overloaded = true,
            What::Redundancy { state, .. } => {
                seen.is_down |= state == "down";
                seen.is_exposed |= state != "protected";
                if state == "protected" {
                    seen.relief = Some(event.clone());
                }
            }
            What::Alarm { alarm, text, .. } => match alarm {
                AlarmKind::Down => seen.is_down = true,
                AlarmKind::Exposed => seen.is_exposed = true,
                AlarmKind::Missing => seen.missing = Some(text.clone()),
                AlarmKind::Overloaded => seen.is_overloaded = true,
                AlarmKind::Masked => seen.is_masked = true,
            },
            What::Traffic { .. } => self.requests.add(event),
            What::Up
            | What::Returning
            | What::Undrained { .. }
            | What::LeaseEnded { .. }
            | What::Back
            | What::Reloaded { .. } => seen.relief = Some(event.clone()),
            What::Recalled { .. } => {
                seen.recalled_at = Some(event.at);
                seen.relief = Some(event.clone());
            }
            _ => {}
        }
        self.notice_node(event);
    }

    fn notice_node(&mut self, event: &Event) {
        let Some(node) = &event.node else { return };
        match &event.what {
            What::Drained { .. } => drop(self.seen.drained.insert(node.clone())),
            What::Undrained { .. } | What::LeaseEnded { .. } | What::Recalled { .. } => {
                self.seen.drained.remove(node);
            }
            What::Down { .. }
            | What::Ejected { .. }
            | What::Suspect
            | What::Limited { .. }
            | What::NotBack { .. } => {}
            _ => return,
        }
        self.nodes.insert(node.clone());
    }
}

impl Requests {
    fn add(&mut self, event: &Event) {
        let What::Traffic { total, saved, failed, shed } = event.what else { return };
        for (sum, more) in [
            (&mut self.total, total),
            (&mut self.saved, saved),
            (&mut self.failed, failed),
            (&mut self.shed, shed),
        ] {
            *sum = sum.saturating_add(more);
        }
        if failed > 0 {
            let first = self.lost.map_or(event.at, |(first, _)| first);
            self.lost = Some((first, event.at));
        }
    }

    /// The share of requests that a client saw fail, from 0 to 1.
    pub fn failed_share(&self) -> f64 {
        if self.total == 0 { 0.0 } else { self.failed as f64 / self.total as f64 }
    }
}
