//! Learning from windows when to limit a node, and to what.

use serde::{Deserialize, Serialize};

use super::hold::{Hold, Measure};
use super::tuning::Tuning;
use super::usual::Usual;
use super::window::{LEAST, Window};

/// A node of which little is known still shows more of what it can where it finishes so much more than so far.
const RISING: f64 = 1.2;

/// A window that is longer says nothing of throughput: the node had nothing to do, in milliseconds.
const LONGEST_WINDOW: f64 = 2_500.0;

/// How long a node has to be at ease until its lateness is over, in milliseconds.
const CALM: u64 = 1_000;

/// How long the most attempts are remembered that were at a node, in milliseconds.
const RECENT: u64 = 3_000;

/// So long has a throughput to be kept up to be shown, in milliseconds.
const SUSTAINED: f64 = 10_000.0;

/// What a node has shown that it can carry.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Shown {
    /// The most answers in a second, kept up for ten seconds, without being late.
    pub rate: f64,
    /// The most attempts that waited at it meanwhile.
    pub in_flight: u32,
    /// Answers in a second with more to do than it could; `None` if it never had.
    pub capacity: Option<f64>,
}

/// Learns the limit of one node.
#[derive(Clone, Debug)]
pub(super) struct Learner {
    pub(super) tuning: Tuning,
    pub(super) usual: Option<Usual>,
    pub(super) stage: Stage,
    /// The most attempts of late, and when.
    peak: (f64, u64),
    pub(super) shown: Shown,
    /// What is being shown: answers, milliseconds and the most attempts.
    showing: (u32, f64, u32),
}

/// How far it has come.
#[derive(Clone, Copy, Debug)]
pub(super) enum Stage {
    /// Nothing is held back.
    Free,
    /// The node is late: attempts may not become many more than they were when it was found so. If it is an overload they
    /// would; a burst, or as many clients as there are, or a slow database, never reaches this.
    Wary { most: f64, late_at: u64, pressed: Measure },
    /// It was reached, which is an overload.
    Holding(Hold),
}

impl Learner {
    pub(super) fn new(tuning: Tuning) -> Self {
        Self {
            tuning,
            usual: None,
            stage: Stage::Free,
            peak: (0.0, 0),
            shown: Shown::default(),
            showing: (0, 0.0, 0),
        }
    }

    /// The most attempts that may wait at the node.
    pub(super) fn most(&self) -> Option<f64> {
        match self.stage {
            Stage::Free => None,
            Stage::Wary { most, .. } => Some(most),
            Stage::Holding(hold) => Some(hold.most()),
        }
    }

    /// The same, once the node was found to be overloaded.
    pub(super) fn held(&self) -> Option<f64> {
        match self.stage {
            Stage::Free | Stage::Wary { .. } => None,
            Stage::Holding(hold) => Some(hold.most()),
        }
    }

    /// What the node has shown.
    pub(super) fn shown(&self) -> Shown {
        self.shown
    }

    /// The fewest answers of a window, and how long it has to be at least, in milliseconds.
    pub(super) fn window(&self) -> (u32, f64) {
        let part = self.usual.map_or(0.0, |usual| usual.wait()) * self.tuning.window;
        (self.tuning.enough, part.clamp(self.tuning.shortest_window, 1_000.0))
    }

    /// The longest wait at which the node is at ease, in milliseconds, once that is known.
    pub(super) fn ease(&self) -> Option<f64> {
        Some(self.usual?.ease(&self.tuning))
    }

    /// Whether it is at the end of `window`.
    pub(super) fn is_at_ease(&self, window: &Window) -> bool {
        !window.is_slow && self.ease().is_some_and(|ease| window.wait <= ease)
    }

    /// Learns from a window.
    pub(super) fn look(&mut self, window: &Window) {
        let waiting = f64::from(window.waiting);
        if waiting >= self.peak.0 || window.end.saturating_sub(self.peak.1) > RECENT {
            self.peak = (waiting, window.end);
        }
        let Some(mut usual) = self.usual else {
            if window.answers > 0 {
                self.usual = Some(Usual::new(window));
            }
            return;
        };
        if window.length > LONGEST_WINDOW {
            usual.pause(window);
            if matches!(self.stage, Stage::Wary { .. }) {
                self.stage = Stage::Free;
            }
        } else {
            self.stage = self.next(window, &mut usual);
        }
        self.usual = Some(usual);
    }

    fn next(&mut self, window: &Window, usual: &mut Usual) -> Stage {
        let waiting = f64::from(window.waiting);
        match self.stage {
            Stage::Free | Stage::Wary { .. } if self.is_failing_for_many(window, usual) => {
                Stage::Holding(Hold::under_failures(self.peak.0, window, &self.tuning))
            }
            Stage::Free if self.is_late(window, usual) => {
                usual.pause(window);
                let grace = if usual.is_young() { self.tuning.grace_of_young } else { self.tuning.grace };
                let most = (waiting * grace).max(waiting + 2.0 * waiting.sqrt());
                Stage::Wary { most, late_at: window.end, pressed: Measure::default() }
            }
            Stage::Free => {
                self.show(window);
                usual.learn(window, &self.tuning);
                Stage::Free
            }
            Stage::Wary { most, late_at, mut pressed } if window.is_pressed() => {
                usual.pause(window);
                pressed.add(window);
                // What it finishes in less than a wait may be no more than a wave of those that began together.
                if pressed.length() >= self.tuning.proof.max(usual.wait()) {
                    let hold = Hold::new(most, self.tuning.forget, window.end);
                    let rate = pressed.rate();
                    let usual_rate = usual.rate(&Window { answers: 0, ..*window });
                    let is_in_vain = usual.is_young()
                        && !Hold::is_fruitful(most / usual.waiting().max(1.0), rate / usual_rate);
                    return Stage::Holding(if rate < usual_rate || is_in_vain {
                        // It finishes less with more to do, or no more than before it had.
                        hold.try_goal(rate, usual, &self.tuning)
                    } else if usual.is_young() {
                        hold.of_young()
                    } else {
                        hold
                    });
                }
                let raised = if usual.is_quick(window, &self.tuning) { most + most.sqrt() } else { most };
                Stage::Wary { most: raised, late_at, pressed }
            }
            Stage::Wary { most, late_at, .. } => {
                // It is late without being asked for more and more: it may have become slower.
                usual.learn(window, &self.tuning);
                let late_at = if self.is_late(window, usual) { window.end } else { late_at.min(window.end) };
                let is_over = window.end.saturating_sub(late_at) > CALM;
                let pressed = Measure::default();
                if is_over { Stage::Free } else { Stage::Wary { most, late_at, pressed } }
            }
            Stage::Holding(mut hold) => {
                let rate = hold.look(window, usual, &self.tuning);
                self.shown.capacity = rate.map(|rate| rate * 1_000.0).or(self.shown.capacity);
                if hold.is_over(window.end) { Stage::Free } else { Stage::Holding(hold) }
            }
        }
    }

    /// Time has passed without a window.
    pub(super) fn pass(&mut self, now: u64) {
        if matches!(self.stage, Stage::Holding(hold) if hold.is_over(now)) {
            self.stage = Stage::Free;
        }
    }

    /// The node is out. When it comes back, it is met by no more than it can surely take, until it shows that it is well.
    pub(super) fn fell(&mut self, now: u64) {
        let Some(usual) = self.usual.filter(|usual| usual.is_known(&self.tuning)) else { return };
        let (usual, (peak, at)) = (usual.waiting(), self.peak);
        let is_in_full_flight = peak >= (2.0 * usual).max(2.0 * LEAST) && now.saturating_sub(at) <= RECENT;
        if !is_in_full_flight {
            let most = (2.0 * usual).max(2.0 * LEAST);
            self.stage = match self.stage {
                Stage::Free | Stage::Wary { .. } => {
                    Stage::Wary { most, late_at: u64::MAX, pressed: Measure::default() }
                }
                holding @ Stage::Holding(_) => holding,
            };
            return;
        }
        let mut hold = match self.stage {
            Stage::Holding(hold) => hold,
            Stage::Free | Stage::Wary { .. } => Hold::new(peak, self.tuning.forget, now),
        };
        hold.fell(peak, now, &self.tuning);
        self.stage = Stage::Holding(hold);
    }

    /// Whether those wait for longer than usual that are answered, and those have to wait for much longer that come.
    fn is_late(&self, window: &Window, usual: &Usual) -> bool {
        let is_longer = window.wait > self.tuning.longer * usual.wait() + 1.0;
        // By Little's law, and sooner to be known than how long those had waited that were answered. A window in which
        // little was answered says that it was short, or that the node stood still, and not how long they have to wait.
        let prospect = f64::from(window.waiting) / usual.rate(window);
        // At first it finishes more and more, whatever it will be able to.
        let is_rising =
            usual.is_young() && window.rate() > RISING * usual.rate(&Window { answers: 0, ..*window });
        is_longer
            && !is_rising
            && window.is_crowded()
            && usual.is_known(&self.tuning)
            && prospect > usual.ease(&self.tuning)
            && prospect < self.tuning.leap * window.wait
    }

    fn is_failing_for_many(&self, window: &Window, usual: &Usual) -> bool {
        // Those that fail have left by now.
        Hold::is_failing(window) && self.peak.0 >= (1.5 * usual.waiting()).max(2.0 * LEAST)
    }

    fn show(&mut self, window: &Window) {
        let (answers, length, most) = &mut self.showing;
        *answers += window.answers;
        *length += window.length;
        *most = (*most).max(window.waiting);
        if *length >= SUSTAINED {
            let rate = f64::from(*answers) / *length * 1_000.0;
            if rate > self.shown.rate {
                self.shown.rate = rate;
                self.shown.in_flight = *most;
            }
            self.showing = (0, 0.0, 0);
        }
    }
}
