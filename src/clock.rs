//! The only reader of time.
//!
//! Logic gets the time as an argument, so that it can be tested with made-up time; this is where the edge takes it from.

use std::sync::OnceLock;
use std::time::{Duration, Instant, SystemTime};

/// The time now, from a clock that never runs backwards.
pub fn now() -> Instant {
    Instant::now()
}

/// The time now as people write it; it may run backwards.
pub fn wall() -> SystemTime {
    SystemTime::now()
}

/// A moment as whole milliseconds since the process first looked at the clock, small enough for an atomic.
///
/// Always at least 1, so that 0 can stand for "never".
pub fn millis() -> u64 {
    static BEGINNING: OnceLock<Instant> = OnceLock::new();
    let since = BEGINNING.get_or_init(Instant::now).elapsed();
    since.as_secs().saturating_mul(1_000).saturating_add(u64::from(since.subsec_millis())).saturating_add(1)
}

/// A moment as milliseconds since 1970 (UTC); 0 for those before.
pub fn since_1970(time: SystemTime) -> u64 {
    to_millis(time.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default())
}

/// The time as people write it, in milliseconds since 1970, as it was when the process first asked for it, and from then on
/// without a jump: whoever sets the clock meanwhile makes nothing longer or shorter that is measured by this.
pub fn steady() -> u64 {
    static BEGINNING: OnceLock<u64> = OnceLock::new();
    let lead = BEGINNING.get_or_init(|| since_1970(wall()).saturating_sub(millis()));
    lead.saturating_add(millis())
}

/// A duration in whole milliseconds.
pub fn to_millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}
