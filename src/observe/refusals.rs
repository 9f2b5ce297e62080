//! Telling of requests that nobody could read in one way.

use std::net::IpAddr;

use prometheus::{Error, IntCounterVec, Registry};

use super::Observer;
use super::connections::named;
use super::metrics::counters;
use crate::framing::Flaw;

impl Observer {
    /// A request was refused because it could be read in two ways, or in none.
    pub fn request_malformed(&self, client: Option<IpAddr>, flaw: Flaw) {
        let flaw = flaw.as_str();
        self.metrics.refusals.malformed.with_label_values(&[flaw]).inc();
        self.malformed.warn((self.now)(), |left_out| {
            format!("request malformed client={} flaw={flaw:?}{left_out}", named(client))
        });
    }
}

/// What was refused.
#[derive(Debug)]
pub(super) struct RefusalMetrics {
    malformed: IntCounterVec,
}

impl RefusalMetrics {
    /// Every reason at zero: what begins at 1 has not risen for those who watch it.
    pub(super) fn new(registry: &Registry) -> Result<Self, Error> {
        let metrics = Self {
            malformed: counters(
                registry,
                "bookend_requests_malformed_total",
                "Requests that were refused because they could be read in two ways or none, by what was wrong.",
                &["flaw"],
            )?,
        };
        for flaw in Flaw::ALL {
            metrics.malformed.with_label_values(&[flaw.as_str()]);
        }
        Ok(metrics)
    }
}
