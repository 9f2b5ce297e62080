//! What a node did in a short time.

/// Under no limit may fewer attempts wait at a node than this.
pub(super) const LEAST: f64 = 4.0;

/// From so many attempts on that wait at a node it may be late because of them.
const MANY: u32 = 8;

/// What a node did in a short time; durations in milliseconds.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Window {
    /// When it ended, in milliseconds of the clock.
    pub(super) end: u64,
    /// How long it was; more than 0.
    pub(super) length: f64,
    /// Heads that came, but for those that were so slow that they seem to have reasons of their own.
    pub(super) answers: u32,
    /// How long they were waited for, on average.
    pub(super) wait: f64,
    /// Whether so many attempts came to be slow that they are no exceptions: the node is.
    pub(super) is_slow: bool,
    /// Attempts that failed.
    pub(super) failures: u32,
    /// Attempts that took the last place, or found none, or went elsewhere because there was none.
    pub(super) filled: u32,
    /// Attempts that wait at its end.
    pub(super) waiting: u32,
    /// Whether there was no more than one place at its end.
    pub(super) is_full: bool,
}

impl Window {
    /// Answers in a millisecond.
    pub(super) fn rate(&self) -> f64 {
        f64::from(self.answers) / self.length
    }

    /// Whether the limit was reached most of the time: as often as an answer made room, it was taken. Where many are answered
    /// at once and others wait in line only the last of the places that they leave is the last one; then it tells that the
    /// node is full at the end.
    pub(super) fn is_pressed(&self) -> bool {
        self.filled * 2 > self.answers || self.is_full && self.filled > 0
    }

    /// Whether so many attempts wait that this may be why.
    pub(super) fn is_crowded(&self) -> bool {
        self.waiting >= MANY
    }

    /// The part of the attempts that failed.
    pub(super) fn failing(&self) -> f64 {
        let all = self.answers + self.failures;
        if all == 0 { 0.0 } else { f64::from(self.failures) / f64::from(all) }
    }
}
