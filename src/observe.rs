//! Telling the world what happened: the one place where facts become log lines.
//!
//! One line a fact, with fields. `error` is for someone to act on, `warn` is what bookend coped with, `info` is a change
//! of state.

use std::fmt::Display;
use std::sync::atomic::{AtomicU64, Ordering};

use log::{error, info, warn};

use crate::upstream::Transition;

/// Milliseconds between two lines of a kind that traffic can cause.
const QUIET: u64 = 1_000;

/// Publishes facts.
#[derive(Debug)]
pub struct Observer {
    /// The clock, in milliseconds.
    now: fn() -> u64,
    failures: Limited,
    refusals: Limited,
}

/// One request that a client saw fail.
pub struct Failure<'a> {
    /// The request's id.
    pub id: &'a dyn Display,
    /// The route that took it.
    pub route: &'a dyn Display,
    /// The pool it was for.
    pub pool: &'a dyn Display,
    /// What the client was told; 0 where the answer was cut.
    pub status: u16,
    /// Attempts at nodes.
    pub attempts: usize,
    /// What happened, in words.
    pub cause: &'a dyn Display,
}

impl Observer {
    /// An observer that tells the time by `now`, in milliseconds since any moment.
    pub fn new(now: fn() -> u64) -> Self {
        Self { now, failures: Limited::default(), refusals: Limited::default() }
    }

    /// A node's standing changed.
    pub fn node(&self, pool: &dyn Display, node: &str, transition: Transition, why: &dyn Display) {
        match transition {
            Transition::Up => info!("node is up pool={pool} node={node}"),
            Transition::Down => {
                error!("node is down pool={pool} node={node} why={why:?}", why = why.to_string())
            }
        }
    }

    /// A configuration came into force.
    pub fn configuration_in_force(&self, generation: u64, file: &dyn Display) {
        info!("configuration in force generation={generation} file={file}");
    }

    /// A configuration was refused; the one before it stays in force.
    pub fn reload_refused(&self, generation: u64, why: &dyn Display) {
        error!("reload refused, generation={generation} stays in force: {why}");
    }

    /// A setting changed in the file that a running process cannot follow.
    pub fn needs_restart(&self, key: &str) {
        warn!("setting takes effect at the next start key={key}");
    }

    /// A listener opened.
    pub fn listening(&self, address: &dyn Display) {
        info!("listening address={address}");
    }

    /// A listener closed because the configuration no longer names it.
    pub fn stopped_listening(&self, address: &dyn Display) {
        info!("stopped listening address={address}");
    }

    /// Accepting connections failed; it is tried again.
    pub fn accept_failed(&self, address: &dyn Display, why: &std::io::Error) {
        self.refusals.warn((self.now)(), |left_out| {
            format!("accepting failed address={address} why={why:?}{left_out}")
        });
    }

    /// A connection was refused because of a limit.
    pub fn connection_refused(&self, client: &dyn Display, limit: &str) {
        self.refusals.warn((self.now)(), |left_out| {
            format!("connection refused client={client} limit={limit}{left_out}")
        });
    }

    /// A name among the nodes has other addresses than before.
    pub fn resolved(&self, pool: &dyn Display, name: &str, addresses: usize) {
        info!("name resolved pool={pool} name={name} addresses={addresses}");
    }

    /// A name among the nodes could not be looked up; its old addresses stay.
    pub fn resolving_failed(&self, pool: &dyn Display, name: &str, kept: usize, why: &dyn Display) {
        warn!(
            "name not resolved pool={pool} name={name} addresses_kept={kept} why={why:?}",
            why = why.to_string()
        );
    }

    /// A client saw a request fail.
    pub fn request_failed(&self, failure: &Failure<'_>) {
        let Failure { id, route, pool, status, attempts, cause } = failure;
        self.failures.warn((self.now)(), |left_out| {
            let cause = cause.to_string();
            format!(
                "request failed id={id} route={route} pool={pool} status={status} attempts={attempts} \
                 cause={cause:?}{left_out}"
            )
        });
    }

    /// The process was asked to stop.
    pub fn stopping(&self, signal: &str, connections: usize) {
        info!("stopping signal={signal} connections={connections}");
    }

    /// The process stops; `cut` connections did not finish in time.
    pub fn stopped(&self, cut: usize) {
        if cut > 0 {
            warn!("stopped connections_cut={cut}");
        } else {
            info!("stopped");
        }
    }
}

/// Lines that traffic can cause: at most one a [`QUIET`], with a count of what was left out.
#[derive(Debug, Default)]
struct Limited {
    /// Milliseconds of the clock when the next line may appear.
    next: AtomicU64,
    left_out: AtomicU64,
}

/// How many lines were left out before this one.
struct LeftOut(u64);

impl Limited {
    fn warn(&self, now: u64, line: impl FnOnce(LeftOut) -> String) {
        let next = self.next.load(Ordering::Relaxed);
        let is_ours = now >= next
            && self.next.compare_exchange(next, now + QUIET, Ordering::Relaxed, Ordering::Relaxed).is_ok();
        if is_ours {
            warn!("{}", line(LeftOut(self.left_out.swap(0, Ordering::Relaxed))));
        } else {
            self.left_out.fetch_add(1, Ordering::Relaxed);
        }
    }
}

impl Display for LeftOut {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.0 {
            0 => Ok(()),
            count => write!(f, " left_out={count}"),
        }
    }
}
