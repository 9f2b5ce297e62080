//! Leases put into force: nodes get no new work while theirs runs, and come back when it is over.
//!
//! What people ask for changes the [`Leases`]; the nodes follow them, the journal keeps them, the observer tells of them.

mod guard;
mod keep;
mod recall;
mod roll;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use parking_lot::Mutex;
use tokio::task::JoinHandle;

pub use self::guard::{Carrier, Loss, Rest, Shortfall, compare};
use self::keep::Keep;
use self::recall::Strains;
use self::roll::{Roll, resort};
use crate::balance::Registry;
use crate::clock;
use crate::config::nearest;
use crate::generation::Current;
use crate::journal::{Found, Journal, JournalError};
use crate::lease::{Fact, Lease, Leases, Reason, Target, Term};
use crate::observe::Observer;

/// How often the leases are looked at; each ends this much late at the most.
const INTERVAL: Duration = Duration::from_millis(200);

/// The leases in force.
#[derive(Debug)]
pub struct Drains {
    leases: Mutex<Leases>,
    /// Counts what changed in `leases` that has to be kept.
    changes: AtomicU64,
    keep: Keep,
    strains: Mutex<Strains>,
    current: Arc<Current>,
    registry: Arc<Registry>,
    observer: Arc<Observer>,
}

/// A drain that somebody asks for.
#[derive(Clone, Debug)]
pub struct Order {
    /// The node.
    pub target: Target,
    /// Who asks.
    pub owner: String,
    /// What for.
    pub reason: Reason,
    /// For how long.
    pub term: Term,
    /// Whether even if the others cannot do without it.
    pub is_forced: bool,
    /// Whether the node is not taken back before its time, whatever becomes of the others.
    pub never_recall: bool,
}

/// What was done.
#[derive(Clone, Debug)]
pub struct Done {
    /// The lease as it is now, or was.
    pub lease: Lease,
    /// Whether the change outlives the process.
    pub is_kept: bool,
    /// Requests that are at the node.
    pub in_flight: u32,
    /// What the pool has left.
    pub rest: Rest,
}

/// Why nothing was done.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum Refusal {
    /// There is no such pool.
    #[error("there is no pool `{pool}`{}", meant(.nearest.as_deref()))]
    NoPool {
        /// What was asked for.
        pool: String,
        /// What may have been meant.
        nearest: Option<String>,
    },
    /// There is no such node.
    #[error("pool {} has no node `{}`{}", target.pool, target.node, meant(.nearest.as_deref()))]
    NoNode {
        /// What was asked for.
        target: Target,
        /// What may have been meant.
        nearest: Option<String>,
    },
    /// It is drained already.
    #[error("{} is drained already, by {} for another {}: {}; `bookend renew {} --for TIME` gives it more time",
        .0.target, .0.owner, left(.0), .0.reason, .0.target)]
    Drained(Box<Lease>),
    /// It is not drained.
    #[error("{0} is not drained")]
    NotDrained(Target),
    /// The others could not do without it.
    #[error("{0}")]
    Shortfall(Shortfall),
    /// There are more leases than anybody can look after.
    #[error("there are too many leases")]
    TooMany,
}

/// The work of looking after the leases; it ends on drop.
#[derive(Debug)]
pub struct Watch(JoinHandle<()>);

impl Drop for Watch {
    fn drop(&mut self) {
        self.0.abort();
    }
}

impl Drains {
    /// Takes up the leases that `journal` held, before any request can come.
    pub fn new(
        (journal, found): (Option<Journal>, Found),
        current: Arc<Current>,
        registry: Arc<Registry>,
        observer: Arc<Observer>,
    ) -> Self {
        let now = clock::steady();
        let Found { leases, damage, trouble } = found;
        if let Some(damage) = damage {
            let aside = damage.set_aside.map(|path| path.display().to_string());
            observer.leases_damaged(&damage.path.display(), &damage.why, aside.as_deref());
        }
        if let Some(why) = &trouble {
            observer.leases_not_kept(&why.in_full());
        }
        let (leases, over) = Leases::restored(leases, now);
        for lease in leases.iter() {
            observer.drain_goes_on(lease, now);
        }
        for lease in &over {
            observer.lease_ended(lease);
        }
        let drains = Self {
            leases: Mutex::new(leases),
            // What is over need not be kept.
            changes: AtomicU64::new(over.len() as u64),
            keep: Keep::new(journal, trouble.as_ref().map(JournalError::in_full)),
            strains: Mutex::default(),
            current,
            registry,
            observer,
        };
        drains.settle(&drains.leases.lock(), &drains.roll());
        drains
    }

    /// Looks after the leases until what is returned is dropped.
    pub fn watch(self: &Arc<Self>) -> Watch {
        let drains = Arc::clone(self);
        Watch(tokio::spawn(async move {
            loop {
                tokio::time::sleep(INTERVAL).await;
                drains.review();
                drains.recall_if_due();
                drains.save_if_due().await;
            }
        }))
    }

    /// Takes a node out for a while.
    ///
    /// # Errors
    ///
    /// If there is no such node, it is drained already, or the others cannot do without it.
    pub async fn drain(&self, order: Order) -> Result<Done, Refusal> {
        let now = clock::steady();
        let Order { target, owner, reason, term, is_forced, never_recall } = order;
        let usual = self.usual(&target.pool);
        let (lease, rest) = {
            // Two that drain the last two nodes at once must not both find one left.
            let mut leases = self.leases.lock();
            let roll = self.roll();
            self.known(&roll, &target)?;
            if let Some(lease) = leases.of(&target) {
                return Err(Refusal::Drained(Box::new(lease.clone())));
            }
            if !leases.has_room() {
                return Err(Refusal::TooMany);
            }
            let recalled = leases.recalled(now).find(|recalled| recalled.lease.target == target);
            let rest = Rest::without(&roll, &target, clock::millis()).remembering(recalled);
            if !is_forced {
                rest.check().map_err(Refusal::Shortfall)?;
            }
            let lease = Lease { never_recall, usual, ..Lease::new(target, owner, reason, term, now) };
            leases.take(lease.clone());
            self.changed();
            self.settle(&leases, &roll);
            (lease, rest)
        };
        self.observer.node_drained(&lease, term, is_forced);
        Ok(self.done(lease, rest).await)
    }

    /// Gives a lease another time, from now on.
    ///
    /// # Errors
    ///
    /// If the node is not drained.
    pub async fn renew(&self, target: &Target, term: Term, by: &str) -> Result<Done, Refusal> {
        let lease = {
            let mut leases = self.leases.lock();
            let renewed = leases.renew(target, term, clock::steady()).cloned();
            let lease = renewed.ok_or_else(|| self.no_lease(target))?;
            self.changed();
            lease
        };
        self.observer.lease_renewed(&lease, term, by);
        let rest = Rest::without(&self.roll(), target, clock::millis());
        Ok(self.done(lease, rest).await)
    }

    /// Lets a node come back before its time.
    ///
    /// # Errors
    ///
    /// If the node is not drained.
    pub async fn undrain(&self, target: &Target, by: &str) -> Result<Done, Refusal> {
        let lease = {
            let mut leases = self.leases.lock();
            let ended = leases.end(target, clock::steady());
            let lease = ended.ok_or_else(|| self.no_lease(target))?;
            self.changed();
            self.settle(&leases, &self.roll());
            lease
        };
        self.observer.node_undrained(&lease, by);
        let rest = Rest::without(&self.roll(), target, clock::millis());
        Ok(self.done(lease, rest).await)
    }

    /// The leases that run, by pool and node.
    pub fn held(&self) -> Vec<Lease> {
        self.leases.lock().iter().cloned().collect()
    }

    /// The nodes that are not back although their leases are over, once somebody was told.
    pub fn missed(&self) -> Vec<Target> {
        self.leases.lock().missed().cloned().collect()
    }

    /// Why leases are not written that should be.
    pub fn trouble(&self) -> Option<String> {
        self.keep.trouble()
    }

    async fn done(&self, lease: Lease, rest: Rest) -> Done {
        self.save().await;
        let in_flight = self.roll().in_flight(&lease.target);
        Done { lease, is_kept: self.keep.is_kept(), in_flight, rest }
    }

    /// Why a node has no lease: it may not even be there.
    fn no_lease(&self, target: &Target) -> Refusal {
        let unknown = self.known(&self.roll(), target);
        unknown.err().unwrap_or_else(|| Refusal::NotDrained(target.clone()))
    }

    fn known(&self, roll: &Roll, target: &Target) -> Result<(), Refusal> {
        let generation = self.current.load();
        let Some(pool) = generation.pools().find(|pool| *pool.name() == target.pool) else {
            let names = || generation.pools().map(|pool| pool.name().as_str());
            let nearest = nearest(target.pool.as_str(), names()).map(str::to_owned);
            return Err(Refusal::NoPool { pool: target.pool.to_string(), nearest });
        };
        if roll.has(target) {
            return Ok(());
        }
        let names = pool.settings().nodes.iter().map(|node| node.name.as_str());
        let nearest = nearest(&target.node, names).map(str::to_owned);
        Err(Refusal::NoNode { target: target.clone(), nearest })
    }

    /// Looks at what time and traffic have changed.
    fn review(&self) {
        let facts = {
            let mut leases = self.leases.lock();
            if leases.is_empty() {
                return;
            }
            let (roll, now) = (self.roll(), clock::millis());
            let sight = |target: &Target| roll.sight(target);
            let facts = leases.review(clock::steady(), sight, |target| roll.back(target, now));
            if facts.iter().any(|fact| matches!(fact, Fact::Ended(_) | Fact::Reminder(..))) {
                self.changed();
            }
            // Nodes may have come under another name.
            self.settle(&leases, &roll);
            facts
        };
        for fact in facts {
            self.observer.lease(&fact, clock::steady());
        }
    }

    /// Makes the nodes follow the leases, those that there will be as well.
    fn settle(&self, leases: &Leases, roll: &Roll) {
        let named = |lease: &Lease| (lease.target.pool.clone(), lease.target.node.clone());
        let held = leases.iter().map(|lease| (named(lease), resort(lease)));
        self.registry.set_drained(held.collect());
        roll.settle(leases, clock::millis());
    }

    fn roll(&self) -> Roll {
        Roll::call(&self.current.load())
    }

    fn changed(&self) {
        self.changes.fetch_add(1, Ordering::Relaxed);
    }
}

fn meant(nearest: Option<&str>) -> String {
    nearest.map(|word| format!("; did you mean `{word}`?")).unwrap_or_default()
}

fn left(lease: &Lease) -> humantime::FormattedDuration {
    let seconds = lease.left(clock::steady()).div_ceil(1_000);
    humantime::format_duration(Duration::from_secs(seconds))
}
