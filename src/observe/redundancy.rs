//! The gauges of whether pools may lose a node.

use prometheus::{CounterVec, Error, IntGaugeVec, Opts, Registry};

use super::gauges::PoolNow;
use crate::redundancy::State;

/// Whether a pool may lose its largest node.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct RedundancyNow {
    /// Whether it may; `None` before anybody looked.
    pub state: Option<State>,
    /// For how long it was not protected since the start.
    pub exposed_seconds: f64,
}

/// The gauges of that.
#[derive(Debug)]
pub(super) struct RedundancyGauges {
    state: IntGaugeVec,
    exposed: CounterVec,
}

impl RedundancyGauges {
    /// All gauges without a pool.
    pub(super) fn new(registry: &Registry) -> Result<Self, Error> {
        let state = IntGaugeVec::new(
            Opts::new(
                "bookend_pool_redundancy",
                "1 for the state that a pool is in: protected if it may lose its largest node, exposed if not, or down.",
            ),
            &["pool", "state"],
        )?;
        let exposed = CounterVec::new(
            Opts::new(
                "bookend_pool_exposed_seconds_total",
                "For how long a pool could not have lost its largest node, or had lost all.",
            ),
            &["pool"],
        )?;
        registry.register(Box::new(state.clone()))?;
        registry.register(Box::new(exposed.clone()))?;
        Ok(Self { state, exposed })
    }

    /// Takes the states as they are now. Pools that are gone have none any more.
    pub(super) fn set(&self, pools: &[PoolNow]) {
        self.state.reset();
        self.exposed.reset();
        for PoolNow { pool, redundancy, .. } in pools {
            let Some(now) = redundancy.state else { continue };
            for state in State::ALL {
                self.state.with_label_values(&[pool.as_str(), state.as_str()]).set(i64::from(state == now));
            }
            self.exposed.with_label_values(&[pool]).inc_by(redundancy.exposed_seconds);
        }
    }
}
