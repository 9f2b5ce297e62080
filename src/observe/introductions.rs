//! Telling of connections that a balancer passes on, and of those that it did not introduce as it has to.

use std::net::IpAddr;

use prometheus::{Error, IntCounterVec, Registry};

use super::Observer;
use super::connections::named;
use super::metrics::counters;
use crate::proxy_protocol::Flaw;

/// How a connection to a listener with the PROXY protocol began.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Introduction {
    /// With a client's address.
    Client,
    /// With a header that names nobody: a check of health, or somebody without an IP address.
    Sender,
    /// Without a header.
    Missing,
    /// With one that cannot be read.
    Malformed,
    /// With none, or a part of one, in the time that there is.
    Late,
    /// With one of somebody who may not send any.
    Untrusted,
    /// With its end.
    Gone,
}

impl Introduction {
    const ALL: [Self; 7] =
        [Self::Client, Self::Sender, Self::Missing, Self::Malformed, Self::Late, Self::Untrusted, Self::Gone];

    /// The name, as metrics and logs have it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Client => "client",
            Self::Sender => "sender",
            Self::Missing => "missing",
            Self::Malformed => "malformed",
            Self::Late => "timeout",
            Self::Untrusted => "untrusted",
            Self::Gone => "gone",
        }
    }
}

impl From<Flaw> for Introduction {
    fn from(flaw: Flaw) -> Self {
        match flaw {
            Flaw::Missing => Self::Missing,
            Flaw::TooLong | Flaw::Line | Flaw::Address | Flaw::Command | Flaw::Family | Flaw::TooShort => {
                Self::Malformed
            }
        }
    }
}

impl Observer {
    /// `peer` has said whose connection it passes on.
    pub fn introduced(&self, how: Introduction) {
        self.metrics.introductions.count(how);
    }

    /// `peer` has not said whose connection it passes on, or may not, and the connection is closed.
    pub fn introduction_refused(&self, peer: Option<IpAddr>, how: Introduction, why: &str) {
        self.metrics.introductions.count(how);
        if how == Introduction::Gone {
            // Whoever looks whether a port is open does this.
            return;
        }
        let how = how.as_str();
        self.refusals.warn((self.now)(), |left_out| {
            format!("PROXY header refused peer={} how={how} why={why:?}{left_out}", named(peer))
        });
    }
}

/// How often connections began in which way.
#[derive(Debug)]
pub(super) struct IntroductionMetrics {
    headers: IntCounterVec,
}

impl IntroductionMetrics {
    pub(super) fn new(registry: &Registry) -> Result<Self, Error> {
        let headers = counters(
            registry,
            "bookend_proxy_headers_total",
            "Connections to listeners with the PROXY protocol, by how they began.",
            &["result"],
        )?;
        for how in Introduction::ALL {
            headers.with_label_values(&[how.as_str()]);
        }
        Ok(Self { headers })
    }

    fn count(&self, how: Introduction) {
        self.headers.with_label_values(&[how.as_str()]).inc();
    }
}
