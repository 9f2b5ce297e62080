//! What there is to see of one pool.

use std::collections::HashMap;
use std::sync::Arc;

use crate::balance::Pool;
use crate::incident::{Alarm, AlarmKind};
use crate::redundancy::{Lack, Node, Redundancy, State};
use crate::upstream::{Availability, Headroom, Member, Proof};

/// For how long a load has to be too much before that counts, in milliseconds: it is measured over seconds.
const LASTING: u64 = 5_000;

/// The time over which it is measured, in milliseconds.
const MEASURED: u64 = 10_000;

/// How far apart requests may be shed for that to be one overload, in milliseconds.
const TOGETHER: u64 = 2_000;

/// Since when a pool has been how it is.
#[derive(Clone, Debug, Default)]
pub(super) struct Look {
    /// Its nodes have proven that the others could not carry the load without the largest.
    lacking: Option<u64>,
    /// It turns requests away.
    shedding: Option<u64>,
}

impl Look {
    /// What the pool has at `now`; `None` if there is nothing to say of it: all nodes that it ought to have can serve, and
    /// nobody asked for anything of late.
    pub(super) fn at(&mut self, pool: &Pool, now: u64) -> Option<Redundancy> {
        let members = pool.members();
        if is_whole(pool, &members) && members.iter().all(|member| is_ready_and_idle(member, now)) {
            self.lacking = None;
            return None;
        }
        let headroom =
            Headroom::of_members(&members, now).filter(|(headroom, _)| headroom.proof == Proof::Lacking);
        let lack = headroom.map(|(Headroom { load, rest, .. }, largest)| Lack {
            without: largest.name.clone(),
            load,
            rest,
        });
        let lasts = lasting(&mut self.lacking, lack.is_some(), now) >= LASTING;
        // A name with several addresses stands as the best of them.
        let mut best: HashMap<&str, Availability> = HashMap::new();
        for member in members.iter() {
            let availability = member.node.prospect(now);
            let known = best.entry(&member.name).or_insert(availability);
            *known = availability.min(*known);
        }
        let obstacle = |name: &str| match best.get(name) {
            Some(availability) => availability.obstacle(),
            None => Some("without an address"),
        };
        let nodes = pool.settings().nodes.iter();
        let nodes = nodes.map(|node| Node { name: node.name.clone(), obstacle: obstacle(&node.name) });
        let expected = pool.settings().expect_nodes;
        Some(Redundancy::of(pool.name().as_str(), nodes.collect(), expected, lack.filter(|_| lasts)))
    }

    /// What is wrong with the pool.
    pub(super) fn alarms(&mut self, pool: &Pool, redundancy: Option<&Redundancy>, now: u64) -> Vec<Alarm> {
        let is_shedding = pool.line().lost_within(TOGETHER, now);
        let is_overloaded = lasting(&mut self.shedding, is_shedding, now) >= TOGETHER;
        let name = pool.name().as_str();
        let alarm = |kind, text: String, help: String| Alarm { kind, pool: name.to_owned(), text, help };
        let mut alarms = Vec::new();
        if let Some(redundancy) = redundancy {
            let state = redundancy.state();
            let kind = match state {
                State::Down => Some(AlarmKind::Down),
                State::Exposed => (!redundancy.is_meant()).then_some(AlarmKind::Exposed),
                State::Protected => None,
            };
            let text = || format!("pool {name} is {state}: {}", redundancy.why());
            alarms.extend(kind.map(|kind| alarm(kind, text(), redundancy.help())));
            let missing = redundancy.missing();
            if missing > 0 {
                let text = format!(
                    "pool {name} has fewer nodes in the configuration than are expected: {missing} missing"
                );
                alarms.push(alarm(AlarmKind::Missing, text, String::new()));
            }
        }
        if is_overloaded {
            let text =
                format!("pool {name} has more to do than its nodes can carry, and turns requests away");
            let help = redundancy.map(Redundancy::help).unwrap_or_default();
            alarms.push(alarm(AlarmKind::Overloaded, text, help));
        }
        alarms
    }
}

/// Whether `members` are what the pool ought to have, one for each node, and one of them may be lost.
fn is_whole(pool: &Pool, members: &[Arc<Member>]) -> bool {
    let settings = pool.settings();
    let wanted = settings.expect_nodes.unwrap_or_default().max(2);
    members.len() == settings.nodes.len() && members.len() >= wanted && pool.hosts().next().is_none()
}

/// Whether nothing keeps a node from serving, and nobody asked it for anything of late.
fn is_ready_and_idle(member: &Member, now: u64) -> bool {
    member.node.prospect(now) == Availability::Available && !member.node.answered_within(MEASURED, now)
}

/// For how long something has been so, in milliseconds.
fn lasting(since: &mut Option<u64>, is_so: bool, now: u64) -> u64 {
    if !is_so {
        *since = None;
        return 0;
    }
    now.saturating_sub(*since.get_or_insert(now))
}
