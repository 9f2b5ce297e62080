//! What is usual at a node while it is not overloaded.

use super::tuning::Tuning;
use super::window::Window;

/// So many windows are averaged before the slow rhythm of later ones sets in.
const FIRST_WINDOWS: f64 = 4.0;

/// What is usual at a node; durations in milliseconds.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Usual {
    /// How long an answer is waited for.
    wait: f64,
    /// Attempts that wait.
    waiting: f64,
    /// When that was last learnt, in milliseconds of the clock.
    at: u64,
    /// How many windows it was learnt from, as far as that matters.
    windows: f64,
}

impl Usual {
    /// What is usual, as far as one window can tell.
    pub(super) fn new(window: &Window) -> Self {
        Self { wait: window.wait, waiting: f64::from(window.waiting), at: window.end, windows: 1.0 }
    }

    /// How long an answer is waited for.
    pub(super) fn wait(&self) -> f64 {
        self.wait
    }

    /// Attempts that wait.
    pub(super) fn waiting(&self) -> f64 {
        self.waiting
    }

    /// The longest wait that is no reason to do anything.
    pub(super) fn ease(&self, tuning: &Tuning) -> f64 {
        tuning.ease * self.wait + tuning.margin
    }

    /// Learns from a window in which nothing held the node back.
    pub(super) fn learn(&mut self, window: &Window, tuning: &Tuning) {
        let slowness = if window.wait > self.wait { tuning.slower } else { tuning.faster };
        let passed = window.end.saturating_sub(self.at) as f64;
        let by_time = 1.0 - (-passed / slowness).exp();
        let part =
            if self.windows < FIRST_WINDOWS { by_time.max(1.0 / (self.windows + 1.0)) } else { by_time };
        self.windows = (self.windows + 1.0).min(FIRST_WINDOWS);
        self.wait += part * (window.wait - self.wait);
        self.waiting += part * (f64::from(window.waiting) - self.waiting);
        self.at = window.end;
    }

    /// Time passes in which nothing can be learnt.
    pub(super) fn pause(&mut self, window: &Window) {
        self.at = window.end;
    }

    /// Takes it for usual that the goal of a limit is a wait of `goal`.
    pub(super) fn accept_goal(&mut self, goal: f64, tuning: &Tuning) {
        let wait = (goal / tuning.goal - tuning.margin) / tuning.ease;
        self.wait = self.wait.max(wait);
    }

    /// Doubts that it is as slow as that.
    pub(super) fn doubt(&mut self, tuning: &Tuning) {
        self.wait *= tuning.step;
    }
}
