//! Telling of what was refused at the front door: connections, and requests that nobody could read in one way.

use std::fmt::Display;

use prometheus::{Error, IntCounterVec, Registry};

use super::metrics::counters;
use super::{Limit, Observer};
use crate::framing::Flaw;

impl Observer {
    /// A connection was refused because of a limit.
    pub fn connection_refused(&self, client: &dyn Display, limit: Limit) {
        let limit = limit.as_str();
        self.metrics.refusals.connections.with_label_values(&[limit]).inc();
        self.refusals.warn((self.now)(), |left_out| {
            format!("connection refused client={client} limit={limit}{left_out}")
        });
    }

    /// A request was refused because it could be read in two ways, or in none.
    pub fn request_malformed(&self, client: &dyn Display, flaw: Flaw) {
        let flaw = flaw.as_str();
        self.metrics.refusals.malformed.with_label_values(&[flaw]).inc();
        self.malformed.warn((self.now)(), |left_out| {
            format!("request malformed client={client} flaw={flaw:?}{left_out}")
        });
    }
}

/// What was refused.
#[derive(Debug)]
pub(super) struct RefusalMetrics {
    connections: IntCounterVec,
    malformed: IntCounterVec,
}

impl RefusalMetrics {
    /// Every reason at zero: what begins at 1 has not risen for those who watch it.
    pub(super) fn new(registry: &Registry) -> Result<Self, Error> {
        let metrics = Self {
            connections: counters(
                registry,
                "bookend_connections_refused_total",
                "Connections of clients that were refused, by the limit they met.",
                &["limit"],
            )?,
            malformed: counters(
                registry,
                "bookend_requests_malformed_total",
                "Requests that were refused because they could be read in two ways or none, by what was wrong.",
                &["flaw"],
            )?,
        };
        for limit in [Limit::InAll, Limit::ForClient] {
            metrics.connections.with_label_values(&[limit.as_str()]);
        }
        for flaw in Flaw::ALL {
            metrics.malformed.with_label_values(&[flaw.as_str()]);
        }
        Ok(metrics)
    }
}
