//! Taking drained nodes back before their time, where the others are not enough.

use std::collections::{BTreeMap, HashMap};
use std::time::Duration;

use super::Drains;
use crate::balance::Pool;
use crate::clock;
use crate::config;
use crate::lease::{Plight, Recalled, Requests, Strain, Usual};
use crate::model::Name;
use crate::observe::PoolTally;

/// How often the pools of drained nodes are looked at, in milliseconds.
const INTERVAL: u64 = 1_000;

/// How often while none is drained.
const SELDOM: u64 = 10_000;

/// For no longer than this is a node waited for that grows into its share, before others are taken back as well.
const LONGEST_RETURN: Duration = Duration::from_secs(10);

/// How the pools do, and how they did before nodes of them were drained.
#[derive(Debug, Default)]
pub(super) struct Strains {
    pools: HashMap<Name, Watched>,
    /// When they are looked at next.
    next: u64,
}

#[derive(Debug, Default)]
struct Watched {
    strain: Strain,
    usual: Usual,
}

impl Drains {
    /// The nodes that were recalled in the last hour and not drained since.
    pub fn recalled(&self) -> Vec<Recalled> {
        self.leases.lock().recalled(clock::steady()).cloned().collect()
    }

    /// What becomes of the requests of a pool of which a node is going to be drained, while none is.
    pub(super) fn usual(&self, pool: &Name) -> Requests {
        let mut strains = self.strains.lock();
        // From now on it is looked at.
        strains.next = 0;
        let of_lease = self.concerned().get(pool).copied();
        let of_late = || {
            let tally = self.observer.metrics().pools();
            let so_far = requests(tally.get(pool.as_str()).copied().unwrap_or_default());
            strains.pools.get(pool).map(|watched| watched.usual.until(so_far))
        };
        of_lease.or_else(of_late).unwrap_or_default()
    }

    /// Looks at the pools of drained nodes once a second, and takes back a node where the others are not enough; at pools
    /// without them now and then, to know what is usual.
    pub(super) fn recall_if_due(&self) {
        let now = clock::steady();
        let mut strains = self.strains.lock();
        if now < strains.next {
            return;
        }
        let concerned = self.concerned();
        strains.next = now + if concerned.is_empty() { SELDOM } else { INTERVAL };
        let (generation, tally) = (self.current.load(), self.observer.metrics().pools());
        strains.pools.retain(|name, _| generation.pools().any(|pool| pool.name() == name));
        for pool in generation.pools() {
            let Some(rules) = &pool.settings().recall else { continue };
            let so_far = requests(tally.get(pool.name().as_str()).copied().unwrap_or_default());
            let Watched { strain, usual } = strains.pools.entry(pool.name().clone()).or_default();
            let Some(before) = concerned.get(pool.name()) else {
                *strain = Strain::default();
                usual.look(so_far, now);
                continue;
            };
            let back = now.saturating_add(until_back(pool.settings()));
            usual.pause(*before, back);
            if let Some(plight) = strain.look(so_far, *before, rules, now)
                && self.recall(pool, plight, now)
            {
                strain.pause(back);
            }
        }
    }

    /// The pools with nodes that are drained and may be taken back, with what was usual before the first of them was.
    fn concerned(&self) -> BTreeMap<Name, Requests> {
        let leases = self.leases.lock();
        let mut oldest: BTreeMap<Name, (u64, Requests)> = BTreeMap::new();
        for lease in leases.iter().filter(|lease| !lease.never_recall) {
            let (since, usual) = oldest.entry(lease.target.pool.clone()).or_insert((u64::MAX, lease.usual));
            if lease.since < *since {
                (*since, *usual) = (lease.since, lease.usual);
            }
        }
        oldest.into_iter().map(|(pool, (_, usual))| (pool, usual)).collect()
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
