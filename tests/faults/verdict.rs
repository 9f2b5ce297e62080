//! The table's claims, held against what was seen.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::client::{Kind, Outcome, Protocol, Record};
use crate::evidence::Evidence;
use crate::node::{Event, Place};
use crate::row::{Answered, Fault, How, Row};
use crate::run::Form;

/// What the short form may have over the attempts that are claimed for longer: a budget lets the first ones pass.
const SHORT_SLACK: f64 = 0.2;
/// A node that is left alone has at least this part of its share.
const LEFT_ALONE: f64 = 0.7;
/// How long it takes to learn that a node can do less, and what that may cost then; lenient, as the machine may be busy.
const LEARNT: Duration = Duration::from_secs(3);
const BROWN_OUT: Duration = Duration::from_secs(1);
/// How much later than its deadline a call may end, as the machine may be busy.
const ON_TIME: Duration = Duration::from_millis(500);
/// So many examples of one violation.
const EXAMPLES: usize = 3;

/// Everything in which the evidence is not what the row says; nothing, if all is well.
pub(crate) fn violations(row: &Row, form: &Form, evidence: &Evidence) -> Vec<String> {
    let mut found = failures(row, evidence);
    found.extend(executions(row, evidence));
    found.extend(in_use(row, evidence));
    found.extend(unanswered(row, evidence));
    found.extend(too_many_attempts(row, form, evidence));
    found.extend(drowned(row, evidence));
    found.extend(untimely(evidence));
    if !evidence.survived {
        found.push("the proxy itself ended".to_owned());
    }
    found
}

/// Requests that failed in a way that the row does not allow, by kind and way.
fn failures(row: &Row, evidence: &Evidence) -> Vec<String> {
    let mut failed: BTreeMap<String, Vec<&Record>> = BTreeMap::new();
    for record in &evidence.records {
        if !record.is_served() && !may_fail(row, evidence, record) {
            let what = format!("{:?} of {:?}: {:?}", record.kind, record.place, record.outcome());
            failed.entry(what).or_default().push(record);
        }
    }
    let mut found: Vec<String> = failed.into_iter().map(|(what, records)| listed(&what, &records)).collect();
    let garbled = garbled(evidence);
    if !garbled.is_empty() {
        found.push(counted("a node got another body than was sent", &garbled));
    }
    found
}

/// Requests of which a node got another body than was sent.
pub(crate) fn garbled(evidence: &Evidence) -> Vec<u64> {
    let entries = evidence.nodes.iter().flat_map(|node| &node.entries);
    entries.filter(|entry| entry.event == Event::Garbled).map(|entry| entry.id).collect()
}

/// Whether the row allows that this request failed as it did.
pub(crate) fn may_fail(row: &Row, evidence: &Evidence, record: &Record) -> bool {
    let losses = row.may_fail.iter().filter(|loss| loss.kinds.contains(&record.kind));
    let is_own = record.place == Place::Own;
    losses.map(|loss| loss.how).any(|how| match (how, record.outcome()) {
        (How::Status(allowed), Outcome::Status(status)) => is_own && allowed == *status,
        (How::AtTheDoor, Outcome::Status(502)) => evidence.doors_shut.iter().any(|(before, after)| {
            record.scheduled <= *after && record.end.as_ref().is_some_and(|(at, _)| at >= before)
        }),
        (How::BrokenTwice, Outcome::Status(502)) => {
            evidence.nodes_reached(record.id) >= 2 || record.scheduled < evidence.phases.broke
        }
        (How::Ended(allowed), Outcome::Ended(status))
        | (How::EndedAfterMessage(allowed), Outcome::EndedAfterMessage(status)) => allowed == *status,
        (How::Cut, Outcome::Cut) => is_own,
        // On a stream of HTTP/2 what breaks an answer off may overtake its head.
        (How::Cut, Outcome::NoAnswer(_)) => is_own && record.ask.speaks != Protocol::Http1,
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
pub(crate) struct Executions(BTreeMap<u64, usize>);

impl Executions {
    pub(crate) fn of(evidence: &Evidence) -> Self {
        let mut times = BTreeMap::new();
        for entry in evidence.nodes.iter().flat_map(|node| &node.entries) {
            if entry.event == Event::Executed {
                *times.entry(entry.id).or_default() += 1;
            }
        }
        Self(times)
    }

    pub(crate) fn count(&self, id: u64) -> usize {
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
    (!late.is_empty()).then(|| listed("not answered while the fault lasted", &late))
}

/// Requests that had their answer only when all was healed, where the design saves them before.
pub(crate) fn late<'a>(row: &Row, evidence: &'a Evidence) -> Vec<&'a Record> {
    let phases = evidence.phases;
    if row.answered == Answered::Once {
        return Vec::new();
    }
    let late = evidence.scheduled(phases.broke, phases.due).filter(|record| {
        let is_late = record.end.as_ref().is_none_or(|(at, _)| *at > phases.healed);
        record.kind.is_repeatable() && is_late
    });
    late.collect()
}

/// Requests that stood in line at a node that can do less, when that was known.
fn drowned(row: &Row, evidence: &Evidence) -> Option<String> {
    let learnt = evidence.phases.broke + LEARNT;
    let asked = evidence.scheduled(learnt, evidence.phases.due);
    let is_drowned = |record: &&Record| record.latency().is_none_or(|latency| latency > BROWN_OUT);
    let drowned: Vec<u64> = asked.filter(is_drowned).map(|record| record.id).collect();
    let is_judged = row.answered == Answered::DespiteBrownOut && !drowned.is_empty();
    is_judged.then(|| counted(&format!("not answered within {BROWN_OUT:?}"), &drowned))
}

/// Calls that did not end when their time was up, or were told so before it was.
fn untimely(evidence: &Evidence) -> Option<String> {
    let is_untimely = |record: &&Record| {
        record.ask.deadline.is_some_and(|deadline| match (record.outcome(), record.latency()) {
            (Outcome::Ended(4), Some(latency)) if latency < deadline => true,
            (_, latency) => latency.is_none_or(|latency| latency > deadline + ON_TIME),
        })
    };
    let untimely: Vec<_> = evidence.records.iter().filter(is_untimely).map(|record| record.id).collect();
    (!untimely.is_empty()).then(|| counted("not ended when its time was up", &untimely))
}

/// More attempts at all nodes than the row allows for each request.
fn too_many_attempts(row: &Row, form: &Form, evidence: &Evidence) -> Option<String> {
    let most = row.most_attempts? + if form.is_long { 0.0 } else { SHORT_SLACK };
    let attempts = evidence.attempts_each();
    (attempts > most).then(|| format!("{attempts:.2} attempts for each request; at most {most:.2}"))
}

fn counted(what: &str, ids: &[u64]) -> String {
    let examples: Vec<String> = ids.iter().take(EXAMPLES).map(u64::to_string).collect();
    format!("{} × {what} (as in request {})", ids.len(), examples.join(", "))
}

fn listed(what: &str, records: &[&Record]) -> String {
    let examples: Vec<String> = records.iter().take(EXAMPLES).map(|record| record.ask.to_string()).collect();
    format!("{} × {what} (as in request {})", records.len(), examples.join("; "))
}
