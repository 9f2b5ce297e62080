//! How long a request waits before it tries a node for the second time.

use std::time::Duration;

const BASE: Duration = Duration::from_millis(25);
const LONGEST: Duration = Duration::from_millis(250);

/// The wait before the `round`th return (from 1) to nodes that were tried already: full jitter over a doubling base, so
/// that requests that failed together do not come back together.
///
/// `chance` is a uniform random number in `0.0..=1.0`; the wait is at most 250 ms.
///
/// Source: M. Brooker, "Exponential Backoff And Jitter", AWS Architecture Blog, 2015.
pub fn backoff(round: u32, chance: f64) -> Duration {
    let doublings = round.saturating_sub(1).min(16);
    let ceiling = BASE.saturating_mul(1 << doublings).min(LONGEST);
    ceiling.mul_f64(chance.clamp(0.0, 1.0))
}
