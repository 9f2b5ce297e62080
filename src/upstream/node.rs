//! One server: how it stands.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use parking_lot::{Mutex, MutexGuard};

use super::{
    Availability, CheckCall, Drain, Evidence, Fault, Health, Latency, Load, Place, Pulse, Room, Share,
    Silence, Standing, Stay, Thresholds, Why,
};

/// A change in a node's standing that people want to hear of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use = "a transition that nobody publishes is a node that dies unseen"]
pub enum Transition {
    /// Its checks pass again.
    Up,
    /// Its checks fail.
    Down,
    /// It is silent while others answer.
    Suspect,
    /// It was taken out, or out again after a trial.
    Ejected(Why),
    /// It passed its trial and gets more and more of its share.
    Returning,
    /// It gets all of its share again.
    Returned,
    /// It has more to do than it can: no more than so many attempts wait at it from now on.
    Limited(u32),
    /// It is held back no longer.
    Unlimited,
}

/// How long one trial keeps others off, in milliseconds.
const LONGEST_TRIAL: u64 = 3_000;

/// How long a node that closed a connection as that was used again is not trusted with one, in milliseconds.
const DISTRUST: u64 = 60_000;

/// How long an attempt waits for a node that says nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Patience {
    /// Until the node is suspect: the request only reads.
    UntilSuspect,
    /// Until the node is ejected for its silence: the request may run twice, but not at the same time.
    UntilEjected,
    /// Until its time is over: the request may not run twice.
    Endless,
}

/// The live state of one server in one pool. It outlives configurations: a reload changes nothing here.
#[derive(Debug)]
pub struct Node {
    place: Place,
    checks: Mutex<Checks>,
    traffic: Mutex<Traffic>,
    silence: Silence,
    /// The verdict of `checks`, for those who pick nodes.
    is_passing: AtomicBool,
    /// When the trial of a node that is out begins, in milliseconds of the clock; 0 while it is in. What follows from
    /// `traffic`, for those who pick nodes; the next two as well.
    out_until: AtomicU64,
    is_returning: AtomicBool,
    is_out_for_silence: AtomicBool,
    /// Since when a request is at the node to try it; 0 is none.
    pub(super) tried_at: AtomicU64,
    /// An answer of it broke off, and none was complete since.
    was_cut: AtomicBool,
    /// When it last closed a connection as that was used again; 0 is never.
    dropped_at: AtomicU64,
    /// When it last answered well; 0 is never.
    answered_at: AtomicU64,
    /// Milliseconds of the clock until which the node asked to rest; 0 is never.
    resting_until: AtomicU64,
    load: Load,
    pub(super) room: Room,
    latency: Latency,
    check_call: CheckCall,
    pub(super) drain: Drain,
}

/// What traffic said.
#[derive(Debug, Default)]
pub(super) struct Traffic {
    pub(super) evidence: Evidence,
    pub(super) standing: Standing,
}

/// What checks said.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Checks {
    /// The standing of the node by them.
    pub health: Health,
    /// Milliseconds of the clock when that changed; 0 is never.
    pub since: u64,
    /// Why the last one failed; `None` if it passed or there was none.
    pub failure: Option<Arc<str>>,
    /// When the last one began, in milliseconds of the clock; 0 is never.
    pub began: u64,
}

impl Node {
    /// A node that nothing is known of yet, in the company of those that share `pulse`; it may serve.
    pub fn new(place: Place, pulse: &Arc<Pulse>) -> Self {
        Self {
            place,
            checks: Mutex::default(),
            traffic: Mutex::default(),
            silence: Silence::new(pulse),
            is_passing: AtomicBool::new(true),
            out_until: AtomicU64::new(0),
            is_returning: AtomicBool::new(false),
            is_out_for_silence: AtomicBool::new(false),
            tried_at: AtomicU64::new(0),
            was_cut: AtomicBool::new(false),
            dropped_at: AtomicU64::new(0),
            answered_at: AtomicU64::new(0),
            resting_until: AtomicU64::new(0),
            load: Load::default(),
            room: Room::default(),
            latency: Latency::default(),
            check_call: CheckCall::default(),
            drain: Drain::default(),
        }
    }

    /// The same with a load of its own making.
    #[must_use]
    pub fn with_load(self, load: Load) -> Self {
        Self { load, ..self }
    }

    /// Where the node is.
    pub fn place(&self) -> &Place {
        &self.place
    }

    /// How the node stands at `now`, in milliseconds of the clock.
    pub fn availability(&self, now: u64) -> Availability {
        if let Some(drained) = self.drain.availability() {
            drained
        } else if !self.is_passing.load(Ordering::Relaxed) {
            Availability::CheckFailed
        } else if self.is_out() {
            Availability::Ejected
        } else if self.resting_until.load(Ordering::Relaxed) > now {
            Availability::Resting
        } else if self.silence.is_suspect() {
            Availability::Suspect
        } else {
            Availability::Available
        }
    }

    /// For how long the node has been waiting for a request that tries it, in milliseconds; `None` if it is not.
    pub fn wants_trial(&self, now: u64) -> Option<u64> {
        let until = self.out_until.load(Ordering::Relaxed);
        let is_due = until != 0 && until <= now && !self.is_tried(now);
        let is_due = is_due && self.drain.availability().is_none();
        (is_due && self.is_passing.load(Ordering::Relaxed)).then(|| now - until)
    }

    /// The part of its weight that the node gets at `now`.
    pub fn share(&self, now: u64) -> Share {
        if !self.is_returning.load(Ordering::Relaxed) {
            return Share::FULL;
        }
        self.traffic.lock().standing.share(now)
    }

    /// How the node stands by its traffic.
    pub fn stay(&self) -> Stay {
        self.traffic.lock().standing.stay()
    }

    /// Its good answers in a second, over the last ten.
    pub fn rate(&self, now: u64) -> f64 {
        let (good, _) = self.traffic.lock().evidence.counts(now);
        f64::from(good) / 10.0
    }

    /// What checks said.
    pub fn checks(&self) -> Checks {
        self.checks.lock().clone()
    }

    /// What it has to do.
    pub fn load(&self) -> &Load {
        &self.load
    }

    /// How long it takes to answer; nothing unless its pool balances by that.
    pub fn latency(&self) -> &Latency {
        &self.latency
    }

    /// Asks for a check as soon as may be.
    pub fn check_call(&self) -> &CheckCall {
        &self.check_call
    }

    /// Something came from the node: it is not silent.
    pub fn heard(&self, now: u64) {
        self.silence.heard(now);
        if self.is_out_for_silence() && self.out_until.load(Ordering::Relaxed) > now {
            self.change(|traffic| traffic.standing.reconsider(None, now));
        }
    }

    /// Whether the node, and the others of its pool, should be asked for a sign of life; true once for each time.
    pub fn take_ping(&self) -> bool {
        self.silence.take_ping()
    }

    /// The node gave a sign of life, `waited` milliseconds after it was asked for one.
    pub fn gave_a_sign(&self, waited: u64, now: u64) {
        self.heard(now);
        self.silence.answered(waited, now);
    }

    /// Whether an attempt that has waited for longer than [`PATIENCE`](super::PATIENCE) should give the node up.
    pub fn is_given_up(&self, patience: Patience) -> bool {
        match patience {
            Patience::UntilSuspect => self.silence.is_suspect() || self.is_out_for_silence(),
            Patience::UntilEjected => self.is_out_for_silence(),
            Patience::Endless => false,
        }
    }

    /// An answer is complete.
    pub fn completed(&self) {
        if self.was_cut.load(Ordering::Relaxed) && self.was_cut.swap(false, Ordering::Relaxed) {
            self.traffic.lock().evidence.completed();
        }
    }

    /// A connection that had served before broke as it was used again.
    pub fn dropped_a_connection(&self, now: u64) {
        self.dropped_at.store(now, Ordering::Relaxed);
    }

    /// Whether that happened in the last minute.
    pub fn drops_connections(&self, now: u64) -> bool {
        let at = self.dropped_at.load(Ordering::Relaxed);
        at != 0 && now.saturating_sub(at) < DISTRUST
    }

    /// Gives the node no new work until `until`, in milliseconds of the clock, if another can take it.
    pub fn rest(&self, until: u64) {
        self.resting_until.fetch_max(until, Ordering::Relaxed);
    }

    /// Takes the outcome of one check that began and ended then, in milliseconds of the clock: why it failed, if it did.
    ///
    /// A node that comes back by its checks is on trial at once.
    #[must_use]
    pub fn checked(
        &self,
        failure: Option<&str>,
        thresholds: Thresholds,
        (began, now): (u64, u64),
    ) -> Option<Transition> {
        let passed = failure.is_none();
        let mut checks = self.checks.lock();
        checks.failure = failure.map(Arc::from);
        checks.began = began;
        if passed {
            self.passed_after_drain(began, now);
        }
        if !checks.health.record(passed, thresholds) {
            return None;
        }
        let since = std::mem::replace(&mut checks.since, now);
        self.is_passing.store(passed, Ordering::Relaxed);
        if passed {
            self.change(|traffic| traffic.standing.reconsider(Some(since), now));
        } else {
            self.fell(now);
        }
        Some(if passed { Transition::Up } else { Transition::Down })
    }

    /// Takes a failed check for no more than a remark: the node has just answered well.
    pub fn noted(&self, failure: &str, began: u64) {
        let mut checks = self.checks.lock();
        checks.failure = Some(Arc::from(failure));
        checks.began = began;
    }

    /// Forgets what checks said: for a pool that is checked no longer.
    #[must_use]
    pub fn unchecked(&self) -> Option<Transition> {
        *self.checks.lock() = Checks::default();
        (!self.is_passing.swap(true, Ordering::Relaxed)).then_some(Transition::Up)
    }

    /// Whether the node answered well in the `span` milliseconds before `now`.
    pub fn answered_within(&self, span: u64, now: u64) -> bool {
        let at = self.answered_at.load(Ordering::Relaxed);
        at != 0 && now.saturating_sub(at) <= span
    }

    /// Whether the node gets a part of its share, on its way back.
    pub fn is_returning(&self) -> bool {
        self.is_returning.load(Ordering::Relaxed)
    }

    /// Whether a request is at the node that tries it.
    pub(super) fn is_on_trial(&self, now: u64) -> bool {
        self.is_out() && self.is_tried(now)
    }

    /// Whether the node is out, on trial or not.
    pub(super) fn is_out(&self) -> bool {
        self.out_until.load(Ordering::Relaxed) != 0
    }

    /// Whether the node is out because nothing came from it.
    pub(super) fn is_out_for_silence(&self) -> bool {
        self.is_out_for_silence.load(Ordering::Relaxed)
    }

    /// Whether a request tries it that has not had longer than it may: a client that sends slowly, or a slow answer, holds
    /// up one trial and not the return.
    fn is_tried(&self, now: u64) -> bool {
        let at = self.tried_at.load(Ordering::Relaxed);
        at != 0 && now.saturating_sub(at) <= LONGEST_TRIAL
    }

    /// Whether an attempt has waited for longer than it should.
    pub(super) fn is_waited_for(&self) -> bool {
        self.silence.has_overdue()
    }

    pub(super) fn silence(&self) -> &Silence {
        &self.silence
    }

    pub(super) fn answered(&self, now: u64) {
        if self.answered_at.load(Ordering::Relaxed) != now {
            self.answered_at.store(now, Ordering::Relaxed);
        }
    }

    /// When the last check began, if it failed.
    pub(super) fn failed_check(&self) -> Option<u64> {
        let checks = self.checks.lock();
        checks.failure.is_some().then_some(checks.began)
    }

    /// An attempt at it failed.
    pub(super) fn failed(&self, fault: Fault, now: u64) {
        self.was_cut.fetch_or(fault == Fault::Cut, Ordering::Relaxed);
        // Who is refused leaves nothing at the node that could be too much, and goes on to another one or waits.
        if fault != Fault::Unreachable {
            if self.load.failed(now) {
                self.takes_more();
            }
            self.stir_if_limited();
        }
        self.traffic.lock().evidence.failed(fault, now);
    }

    pub(super) fn traffic(&self) -> MutexGuard<'_, Traffic> {
        self.traffic.lock()
    }

    /// Changes what is held of the node's traffic, and what those see who pick nodes.
    pub(super) fn change<T>(&self, change: impl FnOnce(&mut Traffic) -> T) -> T {
        let mut traffic = self.traffic.lock();
        let changed = change(&mut traffic);
        let stay = traffic.standing.stay();
        let (until, why) = match stay {
            Stay::Out { until, why, .. } => (until.max(1), Some(why)),
            Stay::In | Stay::Returning { .. } => (0, None),
        };
        self.out_until.store(until, Ordering::Relaxed);
        self.is_returning.store(matches!(stay, Stay::Returning { .. }), Ordering::Relaxed);
        self.is_out_for_silence.store(why == Some(Why::Silent), Ordering::Relaxed);
        self.stir();
        changed
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slot_counts_until_it_is_dropped() {
        let node = Arc::new(Node::new(Place::Unix("/a".into()), &Arc::default()));
        let slots = (node.enter(None, 1), node.enter(None, 1));
        assert_eq!(node.load().in_flight(), 2);
        drop(slots.0);
        assert_eq!(node.load().in_flight(), 1);
    }

    #[test]
    fn node_knows_why_its_last_check_failed_and_since_when_it_is_out() {
        let node = Node::new(Place::Unix("/a".into()), &Arc::default());
        let thresholds = Thresholds { fall: 2, rise: 1 };
        assert_eq!(node.checked(Some("refused"), thresholds, (10, 10)), None);
        assert_eq!((node.checks().since, node.checks().failure.as_deref()), (0, Some("refused")));
        assert_eq!(node.checked(Some("no answer"), thresholds, (20, 20)), Some(Transition::Down));
        assert_eq!(node.checked(Some("refused"), thresholds, (30, 30)), None);
        assert_eq!((node.checks().since, node.checks().failure.as_deref()), (20, Some("refused")));
        assert_eq!(node.checked(None, thresholds, (40, 40)), Some(Transition::Up));
        assert_eq!((node.checks().since, node.checks().failure), (40, None));
    }
}
