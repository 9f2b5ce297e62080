//! The learnt limit of one node: how many attempts may wait at it for the heads of their answers.
//!
//! There is none until the node is found to be late with many attempts at it: a node that has never been near its limit is
//! not held to a guess. What is found is decided from window to window by a pure learner; requests pay for a few numbers
//! that do not wait for each other.

mod hold;
mod learner;
mod legacy;
mod tuning;
mod usual;
mod window;

use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::time::Duration;

use parking_lot::Mutex;

use self::learner::Learner;
pub use self::learner::Shown;
pub use self::legacy::Learnt;
pub use self::tuning::Tuning;
use self::window::Window;
use super::Transition;

/// No limit.
const NONE: u32 = u32::MAX;

/// How the answers of a window are kept in one number: how many in the upper bits, and their waits in the lower ones, in
/// microseconds.
const WAITS: u32 = 44;

/// The longest wait that is told apart, in microseconds; a million of them find room.
const LONGEST_WAIT: u64 = (1 << 24) - 1;

/// A window is closed after this time even if little happened, in milliseconds.
const LONGEST_WINDOW: u64 = 2_000;

/// One of so many that come to be slow is no exception: the node is.
const LATE_FOR_MANY: u64 = 3;

/// An attempt that waits for longer than this may linger, in milliseconds.
const PROMPT: u64 = super::PATIENCE;

/// The limit of one node, and what it is learnt from.
#[derive(Debug)]
pub struct Limit {
    most: AtomicU32,
    /// Answers of the window under way and their waits, as [`WAITS`] says.
    answers: AtomicU64,
    /// The same of those that had waited for so long that they may be slow for reasons of their own.
    slow: AtomicU64,
    /// Attempts that came to have waited for that long.
    late: AtomicU32,
    failures: AtomicU32,
    /// Attempts that took the last place, or found none, or went elsewhere because there was none.
    filled: AtomicU32,
    /// When the window began, and from when on it may be closed, in milliseconds of the clock; 0 is before the first.
    opened: AtomicU64,
    due: AtomicU64,
    /// The fewest answers of a window.
    enough: AtomicU32,
    /// How long an attempt has to wait to be slow, in milliseconds; [`NONE`] while little is known.
    slow_after: AtomicU32,
    /// How long it has to wait before it may linger: the same, or [`NONE`] while the node is not at ease.
    linger_after: AtomicU32,
    learner: Mutex<Learning>,
}

#[derive(Debug)]
struct Learning {
    learner: Learner,
    /// The limit that people were told of last.
    told: Option<u32>,
}

impl Default for Limit {
    fn default() -> Self {
        Self::new(Tuning::default())
    }
}

impl Limit {
    /// Nothing is known of the node yet.
    pub fn new(tuning: Tuning) -> Self {
        Self {
            most: AtomicU32::new(NONE),
            answers: AtomicU64::new(0),
            slow: AtomicU64::new(0),
            late: AtomicU32::new(0),
            failures: AtomicU32::new(0),
            filled: AtomicU32::new(0),
            opened: AtomicU64::new(0),
            due: AtomicU64::new(0),
            enough: AtomicU32::new(tuning.enough),
            slow_after: AtomicU32::new(NONE),
            linger_after: AtomicU32::new(NONE),
            learner: Mutex::new(Learning { learner: Learner::new(tuning), told: None }),
        }
    }

    /// The most attempts that may wait at the node.
    pub fn most(&self) -> Option<u32> {
        let most = self.most.load(Ordering::Relaxed);
        (most != NONE).then_some(most)
    }

    /// How many more attempts may begin where `waiting` others wait.
    pub(super) fn room(&self, waiting: u32) -> u32 {
        self.most.load(Ordering::Relaxed).saturating_sub(waiting)
    }

    /// The same for one that begins if it may.
    pub(super) fn enter(&self, waiting: u32) -> bool {
        let most = self.most.load(Ordering::Relaxed);
        if waiting.saturating_add(1) >= most {
            self.filled.fetch_add(1, Ordering::Relaxed);
        }
        waiting < most
    }

    /// One goes elsewhere where `waiting` others wait, because there is no place for it.
    pub(super) fn passed_by(&self, waiting: u32) {
        if self.room(waiting) == 0 {
            self.filled.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// What the node has shown that it can carry.
    pub fn shown(&self) -> Shown {
        self.learner.lock().learner.shown()
    }

    /// The limit, if the node was found to have more to do than it can.
    pub fn held(&self) -> Option<u32> {
        self.learner.lock().learner.held().map(whole)
    }

    /// Whether an attempt that has waited for so many milliseconds is slow. Each is asked for until it is, and then counted.
    pub(super) fn is_late(&self, waited: u64) -> bool {
        let is_late = waited >= u64::from(self.slow_after.load(Ordering::Relaxed));
        if is_late {
            self.late.fetch_add(1, Ordering::Relaxed);
        }
        is_late
    }

    /// Whether an attempt that has waited for so many milliseconds, while the node answers others, is slow for reasons of
    /// its own.
    pub(super) fn may_linger(&self, waited: u64) -> bool {
        waited >= u64::from(self.linger_after.load(Ordering::Relaxed))
    }

    /// The head of an answer came after `waited`, and `waiting` others still wait. Whether the limit rose because of it.
    pub(super) fn answered(&self, waited: Duration, waiting: u32, now: u64) -> bool {
        let micros = u64::try_from(waited.as_micros()).unwrap_or(u64::MAX).min(LONGEST_WAIT);
        let is_slow = micros / 1_000 >= u64::from(self.slow_after.load(Ordering::Relaxed));
        let answers = if is_slow { &self.slow } else { &self.answers };
        let count = (answers.fetch_add(1 << WAITS | micros, Ordering::Relaxed) >> WAITS) + 1;
        let due = self.due.load(Ordering::Relaxed);
        if now < due || due == 0 && self.begin(now.saturating_sub(micros / 1_000)) {
            return false;
        }
        let is_enough = count >= u64::from(self.enough.load(Ordering::Relaxed));
        (is_enough || now >= due + LONGEST_WINDOW) && self.close(waiting, now)
    }

    /// An attempt failed. Whether the limit rose because of it.
    pub(super) fn failed(&self, waiting: u32, now: u64) -> bool {
        let failures = self.failures.fetch_add(1, Ordering::Relaxed) + 1;
        let due = self.due.load(Ordering::Relaxed);
        let is_enough = failures >= self.enough.load(Ordering::Relaxed);
        due != 0 && now >= due && is_enough && self.close(waiting, now)
    }

    /// The node was taken out, or is gone.
    pub(super) fn fell(&self, now: u64) {
        let mut learning = self.learner.lock();
        learning.learner.fell(now);
        self.publish(&learning.learner);
    }

    /// Looks at what time alone changes, and says what there is to tell.
    pub(super) fn review(&self, now: u64) -> Option<Transition> {
        let mut learning = self.learner.lock();
        learning.learner.pass(now);
        self.publish(&learning.learner);
        let held = learning.learner.held().map(whole);
        let told = std::mem::replace(&mut learning.told, held);
        match (told, held) {
            (None, Some(most)) => Some(Transition::Limited(most)),
            (Some(_), None) => Some(Transition::Unlimited),
            (None, None) | (Some(_), Some(_)) => None,
        }
    }

    /// Begins the first window, which is as short as may be: nothing shows as well how quick a node is as its first answers.
    fn begin(&self, at: u64) -> bool {
        self.opened.store(at, Ordering::Relaxed);
        self.due.store(at.max(1), Ordering::Relaxed);
        true
    }

    /// Closes the window under way, unless somebody else does. Whether the limit rose because of it.
    fn close(&self, waiting: u32, now: u64) -> bool {
        let Some(mut learning) = self.learner.try_lock() else { return false };
        if now < self.due.load(Ordering::Relaxed) {
            return false;
        }
        let take = |answers: &AtomicU64| {
            let answers = answers.swap(0, Ordering::Relaxed);
            (answers >> WAITS, answers & ((1 << WAITS) - 1))
        };
        let (prompt, slow) = (take(&self.answers), take(&self.slow));
        // Those that are slow say nothing of how long others wait, unless that is how long those wait that come now.
        let is_slow = u64::from(self.late.swap(0, Ordering::Relaxed)) * LATE_FOR_MANY > prompt.0
            || prompt.0 == 0 && slow.0 > 0;
        let (waited, waits) = if is_slow { (prompt.0 + slow.0, prompt.1 + slow.1) } else { prompt };
        // While the node was at ease they lingered, and took no place.
        let lingered = !is_slow && self.linger_after.load(Ordering::Relaxed) != NONE;
        let count = if lingered { prompt.0 } else { prompt.0 + slow.0 };
        let opened = self.opened.swap(now, Ordering::Relaxed);
        let window = Window {
            end: now,
            length: now.saturating_sub(opened).max(1) as f64,
            answers: u32::try_from(count).unwrap_or(u32::MAX),
            wait: if waited == 0 { 0.0 } else { waits as f64 / waited as f64 / 1_000.0 },
            is_slow,
            failures: self.failures.swap(0, Ordering::Relaxed),
            filled: self.filled.swap(0, Ordering::Relaxed),
            waiting,
            is_full: self.room(waiting) <= 1,
        };
        let learner = &mut learning.learner;
        learner.look(&window);
        let (enough, length) = learner.window();
        self.enough.store(enough, Ordering::Relaxed);
        self.due.store(now + length as u64, Ordering::Relaxed);
        let ease = learner.ease().map(|ease| whole(ease.max(PROMPT as f64)));
        self.slow_after.store(ease.unwrap_or(NONE), Ordering::Relaxed);
        let is_at_ease = learner.is_at_ease(&window);
        self.linger_after.store(ease.filter(|_| is_at_ease).unwrap_or(NONE), Ordering::Relaxed);
        self.publish(learner)
    }

    /// Whether it is more than it was.
    fn publish(&self, learner: &Learner) -> bool {
        let most = learner.most().map_or(NONE, whole);
        most > self.most.swap(most, Ordering::Relaxed)
    }
}

/// A limit as a whole number; never 0.
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "it is between the bounds")]
fn whole(most: f64) -> u32 {
    most.round().clamp(1.0, f64::from(NONE - 1)) as u32
}

#[cfg(test)]
#[path = "tests.rs"]
mod tests;
