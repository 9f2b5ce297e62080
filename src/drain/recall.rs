//! Taking drained nodes back before their time, where the others are not enough.

use std::collections::{BTreeSet, HashMap};
use std::time::Duration;

use super::Drains;
use crate::balance::Pool;
use crate::clock;
use crate::config;
use crate::lease::{Plight, Recalled, Requests, Strain};
use crate::model::Name;
use crate::observe::PoolTally;

/// How often the pools of drained nodes are looked at, in milliseconds.
const INTERVAL: u64 = 1_000;

/// For no longer than this is a node waited for that grows into its share, before others are taken back as well.
const LONGEST_RETURN: Duration = Duration::from_secs(10);

/// How the pools do whose nodes are drained.
#[derive(Debug, Default)]
pub(super) struct Strains {
    pools: HashMap<Name, Strain>,
    /// When they are looked at next.
    next: u64,
}

impl Drains {
    /// The nodes that were recalled in the last hour and not drained since.
    pub fn recalled(&self) -> Vec<Recalled> {
        self.leases.lock().recalled(clock::steady()).cloned().collect()
    }

    /// Looks at the pools of drained nodes once a second, and takes back a node where the others are not enough. While no
    /// node is drained that may be taken back, nothing is counted.
    pub(super) fn recall_if_due(&self) {
        let now = clock::steady();
        let mut strains = self.strains.lock();
        if now < strains.next {
            return;
        }
        strains.next = now + INTERVAL;
        let concerned = self.concerned();
        strains.pools.retain(|pool, _| concerned.contains(pool));
        if concerned.is_empty() {
            return;
        }
        let (generation, tally) = (self.current.load(), self.observer.metrics().pools());
        for pool in generation.pools().filter(|pool| concerned.contains(pool.name())) {
            let Some(rules) = &pool.settings().recall else { continue };
            let so_far = tally.get(pool.name().as_str()).copied().unwrap_or_default();
            let strain = strains.pools.entry(pool.name().clone()).or_default();
            if let Some(plight) = strain.look(requests(so_far), rules, now)
                && self.recall(pool, plight, now)
            {
                strain.pause(now.saturating_add(until_back(pool.settings())));
            }
        }
    }

    /// The pools with nodes that are drained and may be taken back.
    fn concerned(&self) -> BTreeSet<Name> {
        let leases = self.leases.lock();
        leases.iter().filter(|lease| !lease.never_recall).map(|lease| lease.target.pool.clone()).collect()
    }

    /// Takes a node of `pool` back, and says whether there is one that may come.
    fn recall(&self, pool: &Pool, plight: Plight, now: u64) -> bool {
        let lease = {
            let mut leases = self.leases.lock();
            let roll = self.roll();
            let may_come_back = |target: &_| roll.may_come_back(target);
            let suffering = (plight, roll.able(pool.name(), clock::millis()));
            let Some(lease) = leases.recall(pool.name(), suffering, may_come_back, now) else { return false };
            self.changed();
            self.settle(&leases, &roll);
            lease
        };
        self.observer.node_recalled(&lease, &plight, now);
        true
    }
}

/// How long it takes to see whether a node that comes back was enough, in milliseconds.
fn until_back(pool: &config::Pool) -> u64 {
    clock::to_millis(pool.slow_start.min(LONGEST_RETURN))
}

fn requests(tally: PoolTally) -> Requests {
    let PoolTally { total, failed, shed } = tally;
    Requests { total, failed, shed }
}
