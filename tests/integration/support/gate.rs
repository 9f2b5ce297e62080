//! A door between a test and its nodes.

use std::sync::{Arc, Condvar, Mutex};

use super::wait::PATIENCE;

/// Closed at first; once opened it stays open. Clones are the same gate.
#[derive(Clone, Default)]
pub(crate) struct Gate(Arc<(Mutex<bool>, Condvar)>);

impl Gate {
    pub(crate) fn open(&self) {
        *self.0.0.lock().unwrap() = true;
        self.0.1.notify_all();
    }

    /// Returns when it is open.
    pub(crate) fn pass(&self) {
        let (is_open, changed) = &*self.0;
        let waited =
            changed.wait_timeout_while(is_open.lock().unwrap(), PATIENCE, |is_open| !*is_open).unwrap();
        assert!(!waited.1.timed_out(), "nobody opened the gate");
    }
}
