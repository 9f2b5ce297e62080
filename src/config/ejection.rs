//! When a node is taken out for what its traffic says.

use std::time::Duration;

use super::bounds;
use super::read::{Fault, Value};

/// When a node is taken out for what its traffic says, and for how long.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ejection {
    /// Failed attempts in a row, at least 1.
    pub failures: u32,
    /// How long the first time; doubled each time that the node fails again.
    pub time: Duration,
    /// The longest; not shorter than `time`.
    pub longest: Duration,
}

impl Default for Ejection {
    fn default() -> Self {
        Self { failures: 3, time: Duration::from_secs(1), longest: Duration::from_secs(2) }
    }
}

/// Reads the rules; `Some(None)` is `off`.
pub(super) fn read(value: Value<'_>) -> Option<Option<Ejection>> {
    const WHAT: &str = "a mapping like `{failures: 3, time: 1s}`";
    value.or_off(WHAT, |value| {
        value.fields(WHAT, |fields| {
            let default = Ejection::default();
            let failures = fields.read("failures", |v| v.whole(bounds::FAILURES_IN_A_ROW));
            let time = fields.read("time", |v| v.duration(bounds::EJECTION)).unwrap_or(default.time);
            let longest = fields.read("longest", |v| {
                let longest = v.duration(bounds::EJECTION)?;
                if longest >= time {
                    return Some(longest);
                }
                let fault = Fault::new("the longest ejection is shorter than the first one, `time`");
                v.fail(fault.help("write a longer one, or a shorter `time`"))
            });
            let longest = longest.unwrap_or(default.longest.max(time));
            Ejection { failures: failures.unwrap_or(default.failures), time, longest }
        })
    })
}
