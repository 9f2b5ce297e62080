//! Telling of how telling people goes.

use log::{error, info, warn};
use prometheus::{Error, IntCounterVec, Registry};

use super::Observer;
use super::metrics::counters;

/// How telling somebody ends.
const DELIVERED: &str = "delivered";
const FAILED: &str = "failed";
const SUPERSEDED: &str = "superseded";
const DROPPED: &str = "dropped";

/// A message that people were to be told.
#[derive(Clone, Copy, Debug)]
pub struct Announced<'a> {
    /// What the target is called in the configuration.
    pub to: &'a str,
    /// What kind of message it is.
    pub event: &'a str,
    /// The pool that it is about, if it is about one.
    pub pool: Option<&'a str>,
}

impl Observer {
    /// Somebody of this name is told from now on.
    pub fn announces_to(&self, to: &str) {
        for result in [DELIVERED, FAILED, SUPERSEDED, DROPPED] {
            self.metrics.announcements.count(to, result, 0);
        }
    }

    /// A message arrived.
    pub fn announced(&self, to: &str) {
        self.metrics.announcements.count(to, DELIVERED, 1);
    }

    /// An attempt to tell somebody failed, and the one before it did not; it is tried again.
    pub fn announcing_falters(&self, to: &str, why: &str) {
        warn!("announcement did not arrive, it is tried again to={to} why={why:?}");
    }

    /// A message did not arrive and is not tried again.
    pub fn announcement_failed(&self, told: &Announced<'_>, attempts: u32, why: &str) {
        let Announced { to, event, pool } = told;
        self.metrics.announcements.count(to, FAILED, 1);
        let pool = pool.map(|pool| format!(" pool={pool}")).unwrap_or_default();
        error!("announcement failed to={to} event={event}{pool} attempts={attempts} why={why:?}");
    }

    /// Messages arrive again.
    pub fn announcing_works_again(&self, to: &str) {
        info!("announcements arrive again to={to}");
    }

    /// Messages were left out that waited for their turn: for `superseded` a newer one stands in, for `dropped` none does.
    pub fn announcements_left_out(&self, to: &str, superseded: u64, dropped: u64) {
        self.metrics.announcements.count(to, SUPERSEDED, superseded);
        self.metrics.announcements.count(to, DROPPED, dropped);
        if dropped > 0 {
            error!("announcement dropped, too many wait to={to}");
        }
    }
}

/// What became of messages, in numbers.
#[derive(Debug)]
pub(super) struct AnnouncementMetrics(IntCounterVec);

impl AnnouncementMetrics {
    pub(super) fn new(registry: &Registry) -> Result<Self, Error> {
        let help = "Messages to webhooks and the command, by what became of them.";
        counters(registry, "bookend_announcements_total", help, &["to", "result"]).map(Self)
    }

    fn count(&self, to: &str, result: &str, count: u64) {
        self.0.with_label_values(&[to, result]).inc_by(count);
    }
}
