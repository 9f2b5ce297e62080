//! What was seen of a row.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::client::{Kind, Outcome, Record};
use crate::clock::Moment;

/// All that was seen.
pub(crate) struct Evidence {
    pub(crate) phases: Phases,
    pub(crate) records: Vec<Record>,
    /// Whether clients leave before others would.
    pub(crate) may_leave: bool,
    /// When nodes died of memory.
    pub(crate) deaths: Vec<Moment>,
    /// How often the nodes together executed each request.
    pub(crate) executions: BTreeMap<u64, usize>,
    /// Whether the proxy still runs.
    pub(crate) survived: bool,
    /// The end of its log.
    pub(crate) last_words: String,
}

/// When what began.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Phases {
    pub(crate) began: Moment,
    /// One node was about to be killed, and was.
    pub(crate) out: Moment,
    pub(crate) killed: Moment,
    pub(crate) back: Moment,
    pub(crate) stopped: Moment,
}

impl Evidence {
    /// Records that were scheduled in `from..until`.
    pub(crate) fn scheduled(&self, from: Moment, until: Moment) -> impl Iterator<Item = &Record> {
        self.records.iter().filter(move |record| record.scheduled >= from && record.scheduled < until)
    }

    /// How many were served in `from..until`, whenever they were asked for.
    pub(crate) fn served(&self, from: Moment, until: Moment) -> usize {
        let ended = |record: &&Record| record.end.as_ref().is_some_and(|(at, _)| *at >= from && *at < until);
        self.records.iter().filter(|record| record.is_served()).filter(ended).count()
    }

    /// What failed otherwise than by a 503, and is not allowed to.
    pub(crate) fn failures(&self) -> impl Iterator<Item = &Record> {
        let is_failure =
            |record: &&Record| !record.is_served() && !is_refused(record) && !self.has_left(record);
        self.records.iter().filter(is_failure).filter(|record| !self.was_killed(record))
    }

    /// Whether its client left while the site was still at it, and so saw nothing fail.
    pub(crate) fn has_left(&self, record: &Record) -> bool {
        self.may_leave && *record.outcome() == Outcome::Unanswered
    }

    /// Whether the request may have been at the node as that was killed, and cannot be saved: it may not run twice, or its
    /// answer had begun.
    fn was_killed(&self, record: &Record) -> bool {
        let is_under_way = record.scheduled <= self.phases.killed
            && record.end.as_ref().is_some_and(|(at, _)| *at >= self.phases.out);
        is_under_way
            && match record.outcome() {
                Outcome::Status(502) => record.kind == Kind::Post,
                Outcome::Cut => record.kind != Kind::Get,
                _ => false,
            }
    }

    /// POST that ran twice.
    pub(crate) fn twice(&self) -> usize {
        let times = |record: &Record| self.executions.get(&record.id).copied().unwrap_or_default();
        self.records.iter().filter(|record| record.kind == Kind::Post && times(record) > 1).count()
    }

    /// How late the harness itself was, at this quantile.
    pub(crate) fn delay(&self, quantile: f64) -> Duration {
        quantile_of(self.records.iter().map(|record| record.delay).collect(), quantile)
    }
}

/// Whether its client was turned away.
pub(crate) fn is_refused(record: &Record) -> bool {
    *record.outcome() == Outcome::Status(503)
}

/// From when it was sent, however late that was, to the end of its answer.
pub(crate) fn answered_after(record: &Record) -> Option<Duration> {
    record.latency().map(|latency| latency.saturating_sub(record.delay))
}

/// The smallest value that this part of the values does not exceed; zero if there is none.
pub(crate) fn quantile_of(mut values: Vec<Duration>, quantile: f64) -> Duration {
    values.sort_unstable();
    let rank = (values.len() as f64 * quantile).ceil() as usize;
    values.get(rank.saturating_sub(1)).copied().unwrap_or_default()
}
