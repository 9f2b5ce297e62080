//! Numbers that are read when somebody asks, instead of being kept.

use prometheus::{Error, IntGauge, IntGaugeVec, Opts, Registry};

use super::capacity::CapacityGauges;
use super::redundancy::RedundancyGauges;
pub use super::redundancy::RedundancyNow;

/// What is read when somebody asks, instead of being kept.
#[derive(Debug, Default)]
pub struct Now {
    /// Client connections that are open.
    pub connections: usize,
    /// The number of the generation in force.
    pub generation: u64,
    /// Whether the last configuration that was read came into force.
    pub is_last_reload_good: bool,
    /// Bytes that the bodies of requests hold that are kept for another attempt.
    pub body_bytes: u64,
    /// Every node.
    pub nodes: Vec<NodeNow>,
    /// Every pool.
    pub pools: Vec<PoolNow>,
}

/// A pool as it is when somebody asks.
#[derive(Clone, Debug)]
pub struct PoolNow {
    /// Its name.
    pub pool: String,
    /// Requests that wait because no node takes any.
    pub waiting: usize,
    /// Requests that wait for a place because every node is full.
    pub in_line: usize,
    /// Answers in a second that it could give beyond what it gives, without its largest node; below 0 it would lack them.
    pub headroom: f64,
    /// Whether what its nodes have shown proves that.
    pub is_headroom_proven: bool,
    /// Whether it may lose its largest node.
    pub redundancy: RedundancyNow,
}

/// A node as it is when somebody asks.
#[derive(Clone, Debug)]
pub struct NodeNow {
    /// Its pool.
    pub pool: String,
    /// Its name.
    pub node: String,
    /// Whether nothing speaks against it.
    pub is_available: bool,
    /// Requests that are at it.
    pub in_flight: u32,
    /// How many attempts may wait at it for the heads of their answers, as far as that was learnt.
    pub limit: Option<u32>,
    /// The most answers in a second that it gave for ten seconds without being late.
    pub shown: f64,
    /// Answers in a second that it gives at its limit; 0 if it never was there.
    pub capacity: f64,
    /// Who keeps it from work.
    pub lease: NodeLease,
}

/// The lease of a node, in numbers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct NodeLease {
    /// For how many seconds it still lasts; `None` if there is none.
    pub seconds_left: Option<u64>,
    /// Whether the last one is over, and the node has been missed since.
    pub is_overdue: bool,
}

/// The gauges of these numbers.
#[derive(Debug)]
pub(super) struct Gauges {
    node_available: IntGaugeVec,
    node_in_flight: IntGaugeVec,
    node_limit: IntGaugeVec,
    node_drained: IntGaugeVec,
    node_lease: IntGaugeVec,
    node_overdue: IntGaugeVec,
    pool_waiting: IntGaugeVec,
    pool_in_line: IntGaugeVec,
    capacity: CapacityGauges,
    redundancy: RedundancyGauges,
    connections: IntGauge,
    generation: IntGauge,
    last_reload: IntGauge,
    body_bytes: IntGauge,
}

impl Gauges {
    /// All gauges at zero, and the one of the version at 1.
    pub(super) fn new(registry: &Registry) -> Result<Self, Error> {
        let help = "Always 1; the version is in the label.";
        let build = gauges(registry, "bookend_build_info", help, &["version"])?;
        build.with_label_values(&[env!("CARGO_PKG_VERSION")]).set(1);
        let by_node = |name, help| gauges(registry, name, help, &["pool", "node"]);
        Ok(Self {
            node_available: by_node(
                "bookend_node_available",
                "Whether a node gets new work: 1 if nothing speaks against it.",
            )?,
            node_in_flight: by_node("bookend_node_in_flight", "Requests that are at a node.")?,
            node_limit: by_node(
                "bookend_node_limit",
                "How many attempts may wait at a node that has more to do than it can; 0 while it is not held back.",
            )?,
            node_drained: by_node("bookend_node_drained", "Whether a person keeps new work from a node.")?,
            node_lease: by_node(
                "bookend_node_lease_seconds",
                "For how long a node will still be drained; 0 if it is not.",
            )?,
            node_overdue: by_node(
                "bookend_node_overdue",
                "Whether the lease of a node is over, and the node has not come back.",
            )?,
            pool_waiting: gauges(
                registry,
                "bookend_pool_waiting",
                "Requests that wait because no node of their pool takes any.",
                &["pool"],
            )?,
            pool_in_line: gauges(
                registry,
                "bookend_pool_in_line",
                "Requests that wait for a place because every node of their pool is full.",
                &["pool"],
            )?,
            capacity: CapacityGauges::new(registry)?,
            redundancy: RedundancyGauges::new(registry)?,
            connections: gauge(registry, "bookend_connections", "Client connections that are open.")?,
            generation: gauge(
                registry,
                "bookend_configuration_generation",
                "The number of the configuration in force; the one at the start is 1.",
            )?,
            last_reload: gauge(
                registry,
                "bookend_last_reload_successful",
                "Whether the last configuration that was read came into force.",
            )?,
            body_bytes: gauge(
                registry,
                "bookend_kept_bodies_bytes",
                "Memory of the request bodies that are kept for another attempt.",
            )?,
        })
    }

    /// Takes the numbers as they are now. Nodes that are gone have none any more.
    pub(super) fn set(&self, now: &Now) {
        self.connections.set(i64::try_from(now.connections).unwrap_or(i64::MAX));
        self.generation.set(i64::try_from(now.generation).unwrap_or(i64::MAX));
        self.last_reload.set(i64::from(now.is_last_reload_good));
        self.pool_waiting.reset();
        self.pool_in_line.reset();
        for PoolNow { pool, waiting, in_line, .. } in &now.pools {
            for (gauge, count) in [(&self.pool_waiting, waiting), (&self.pool_in_line, in_line)] {
                gauge.with_label_values(&[pool]).set(i64::try_from(*count).unwrap_or(i64::MAX));
            }
        }
        self.capacity.set(&now.nodes, &now.pools);
        self.redundancy.set(&now.pools);
        self.body_bytes.set(i64::try_from(now.body_bytes).unwrap_or(i64::MAX));
        self.node_available.reset();
        let by_node = [
            &self.node_in_flight,
            &self.node_limit,
            &self.node_drained,
            &self.node_lease,
            &self.node_overdue,
        ];
        for gauges in by_node {
            gauges.reset();
        }
        for NodeNow { pool, node, is_available, in_flight, limit, lease, .. } in &now.nodes {
            let labels = [pool, node];
            self.node_available.with_label_values(&labels).set(i64::from(*is_available));
            self.node_in_flight.with_label_values(&labels).set(i64::from(*in_flight));
            self.node_limit.with_label_values(&labels).set(limit.map_or(0, i64::from));
            self.node_drained.with_label_values(&labels).set(i64::from(lease.seconds_left.is_some()));
            let left = i64::try_from(lease.seconds_left.unwrap_or_default()).unwrap_or(i64::MAX);
            self.node_lease.with_label_values(&labels).set(left);
            self.node_overdue.with_label_values(&labels).set(i64::from(lease.is_overdue));
        }
    }
}

fn gauges(registry: &Registry, name: &str, help: &str, labels: &[&str]) -> Result<IntGaugeVec, Error> {
    let gauges = IntGaugeVec::new(Opts::new(name, help), labels)?;
    registry.register(Box::new(gauges.clone()))?;
    Ok(gauges)
}

pub(super) fn gauge(registry: &Registry, name: &str, help: &str) -> Result<IntGauge, Error> {
    let gauge = IntGauge::new(name, help)?;
    registry.register(Box::new(gauge.clone()))?;
    Ok(gauge)
}
