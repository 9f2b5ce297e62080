//! Silence: when a node that says nothing is taken for dead, and when it is left to finish.
//!
//! One slow answer proves nothing: reports, exports and long polls are slow for good reasons. A node is suspect when
//! several attempts have waited for long, nothing at all came from it meanwhile, and another node answers promptly. If no
//! other is asked anything, because every client waits for the silent one, all are to be asked for a sign of life.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};

use parking_lot::Mutex;

use super::{Node, Patience};

/// How long an attempt waits for its head before it is overdue, and how long a node has to be silent to be suspect, in
/// milliseconds.
pub const PATIENCE: u64 = 1_000;

/// How long a node is suspect before it is ejected, in milliseconds.
const PROBATION: u64 = 1_000;

/// Overdue attempts that make a node suspect, unless it is on trial or a check failed as well.
const WITNESSES: usize = 3;

/// Which nodes of a pool answered promptly of late, and whether time alone may change any of them, shared by all of them.
///
/// The answers are kept as the last two that differ, so that each node can tell when another one answered. Threads that
/// answer at the same moment may overwrite each other; what is lost is one answer of many.
#[derive(Debug, Default)]
pub struct Pulse {
    next: AtomicU32,
    latest: AtomicU64,
    before: AtomicU64,
    has_unrest: AtomicBool,
}

/// What was heard of one node.
#[derive(Debug)]
pub struct Silence {
    pulse: Arc<Pulse>,
    /// The node's number in the pulse.
    number: u16,
    /// When anything last came from it, in milliseconds of the clock; 0 is never.
    heard: AtomicU64,
    /// When each of the attempts began that have waited for longer than [`PATIENCE`] and bear witness.
    overdue: Mutex<Vec<u64>>,
    has_overdue: AtomicBool,
    /// Since when it is suspect; 0 is not.
    suspect_since: AtomicU64,
    /// The node should be asked for a sign of life, and when that was last said.
    wants_ping: AtomicBool,
    pinged: AtomicU64,
}

/// An attempt that waits for the head of its answer.
#[derive(Debug)]
pub struct Vigil {
    node: Arc<Node>,
    patience: Patience,
    /// When the wait began, in milliseconds of the clock.
    began: u64,
    /// What it has to say against the node.
    testimony: Testimony,
    /// Whether it was counted as slow, or known to be.
    is_late: bool,
    /// Whether it is slow for reasons of its own, and takes no place of those that wait.
    is_lingering: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Testimony {
    /// Nothing: requests of its kind are slow everywhere.
    None,
    /// Something, once it is overdue.
    Ready,
    /// It bears witness, until it is dropped.
    Borne,
}

impl Pulse {
    /// A node changed in a way that time may change further: the jury is to look at all of them.
    pub fn stir(&self) {
        // Always written: whoever takes the unrest afterwards sees what was changed before.
        self.has_unrest.swap(true, Ordering::AcqRel);
    }

    /// Whether any of them stirred since this was last asked.
    pub fn take_unrest(&self) -> bool {
        self.has_unrest.load(Ordering::Relaxed) && self.has_unrest.swap(false, Ordering::AcqRel)
    }

    /// `node` answered promptly at `now`.
    fn beat(&self, node: u16, now: u64) {
        let beat = now << 16 | u64::from(node);
        let latest = self.latest.load(Ordering::Relaxed);
        if latest == beat {
            return;
        }
        if number(latest) != node {
            self.before.store(latest, Ordering::Relaxed);
        }
        self.latest.store(beat, Ordering::Relaxed);
    }

    /// When a node other than `node` last answered promptly; 0 is never.
    fn of_others(&self, node: u16) -> u64 {
        let latest = self.latest.load(Ordering::Relaxed);
        let beat = if number(latest) == node { self.before.load(Ordering::Relaxed) } else { latest };
        beat >> 16
    }
}

#[expect(clippy::cast_possible_truncation, reason = "the lower sixteen bits are the number")]
fn number(beat: u64) -> u16 {
    beat as u16
}

impl Silence {
    /// Nothing was heard yet of a new node in the company of those that share `pulse`.
    pub fn new(pulse: &Arc<Pulse>) -> Self {
        // Zero is nobody. Numbers come again after 65,535 nodes, which may let a node pass for another.
        let number = pulse.next.fetch_add(1, Ordering::Relaxed) % u32::from(u16::MAX);
        Self {
            pulse: Arc::clone(pulse),
            number: u16::try_from(number + 1).unwrap_or(u16::MAX),
            heard: AtomicU64::new(0),
            overdue: Mutex::default(),
            has_overdue: AtomicBool::new(false),
            suspect_since: AtomicU64::new(0),
            wants_ping: AtomicBool::new(false),
            pinged: AtomicU64::new(0),
        }
    }

    /// Something came from the node: it is not suspect.
    pub fn heard(&self, now: u64) {
        if self.heard.load(Ordering::Relaxed) != now {
            self.heard.store(now, Ordering::Relaxed);
        }
        if self.is_suspect() {
            self.clear();
        }
    }

    /// The node answered after `waited` milliseconds.
    pub fn answered(&self, waited: u64, now: u64) {
        if waited < PATIENCE {
            self.pulse.beat(self.number, now);
        }
    }

    /// The pulse of the node and the others.
    pub(super) fn pulse(&self) -> &Pulse {
        &self.pulse
    }

    /// Whether there is nothing in it that time may change.
    pub(super) fn is_at_rest(&self) -> bool {
        !self.has_overdue() && !self.is_suspect() && !self.wants_ping.load(Ordering::Relaxed)
    }

    /// Whether the node is suspect.
    pub fn is_suspect(&self) -> bool {
        self.suspect_since.load(Ordering::Relaxed) != 0
    }

    /// Whether it has been suspect for as long as it may.
    pub fn is_over(&self, now: u64) -> bool {
        let since = self.suspect_since.load(Ordering::Relaxed);
        since != 0 && now.saturating_sub(since) >= PROBATION
    }

    /// Ends the suspicion.
    pub fn clear(&self) {
        self.suspect_since.store(0, Ordering::Relaxed);
    }

    /// Looks at the silence at `now` and says whether the node has become suspect.
    ///
    /// `is_on_trial` says that its next failure is enough, `failed_check` when the last check began if it failed.
    pub fn review(&self, is_on_trial: bool, failed_check: Option<u64>, now: u64) -> bool {
        if !self.has_overdue() || self.is_suspect() {
            return false;
        }
        let heard = self.heard.load(Ordering::Relaxed);
        // Those that began before the node was last heard may be slow for reasons of their own.
        let overdue = self.overdue.lock().iter().filter(|&&began| began >= heard).count();
        let others = self.pulse.of_others(self.number);
        // A last answer here and a last answer there are the end of the traffic and no silence.
        let others_answer = others >= heard + PATIENCE / 2 && now.saturating_sub(others) <= PATIENCE;
        // A check that failed is proof enough that it is this node and not the request.
        let is_checked = failed_check.is_some_and(|began| began > heard);
        let is_witnessed = is_checked || others_answer && (is_on_trial || overdue >= WITNESSES);
        let is_silent = overdue > 0 && now.saturating_sub(heard) >= PATIENCE;
        if is_silent && overdue >= WITNESSES && !others_answer {
            // All clients may wait for this node, so that no other is asked anything.
            let is_due = now.saturating_sub(self.pinged.load(Ordering::Relaxed)) >= PATIENCE;
            if is_due {
                self.pinged.store(now, Ordering::Relaxed);
                self.wants_ping.store(true, Ordering::Relaxed);
            }
        }
        let is_suspect = is_silent && is_witnessed;
        if is_suspect {
            self.suspect_since.store(now.max(1), Ordering::Relaxed);
        }
        is_suspect
    }

    /// Whether the node, and the others, should be asked for a sign of life; true once for each time that they should.
    pub fn take_ping(&self) -> bool {
        self.wants_ping.load(Ordering::Relaxed) && self.wants_ping.swap(false, Ordering::Relaxed)
    }

    /// Whether an attempt has waited for longer than [`PATIENCE`].
    pub fn has_overdue(&self) -> bool {
        self.has_overdue.load(Ordering::Relaxed)
    }

    fn bear_witness(&self, began: u64) {
        self.overdue.lock().push(began);
        self.has_overdue.store(true, Ordering::Relaxed);
        self.pulse.stir();
    }

    fn withdraw(&self, began: u64) {
        let mut overdue = self.overdue.lock();
        if let Some(place) = overdue.iter().position(|&other| other == began) {
            overdue.swap_remove(place);
        }
        self.has_overdue.store(!overdue.is_empty(), Ordering::Relaxed);
    }
}

impl Vigil {
    /// An attempt that waits for `node` since `began`. One that `is_slow`, as all of its kind are, says nothing against the
    /// node, but gives it up as others do.
    pub fn new(node: &Arc<Node>, patience: Patience, began: u64, is_slow: bool) -> Self {
        let testimony = if is_slow { Testimony::None } else { Testimony::Ready };
        let mut vigil = Self {
            node: Arc::clone(node),
            patience,
            began,
            testimony,
            is_late: is_slow,
            is_lingering: false,
        };
        if is_slow {
            vigil.linger_after(PATIENCE, began);
        }
        vigil
    }

    /// Looks after the node once the attempt has waited for [`PATIENCE`], and then from time to time. Says whether the
    /// attempt should give it up at `now`.
    pub fn look(&mut self, now: u64) -> bool {
        let waited = now.saturating_sub(self.began);
        self.is_late = self.is_late || self.node.load().limit().is_late(waited);
        self.linger_after(waited, now);
        if self.testimony == Testimony::Ready {
            self.testimony = Testimony::Borne;
            self.node.silence().bear_witness(self.began);
            self.node.check_call().call();
        }
        self.node.is_given_up(self.patience)
    }

    /// Takes no place any longer of those that wait, if the node answers others promptly: then it is not for want of room
    /// that this one has waited for so long.
    fn linger_after(&mut self, waited: u64, now: u64) {
        let load = self.node.load();
        if !self.is_lingering && load.limit().may_linger(waited) && self.node.answered_within(PATIENCE, now) {
            self.is_lingering = true;
            load.linger();
        }
    }
}

impl Drop for Vigil {
    fn drop(&mut self) {
        if self.is_lingering {
            self.node.load().stop_lingering();
        }
        if self.testimony == Testimony::Borne {
            self.node.silence().withdraw(self.began);
        }
    }
}
