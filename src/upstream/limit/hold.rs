//! Finding the limit of a node that has more to do than it can.
//!
//! A node that is overloaded finishes as much with fewer attempts at it: they only wait there. One that has become slower
//! for another reason, such as a database, finishes less. So each step down is a trial that the throughput decides, and the
//! steps end where the node is at ease: what it finishes in a time, times the wait that is aimed at (Little's law).

use super::tuning::Tuning;
use super::usual::Usual;
use super::window::{LEAST, Window};

/// For no longer than this is a throughput measured, in milliseconds.
const LONGEST_MEASURE: f64 = 2_000.0;

/// How often all of those at a node are answered while a throughput is measured.
const GENERATIONS: f64 = 3.0;

/// How long a limit that is at its goal goes undoubted, in milliseconds; twice as long each time that it proves right, up to
/// sixteen times.
const BELIEF: u64 = 5_000;
const FIRMEST: u32 = 4;

/// The part of those that were at a node when it fell that never gets there again.
const SURVIVABLE: f64 = 0.9;

/// Places that bring so much of what they promise are needed.
const FRUITFUL: f64 = 0.6;

/// So much less of a throughput is missed, however many places were taken away for it.
const NOTICED: f64 = 0.15;

/// Less than this part of a limit has to be enough before it is lowered.
const ENOUGH: f64 = 0.85;

/// More than this part of it has to be needed before it is raised.
const MORE: f64 = 1.1;

/// A wait of so many times what is at ease is long enough for a node that has become ten times slower to be busy.
const BEARABLE: f64 = 5.0;

/// The part of attempts that fail which is too large.
const FAILING: f64 = 0.2;

/// A limit in force.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Hold {
    most: f64,
    /// How long it is kept that nobody reaches, in milliseconds.
    forget: u64,
    /// When it was last reached, in milliseconds of the clock.
    pressed_at: u64,
    /// Whether as many attempts are at the node as may be, and no more.
    is_settled: bool,
    measure: Measure,
    /// The limit before the last step down, with what the node finished under it in a millisecond.
    before: Option<(f64, f64)>,
    /// It is never more than this.
    cap: f64,
    /// When it is doubted next, in milliseconds of the clock, and how often it proved right.
    doubt_at: u64,
    proofs: u32,
    /// Whether the node was found to have become slower.
    is_slower: bool,
    /// Whether little was known of it when the limit was set, so that more may be better.
    is_young: bool,
    /// The part that failed before failures lowered the limit, and the limit then.
    failing: Option<(f64, f64)>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Measure {
    answers: u32,
    length: f64,
}

impl Measure {
    pub(super) fn add(&mut self, window: &Window) {
        self.answers += window.answers;
        self.length += window.length;
    }

    /// For how long it was measured, in milliseconds.
    pub(super) fn length(&self) -> f64 {
        self.length
    }

    /// Answers in a millisecond.
    pub(super) fn rate(&self) -> f64 {
        f64::from(self.answers) / self.length
    }
}

impl Hold {
    /// Holds at `most`.
    pub(super) fn new(most: f64, forget: u64, now: u64) -> Self {
        Self {
            most: most.max(LEAST),
            forget,
            pressed_at: now,
            is_settled: false,
            measure: Measure::default(),
            before: None,
            cap: f64::INFINITY,
            doubt_at: now + BELIEF,
            proofs: 0,
            is_slower: false,
            is_young: false,
            failing: None,
        }
    }

    /// The same for a node of which little is known.
    pub(super) fn of_young(self) -> Self {
        Self { is_young: true, doubt_at: 0, ..self }
    }

    /// Goes at once to where the node would be at ease, if it finishes as much there as it did, so many in a millisecond. A
    /// node that slows down while it has too much to do finishes more, and has no time for small steps.
    pub(super) fn try_goal(mut self, rate: f64, usual: &Usual, tuning: &Tuning) -> Self {
        let enough = (rate * BEARABLE * usual.ease(tuning)).min(self.most * 0.5);
        let goal = (rate * usual.goal(tuning)).max(2.0 * usual.waiting()).max(enough);
        if goal < self.most * ENOUGH {
            self.before = Some((self.most, rate));
            self.set(goal);
        }
        self
    }

    /// Holds well under `most`, at which too many attempts fail.
    pub(super) fn under_failures(most: f64, window: &Window, tuning: &Tuning) -> Self {
        let hold = Self::new(most * tuning.step, tuning.forget, window.end);
        Self { failing: Some((window.failing(), most)), ..hold }
    }

    /// Whether so many fail that there may be too many attempts at the node.
    pub(super) fn is_failing(window: &Window) -> bool {
        window.failing() >= FAILING
    }

    /// Whether so many times as many places brought enough answers, in as many times as many as before.
    pub(super) fn is_fruitful(places: f64, answers: f64) -> bool {
        answers - 1.0 > FRUITFUL * (places - 1.0)
    }

    /// The limit.
    pub(super) fn most(&self) -> f64 {
        self.most
    }

    /// Whether nobody has reached it for as long as it is kept.
    pub(super) fn is_over(&self, now: u64) -> bool {
        now.saturating_sub(self.pressed_at) > self.forget
    }

    /// The node fell with `peak` attempts at it.
    pub(super) fn fell(&mut self, peak: f64, now: u64, tuning: &Tuning) {
        let most = (peak * tuning.step).min(self.most);
        *self = Self { cap: peak * SURVIVABLE, ..Self::new(most, tuning.forget_fall, now) };
    }

    /// Looks at a window. Returns what the node finishes in a millisecond once that is known for the limit as it is.
    pub(super) fn look(&mut self, window: &Window, usual: &mut Usual, tuning: &Tuning) -> Option<f64> {
        usual.pause(window);
        if let Some((failing, most)) = self.failing.take() {
            self.judge_failures(window, failing, most);
        } else if Self::is_failing(window) {
            *self = Self { cap: self.cap, ..Self::under_failures(self.most, window, tuning) };
        }
        if !self.is_settled {
            // The window in which the last of those leaves that were too many says nothing yet.
            self.is_settled = f64::from(window.waiting) <= self.most;
            return None;
        }
        if !window.is_pressed() {
            self.measure = Measure::default();
            return None;
        }
        self.pressed_at = window.end;
        if usual.is_quick(window, tuning) && self.before.is_none() {
            // There are attempts that take long, and others are kept out by them that would not have to wait.
            self.set(self.most + self.most.sqrt());
            return None;
        }
        self.measure.add(window);
        if !self.is_measured(1, tuning) {
            return None;
        }
        let rate = self.measure.rate();
        self.judge(rate, window.end, usual, tuning);
        Some(rate)
    }

    /// Failures that do not become fewer with the attempts are not for want of room.
    fn judge_failures(&mut self, window: &Window, failing: f64, most: f64) {
        if f64::from(window.waiting) > self.most {
            self.failing = Some((failing, most));
        } else if window.failing() > failing / 2.0 {
            self.set(most);
        }
    }

    fn judge(&mut self, rate: f64, now: u64, usual: &mut Usual, tuning: &Tuning) {
        if let Some((most, rate_before)) = self.before {
            let (places, answers) = (self.most / most, rate / rate_before);
            let is_fruitful = if places > 1.0 {
                Self::is_fruitful(places, answers)
            } else {
                answers - 1.0 < (FRUITFUL * (places - 1.0)).max(-NOTICED)
            };
            // That places are missed is the graver finding, and has to be surer.
            if is_fruitful && !self.is_measured(2, tuning) {
                return;
            }
            self.before = None;
            match (places > 1.0, is_fruitful) {
                (false, true) => {
                    usual.accept_goal(most / rate_before, tuning);
                    self.is_slower = true;
                    self.believe(now);
                    return self.set(most);
                }
                (true, true) => usual.accept_goal(self.most / rate, tuning),
                (true, false) => {
                    self.is_young = false;
                    self.believe(now);
                    return self.set(most);
                }
                (false, false) => {}
            }
        }
        let is_doubted = now > self.doubt_at;
        // What it had to do when it was well is not too much.
        let floor = usual.waiting() * tuning.step;
        let goal = (rate * usual.goal(tuning)).max(floor);
        if is_doubted && self.is_young {
            self.before = Some((self.most, rate));
            self.set(self.most / tuning.step);
        } else if goal < self.most * ENOUGH && self.most > LEAST {
            // Smaller steps are lost in the noise.
            self.before = Some((self.most, rate));
            self.set((self.most * tuning.step).max(floor));
        } else if goal > self.most * MORE {
            self.set(goal.min(self.most + self.most.sqrt()));
        } else {
            if is_doubted && std::mem::take(&mut self.is_slower) {
                // It may be well again.
                usual.doubt(tuning);
                self.believe(now);
            }
            self.measure = Measure::default();
        }
    }

    fn believe(&mut self, now: u64) {
        self.doubt_at = now + (BELIEF << self.proofs.min(FIRMEST));
        self.proofs += 1;
    }

    /// Whether enough was measured: `times` as much as it takes for those that were there before to be gone.
    fn is_measured(&self, times: u32, tuning: &Tuning) -> bool {
        let enough = f64::from(tuning.sample).max(GENERATIONS * self.most) * f64::from(times);
        f64::from(self.measure.answers) >= enough || self.measure.length >= LONGEST_MEASURE
    }

    fn set(&mut self, most: f64) {
        let most = most.min(self.cap).max(LEAST);
        self.is_settled = false;
        self.most = most;
        self.measure = Measure::default();
    }
}
