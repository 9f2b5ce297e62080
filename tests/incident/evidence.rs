//! What was seen of a row.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::client::{Kind, Outcome, Record};
use crate::clock::Moment;
use crate::front::Front;

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
    /// What bookend said of a node that was forgotten.
    pub(crate) story: Option<Story>,
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

/// What bookend said and wrote down.
pub(crate) struct Story {
    pub(crate) log: String,
    pub(crate) post_mortem: String,
}

impl Story {
    /// `None` if it is not bookend.
    pub(crate) fn of(front: &Front) -> Option<Self> {
        Some(Self { post_mortem: front.post_mortem()?, log: front.log() })
    }

    /// What is not told as it has to be.
    pub(crate) fn gaps(&self) -> Vec<String> {
        let mut gaps = Vec::new();
        match (self.at("node is drained"), self.at("alarm kind=exposed")) {
            (Some(drained), Some(told)) if told.saturating_sub(drained) <= 1_000 => {}
            times => {
                gaps.push(format!("nobody was told within a second that the pool is exposed: {times:?}"))
            }
        }
        match (self.at("node is drained"), self.at("recalled")) {
            (Some(drained), Some(recalled)) if recalled.saturating_sub(drained) <= 60_000 => {}
            times => gaps.push(format!("the node was not recalled within a minute: {times:?}")),
        }
        for part in ["kernel test", "node-2", "bookend undrain web/node-2"] {
            if !self.post_mortem.contains(part) {
                gaps.push(format!("the post-mortem does not have {part:?}"));
            }
        }
        gaps
    }

    /// When the first line with these words was logged, in milliseconds of the day.
    fn at(&self, words: &str) -> Option<u64> {
        let line = self.log.lines().find(|line| line.contains(words))?;
        let time = line.split_once('T')?.1.split_once('Z')?.0;
        let (hours, rest) = time.split_once(':')?;
        let (minutes, seconds) = rest.split_once(':')?;
        let seconds: f64 = seconds.parse().ok()?;
        let minutes = hours.parse::<u64>().ok()? * 60 + minutes.parse::<u64>().ok()?;
        Some(minutes * 60_000 + (seconds * 1_000.0) as u64)
    }
}
