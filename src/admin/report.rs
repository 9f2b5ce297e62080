//! Putting together what there is to see.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use super::complaints::complaints;
use super::desk::Desk;
use super::problem::problems;
use super::recent::{Counts, counts};
use super::status::{Configuration, FirstByte, Node, NodeState, Pool, Refused, Requests, Status};
use super::{alarms, capacity, leases};
use crate::balance;
use crate::clock;
use crate::config;
use crate::observe::{Latency, NodeLease, NodeNow, NodeTally, Now, PoolNow, Tally, is_saved};
use crate::reload::in_full;
use crate::retry::Outcome;
use crate::upstream::{Availability, Member, Stay};

/// The clock counts in milliseconds, people in seconds.
const MILLIS_PER_SECOND: u64 = 1_000;

/// For how long a pool is called overloaded after a request was shed, in milliseconds.
const RECENTLY: u64 = 10_000;

/// How bookend is.
pub(super) fn status(desk: &Desk) -> Status {
    let generation = desk.current.load();
    let (uptime, wall) = (clock::now().saturating_duration_since(desk.began), clock::wall());
    let tally = desk.observer.metrics().tally();
    let recent = desk.recent.lock().since(&counts(&tally));
    let sources = Sources { tally: &tally, recent: &recent, now: clock::millis() };
    let mut pools: Vec<Pool> = generation.pools().map(|pool| sources.pool(pool)).collect();
    pools.sort_by(|a, b| a.name.cmp(&b.name));
    let phase = *desk.phase.borrow();
    let mut status = Status {
        version: env!("CARGO_PKG_VERSION").to_owned(),
        phase: phase.as_str().to_owned(),
        started_at: time(wall.checked_sub(uptime).unwrap_or(wall)),
        uptime_seconds: uptime.as_secs(),
        configuration: configuration(desk, generation.number(), wall),
        listeners: generation.config().listeners.iter().map(|l| l.address.to_string()).collect(),
        connections: desk.limits.open(),
        requests: requests(tally.outcomes.clone()),
        pools,
        leases_of_others: Vec::new(),
        recalls: Vec::new(),
        alarms: Vec::new(),
        silences: Vec::new(),
        incidents_open: desk.timeline.open(),
        complaints: Vec::new(),
    };
    leases::show(&mut status, &desk.drains);
    alarms::show(&mut status, &desk.monitor);
    status.complaints = complaints(&status, phase);
    let trouble = desk.drains.trouble();
    let unkept = |why| format!("drains are not written down, a restart of bookend would forget them: {why}");
    status.complaints.extend(trouble.map(unkept));
    let trouble = desk.timeline.trouble();
    status.complaints.extend(trouble.map(|why| format!("what happens is not written down: {why}")));
    status
}

/// What the gauges are now.
pub(super) fn now(desk: &Desk) -> Now {
    let (generation, millis) = (desk.current.load(), clock::millis());
    let (mut nodes, mut pools) = (Vec::new(), Vec::new());
    for pool in generation.pools() {
        let members = pool.members();
        let (headroom, is_headroom_proven) = capacity::spare(pool, millis);
        pools.push(PoolNow {
            pool: pool.name().to_string(),
            waiting: pool.parking().len(),
            in_line: pool.line().len(),
            headroom,
            is_headroom_proven,
            redundancy: alarms::measure(&desk.monitor, pool.name().as_str(), millis),
        });
        for node in &pool.settings().nodes {
            let members = of_node(&members, node);
            nodes.push(NodeNow {
                pool: pool.name().to_string(),
                node: node.name.clone(),
                is_available: members.iter().any(|m| m.node.availability(millis) == Availability::Available),
                in_flight: members.iter().map(|m| m.node.load().in_flight()).sum(),
                limit: limit(&members),
                shown: capacity::shown(&members),
                capacity: capacity::capacity(&members).unwrap_or_default(),
                lease: NodeLease::default(),
            });
        }
    }
    leases::measure(&mut nodes, &desk.drains);
    let refused = desk.history.latest().refused;
    Now {
        connections: desk.limits.open(),
        generation: generation.number(),
        is_last_reload_good: refused.is_none_or(|refused| refused.is_superseded),
        body_bytes: desk.current.bodies().taken(),
        nodes,
        pools,
    }
}

fn configuration(desk: &Desk, generation: u64, wall: SystemTime) -> Configuration {
    let latest = desk.history.latest();
    Configuration {
        file: desk.history.file().to_owned(),
        generation,
        in_force_at: time(latest.in_force_at),
        in_force_seconds: seconds_since(latest.in_force_at, wall),
        refused: latest.refused.map(|refused| Refused {
            at: time(refused.at),
            seconds_ago: seconds_since(refused.at, wall),
            superseded: refused.is_superseded,
            why: in_full(&refused.why),
            problems: problems(&refused.why),
        }),
    }
}

/// Where the numbers of nodes come from.
struct Sources<'a> {
    tally: &'a Tally,
    recent: &'a Counts,
    /// Milliseconds of the clock.
    now: u64,
}

impl Sources<'_> {
    fn pool(&self, pool: &balance::Pool) -> Pool {
        let name = pool.name().as_str();
        let members = pool.members();
        let of_pool = |(pool, _): &&(String, String)| pool == name;
        let recent: u64 =
            self.recent.iter().filter(|(key, _)| of_pool(key)).map(|(_, requests)| requests).sum();
        let node = |node| self.node(name, node, &of_node(&members, node), recent);
        let nodes: Vec<Node> = pool.settings().nodes.iter().map(node).collect();
        let mut outcomes = BTreeMap::new();
        for (_, node) in self.tally.nodes.iter().filter(|(key, _)| of_pool(key)) {
            for (outcome, count) in &node.outcomes {
                *outcomes.entry(outcome.clone()).or_default() += count;
            }
        }
        let available = nodes.iter().filter(|node| node.state.is_serving()).count();
        Pool {
            name: name.to_owned(),
            available,
            waiting: pool.parking().len(),
            in_line: pool.line().len(),
            shed: self.tally.shed.get(name).copied().unwrap_or_default(),
            overloaded: pool.line().lost_within(RECENTLY, self.now),
            requests: requests(outcomes),
            redundancy: None,
            masked: None,
            headroom: capacity::headroom(pool, self.now),
            nodes,
        }
    }

    fn node(&self, pool: &str, node: &config::Node, members: &[&Arc<Member>], recent: u64) -> Node {
        let key = (pool.to_owned(), node.name.clone());
        let NodeTally { outcomes, attempts_failed, first_byte } =
            self.tally.nodes.get(&key).cloned().unwrap_or_default();
        let (state, why) = self.standing(members);
        let since = members.iter().map(|member| since(member)).max();
        let since = since.filter(|&since| since > 0);
        let own = self.recent.get(&key).copied().unwrap_or_default();
        Node {
            name: node.name.clone(),
            address: node.address.to_string(),
            tier: node.tier.0,
            weight: node.weight.get(),
            state,
            why,
            state_seconds: since.map(|since| self.now.saturating_sub(since) / MILLIS_PER_SECOND),
            share: (recent > 0).then(|| own as f64 / recent as f64),
            in_flight: members.iter().map(|member| member.node.load().in_flight()).sum(),
            limit: limit(members),
            shown_per_second: capacity::shown(members),
            capacity_per_second: capacity::capacity(members),
            requests: requests(outcomes),
            first_byte: first_byte.map(|Latency { mean, p50, p99 }| FirstByte { mean, p50, p99 }),
            attempts_failed,
            lease: None,
        }
    }

    /// How the node stands that these members are, and why.
    fn standing(&self, members: &[&Arc<Member>]) -> (NodeState, Option<String>) {
        let is = |wanted| move |member: &&&Arc<Member>| member.node.availability(self.now) == wanted;
        let failed: Vec<_> = members.iter().filter(is(Availability::CheckFailed)).collect();
        let failure = failed.iter().find_map(|member| member.node.checks().failure);
        let failure = failure.map_or_else(|| "its checks fail".to_owned(), |failure| failure.to_string());
        let failure = match members.iter().any(|member| member.node.awaits_check()) {
            true => format!("its lease is over, and no check has passed since: {failure}"),
            false => failure,
        };
        if members.iter().any(|member| member.node.is_drained()) {
            return (NodeState::Drained, None);
        }
        if members.is_empty() {
            return (NodeState::Unresolved, Some("its name has no address".to_owned()));
        }
        if failed.len() == members.len() {
            return (NodeState::Down, Some(failure));
        }
        if !failed.is_empty() {
            let why = format!("{} of {} addresses: {failure}", failed.len(), members.len());
            return (NodeState::PartlyDown, Some(why));
        }
        let any = |wanted| members.iter().any(|member| is(wanted)(&member));
        let out = members.iter().find_map(|member| match member.node.stay() {
            Stay::Out { until, why, .. } => Some((until <= self.now, why.to_string())),
            Stay::In | Stay::Returning { .. } => None,
        });
        if let Some((is_due, why)) = out {
            return (if is_due { NodeState::OnTrial } else { NodeState::Ejected }, Some(why));
        }
        if any(Availability::Resting) {
            return (NodeState::Resting, Some("it asked for a pause (Retry-After)".to_owned()));
        }
        if any(Availability::Suspect) {
            return (NodeState::Suspect, Some("silent while others answer".to_owned()));
        }
        if members.iter().any(|member| member.node.is_returning()) {
            return (NodeState::Returning, Some("its share grows".to_owned()));
        }
        (NodeState::Up, None)
    }
}

/// What may wait at those of the members that are held back, of whom the configuration does not say how much they take.
fn limit(members: &[&Arc<Member>]) -> Option<u32> {
    let learnt = members.iter().filter(|member| member.max_in_flight.is_none());
    learnt.filter_map(|member| member.node.load().limit().held()).reduce(u32::saturating_add)
}

/// Since when a member stands as it does, in milliseconds of the clock; 0 is from the beginning.
fn since(member: &Member) -> u64 {
    match member.node.stay() {
        Stay::Out { since, .. } | Stay::Returning { since, .. } => since,
        Stay::In => member.node.checks().since,
    }
}

fn of_node<'a>(members: &'a [Arc<Member>], node: &config::Node) -> Vec<&'a Arc<Member>> {
    members.iter().filter(|member| member.name == node.name).collect()
}

fn requests(outcomes: BTreeMap<String, u64>) -> Requests {
    let sum = |wanted: fn(&str) -> bool| {
        outcomes.iter().filter(|(outcome, _)| wanted(outcome)).map(|(_, count)| count).sum()
    };
    Requests { total: sum(|_| true), saved: sum(is_saved), failed: sum(Outcome::is_failure), outcomes }
}

pub(super) fn time(time: SystemTime) -> String {
    humantime::format_rfc3339_seconds(time.max(SystemTime::UNIX_EPOCH)).to_string()
}

fn seconds_since(time: SystemTime, now: SystemTime) -> u64 {
    now.duration_since(time).unwrap_or(Duration::ZERO).as_secs()
}
