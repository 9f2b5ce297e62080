//! What there is to see of leases.

use std::collections::BTreeMap;
use std::time::Duration;

use super::report::time;
use super::status::{self, NodeState, Status};
use crate::clock;
use crate::drain::Drains;
use crate::lease::{Lease, Recalled, Target};
use crate::observe::{NodeLease, NodeNow};

/// Adds to each node its lease, and in the end those whose nodes are not there.
pub(super) fn show(status: &mut Status, drains: &Drains) {
    let mut leases = by_node(drains);
    for pool in &mut status.pools {
        for node in &mut pool.nodes {
            let Some(lease) = leases.remove(&(pool.name.clone(), node.name.clone())) else { continue };
            let shown = shown(&lease);
            node.why = Some(why(&shown, node.in_flight));
            node.state = NodeState::Drained;
            node.state_seconds = Some(clock::steady().saturating_sub(lease.since) / 1_000);
            node.lease = Some(shown);
        }
    }
    status.leases_of_others = leases.values().map(shown).collect();
    status.recalls = drains.recalled().iter().map(recall).collect();
}

fn recall(recalled: &Recalled) -> status::Recall {
    let Recalled { lease, at, plight, .. } = recalled;
    let (now, wall) = (clock::steady(), clock::wall());
    let ago = Duration::from_millis(now.saturating_sub(*at));
    status::Recall {
        node: lease.target.to_string(),
        at: time(wall.checked_sub(ago).unwrap_or(wall)),
        seconds_ago: ago.as_secs(),
        owner: lease.owner.clone(),
        reason: lease.reason.to_string(),
        drained_seconds: at.saturating_sub(lease.since) / 1_000,
        why: plight.to_string(),
    }
}

/// The leases by pool and node.
fn by_node(drains: &Drains) -> BTreeMap<(String, String), Lease> {
    let named = |lease: Lease| ((lease.target.pool.to_string(), lease.target.node.clone()), lease);
    drains.held().into_iter().map(named).collect()
}

/// Why a drained node is, in words.
fn why(lease: &status::Lease, in_flight: u32) -> String {
    let left = humantime::format_duration(Duration::from_secs(lease.seconds_left));
    let work = match in_flight {
        0 => "empty".to_owned(),
        1 => "1 request left".to_owned(),
        count => format!("{count} requests left"),
    };
    let never = if lease.never_recall { ", not to be recalled" } else { "" };
    format!("by {} for another {left}, {work}{never}: {}", lease.owner, lease.reason)
}

/// A lease as people see it; its times are those of the clock on the wall.
pub(super) fn shown(lease: &Lease) -> status::Lease {
    let (now, wall) = (clock::steady(), clock::wall());
    let ago = |at: u64| {
        let ago = Duration::from_millis(now.saturating_sub(at));
        time(wall.checked_sub(ago).unwrap_or(wall))
    };
    let left = Duration::from_millis(lease.left(now));
    status::Lease {
        node: lease.target.to_string(),
        owner: lease.owner.clone(),
        reason: lease.reason.to_string(),
        since: ago(lease.since),
        until: time(wall.checked_add(left).unwrap_or(wall)),
        seconds_left: lease.left(now).div_ceil(1_000),
        empty_since: lease.empty_since.map(ago),
        never_recall: lease.never_recall,
    }
}

/// Adds to each node what its lease is in numbers.
pub(super) fn measure(nodes: &mut [NodeNow], drains: &Drains) {
    let (leases, missed) = (by_node(drains), drains.missed());
    for node in nodes {
        let lease = leases.get(&(node.pool.clone(), node.node.clone()));
        let is_meant = |target: &Target| target.pool.as_str() == node.pool && target.node == node.node;
        node.lease = NodeLease {
            seconds_left: lease.map(|lease| lease.left(clock::steady()).div_ceil(1_000)),
            is_overdue: missed.iter().any(is_meant),
        };
    }
}
