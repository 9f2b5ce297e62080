//! A request's place on a node.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use super::Node;

/// A place for one request on a node; freed on drop.
#[derive(Debug)]
pub struct Slot {
    node: Arc<Node>,
    /// When it was taken, in milliseconds of the clock.
    since: u64,
    /// Whether this is the one request that tries the node.
    is_trial: bool,
    /// Whether the head of the answer is still to come.
    is_waiting: bool,
}

impl Slot {
    pub(super) fn new(node: Arc<Node>, since: u64, is_trial: bool) -> Self {
        Self { node, since, is_trial, is_waiting: true }
    }

    /// The node.
    pub fn node(&self) -> &Arc<Node> {
        &self.node
    }

    /// When it was taken, in milliseconds of the clock.
    pub fn since(&self) -> u64 {
        self.since
    }

    /// Whether this is the one request that tries the node.
    pub fn is_trial(&self) -> bool {
        self.is_trial
    }

    /// The head of an answer came, so long after the request was with the node; `None` if that says nothing of how long the
    /// node takes.
    pub fn answered(&mut self, waited: Option<Duration>, now: u64) {
        if std::mem::take(&mut self.is_waiting) {
            self.node.answered_one(waited, now);
        }
    }

    /// The trial is over; others may try the node.
    pub(super) fn end_trial(&mut self) {
        if std::mem::take(&mut self.is_trial) {
            // Unless another one tries it by now.
            let own = self.since.max(1);
            let _ = self.node.tried_at.compare_exchange(own, 0, Ordering::Relaxed, Ordering::Relaxed);
        }
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        self.end_trial();
        self.node.left(self.is_waiting);
    }
}
