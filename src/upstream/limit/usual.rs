//! What is usual at a node while it is not overloaded.

use serde::{Deserialize, Serialize};

use super::tuning::Tuning;
use super::window::Window;

/// Nothing is known sooner than this, in milliseconds.
const SOONEST: f64 = 50.0;

/// How many waits have to pass until what is usual is no longer young.
const YOUTH: f64 = 10.0;

/// Nodes that were seen to answer in less than this, in milliseconds, are given more time than others, but no more than this
/// many times as much.
const QUICK: f64 = 3.0;
const MOST_LENIENT: f64 = 50.0;

/// How fast the usual throughput follows that of late, in milliseconds.
const PACE: f64 = 5_000.0;

/// What is usual at a node; durations in milliseconds.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Usual {
    /// How long an answer is waited for.
    wait: f64,
    /// The same when it was least.
    quickest: f64,
    /// Attempts that wait.
    waiting: f64,
    /// Answers in a millisecond.
    rate: f64,
    /// When that was last learnt, in milliseconds of the clock.
    at: u64,
    /// For how long it was learnt, in milliseconds.
    learnt: f64,
}

impl Usual {
    /// What is usual, as far as one window can tell.
    pub(super) fn new(window: &Window) -> Self {
        Self {
            wait: window.wait,
            quickest: window.wait,
            waiting: f64::from(window.waiting),
            rate: window.rate(),
            at: window.end,
            learnt: window.length,
        }
    }

    /// The same in another process, by whose clock it is now `at`.
    pub(super) fn learnt_until(self, at: u64) -> Self {
        Self { at, ..self }
    }

    /// How long an answer is waited for.
    pub(super) fn wait(&self) -> f64 {
        self.wait
    }

    /// Attempts that wait.
    pub(super) fn waiting(&self) -> f64 {
        self.waiting
    }

    /// Answers in a millisecond, or more if there were more in `window`.
    pub(super) fn rate(&self, window: &Window) -> f64 {
        self.rate.max(window.rate())
    }

    /// Whether it was learnt for long enough: at first only those are answered that are quick.
    pub(super) fn is_known(&self, tuning: &Tuning) -> bool {
        self.learnt >= (tuning.known * self.wait).max(SOONEST)
    }

    /// Whether it may still be far from what will be usual.
    pub(super) fn is_young(&self) -> bool {
        self.learnt < YOUTH * self.wait
    }

    /// The longest wait that is no reason to do anything.
    pub(super) fn ease(&self, tuning: &Tuning) -> f64 {
        tuning.ease * self.wait + tuning.margin * self.leniency()
    }

    /// What answers within a millisecond is made for thousands at a time, and as many clients as it has are no overload.
    fn leniency(&self) -> f64 {
        (QUICK / self.quickest).powi(2).clamp(1.0, MOST_LENIENT)
    }

    /// The wait that a limit aims at.
    pub(super) fn goal(&self, tuning: &Tuning) -> f64 {
        tuning.goal * self.ease(tuning)
    }

    /// Whether answers come clearly sooner than a limit aims at.
    pub(super) fn is_quick(&self, window: &Window, tuning: &Tuning) -> bool {
        window.answers > 0 && window.wait < 0.8 * self.goal(tuning)
    }

    /// Learns from a window in which nothing held the node back.
    pub(super) fn learn(&mut self, window: &Window, tuning: &Tuning) {
        let passed = window.end.saturating_sub(self.at) as f64;
        self.learnt += passed;
        // An average of all there is, at first.
        let part = |slowness: f64| 1.0 - (-passed / slowness.min(self.learnt)).exp();
        let rate = part(PACE);
        let part = part(if window.wait > self.wait { tuning.slower } else { tuning.faster });
        self.wait += part * (window.wait - self.wait);
        if !self.is_known(tuning) {
            // Those that take longer were not answered yet in the windows before.
            self.wait = self.wait.max(window.wait);
        }
        self.waiting += part * (f64::from(window.waiting) - self.waiting);
        self.rate += rate * (window.rate() - self.rate);
        self.quickest = self.quickest.min(window.wait);
        self.at = window.end;
    }

    /// Time passes in which nothing can be learnt.
    pub(super) fn pause(&mut self, window: &Window) {
        self.at = window.end;
    }

    /// Takes it for usual that the goal of a limit is a wait of `goal`.
    pub(super) fn accept_goal(&mut self, goal: f64, tuning: &Tuning) {
        let wait = (goal / tuning.goal - tuning.margin * self.leniency()) / tuning.ease;
        self.wait = self.wait.max(wait);
    }

    /// Doubts that it is as slow as that.
    pub(super) fn doubt(&mut self, tuning: &Tuning) {
        self.wait *= tuning.step;
    }
}
