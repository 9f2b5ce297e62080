//! Telling the world what happened: the one place where facts become log lines and numbers.
//!
//! One line a fact, with fields. `error` is for someone to act on, `warn` is what bookend coped with, `info` is a change
//! of state.

mod access_log;
mod alarms;
mod announcements;
mod capacity;
mod connections;
mod drains;
mod feed;
mod gauges;
mod introductions;
mod journal;
mod metrics;
mod operators;
mod redundancy;
mod refusals;
mod service;
mod slowness;
mod standing;
mod tally;

use std::error::Error;
use std::fmt::Display;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use log::{error, info, warn};
use tokio::sync::mpsc;

pub use self::access_log::{AccessLog, Asked, OpenError, Prepared, Record};
pub use self::announcements::Announced;
pub use self::connections::{Flood, Handshake, Limit};
use self::feed::Feed;
pub use self::gauges::{NodeLease, NodeNow, Now, PoolNow, RedundancyNow};
pub use self::introductions::Introduction;
pub use self::metrics::Metrics;
pub use self::operators::Denial;
pub use self::slowness::TooSlow;
pub use self::tally::{Latency, NodeTally, PoolTally, Tally, is_saved};
use crate::config::Changes;
use crate::incident::{Event, What};
use crate::retry::{NotKept, Outcome, Reach};

/// Milliseconds between two lines of a kind that traffic can cause.
const QUIET: u64 = 1_000;

/// Publishes facts.
#[derive(Debug)]
pub struct Observer {
    /// The clock, in milliseconds.
    now: fn() -> u64,
    feed: Feed,
    metrics: Metrics,
    access_log: AccessLog,
    saved: Limited,
    failures: Limited,
    refusals: Limited,
    denials: Limited,
    malformed: Limited,
}

/// A request that ended.
pub struct Ended<'a> {
    /// Its id.
    pub id: &'a str,
    /// The route that took it; `none` if none did.
    pub route: &'a str,
    /// The pool it was for; `none` without a route.
    pub pool: &'a str,
    /// The last node that was tried; `none` if none was.
    pub node: &'a str,
    /// All nodes that were tried, in order, with how far each attempt that failed got.
    pub path: &'a dyn Display,
    /// What the client was told; 0 if it was told nothing.
    pub status: u16,
    /// How it ended.
    pub outcome: Outcome,
    /// Attempts at nodes.
    pub attempts: usize,
    /// Why it ended without a node's answer, in words; empty if it did not.
    pub cause: &'a dyn Display,
    /// From its head to its end.
    pub took: Duration,
}

/// How the wait for a place at a node ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WaitEnd {
    /// There was a place.
    Turn,
    /// There was none in time, or no room to wait.
    Shed,
    /// The request went another way, or its client did.
    Left,
}

/// An attempt that failed.
#[derive(Clone, Copy, Debug)]
pub struct Attempt<'a> {
    /// The pool.
    pub pool: &'a str,
    /// The node.
    pub node: &'a str,
    /// How far it got.
    pub reach: Reach,
    /// Whether another attempt follows.
    pub followed: bool,
}

impl WaitEnd {
    const ALL: [Self; 3] = [Self::Turn, Self::Shed, Self::Left];

    /// The end in a word, for metrics.
    fn as_str(self) -> &'static str {
        match self {
            Self::Turn => "turn",
            Self::Shed => "shed",
            Self::Left => "left",
        }
    }
}

impl Observer {
    /// An observer that tells the time by `now`, in milliseconds since any moment, and dates events by `steady`, in
    /// milliseconds since 1970.
    ///
    /// # Errors
    ///
    /// Only if a metric's name were wrong.
    pub fn new(now: fn() -> u64, steady: fn() -> u64) -> Result<Self, prometheus::Error> {
        let metrics = Metrics::new()?;
        let access_log = AccessLog::new(access_log::Facts {
            now,
            dropped: metrics.access_log_dropped().clone(),
            write_errors: metrics.access_log_write_errors().clone(),
            lines: Limited::default(),
        });
        Ok(Self {
            now,
            feed: Feed::new(steady, metrics.events_lost().clone()),
            metrics,
            access_log,
            saved: Limited::default(),
            failures: Limited::default(),
            refusals: Limited::default(),
            denials: Limited::default(),
            malformed: Limited::default(),
        })
    }

    /// The numbers.
    pub fn metrics(&self) -> &Metrics {
        &self.metrics
    }

    /// The access log.
    pub fn access_log(&self) -> &AccessLog {
        &self.access_log
    }

    /// Every event from now on.
    pub fn listen(&self) -> mpsc::Receiver<Event> {
        self.feed.listen()
    }

    /// The process begins.
    pub fn started(&self, version: &str) {
        info!("started version={version}");
        self.feed.publish(None, None, What::Started { version: version.to_owned() });
    }

    /// An attempt at a node failed.
    pub fn attempt_failed(&self, attempt: &Attempt<'_>) {
        self.metrics.attempt_failed(attempt);
    }

    /// The body of a request is not kept: if its node fails, it cannot go to another one.
    pub fn body_not_kept(&self, pool: &str, why: NotKept) {
        self.metrics.body_not_kept(pool, why);
    }

    /// A request has waited for a place at a node of the pool.
    pub fn waited(&self, pool: &str, end: WaitEnd, waited: Duration) {
        self.metrics.waited(pool, end, waited);
    }

    /// A node's answer began.
    pub fn answered(&self, pool: &str, node: &str, first_byte: Duration) {
        self.metrics.first_byte(pool, node, first_byte);
    }

    /// A request ended.
    pub fn request_ended(&self, ended: &Ended<'_>) {
        self.metrics.request_ended(ended);
        let (kind, lines) = if ended.outcome.is_failed() {
            ("failed", &self.failures)
        } else if ended.outcome.is_saved() {
            ("saved", &self.saved)
        } else {
            return;
        };
        lines.warn((self.now)(), |left_out| {
            let Ended { id, route, pool, path, status, outcome, attempts, .. } = ended;
            let (outcome, took) = (outcome.as_str(), ended.took.as_secs_f64() * 1000.0);
            let cause = ended.cause.to_string();
            let cause = if cause.is_empty() { cause } else { format!(" cause={cause:?}") };
            format!(
                "request {kind} id={id} route={route} pool={pool} status={status} outcome={outcome} \
                 attempts={attempts} nodes={path}{cause} took={took:.1}ms{left_out}"
            )
        });
    }

    /// A configuration came into force, because somebody asked for it or at the start.
    pub fn configuration_in_force(
        &self,
        generation: u64,
        file: &dyn Display,
        changes: &Changes,
        by: Option<&str>,
    ) {
        self.metrics.reloaded(metrics::IN_FORCE);
        info!("configuration in force generation={generation} file={file}");
        for change in &changes.texts {
            info!("changed {change:?}");
        }
        let Changes { texts: changes, removed } = changes.clone();
        let by = by.map(str::to_owned);
        self.feed.publish(None, None, What::Reloaded { generation, by, changes, removed });
    }

    /// A configuration was refused, because of each of `why`; the one before it stays in force.
    pub fn reload_refused(&self, generation: u64, why: &[String], by: &str) {
        self.metrics.reloaded(metrics::REFUSED);
        match why {
            [why] => error!("reload refused, generation={generation} stays in force: {why}"),
            many => {
                error!("reload refused, generation={generation} stays in force: {} problems", many.len());
                for why in many {
                    error!("problem {why}");
                }
            }
        }
        let why = match why {
            [why] => why.clone(),
            [first, rest @ ..] => format!("{first} (and {} more)", rest.len()),
            [] => String::new(),
        };
        self.feed.publish(None, None, What::ReloadRefused { by: Some(by.to_owned()), why });
    }

    /// A setting changed in the file that a running process cannot follow.
    pub fn needs_restart(&self, key: &str) {
        warn!("setting takes effect at the next start key={key}");
    }

    /// Something is wrong with the key that signs the cookies of sticky sessions; sessions that began before move.
    pub fn sticky_key(&self, trouble: &dyn Display) {
        warn!("sticky sessions: {trouble}");
    }

    /// The file of the access log was opened anew.
    pub fn access_log_reopened(&self, file: &dyn Display) {
        info!("access log reopened file={file}");
    }

    /// The file of the access log could not be opened anew; lines still go to the old one.
    pub fn access_log_not_reopened(&self, why: &OpenError) {
        let cause = why.source().map(|cause| format!(": {cause}")).unwrap_or_default();
        error!("access log not reopened, the old file stays in use why={:?}", format!("{why}{cause}"));
    }

    /// A listener opened.
    pub fn listening(&self, address: &dyn Display) {
        info!("listening address={address}");
    }

    /// A listener closed because the configuration no longer names it.
    pub fn stopped_listening(&self, address: &dyn Display) {
        info!("stopped listening address={address}");
    }

    /// The permissions of a listener's Unix socket could not be changed.
    pub fn socket_mode_kept(&self, address: &dyn Display, why: &std::io::Error) {
        error!("socket_mode is still the old one address={address} why={why:?}");
    }

    /// Accepting connections failed; it is tried again.
    pub fn accept_failed(&self, address: &dyn Display, why: &std::io::Error) {
        self.refusals.warn((self.now)(), |left_out| {
            format!("accepting failed address={address} why={why:?}{left_out}")
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

    /// The operator's side can be reached.
    pub fn admin_listening(&self, place: &dyn Display) {
        info!("operators are listened to place={place}");
    }

    /// The operator's side cannot be reached at the usual place.
    pub fn admin_unreachable(&self, place: &dyn Display, why: &dyn Display) {
        warn!("operators are not listened to place={place} why={why:?}", why = why.to_string());
    }

    /// The operator's side is no longer reached there because the configuration no longer names it.
    pub fn admin_stopped_listening(&self, place: &dyn Display) {
        info!("operators are no longer listened to place={place}");
    }

    /// Somebody asked for a change.
    pub fn asked(&self, what: &str, by: &dyn Display) {
        info!("asked what={what} by={by}");
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
        self.feed.publish(None, None, What::Stopped);
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
