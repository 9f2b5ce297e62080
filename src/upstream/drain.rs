//! Keeping new work from a node because a person says so.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use super::{Availability, Node};

/// Whether a person keeps new work from a node, or has let it go and no check has passed since.
#[derive(Debug, Default)]
pub struct Drain {
    /// Since when, in milliseconds of the clock; 0 is not at all.
    since: AtomicU64,
    /// Since when it may come back; 0 is not yet.
    over: AtomicU64,
    /// Whether it gets nothing even if no other node takes a request.
    is_barred: AtomicBool,
}

/// Whether a drained node gets the requests that no other node takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Resort {
    /// It does: it is the last resort.
    Last,
    /// It does not, whatever becomes of them.
    Never,
}

impl Drain {
    /// What follows for the node, if anything does.
    pub(super) fn availability(&self) -> Option<Availability> {
        if self.since.load(Ordering::Relaxed) == 0 {
            return None;
        }
        let is_over = self.over.load(Ordering::Relaxed) != 0;
        Some(if is_over { Availability::CheckFailed } else { Availability::Drained })
    }

    /// Whether the node waits for a check that begins at `began` or later.
    fn waits_for(&self, began: u64) -> bool {
        let over = self.over.load(Ordering::Relaxed);
        over != 0 && over <= began
    }
}

impl Node {
    /// Gives the node no new work from now on, but for that which `resort` says; what it has it may finish.
    pub fn drain(&self, resort: Resort, now: u64) {
        self.drain.is_barred.store(resort == Resort::Never, Ordering::Relaxed);
        self.drain.over.store(0, Ordering::Relaxed);
        // Who is drained again before it was back has been out for all of that time.
        let _ = self.drain.since.compare_exchange(0, now.max(1), Ordering::Relaxed, Ordering::Relaxed);
    }

    /// Lets the node come back: through a check that begins from now on where the pool `is_checked`, then a trial, and step
    /// by step.
    pub fn undrain(&self, is_checked: bool, now: u64) {
        if !self.is_held_back() {
            return;
        }
        if !is_checked {
            return self.bring_back(now);
        }
        let _ = self.drain.over.compare_exchange(0, now.max(1), Ordering::Relaxed, Ordering::Relaxed);
        self.check_call().call();
    }

    /// Whether the node is kept from new work because a person said so.
    pub fn is_drained(&self) -> bool {
        self.drain.availability() == Some(Availability::Drained)
    }

    /// Whether the node gets no request, even if no other takes it.
    pub fn is_barred(&self) -> bool {
        self.drain.is_barred.load(Ordering::Relaxed) && self.is_drained()
    }

    /// Whether its checks speak for the node: the last one passed, and as many as it takes did.
    pub fn passes_checks(&self) -> bool {
        let checks = self.checks();
        checks.began != 0 && checks.failure.is_none() && checks.health.is_passing()
    }

    /// Whether the node was drained, may come back, and has not passed a check since.
    pub fn awaits_check(&self) -> bool {
        self.drain.availability() == Some(Availability::CheckFailed)
    }

    /// A check passed that began then.
    pub(super) fn passed_after_drain(&self, began: u64, now: u64) {
        if self.drain.waits_for(began) {
            self.bring_back(now);
        }
    }

    fn is_held_back(&self) -> bool {
        self.drain.availability().is_some()
    }

    fn bring_back(&self, now: u64) {
        let since = self.drain.since.load(Ordering::Relaxed);
        // On trial before it is let go, so that there is no moment in which it counts as up.
        self.change(|traffic| {
            traffic.evidence.forget();
            traffic.standing.bring_back(since, now);
        });
        self.silence().clear();
        self.drain.over.store(0, Ordering::Relaxed);
        self.drain.since.store(0, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::upstream::{Place, Stay, Thresholds, Why};

    const ONCE: Thresholds = Thresholds { fall: 3, rise: 1 };

    fn node() -> Arc<Node> {
        Arc::new(Node::new(Place::Unix("/a".into()), &Arc::default()))
    }

    #[test]
    fn drained_node_comes_back_through_a_check_and_a_trial() {
        let node = node();
        node.drain(Resort::Last, 100);
        assert_eq!((node.availability(100), node.is_drained()), (Availability::Drained, true));
        assert_eq!(node.checked(None, ONCE, (150, 160)), None);
        assert!(node.is_drained(), "checks go on and change nothing");

        node.undrain(true, 200);
        assert_eq!((node.availability(200), node.awaits_check()), (Availability::CheckFailed, true));
        assert_eq!(node.checked(None, ONCE, (190, 210)), None);
        assert!(node.awaits_check(), "that check began before");
        assert_eq!(node.checked(Some("refused"), ONCE, (220, 230)), None);
        assert_eq!((node.awaits_check(), node.wants_trial(230)), (true, None));
        assert_eq!(node.checked(None, ONCE, (240, 250)), None);
        assert_eq!(node.stay(), Stay::Out { since: 100, until: 250, why: Why::Drained });
        assert_eq!((node.availability(250), node.wants_trial(250)), (Availability::Ejected, Some(0)));
    }

    #[test]
    fn node_that_nobody_checks_is_on_trial_at_once() {
        let node = node();
        node.undrain(false, 50);
        assert_eq!(node.stay(), Stay::In, "it was not drained");
        node.drain(Resort::Last, 100);
        node.undrain(false, 200);
        assert_eq!(node.stay(), Stay::Out { since: 100, until: 200, why: Why::Drained });
    }

    #[test]
    fn node_that_is_drained_again_before_it_was_back_stays_out() {
        let node = node();
        node.drain(Resort::Last, 100);
        node.undrain(true, 200);
        node.drain(Resort::Last, 300);
        assert_eq!(node.checked(None, ONCE, (310, 320)), None);
        assert!(node.is_drained());
        node.undrain(true, 400);
        assert_eq!(node.checked(None, ONCE, (410, 420)), None);
        assert_eq!(node.stay(), Stay::Out { since: 100, until: 420, why: Why::Drained });
    }

    #[test]
    fn node_is_barred_only_while_it_is_drained() {
        let node = node();
        assert!(!node.is_barred());
        node.drain(Resort::Never, 100);
        assert!(node.is_barred() && !node.passes_checks());
        node.undrain(true, 200);
        assert!(!node.is_barred());
        node.drain(Resort::Last, 300);
        assert!(!node.is_barred());
    }

    #[test]
    fn node_is_drained_whatever_else_speaks_against_it() {
        let node = node();
        for now in 1..=3 {
            let _ = node.checked(Some("refused"), ONCE, (now, now));
        }
        assert_eq!(node.availability(4), Availability::CheckFailed);
        node.drain(Resort::Last, 5);
        assert_eq!(node.availability(5), Availability::Drained);
        assert!(!node.passes_checks());
        let _ = node.checked(None, ONCE, (6, 6));
        assert!(node.passes_checks());
    }
}
