//! The numbers, for Prometheus.
//!
//! Labels come from bounded sets only: names out of the configuration and words out of closed sets, never anything that a
//! client can choose.

use std::time::Duration;

use prometheus::{
    Error, HistogramOpts, HistogramVec, IntCounter, IntCounterVec, Opts, Registry, TextEncoder,
};

use super::announcements::AnnouncementMetrics;
use super::connections::ConnectionMetrics;
use super::gauges::{Gauges, NodeNow, Now, PoolNow};
use super::introductions::IntroductionMetrics;
use super::journal::JournalMetrics;
use super::operators::OperatorMetrics;
use super::refusals::RefusalMetrics;
use super::slowness::SlownessMetrics;
use super::{Attempt, Ended, WaitEnd};
use crate::retry::NotKept;

/// Seconds; from a small page in the same rack to a report that takes a minute.
const BUCKETS: [f64; 17] = [
    0.000_25, 0.000_5, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0, 30.0, 60.0,
];

/// How a reload ends.
pub(super) const IN_FORCE: &str = "in_force";
pub(super) const REFUSED: &str = "refused";

/// What a node can become.
const STANDINGS: [&str; 8] =
    ["up", "down", "suspect", "ejected", "returning", "returned", "limited", "unlimited"];

/// Every metric.
#[derive(Debug)]
pub struct Metrics {
    registry: Registry,
    pub(super) requests: IntCounterVec,
    request_seconds: HistogramVec,
    pub(super) attempts: IntCounterVec,
    pub(super) first_byte_seconds: HistogramVec,
    reloads: IntCounterVec,
    pub(super) connections: ConnectionMetrics,
    pub(super) introductions: IntroductionMetrics,
    pub(super) refusals: RefusalMetrics,
    pub(super) slowness: SlownessMetrics,
    node_transitions: IntCounterVec,
    bodies_not_kept: IntCounterVec,
    pub(super) wait_seconds: HistogramVec,
    recalls: IntCounterVec,
    access_log_dropped: IntCounter,
    access_log_write_errors: IntCounter,
    events_lost: IntCounter,
    pub(super) announcements: AnnouncementMetrics,
    pub(super) journal: JournalMetrics,
    pub(super) operators: OperatorMetrics,
    gauges: Gauges,
}

impl Metrics {
    /// All metrics at zero.
    ///
    /// # Errors
    ///
    /// Only if a name were wrong or there twice, which a test rules out.
    pub fn new() -> Result<Self, Error> {
        let registry = Registry::new();
        let histograms = |name, help, labels| histograms(&registry, name, help, labels);
        let counters = |name, help, labels| counters(&registry, name, help, labels);
        let counter = |name, help| counter(&registry, name, help);
        Ok(Self {
            requests: counters(
                "bookend_requests_total",
                "Requests that ended, by what became of them.",
                &["route", "pool", "node", "class", "outcome"],
            )?,
            request_seconds: histograms(
                "bookend_request_duration_seconds",
                "From the head of a request to the end of its answer.",
                &["route"],
            )?,
            attempts: counters(
                "bookend_attempts_failed_total",
                "Attempts at a node that failed, by how far they got and whether another followed.",
                &["pool", "node", "reach", "followed"],
            )?,
            first_byte_seconds: histograms(
                "bookend_node_first_byte_seconds",
                "From the last byte of a request to the head of the node's answer.",
                &["pool", "node"],
            )?,
            reloads: counters("bookend_reloads_total", "Reloads, by how they ended.", &["result"])?,
            connections: ConnectionMetrics::new(&registry)?,
            introductions: IntroductionMetrics::new(&registry)?,
            slowness: SlownessMetrics::new(&registry)?,
            node_transitions: counters(
                "bookend_node_transitions_total",
                "Changes in the standing of a node.",
                &["pool", "node", "to"],
            )?,
            bodies_not_kept: counters(
                "bookend_bodies_not_kept_total",
                "Bodies of requests that could not be kept for another attempt, by why.",
                &["pool", "why"],
            )?,
            wait_seconds: histograms(
                "bookend_pool_wait_seconds",
                "How long requests waited for a place at a node while all were full, by how that ended.",
                &["pool", "end"],
            )?,
            recalls: counters(
                "bookend_recalls_total",
                "Drained nodes that were taken back because the others were not enough.",
                &["pool"],
            )?,
            access_log_dropped: counter(
                "bookend_access_log_dropped_total",
                "Lines of the access log that were dropped because they could not be written in time.",
            )?,
            access_log_write_errors: counter(
                "bookend_access_log_write_errors_total",
                "Writes to the access log that failed; what was to be written is tried again.",
            )?,
            events_lost: counter(
                "bookend_events_lost_total",
                "Events that were neither kept nor passed on because too many came at once.",
            )?,
            refusals: RefusalMetrics::new(&registry)?,
            announcements: AnnouncementMetrics::new(&registry)?,
            journal: JournalMetrics::new(&registry)?,
            operators: OperatorMetrics::new(&registry)?,
            gauges: Gauges::new(&registry)?,
            registry,
        }
        .begun())
    }

    /// What begins at 1 has not risen for those who watch it.
    fn begun(self) -> Self {
        for result in [IN_FORCE, REFUSED] {
            self.reloads.with_label_values(&[result]);
        }
        self
    }

    pub(super) fn request_ended(&self, ended: &Ended<'_>) {
        let class = class(ended.status);
        let labels = [ended.route, ended.pool, ended.node, class, ended.outcome.as_str()];
        self.requests.with_label_values(&labels).inc();
        self.request_seconds.with_label_values(&[ended.route]).observe(ended.took.as_secs_f64());
    }

    pub(super) fn first_byte(&self, pool: &str, node: &str, took: Duration) {
        self.first_byte_seconds.with_label_values(&[pool, node]).observe(took.as_secs_f64());
    }

    pub(super) fn reloaded(&self, result: &str) {
        self.reloads.with_label_values(&[result]).inc();
    }

    pub(super) fn node_changed(&self, pool: &str, node: &str, to: &str) {
        self.node_transitions.with_label_values(&[pool, node, to]).inc();
    }

    pub(super) fn body_not_kept(&self, pool: &str, why: NotKept) {
        self.bodies_not_kept.with_label_values(&[pool, why.as_str()]).inc();
    }

    pub(super) fn waited(&self, pool: &str, end: WaitEnd, waited: Duration) {
        self.wait_seconds.with_label_values(&[pool, end.as_str()]).observe(waited.as_secs_f64());
    }

    pub(super) fn recalled(&self, pool: &str) {
        self.recalls.with_label_values(&[pool]).inc();
    }

    pub(super) fn access_log_dropped(&self) -> &IntCounter {
        &self.access_log_dropped
    }

    pub(super) fn access_log_write_errors(&self) -> &IntCounter {
        &self.access_log_write_errors
    }

    pub(super) fn events_lost(&self) -> &IntCounter {
        &self.events_lost
    }

    pub(super) fn attempt_failed(&self, attempt: &Attempt<'_>) {
        let followed = if attempt.followed { "yes" } else { "no" };
        let labels = [attempt.pool, attempt.node, attempt.reach.as_str(), followed];
        self.attempts.with_label_values(&labels).inc();
    }

    /// All metrics as text (Prometheus exposition format 0.0.4), with the gauges as they are `now`.
    ///
    /// # Errors
    ///
    /// If a metric cannot be written, which would be a defect.
    pub fn text(&self, now: &Now) -> Result<String, Error> {
        self.gauges.set(now);
        for NodeNow { pool, node, .. } in &now.nodes {
            for to in STANDINGS {
                self.node_transitions.with_label_values(&[pool, node, to]);
            }
        }
        for PoolNow { pool, .. } in &now.pools {
            self.recalls.with_label_values(&[pool]);
            for end in WaitEnd::ALL {
                self.wait_seconds.with_label_values(&[pool.as_str(), end.as_str()]);
            }
        }
        TextEncoder::new().encode_to_string(&self.registry.gather())
    }
}

/// The class of a status; requests whose client was told nothing have none.
fn class(status: u16) -> &'static str {
    match status / 100 {
        1 => "1xx",
        2 => "2xx",
        3 => "3xx",
        4 => "4xx",
        5 => "5xx",
        _ => "none",
    }
}

pub(super) fn counters(
    registry: &Registry,
    name: &str,
    help: &str,
    labels: &[&str],
) -> Result<IntCounterVec, Error> {
    let counters = IntCounterVec::new(Opts::new(name, help), labels)?;
    registry.register(Box::new(counters.clone()))?;
    Ok(counters)
}

pub(super) fn counter(registry: &Registry, name: &str, help: &str) -> Result<IntCounter, Error> {
    let counter = IntCounter::new(name, help)?;
    registry.register(Box::new(counter.clone()))?;
    Ok(counter)
}

fn histograms(registry: &Registry, name: &str, help: &str, labels: &[&str]) -> Result<HistogramVec, Error> {
    let options = HistogramOpts::new(name, help).buckets(BUCKETS.to_vec());
    let histograms = HistogramVec::new(options, labels)?;
    registry.register(Box::new(histograms.clone()))?;
    Ok(histograms)
}
