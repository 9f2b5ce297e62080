//! What the metrics have counted so far, for those who show it to people.

use std::collections::{BTreeMap, HashMap};

use prometheus::core::Collector;
use prometheus::proto::{Histogram, Metric, MetricFamily};

use super::{Metrics, WaitEnd};
use crate::incident::PoolCounts;
use crate::retry::Outcome;

/// What was counted since the start.
#[derive(Debug, Default)]
pub struct Tally {
    /// Requests by how they ended.
    pub outcomes: BTreeMap<String, u64>,
    /// By pool and node; requests that reached no node are at the node `none`.
    pub nodes: HashMap<(String, String), NodeTally>,
    /// Requests that waited for a place at a node in vain, by pool.
    pub shed: HashMap<String, u64>,
}

/// What was counted for one node.
#[derive(Clone, Debug, Default)]
pub struct NodeTally {
    /// Requests that ended there, by how.
    pub outcomes: BTreeMap<String, u64>,
    /// Attempts that failed there, by how far they got.
    pub attempts_failed: BTreeMap<String, u64>,
    /// From the last byte of a request to the first of the answer; `None` if there was none.
    pub first_byte: Option<Latency>,
}

/// What became of the requests of a pool.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PoolTally {
    /// All that ended.
    pub total: u64,
    /// Those that a client saw fail, those that were turned away among them.
    pub failed: u64,
    /// Those that were turned away because every node was full.
    pub shed: u64,
}

/// How long something took, in seconds.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Latency {
    /// The mean.
    pub mean: f64,
    /// Half took no longer; read from the buckets of a histogram, so it is near and not exact.
    pub p50: f64,
    /// 99 of 100 took no longer; as near as `p50`.
    pub p99: f64,
}

impl Metrics {
    /// What was counted so far.
    pub fn tally(&self) -> Tally {
        let mut tally = Tally::default();
        for metric in metrics(&self.requests.collect()) {
            let (outcome, count) = (label(metric, "outcome"), count(metric));
            *tally.outcomes.entry(outcome.clone()).or_default() += count;
            *tally.node(metric).outcomes.entry(outcome).or_default() += count;
        }
        for metric in metrics(&self.attempts.collect()) {
            let reach = label(metric, "reach");
            *tally.node(metric).attempts_failed.entry(reach).or_default() += count(metric);
        }
        for metric in metrics(&self.first_byte_seconds.collect()) {
            tally.node(metric).first_byte = Latency::of(metric.get_histogram());
        }
        for metric in metrics(&self.wait_seconds.collect()) {
            if label(metric, "end") == WaitEnd::Shed.as_str() {
                tally.shed.insert(label(metric, "pool"), metric.get_histogram().get_sample_count());
            }
        }
        tally
    }
}

impl Metrics {
    /// What became of the requests so far, by pool: a small part of the tally, for those who look often.
    pub fn pools(&self) -> HashMap<String, PoolTally> {
        let mut pools: HashMap<String, PoolTally> = HashMap::new();
        for metric in metrics(&self.requests.collect()) {
            let (outcome, count) = (label(metric, "outcome"), count(metric));
            let pool = pools.entry(label(metric, "pool")).or_default();
            pool.total += count;
            pool.failed += if Outcome::is_failure(&outcome) { count } else { 0 };
            pool.shed += if outcome == Outcome::Shed.as_str() { count } else { 0 };
        }
        pools
    }
}

impl Tally {
    /// What retries saved of the requests for a pool, and what failed.
    pub fn of_pool(&self, pool: &str) -> PoolCounts {
        let mut counts = PoolCounts { pool: pool.to_owned(), ..PoolCounts::default() };
        for ((_, node), tally) in self.nodes.iter().filter(|((of, _), _)| of == pool) {
            for (outcome, count) in &tally.outcomes {
                counts.total += count;
                counts.saved += if is_saved(outcome) { *count } else { 0 };
            }
            let failed = tally.attempts_failed.iter();
            counts.failed.extend(failed.map(|(reach, count)| ((node.clone(), reach.clone()), *count)));
        }
        counts
    }

    fn node(&mut self, metric: &Metric) -> &mut NodeTally {
        self.nodes.entry((label(metric, "pool"), label(metric, "node"))).or_default()
    }
}

impl Latency {
    fn of(histogram: &Histogram) -> Option<Self> {
        let count = histogram.get_sample_count();
        let mean = histogram.get_sample_sum() / count as f64;
        let quantile = |share| quantile(histogram, share);
        (count > 0).then(|| Self { mean, p50: quantile(0.5), p99: quantile(0.99) })
    }
}

/// The quantile as Prometheus' own `histogram_quantile` estimates it: evenly spread within a bucket.
fn quantile(histogram: &Histogram, share: f64) -> f64 {
    let rank = share * histogram.get_sample_count() as f64;
    let (mut lower, mut below) = (0.0, 0.0);
    for bucket in histogram.get_bucket() {
        let (upper, count) = (bucket.upper_bound(), bucket.cumulative_count() as f64);
        if count >= rank && count > below {
            let end = if upper.is_finite() { upper } else { lower };
            return lower + (end - lower) * (rank - below) / (count - below);
        }
        (lower, below) = (if upper.is_finite() { upper } else { lower }, count);
    }
    lower
}

fn metrics(families: &[MetricFamily]) -> impl Iterator<Item = &Metric> {
    families.iter().flat_map(MetricFamily::get_metric)
}

fn label(metric: &Metric, name: &str) -> String {
    let found = metric.get_label().iter().find(|label| label.name() == name);
    found.map(|label| label.value().to_owned()).unwrap_or_default()
}

/// A counter of whole things, which the library hands out as a fraction.
fn count(metric: &Metric) -> u64 {
    metric.get_counter().get_value() as u64
}

/// Whether requests that ended like that were saved by a retry.
pub fn is_saved(outcome: &str) -> bool {
    outcome.starts_with("saved_")
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::retry::{Outcome, Reach};

    #[test]
    fn quantiles_are_within_the_bucket_that_holds_them() {
        let metrics = Metrics::new().unwrap();
        for _ in 0..98 {
            metrics.first_byte("web", "a", Duration::from_millis(3));
        }
        for _ in 0..2 {
            metrics.first_byte("web", "a", Duration::from_millis(400));
        }
        let tally = metrics.tally();
        let latency = tally.nodes[&("web".to_owned(), "a".to_owned())].first_byte.unwrap();
        assert!((0.002..=0.005).contains(&latency.p50), "{latency:?}");
        assert!((0.2..=0.5).contains(&latency.p99), "{latency:?}");
        assert!((0.010..0.012).contains(&latency.mean), "{latency:?}");
    }

    #[test]
    fn longest_answers_are_not_longer_than_the_last_bucket() {
        let metrics = Metrics::new().unwrap();
        metrics.first_byte("web", "a", Duration::from_secs(1_000));
        let tally = metrics.tally();
        let latency = tally.nodes[&("web".to_owned(), "a".to_owned())].first_byte.unwrap();
        assert_eq!(latency.p50, 60.0);
    }

    #[test]
    fn words_mean_what_the_outcomes_mean() {
        let outcomes = [
            Outcome::Served,
            Outcome::Saved(Reach::NotSent),
            Outcome::Saved(Reach::Truncated),
            Outcome::NodeError,
            Outcome::Failed(Reach::Silent),
            Outcome::Failed(Reach::Truncated),
            Outcome::Cut,
            Outcome::NoNode,
            Outcome::Shed,
            Outcome::Refused,
            Outcome::Deadline,
            Outcome::ClientGone,
            Outcome::Internal,
        ];
        for outcome in outcomes {
            assert_eq!(is_saved(outcome.as_str()), outcome.is_saved(), "{outcome:?}");
            assert_eq!(Outcome::is_failure(outcome.as_str()), outcome.is_failed(), "{outcome:?}");
        }
    }
}
