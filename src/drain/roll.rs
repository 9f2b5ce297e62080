//! Who is there: the nodes of the generation in force, by name.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::balance::Pool;
use crate::generation::Generation;
use crate::lease::{Lease, Leases, Return, Sight, Target};
use crate::model::Name;
use crate::upstream::{Availability, Member, Resort, Stay, Why};

/// The nodes of a generation.
pub(super) struct Roll {
    pools: BTreeMap<Name, Arc<Pool>>,
    nodes: BTreeMap<Target, Present>,
}

/// A node; a name with several addresses is several members, and one with none yet is none.
pub(super) struct Present {
    is_checked: bool,
    pub(super) members: Vec<Arc<Member>>,
}

impl Roll {
    pub(super) fn call(generation: &Generation) -> Self {
        let mut nodes = BTreeMap::new();
        for pool in generation.pools() {
            let is_checked = pool.settings().health_check.is_some();
            let target = |node: &str| Target { pool: pool.name().clone(), node: node.to_owned() };
            for node in &pool.settings().nodes {
                nodes.insert(target(&node.name), Present { is_checked, members: Vec::new() });
            }
            for member in pool.members().iter() {
                if let Some(present) = nodes.get_mut(&target(&member.name)) {
                    present.members.push(Arc::clone(member));
                }
            }
        }
        let pools = generation.pools().map(|pool| (pool.name().clone(), Arc::clone(pool))).collect();
        Self { pools, nodes }
    }

    pub(super) fn has(&self, target: &Target) -> bool {
        self.nodes.contains_key(target)
    }

    /// The pools, in the order of their names.
    pub(super) fn pools(&self) -> impl Iterator<Item = &Name> {
        self.pools.keys()
    }

    /// How many nodes that can serve a pool has to have.
    pub(super) fn min_available(&self, pool: &Name) -> usize {
        self.pools.get(pool).map_or(1, |pool| pool.settings().min_available)
    }

    /// Whether a pool has turned a request away within `span` milliseconds before `now`.
    pub(super) fn lost_within(&self, pool: &Name, span: u64, now: u64) -> bool {
        self.pools.get(pool).is_some_and(|pool| pool.line().lost_within(span, now))
    }

    /// The nodes of a pool, in the order of their names.
    pub(super) fn pool(&self, pool: &Name) -> Vec<(&Target, &Present)> {
        let first = Target { pool: pool.clone(), node: String::new() };
        self.nodes.range(first..).take_while(|(target, _)| target.pool == *pool).collect()
    }

    /// The nodes of a pool that can serve.
    pub(super) fn able(&self, pool: &Name, now: u64) -> Vec<String> {
        let is_able = |present: &Present| present.availability(now).is_some_and(|at| at.obstacle().is_none());
        let able = self.pool(pool).into_iter().filter(|(_, present)| is_able(present));
        able.map(|(target, _)| target.node.clone()).collect()
    }

    /// Requests that are at a node.
    pub(super) fn in_flight(&self, target: &Target) -> u32 {
        self.nodes.get(target).map_or(0, Present::in_flight)
    }

    pub(super) fn sight(&self, target: &Target) -> Sight {
        match self.nodes.get(target).map(Present::in_flight) {
            None => Sight::Absent,
            Some(0) => Sight::Empty,
            Some(count) => Sight::Busy(count),
        }
    }

    /// How far a node has come back; one with several addresses is as far as the last of them.
    pub(super) fn back(&self, target: &Target, now: u64) -> Return {
        let Some(present) = self.nodes.get(target) else { return Return::Back };
        let mut state = Return::Back;
        for member in &present.members {
            match back(member, now) {
                Return::Back => {}
                Return::OnTrial => state = Return::OnTrial,
                missing @ Return::Missing(_) => return missing,
            }
        }
        state
    }

    /// Whether a drained node may be taken back, as far as its checks can say: where there are none, its trial will.
    pub(super) fn may_come_back(&self, target: &Target) -> bool {
        let Some(present) = self.nodes.get(target) else { return false };
        let mut members = present.members.iter();
        members.any(|member| !present.is_checked || member.node.passes_checks())
    }

    /// Drains what has a lease, and lets come back what has none.
    pub(super) fn settle(&self, leases: &Leases, now: u64) {
        for (target, present) in &self.nodes {
            let resort = leases.of(target).map(resort);
            for member in &present.members {
                match resort {
                    Some(resort) => member.node.drain(resort, now),
                    None => member.node.undrain(present.is_checked, now),
                }
            }
        }
    }
}

/// What the node of a lease may still get.
pub(super) fn resort(lease: &Lease) -> Resort {
    if lease.never_recall { Resort::Never } else { Resort::Last }
}

impl Present {
    fn in_flight(&self) -> u32 {
        self.members.iter().map(|member| member.node.load().in_flight()).sum()
    }

    /// How the best of its members stands.
    pub(super) fn availability(&self, now: u64) -> Option<Availability> {
        self.members.iter().map(|member| member.node.availability(now)).min()
    }
}

fn back(member: &Member, now: u64) -> Return {
    match (member.node.availability(now), member.node.stay()) {
        (Availability::Available | Availability::Suspect | Availability::Resting, _) => Return::Back,
        // Somebody has drained it again.
        (Availability::Drained, _) => Return::OnTrial,
        (Availability::CheckFailed, _) => {
            let failure = member.node.checks().failure;
            Return::Missing(failure.map_or_else(|| "no check has passed".to_owned(), |why| why.to_string()))
        }
        (Availability::Ejected, Stay::Out { why: Why::Drained | Why::Checks, .. }) => Return::OnTrial,
        (Availability::Ejected, Stay::Out { why, .. }) => Return::Missing(why.to_string()),
        (Availability::Ejected, Stay::In | Stay::Returning { .. }) => Return::Back,
    }
}
