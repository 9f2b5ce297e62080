//! How requests wait while no node takes any, or while all are full.

use std::time::Duration;

use super::bounds;
use super::read::Value;

/// How requests wait while no node takes any, or while all are full.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Queue {
    /// How long each may wait for a node to come back.
    pub max_wait: Duration,
    /// How long each may wait for a place at a node, while all are full.
    pub target: Duration,
    /// How many may wait at once, for either.
    pub max_length: usize,
}

impl Default for Queue {
    fn default() -> Self {
        Self { max_wait: Duration::from_secs(5), target: Duration::from_millis(200), max_length: 10_000 }
    }
}

/// Reads the bounds; `Some(None)` is `off`.
pub(super) fn read(value: Value<'_>) -> Option<Option<Queue>> {
    const WHAT: &str = "a mapping like `{max_wait: 5s}`";
    value.or_off(WHAT, |value| {
        value.fields(WHAT, |fields| {
            let default = Queue::default();
            let max_wait = fields.read("max_wait", |v| v.duration(bounds::TIMEOUT));
            let target = fields.read("target", |v| v.duration(bounds::TARGET));
            let max_length = fields.read("max_length", |v| v.whole(bounds::CONNECTIONS));
            Queue {
                max_wait: max_wait.unwrap_or(default.max_wait),
                target: target.unwrap_or(default.target),
                max_length: max_length.unwrap_or(default.max_length),
            }
        })
    })
}
