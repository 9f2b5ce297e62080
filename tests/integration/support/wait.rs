//! Waiting for conditions, never for a while.

use std::thread;
use std::time::{Duration, Instant};

/// How long anything may take that should happen at once; long, because the machine may be busy.
pub(crate) const PATIENCE: Duration = Duration::from_secs(20);

/// Asks again and again until there is a value, and panics with `what` after [`PATIENCE`].
#[track_caller]
pub(crate) fn eventually<T>(what: &str, mut ask: impl FnMut() -> Option<T>) -> T {
    let deadline = Instant::now() + PATIENCE;
    loop {
        if let Some(value) = ask() {
            return value;
        }
        assert!(Instant::now() < deadline, "in {PATIENCE:?} it did not happen that {what}");
        thread::sleep(Duration::from_millis(5));
    }
}

/// Waits until `holds`, and panics with `what` after [`PATIENCE`].
#[track_caller]
pub(crate) fn until(what: &str, mut holds: impl FnMut() -> bool) {
    eventually(what, || holds().then_some(()));
}
