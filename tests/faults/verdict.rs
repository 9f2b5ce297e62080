//! The table's claims, held against what was seen.

use std::collections::BTreeMap;
use std::fmt;

use crate::client::{Kind, Outcome, Record};
use crate::evidence::Evidence;
use crate::node::{Event, Place};
use crate::row::{Answered, Fault, How, Loss, Row};
use crate::run::Form;

/// What the short form, which is short, may have over the load that is claimed for longer.
const SHORT_SLACK: f64 = 0.2;
/// A node that is left alone has at least this part of its share.
const LEFT_ALONE: f64 = 0.7;
/// So many examples of one violation.
const EXAMPLES: usize = 3;

/// Everything in which the evidence is not what the row says; nothing, if all is well.
pub(crate) fn violations(row: &Row, form: &Form, evidence: &Evidence) -> Vec<String> {
    let mut found = failures(row, evidence);
    found.extend(executions(row, evidence));
    found.extend(in_use(row, evidence));
    found.extend(unanswered(row, evidence));
    found.extend(load(row, form, evidence));
    if !evidence.survived {
        found.push("the proxy itself ended".to_owned());
    }
    found
}

/// What clients of any proxy saw fail that the design saves. A peer may choose its statuses.
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
    let has_status = |how: How| matches!(how, How::Status(500..) | How::Url(_));
    let of_kind = |loss: &&Loss| loss.kinds.contains(&record.kind);
    let by_status = row.may_fail.iter().filter(of_kind).any(|loss| match loss.how {
        How::Url(_) => record.place != Place::Own,
        how => has_status(how) && record.place == Place::Own,
    });
    (is_error && by_status) || may_fail(row, evidence, record)
}

/// Requests that failed in a way that the row does not allow, by kind and way.
fn failures(row: &Row, evidence: &Evidence) -> Vec<String> {
    let mut failed: BTreeMap<String, Vec<u64>> = BTreeMap::new();
    for record in &evidence.records {
        if !record.is_served() && !may_fail(row, evidence, record) {
            let what = format!("{:?} of {:?}: {:?}", record.kind, record.place, record.outcome());
            failed.entry(what).or_default().push(record.id);
        }
    }
    let mut found: Vec<String> = failed.into_iter().map(|(what, ids)| counted(&what, &ids)).collect();
    let garbled = garbled(evidence);
    if !garbled.is_empty() {
        found.push(counted("a node got another body than was sent", &garbled));
    }
    found
}

/// Requests of which a node got another body than was sent.
fn garbled(evidence: &Evidence) -> Vec<u64> {
    let entries = evidence.nodes.iter().flat_map(|node| &node.entries);
    entries.filter(|entry| entry.event == Event::Garbled).map(|entry| entry.id).collect()
}

fn may_fail(row: &Row, evidence: &Evidence, record: &Record) -> bool {
    let losses = row.may_fail.iter().filter(|loss| loss.kinds.contains(&record.kind));
    let is_own = record.place == Place::Own;
    losses.map(|loss| loss.how).any(|how| match (how, record.outcome()) {
        (How::Status(allowed), Outcome::Status(status)) => is_own && allowed == *status,
        (How::BrokenTwice, Outcome::Status(502)) => {
            evidence.nodes_reached(record.id) >= 2 || record.scheduled < evidence.phases.broke
        }
        (How::Cut, Outcome::Cut) => is_own,
        (How::Url(allowed), Outcome::Status(status)) => !is_own && allowed == *status,
        (How::StreamOfItsNode, Outcome::Cut) => {
            let befallen = &evidence.nodes[..row.befalls];
            record.place == Place::Events
                && befallen.iter().any(|node| record.node.as_deref() == Some(&node.name))
        }
        _ => false,
    })
}

/// Requests that were executed too often, or not at all and yet served.
fn executions(row: &Row, evidence: &Evidence) -> Vec<String> {
    let executions = Executions::of(evidence);
    let (mut too_often, mut never) = (Vec::new(), Vec::new());
    for record in &evidence.records {
        let is_special = record.place != Place::Own && matches!(row.fault, Fault::Url(_));
        let most = match (record.kind, is_special) {
            (Kind::Post, _) => 1,
            (_, true) => row.executions,
            (_, false) => 3,
        };
        if executions.count(record.id) > most {
            too_often.push(record.id);
        }
        if record.is_served() && executions.count(record.id) == 0 {
            never.push(record.id);
        }
    }
    let mut found = Vec::new();
    if !too_often.is_empty() {
        found.push(counted("executed too often", &too_often));
    }
    if !never.is_empty() {
        found.push(counted("served, but by no node", &never));
    }
    found
}

/// How often all nodes together executed each request.
struct Executions(BTreeMap<u64, usize>);

impl Executions {
    fn of(evidence: &Evidence) -> Self {
        let mut times = BTreeMap::new();
        for entry in evidence.nodes.iter().flat_map(|node| &node.entries) {
            if entry.event == Event::Executed {
                *times.entry(entry.id).or_default() += 1;
            }
        }
        Self(times)
    }

    fn count(&self, id: u64) -> usize {
        self.0.get(&id).copied().unwrap_or_default()
    }
}

/// Nodes that had no work when they should have had.
fn in_use(row: &Row, evidence: &Evidence) -> Vec<String> {
    let phases = evidence.phases;
    let mut found = Vec::new();
    for node in &evidence.nodes {
        if node.arrivals(phases.began, phases.broke) == 0 {
            found.push(format!("{} had no work before the fault", node.name));
        }
        if node.arrivals(phases.healed, phases.stopped) == 0 {
            found.push(format!("{} had no work after all was healed", node.name));
        }
        let share = node.arrivals(phases.broke, phases.healed) as f64 * evidence.nodes.len() as f64
            / evidence.arrivals(phases.broke, phases.healed).max(1) as f64;
        if row.is_left_alone && share < LEFT_ALONE {
            found.push(format!("{} should be left alone and had {share:.2} of its share", node.name));
        }
    }
    found
}

fn unanswered(row: &Row, evidence: &Evidence) -> Option<String> {
    let late = late(row, evidence);
    (!late.is_empty()).then(|| counted("not answered while the fault lasted", &late))
}

/// Requests that had their answer only when all was healed, where the design saves them before.
fn late(row: &Row, evidence: &Evidence) -> Vec<u64> {
    let phases = evidence.phases;
    if row.answered == Answered::Once {
        return Vec::new();
    }
    let late = evidence.scheduled(phases.broke, phases.due).filter(|record| {
        let is_late = record.end.as_ref().is_none_or(|(at, _)| *at > phases.healed);
        record.kind.is_repeatable() && is_late
    });
    late.map(|record| record.id).collect()
}

fn load(row: &Row, form: &Form, evidence: &Evidence) -> Option<String> {
    let most = row.load? + if form.is_long { 0.0 } else { SHORT_SLACK };
    let load = evidence.load();
    (load > most).then(|| format!("{load:.2} attempts for each request; at most {most:.2}"))
}

fn counted(what: &str, ids: &[u64]) -> String {
    let examples: Vec<String> = ids.iter().take(EXAMPLES).map(u64::to_string).collect();
    format!("{} × {what} (as in request {})", ids.len(), examples.join(", "))
}
