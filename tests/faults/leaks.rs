//! What clients of any proxy saw fail that the design saves, in numbers.

use std::fmt;

use crate::client::{Kind, Outcome, Record};
use crate::evidence::Evidence;
use crate::node::Place;
use crate::row::{How, Loss, Row};
use crate::verdict::{Executions, garbled, late, may_fail};

/// The numbers of a row in front of one proxy.
pub(crate) struct Leaks {
    failed: usize,
    /// Looked whole and was not, or reached the node as another body than was sent.
    wrong: usize,
    /// POST that ran twice.
    twice: usize,
    /// Answered only when all was healed.
    late: usize,
}

impl Leaks {
    pub(crate) fn of(row: &Row, evidence: &Evidence) -> Self {
        let is_wrong = |record: &&Record| matches!(record.outcome(), Outcome::Wrong(_));
        let is_failed = |record: &&Record| {
            !record.is_served() && !is_wrong(record) && !may_fail_somehow(row, evidence, record)
        };
        let executions = Executions::of(evidence);
        let is_twice = |record: &&Record| record.kind == Kind::Post && executions.count(record.id) > 1;
        let count =
            |is: &dyn Fn(&&Record) -> bool| evidence.records.iter().filter(|record| is(record)).count();
        Self {
            failed: count(&is_failed),
            wrong: count(&is_wrong) + garbled(evidence).len(),
            twice: count(&is_twice),
            late: late(row, evidence).len(),
        }
    }

    pub(crate) fn is_clean(&self) -> bool {
        (self.failed, self.wrong, self.twice, self.late) == (0, 0, 0, 0)
    }
}

impl fmt::Display for Leaks {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let counts =
            [(self.failed, "failed"), (self.wrong, "wrong"), (self.twice, "ran twice"), (self.late, "late")];
        let seen: Vec<String> = counts
            .iter()
            .filter(|(count, _)| *count > 0)
            .map(|(count, what)| format!("{count} {what}"))
            .collect();
        f.write_str(if seen.is_empty() { "0" } else { "" })?;
        f.write_str(&seen.join(", "))
    }
}

/// As [`may_fail`], with any status of a server's in place of the one that bookend answers.
fn may_fail_somehow(row: &Row, evidence: &Evidence, record: &Record) -> bool {
    let is_error = matches!(record.outcome(), Outcome::Status(500..));
    let of_kind = |loss: &&Loss| loss.kinds.contains(&record.kind);
    let by_status = row.may_fail.iter().filter(of_kind).any(|loss| match loss.how {
        How::Url(_) => record.place != Place::Own,
        How::Status(500..) => record.place == Place::Own,
        How::Status(_)
        | How::AtTheDoor
        | How::BrokenTwice
        | How::Ended(_)
        | How::EndedAfterMessage(_)
        | How::Cut
        | How::StreamOfItsNode => false,
    });
    (is_error && by_status) || may_fail(row, evidence, record)
}
