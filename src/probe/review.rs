//! Looking at the nodes from time to time: what time alone changes, no request tells.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use tokio::task::JoinHandle;

use super::{ping, prober};
use crate::balance::Pool;
use crate::clock;
use crate::link::Links;
use crate::model::Name;
use crate::observe::Observer;

/// How often. A node that falls silent is found out this much later at most.
const INTERVAL: Duration = Duration::from_millis(50);

/// One look in so many is at every pool, once a second: a net for what changes without stirring.
const ROUND_OF_ALL: u64 = 20;

/// Reviews the nodes of `pools`, and of those that follow them, until dropped.
pub(super) async fn run(mut pools: watch::Receiver<Vec<(Arc<Pool>, Arc<Links>)>>, observer: Arc<Observer>) {
    let mut probers: HashMap<Name, Prober> = HashMap::new();
    for round in 0_u64.. {
        tokio::time::sleep(INTERVAL).await;
        probers.retain(|_, prober| !prober.task.is_finished());
        let pools = pools.borrow_and_update();
        // A pool that has just come into force may have nodes that stirred while nobody looked.
        let are_new = pools.has_changed();
        let is_round_of_all = round.is_multiple_of(ROUND_OF_ALL);
        for (pool, links) in pools.iter() {
            if pool.take_unrest() || are_new || is_round_of_all {
                look(pool, links, &mut probers, &observer);
            }
        }
    }
}

fn look(pool: &Arc<Pool>, links: &Arc<Links>, probers: &mut HashMap<Name, Prober>, observer: &Observer) {
    let has_prober = probers.get(pool.name()).is_some_and(|prober| Arc::ptr_eq(&prober.pool, pool));
    if !pool.parking().is_empty() && !has_prober {
        let task = tokio::spawn(prober::run(Arc::clone(pool)));
        probers.insert(pool.name().clone(), Prober { pool: Arc::clone(pool), task });
    }
    let members = pool.members();
    for silent in members.iter().filter(|member| member.node.take_ping()) {
        // Bounded by its own time-out, and of use to no one but the next review.
        tokio::spawn(ping::run(Arc::clone(pool), Arc::clone(links), Arc::clone(silent)));
    }
    // A node that is back, or whose share grows, frees no place that would say so.
    pool.review_line();
    for (member, transition) in pool.jury().review(&members, clock::millis(), fastrand::f64) {
        observer.node(pool.name().as_str(), &member.name, transition, &"");
    }
}

/// Who knocks at the nodes of a pool, until dropped.
struct Prober {
    pool: Arc<Pool>,
    task: JoinHandle<()>,
}

impl Drop for Prober {
    fn drop(&mut self) {
        self.task.abort();
    }
}
