//! The gauges of what nodes have shown that they can carry.

use prometheus::{Error, GaugeVec, IntGaugeVec, Opts, Registry};

use super::gauges::{NodeNow, PoolNow};

/// The gauges of these numbers; all of them in answers a second.
#[derive(Debug)]
pub(super) struct CapacityGauges {
    shown: GaugeVec,
    capacity: GaugeVec,
    headroom: GaugeVec,
    is_proven: IntGaugeVec,
}

impl CapacityGauges {
    /// All gauges without a node or pool.
    pub(super) fn new(registry: &Registry) -> Result<Self, Error> {
        let gauges = |name: &str, help: &str, labels: &[&str]| {
            let gauges = GaugeVec::new(Opts::new(name, help), labels)?;
            registry.register(Box::new(gauges.clone()))?;
            Ok::<_, Error>(gauges)
        };
        let is_proven = IntGaugeVec::new(
            Opts::new(
                "bookend_pool_headroom_proven",
                "Whether the nodes of a pool have shown enough to tell what it would lack without its largest.",
            ),
            &["pool"],
        )?;
        registry.register(Box::new(is_proven.clone()))?;
        Ok(Self {
            shown: gauges(
                "bookend_node_shown_answers_per_second",
                "The most answers that a node gave for ten seconds without being late.",
                &["pool", "node"],
            )?,
            capacity: gauges(
                "bookend_node_capacity_answers_per_second",
                "Answers of a node with more to do than it can; 0 if it never was at its limit.",
                &["pool", "node"],
            )?,
            headroom: gauges(
                "bookend_pool_headroom_answers_per_second",
                "What a pool would have to spare without its largest node, as far as is known; below 0 it would lack it.",
                &["pool"],
            )?,
            is_proven,
        })
    }

    /// Takes the numbers as they are now. Nodes that are gone have none any more.
    pub(super) fn set(&self, nodes: &[NodeNow], pools: &[PoolNow]) {
        for gauges in [&self.shown, &self.capacity, &self.headroom] {
            gauges.reset();
        }
        self.is_proven.reset();
        for node in nodes {
            let labels = [&node.pool, &node.node];
            self.shown.with_label_values(&labels).set(node.shown);
            self.capacity.with_label_values(&labels).set(node.capacity);
        }
        for pool in pools {
            self.headroom.with_label_values(&[&pool.pool]).set(pool.headroom);
            self.is_proven.with_label_values(&[&pool.pool]).set(i64::from(pool.is_headroom_proven));
        }
    }
}
