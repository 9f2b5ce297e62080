//! What a node's traffic says of it.

use crate::model::Window;

/// How long a row of failures counts as one, in milliseconds.
const ROW_SPAN: u64 = 10_000;

/// A failed attempt, as evidence against its node.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// There was no connection.
    Unreachable,
    /// It broke or answered badly, and another node served the same request well.
    Confirmed,
    /// It broke or answered badly, and no other node was asked: the request may be at fault.
    Unconfirmed,
    /// It began to answer and broke off.
    Cut,
}

/// What a node's traffic said of it of late.
#[derive(Clone, Debug, Default)]
pub struct Evidence {
    good: Window,
    bad: Window,
    /// Failures since the last success.
    row: Row,
    /// Answers that broke off since the last one that was complete.
    cuts: Row,
}

/// Failures in a row.
#[derive(Clone, Copy, Debug, Default)]
struct Row {
    count: u32,
    /// When the first of them was, in milliseconds of the clock.
    since: u64,
    /// Whether all of them were for want of a connection.
    is_unreachable: bool,
}

impl Evidence {
    /// An answer began that was no failure.
    pub fn succeeded(&mut self, now: u64) {
        self.good.count(now);
        self.row = Row::default();
    }

    /// An answer is complete.
    pub fn completed(&mut self) {
        self.cuts = Row::default();
    }

    /// An attempt failed.
    pub fn failed(&mut self, fault: Fault, now: u64) {
        self.bad.count(now);
        match fault {
            Fault::Cut => self.cuts.add(now, false),
            Fault::Unreachable => self.row.add(now, true),
            Fault::Confirmed | Fault::Unconfirmed => self.row.add(now, false),
        }
    }

    /// Failures in a row, all within the last ten seconds.
    pub fn in_a_row(&self, now: u64) -> u32 {
        self.row.recent(now).max(self.cuts.recent(now))
    }

    /// Whether the failures in a row were all for want of a connection.
    pub fn is_unreachable(&self) -> bool {
        self.row.is_unreachable
    }

    /// Successes and failures of the last ten seconds.
    pub fn counts(&mut self, now: u64) -> (u32, u32) {
        (self.good.sum(now), self.bad.sum(now))
    }

    /// Forgets everything: what was known of the node before it was taken out says nothing of how it comes back.
    pub fn forget(&mut self) {
        *self = Self::default();
    }
}

impl Row {
    fn add(&mut self, now: u64, is_unreachable: bool) {
        if self.recent(now) == 0 {
            *self = Self { count: 0, since: now, is_unreachable };
        }
        self.count += 1;
        self.is_unreachable &= is_unreachable;
    }

    fn recent(&self, now: u64) -> u32 {
        if now.saturating_sub(self.since) < ROW_SPAN { self.count } else { 0 }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_success_ends_a_row() {
        let mut evidence = Evidence::default();
        evidence.failed(Fault::Confirmed, 1);
        evidence.failed(Fault::Unreachable, 2);
        assert_eq!((evidence.in_a_row(2), evidence.is_unreachable()), (2, false));
        evidence.succeeded(3);
        assert_eq!((evidence.in_a_row(3), evidence.counts(3)), (0, (1, 2)));
    }

    #[test]
    fn failures_that_are_long_apart_are_no_row() {
        let mut evidence = Evidence::default();
        evidence.failed(Fault::Confirmed, 1);
        evidence.failed(Fault::Unreachable, 12_000);
        assert_eq!((evidence.in_a_row(12_000), evidence.is_unreachable()), (1, true));
    }

    #[test]
    fn answers_that_begin_well_and_break_off_are_a_row() {
        let mut evidence = Evidence::default();
        for now in 1..=3 {
            evidence.succeeded(now);
            evidence.failed(Fault::Cut, now);
        }
        assert_eq!(evidence.in_a_row(3), 3);
        evidence.completed();
        assert_eq!(evidence.in_a_row(3), 0);
    }
}
