//! Telling of clients that take too long, with whatever it is.

use std::net::IpAddr;

use prometheus::{Error, IntCounterVec, Registry};

use super::Observer;
use super::connections::named;
use super::metrics::counters;

/// What a client was too slow with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TooSlow {
    /// The head of its request.
    Head,
    /// The body of its request.
    Body,
    /// Taking its answer.
    Answer,
}

impl TooSlow {
    const ALL: [Self; 3] = [Self::Head, Self::Body, Self::Answer];

    /// The name, as metrics and logs have it.
    fn as_str(self) -> &'static str {
        match self {
            Self::Head => "head",
            Self::Body => "body",
            Self::Answer => "answer",
        }
    }
}

impl Observer {
    /// A client took too long or was too slow, and its request ends with that.
    pub fn client_too_slow(&self, client: Option<IpAddr>, with: TooSlow) {
        let with = with.as_str();
        self.metrics.slowness.too_slow.with_label_values(&[with]).inc();
        self.refusals.warn((self.now)(), |left_out| {
            format!("client too slow client={} with={with}{left_out}", named(client))
        });
    }
}

/// How often clients were too slow.
#[derive(Debug)]
pub(super) struct SlownessMetrics {
    too_slow: IntCounterVec,
}

impl SlownessMetrics {
    pub(super) fn new(registry: &Registry) -> Result<Self, Error> {
        let too_slow = counters(
            registry,
            "bookend_clients_too_slow_total",
            "Requests that ended because their client was too slow, by what with.",
            &["with"],
        )?;
        for with in TooSlow::ALL {
            too_slow.with_label_values(&[with.as_str()]);
        }
        Ok(Self { too_slow })
    }
}
