//! Telling of incidents, and of the journal that events are written to.

use std::fmt::Display;

use log::{error, info, warn};
use prometheus::{Error, IntCounter, IntGauge, Registry};

use super::Observer;
use super::gauges::gauge;
use super::metrics::counter;
use crate::incident::{Stage, Turn, What};

/// The numbers of the journal.
#[derive(Debug)]
pub(super) struct JournalMetrics {
    open: IntGauge,
    written: IntCounter,
    errors: IntCounter,
    waiting: IntGauge,
    damaged: IntGauge,
}

impl JournalMetrics {
    pub(super) fn new(registry: &Registry) -> Result<Self, Error> {
        Ok(Self {
            open: gauge(registry, "bookend_incidents_open", "Incidents that are not over.")?,
            written: counter(
                registry,
                "bookend_journal_events_written_total",
                "Events that are in the journal, and would be after a loss of power.",
            )?,
            errors: counter(
                registry,
                "bookend_journal_write_errors_total",
                "Writes to the journal that failed; what was to be written is tried again.",
            )?,
            waiting: gauge(
                registry,
                "bookend_journal_events_waiting",
                "Events that are not in the journal yet.",
            )?,
            damaged: gauge(
                registry,
                "bookend_journal_lines_damaged",
                "Lines of the journal that could not be read at the start.",
            )?,
        })
    }
}

impl Observer {
    /// An incident began, went on or is over; so many are open now.
    pub fn incident(&self, turn: &Turn, open: usize) {
        let Turn { id, pool, stage } = turn;
        match stage {
            Stage::Begins => warn!("incident begins id={id} pool={pool}"),
            Stage::Lasts => warn!("incident goes on id={id} pool={pool}"),
            Stage::Ends => info!("incident is over id={id} pool={pool}"),
        }
        self.incidents_open(open);
        self.feed.publish(Some(pool), None, What::Incident { id: id.clone(), stage: *stage });
    }

    /// So many incidents are open.
    pub fn incidents_open(&self, open: usize) {
        self.metrics.journal.open.set(i64::try_from(open).unwrap_or(i64::MAX));
    }

    /// So many events are in the journal, and so many wait.
    pub fn events_written(&self, count: usize, waiting: usize) {
        self.metrics.journal.written.inc_by(count as u64);
        self.metrics.journal.waiting.set(i64::try_from(waiting).unwrap_or(i64::MAX));
    }

    /// Events are not written, for the first time or again; they wait.
    pub fn events_not_written(&self, why: &dyn Display, is_first: bool) {
        self.metrics.journal.errors.inc();
        if is_first {
            error!("events are not written, a restart would forget them why={:?}", why.to_string());
        }
    }

    /// Events are written again; so many were too many to wait.
    pub fn events_written_again(&self, lost: u64) {
        info!("events are written again lost={lost}");
    }

    /// Some of what was written down cannot be read.
    pub fn events_damaged(&self, lines: u64, torn: u64, unknown: u64, files: u64) {
        self.metrics.journal.damaged.set(i64::try_from(lines + torn).unwrap_or(i64::MAX));
        warn!(
            "events are lost lines_damaged={lines} lines_broken_off={torn} lines_of_other_versions={unknown} \
             files_unread={files}"
        );
    }

    /// Nothing of what was written down can be read.
    pub fn events_unread(&self, why: &dyn Display) {
        error!("events are not read why={:?}", why.to_string());
    }
}
