//! When a drained node is taken back because the others are not enough.

use std::time::Duration;

use super::bounds;
use super::read::Value;

/// When a drained node is taken back because the others are not enough.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Recall {
    /// So many more of a hundred requests have to fail, or be turned away, than did before the drain.
    pub percent: u32,
    /// For how long.
    pub after: Duration,
}

impl Default for Recall {
    fn default() -> Self {
        Self { percent: 5, after: Duration::from_secs(10) }
    }
}

/// Reads the rules; `Some(None)` is `off`.
pub(super) fn read(value: Value<'_>) -> Option<Option<Recall>> {
    const WHAT: &str = "a mapping like `{percent: 5, for: 10s}`";
    value.or_off(WHAT, |value| {
        value.fields(WHAT, |fields| {
            let default = Recall::default();
            let percent = fields.read("percent", |v| v.whole(bounds::PART));
            let after = fields.read("for", |v| v.duration(bounds::RECALL));
            Recall { percent: percent.unwrap_or(default.percent), after: after.unwrap_or(default.after) }
        })
    })
}
