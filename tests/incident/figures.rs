//! The figures of a row, and in what they are not as promised.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::client::Record;
use crate::clock::Moment;
use crate::evidence::{Evidence, answered_after, is_refused, quantile_of};
use crate::row::{Clients, Row};
use crate::traffic::floods;

/// What is counted in one piece, and how far the pieces are apart.
const WINDOW: Duration = Duration::from_secs(1);
const STEP: Duration = Duration::from_millis(250);
/// The first second, in which nobody can know yet.
const FIRST: Duration = Duration::from_secs(1);

/// What a replay came to.
#[derive(Clone, Debug)]
pub(crate) struct Figures {
    /// Arrived and served each second while one node was out.
    pub(crate) arrived: f64,
    pub(crate) served: f64,
    /// The least that was served in a second but the first, as a part of what could have been.
    pub(crate) least: f64,
    /// How long what was served took, at the median and at the 99th percentile.
    pub(crate) served_after: (Duration, Duration),
    /// Clients that were turned away, and how soon they knew: at the 99th percentile and at most.
    pub(crate) refused: usize,
    pub(crate) refused_after: (Duration, Duration),
    /// Refused while both nodes served and could.
    pub(crate) refused_before: usize,
    /// All other failures, by what they were.
    pub(crate) failed: BTreeMap<String, usize>,
    /// Requests of clients that do not flood that were turned away while one does.
    pub(crate) others_refused: usize,
    pub(crate) deaths: usize,
    /// After how long all was served when the second was back; `None` if it never was.
    pub(crate) all_served_after: Option<Duration>,
    pub(crate) twice: usize,
    /// How late the harness was, at the 99th percentile and at most.
    pub(crate) delay: (Duration, Duration),
}

impl Figures {
    pub(crate) fn of(row: &Row, evidence: &Evidence) -> Self {
        let phases = evidence.phases;
        let out = phases.back.since(phases.out).as_secs_f64();
        let refused: Vec<Duration> =
            evidence.records.iter().filter(|record| is_refused(record)).filter_map(answered_after).collect();
        let served = evidence.scheduled(phases.out, phases.back).filter(|record| record.is_served());
        let served: Vec<Duration> = served.filter_map(answered_after).collect();
        let mut failed = BTreeMap::new();
        for record in evidence.failures() {
            *failed.entry(format!("{:?}", record.outcome())).or_default() += 1;
        }
        Self {
            arrived: evidence.scheduled(phases.out, phases.back).count() as f64 / out,
            served: evidence.served(phases.out, phases.back) as f64 / out,
            least: least(row, evidence),
            served_after: (quantile_of(served.clone(), 0.5), quantile_of(served, 0.99)),
            refused: refused.len(),
            refused_after: (quantile_of(refused.clone(), 0.99), quantile_of(refused, 1.0)),
            refused_before: evidence
                .scheduled(phases.began, phases.out)
                .filter(|one| is_refused(one))
                .count(),
            failed,
            others_refused: others_refused(row, evidence),
            deaths: evidence.deaths.len(),
            all_served_after: all_served_after(evidence),
            twice: evidence.twice(),
            delay: (evidence.delay(0.99), evidence.delay(1.0)),
        }
    }

    /// Whether the clients of the harness found no descriptor for a connection.
    pub(crate) fn lacks_descriptors(&self) -> bool {
        self.failed.keys().any(|what| what.contains("Too many open files"))
    }

    /// In what they are not as the row promises; nothing, if all is well.
    pub(crate) fn violations(&self, row: &Row) -> Vec<String> {
        let promise = row.promise;
        let mut found = Vec::new();
        if self.least < promise.served {
            found.push(format!(
                "in some second {:.0} % of what could be served was; at least {:.0} %",
                self.least * 100.0,
                promise.served * 100.0
            ));
        }
        // To read an answer the harness can be as late as it was to send a request.
        let (usual, longest) = self.refused_after;
        let (lag, longest_lag) = self.delay;
        if usual > promise.refused_within + lag || longest > promise.refused_within + longest_lag {
            found.push(format!(
                "503 came after {usual:.0?} (p99) and {longest:.0?} at most; within {:?}",
                promise.refused_within
            ));
        }
        if self.refused_before > 0 {
            found.push(format!("{} were refused while both nodes served", self.refused_before));
        }
        for (what, count) in &self.failed {
            found.push(format!("{count} × {what}"));
        }
        if self.others_refused > promise.others_refused {
            found.push(format!("{} of those that do not flood were refused", self.others_refused));
        }
        if self.deaths > promise.deaths {
            found.push(format!("a node died {} times", self.deaths));
        }
        if self.all_served_after.is_none_or(|after| after > promise.all_served_within) {
            let after =
                self.all_served_after.map_or("never".to_owned(), |after| format!("after {after:.1?}"));
            found.push(format!(
                "when it was no longer too much all was served {after}; at most {:?}",
                promise.all_served_within
            ));
        }
        if self.twice > 0 {
            found.push(format!("{} POST ran twice", self.twice));
        }
        found
    }
}

/// The least that was served in a second while one node was out, as a part of what could have been.
fn least(row: &Row, evidence: &Evidence) -> f64 {
    let (from, until) = (evidence.phases.out + FIRST, evidence.phases.back);
    let starts = (0_u32..).map(|step| from + STEP * step).take_while(|start| *start + WINDOW <= until);
    let parts = starts.map(|start| part_served(row, evidence, start));
    parts.fold(f64::INFINITY, f64::min)
}

fn part_served(row: &Row, evidence: &Evidence, from: Moment) -> f64 {
    let arrived = evidence.scheduled(from, from + WINDOW).count() as f64;
    let phases = evidence.phases;
    let end = (from + WINDOW).since(phases.out);
    let carried = row.can_be_carried() * row.speed(end, phases.back.since(phases.out));
    evidence.served(from, from + WINDOW) as f64 / carried.min(arrived).max(1.0)
}

fn others_refused(row: &Row, evidence: &Evidence) -> usize {
    if row.clients != Clients::OneFloods {
        return 0;
    }
    let after_the_first = evidence.scheduled(evidence.phases.out + FIRST, evidence.phases.stopped);
    after_the_first.filter(|record| !floods(record.ask.client) && !record.is_served()).count()
}

/// When the last request was sent that was not served, counted from when the second node was back. There must be a second
/// after it in which all was.
fn all_served_after(evidence: &Evidence) -> Option<Duration> {
    let phases = evidence.phases;
    let failed = |record: &&Record| !record.is_served() && !evidence.has_left(record);
    let last = evidence.scheduled(phases.back, phases.stopped).filter(failed).last();
    let after = last.map_or(Duration::ZERO, |record| record.scheduled.since(phases.back));
    (phases.back + after + WINDOW <= phases.stopped).then_some(after)
}
