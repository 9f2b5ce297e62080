//! Events that belong together, as incidents.
//!
//! It is a fold: the same events in the same order make the same incidents, so that a process that reads them again knows
//! what the one before it knew.

use std::collections::{BTreeMap, VecDeque};

use super::case::Incident;
use super::watched::Watched;
use super::{Event, Stage, What, date};

/// For how long nothing may be wrong before an incident is over, in milliseconds.
const CALM: u64 = 60_000;

/// For how long after its end what comes again still belongs to an incident, in milliseconds.
const AGAIN: u64 = 5 * 60_000;

/// How long before its beginning a reload may be the cause, in milliseconds.
const BEFORE: u64 = 10 * 60_000;

/// Incidents that are kept.
const MOST: usize = 1_000;

/// Incidents that are kept with all their events; of older ones there are some.
const MOST_IN_FULL: usize = 100;

/// Reloads that are remembered.
const MOST_RELOADS: usize = 20;

/// Days of which it is known how many incidents they had.
const MOST_DAYS: usize = 16;

/// All incidents that are known.
#[derive(Clone, Debug, Default)]
pub struct History {
    /// The oldest first.
    incidents: VecDeque<Incident>,
    pools: BTreeMap<String, Watched>,
    reloads: VecDeque<Event>,
    /// The highest number of each day.
    numbers: BTreeMap<String, u64>,
}

/// An incident began, went on after a pause, or is over.
#[derive(Clone, Debug, PartialEq, Eq)]
#[must_use = "others want to know"]
pub struct Turn {
    /// The incident.
    pub id: String,
    /// Its pool.
    pub pool: String,
    /// Whether it begins, goes on or ends.
    pub stage: Stage,
}

impl History {
    /// The incidents, the oldest first.
    pub fn iter(&self) -> impl DoubleEndedIterator<Item = &Incident> {
        self.incidents.iter()
    }

    /// The incident with this id; `last` is the newest.
    pub fn find(&self, id: &str) -> Option<&Incident> {
        match id {
            "last" => self.incidents.back(),
            id => self.incidents.iter().find(|incident| incident.id == id),
        }
    }

    /// The pools with an incident that is not over.
    pub fn open(&self) -> impl Iterator<Item = &Incident> {
        self.incidents.iter().filter(|incident| incident.ended.is_none())
    }

    /// Takes an event, which is as old as those before it or younger.
    pub fn take(&mut self, event: &Event) -> Vec<Turn> {
        let mut turns = self.pass(event.at);
        match &event.pool {
            Some(pool) => turns.extend(self.take_of_pool(pool, event)),
            None => self.take_of_all(event),
        }
        turns
    }

    /// Time passes: what has been well for long enough is over.
    pub fn pass(&mut self, now: u64) -> Vec<Turn> {
        let mut turns = Vec::new();
        for incident in self.incidents.iter_mut().filter(|incident| incident.ended.is_none()) {
            // Somebody may have set the clock back between two processes.
            incident.bad_at = incident.bad_at.min(now);
            let is_well = self.pools.get(&incident.pool).is_none_or(Watched::is_well);
            if is_well && now - incident.bad_at >= CALM {
                incident.ended = Some(incident.bad_at.max(incident.began));
                turns.push(Turn::new(incident, Stage::Ends));
            }
        }
        turns
    }

    fn take_of_all(&mut self, event: &Event) {
        for incident in self.incidents.iter_mut().filter(|incident| incident.ended.is_none()) {
            incident.add(event);
            if matches!(event.what, What::Started { .. }) {
                incident.bad_at = event.at;
            }
        }
        match &event.what {
            What::Started { .. } => self.pools.values_mut().for_each(Watched::forget),
            What::Reloaded { removed, .. } => {
                self.remove(removed);
                self.reloads.push_back(event.clone());
                if self.reloads.len() > MOST_RELOADS {
                    self.reloads.pop_front();
                }
            }
            _ => {}
        }
    }

    fn remove(&mut self, removed: &[String]) {
        for name in removed {
            match name.split_once('/') {
                None => drop(self.pools.remove(name)),
                Some((pool, node)) => {
                    self.pools.entry(pool.to_owned()).and_modify(|pool| pool.remove(node));
                }
            }
        }
    }

    fn take_of_pool(&mut self, pool: &str, event: &Event) -> Option<Turn> {
        if let What::Incident { id, .. } = &event.what {
            self.correct(pool, id);
            return None;
        }
        let watched = self.pools.entry(pool.to_owned()).or_default();
        let (before, was_well) = (watched.clone(), watched.is_well());
        let is_bad = watched.take(event);
        let is_well = watched.is_well();
        let open = self.incidents.iter_mut().rev().find(|i| i.pool == pool && i.ended.is_none());
        if let Some(incident) = open {
            incident.add(event);
            if is_bad || !was_well || !is_well {
                incident.bad_at = event.at;
            }
            return None;
        }
        (is_bad || was_well && !is_well).then(|| self.begin(pool, event, &before))
    }

    /// Begins an incident with an event, or takes up the one that has just ended.
    fn begin(&mut self, pool: &str, event: &Event, before: &Watched) -> Turn {
        let last = self.incidents.iter_mut().rev().find(|incident| incident.pool == pool);
        let last = last.filter(|last| last.ended.is_some_and(|end| event.at.saturating_sub(end) < AGAIN));
        if let Some(incident) = last {
            incident.go_on(event);
            return Turn::new(incident, Stage::Lasts);
        }
        let id = self.next_id(event.at);
        let reload = self.reloads.iter().rev().find(|reload| is_about(reload, pool, event.at));
        let incident = Incident::new(id, pool, event, before, reload);
        let turn = Turn::new(&incident, Stage::Begins);
        self.incidents.push_back(incident);
        if let Some(older) = self.incidents.len().checked_sub(MOST_IN_FULL + 1) {
            self.incidents.get_mut(older).into_iter().for_each(Incident::thin_out);
        }
        if self.incidents.len() > MOST {
            self.incidents.pop_front();
        }
        turn
    }

    /// Day and number: `2026-11-22-1` is the first of that day.
    fn next_id(&mut self, at: u64) -> String {
        let day = date::day(at);
        let number = self.numbers.entry(day.clone()).or_default();
        *number += 1;
        let id = format!("{day}-{number}");
        self.forget_days();
        id
    }

    /// An incident is called as it was when it began: the events before it may no longer be there to be counted.
    fn correct(&mut self, pool: &str, id: &str) {
        if let Some((day, number)) =
            id.rsplit_once('-').and_then(|(day, n)| Some((day, n.parse::<u64>().ok()?)))
        {
            let highest = self.numbers.entry(day.to_owned()).or_default();
            *highest = number.max(*highest);
            self.forget_days();
        }
        let is_taken = self.incidents.iter().any(|incident| incident.id == id);
        let open = self.incidents.iter_mut().rev().find(|i| i.pool == pool && i.ended.is_none());
        if let Some(incident) = open.filter(|_| !is_taken) {
            incident.id = id.to_owned();
        }
    }

    fn forget_days(&mut self) {
        while self.numbers.len() > MOST_DAYS {
            self.numbers.pop_first();
        }
    }
}

impl Turn {
    fn new(incident: &Incident, stage: Stage) -> Self {
        Self { id: incident.id.clone(), pool: incident.pool.clone(), stage }
    }
}

/// Whether a reload changed this pool shortly before `at`.
fn is_about(reload: &Event, pool: &str, at: u64) -> bool {
    let What::Reloaded { changes, .. } = &reload.what else { return false };
    let place = format!("pools.{pool}:");
    at.saturating_sub(reload.at) < BEFORE && changes.iter().any(|change| change.starts_with(&place))
}

#[cfg(test)]
#[path = "history_tests.rs"]
mod tests;
