//! Background work: checking nodes, looking up their names, and reviewing how they stand.
//!
//! Pingora's own check loop asks all nodes of a pool at one instant and waits for the slowest; here each node has its own
//! rhythm, spread over the interval, so that a thousand checks are no burst and a node that hangs delays no other.

mod asking;
mod call;
mod check;
mod knock;
mod ping;
mod prober;
mod resolve;
mod review;

use std::collections::HashMap;
use std::sync::Arc;

use tokio::sync::watch;
use tokio::task::{JoinHandle, JoinSet};

use crate::balance::Pool;
use crate::generation::Generation;
use crate::link::Links;
use crate::model::Name;
use crate::observe::Observer;

/// Keeps the background work of the generation in force going, and no other.
#[derive(Debug)]
pub struct Probes {
    observer: Arc<Observer>,
    running: HashMap<Name, Work>,
    pools: watch::Sender<Vec<(Arc<Pool>, Arc<Links>)>>,
    review: Option<JoinHandle<()>>,
}

/// The work for one pool; it ends on drop.
#[derive(Debug)]
struct Work {
    pool: Arc<Pool>,
    links: Arc<Links>,
    tasks: Vec<JoinHandle<()>>,
}

impl Probes {
    /// No work yet.
    pub fn new(observer: Arc<Observer>) -> Self {
        Self { observer, running: HashMap::new(), pools: watch::Sender::default(), review: None }
    }

    /// Looks up the names of `generation` that have no address yet, for as long as that may keep a start or a reload
    /// waiting. A name that is not found by then is looked up again in the background.
    pub async fn resolve_first(&self, generation: &Generation) {
        let mut lookups = JoinSet::new();
        for pool in generation.pools() {
            lookups.spawn(resolve::first(Arc::clone(pool), Arc::clone(&self.observer)));
        }
        while lookups.join_next().await.is_some() {}
    }

    /// Takes up the work for the pools of `generation` and ends that for all others.
    pub fn follow(&mut self, generation: &Generation) {
        let mut running = std::mem::take(&mut self.running);
        let links = generation.links();
        for pool in generation.pools() {
            pool.in_force();
            let is_same =
                |work: &Work| Arc::ptr_eq(&work.pool, pool) && links.are_like(&work.links, pool.name());
            let same = running.remove(pool.name()).filter(is_same);
            let work = same.unwrap_or_else(|| Work::begin(pool, &links, &self.observer));
            self.running.insert(pool.name().clone(), work);
        }
        let pools = generation.pools().map(|pool| (Arc::clone(pool), Arc::clone(&links)));
        self.pools.send_replace(pools.collect());
        self.review.get_or_insert_with(|| {
            tokio::spawn(review::run(self.pools.subscribe(), Arc::clone(&self.observer)))
        });
    }
}

impl Drop for Probes {
    fn drop(&mut self) {
        if let Some(review) = &self.review {
            review.abort();
        }
    }
}

impl Work {
    fn begin(pool: &Arc<Pool>, links: &Arc<Links>, observer: &Arc<Observer>) -> Self {
        let checks = check::run(Arc::clone(pool), Arc::clone(links), Arc::clone(observer));
        let mut tasks = vec![tokio::spawn(checks)];
        if pool.hosts().next().is_some() {
            tasks.push(tokio::spawn(resolve::run(Arc::clone(pool), Arc::clone(observer))));
        }
        Self { pool: Arc::clone(pool), links: Arc::clone(links), tasks }
    }
}

impl Drop for Work {
    fn drop(&mut self) {
        for task in &self.tasks {
            task.abort();
        }
    }
}
