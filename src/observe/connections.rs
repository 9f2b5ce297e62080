//! Telling of clients' connections: those that were refused, and how those that speak TLS came to agree on keys.

use std::fmt::Display;
use std::net::IpAddr;
use std::time::SystemTime;

use log::{error, info};

use prometheus::{Error, IntCounterVec, IntGaugeVec, Opts, Registry};

use super::Observer;
use super::metrics::counters;

/// A limit on connections of clients.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Limit {
    /// As many as there may be in all.
    InAll,
    /// As many as one client may have.
    ForClient,
}

impl Limit {
    /// The limit in words, for logs and metrics.
    fn as_str(self) -> &'static str {
        match self {
            Self::InAll => "in all",
            Self::ForClient => "for one client",
        }
    }
}

/// What a client of HTTP/2 does that nobody has to put up with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Flood {
    /// It gives up nearly all that it asks for (CVE-2023-44487).
    Resets,
    /// What it asks for is again and again no request.
    Malformed,
    /// Frames that only make work (CVE-2024-27316 and others).
    Frames,
    /// Frames that are nothing of a request: PING, SETTINGS, PRIORITY and their kin (CVE-2019-9512 and others).
    Control,
}

impl Flood {
    /// Every kind.
    const ALL: [Self; 4] = [Self::Resets, Self::Malformed, Self::Frames, Self::Control];

    /// The name, as metrics and logs have it.
    fn as_str(self) -> &'static str {
        match self {
            Self::Resets => "resets",
            Self::Malformed => "malformed",
            Self::Frames => "frames",
            Self::Control => "control",
        }
    }
}

/// How a TLS handshake ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Handshake {
    /// With new keys.
    Full,
    /// With those of an earlier connection.
    Resumed,
    /// The client spoke HTTP without TLS.
    Plain,
    /// It took too long.
    Late,
    /// The two could not agree, or the client did not prove who it is.
    Failed,
    /// The client left.
    Gone,
}

impl Handshake {
    /// Every way.
    pub(super) const ALL: [Self; 6] =
        [Self::Full, Self::Resumed, Self::Plain, Self::Late, Self::Failed, Self::Gone];

    /// The name, as metrics and logs have it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Full => "full",
            Self::Resumed => "resumed",
            Self::Plain => "plain_http",
            Self::Late => "timeout",
            Self::Failed => "failed",
            Self::Gone => "client_gone",
        }
    }
}

impl Observer {
    /// A connection was refused because of a limit.
    pub fn connection_refused(&self, client: Option<IpAddr>, limit: Limit) {
        self.metrics.connections.refused(limit);
        let limit = limit.as_str();
        self.refusals.warn((self.now)(), |left_out| {
            format!("connection refused client={} limit={limit}{left_out}", named(client))
        });
    }

    /// A connection was closed because of what its client does with it.
    pub fn flooded(&self, client: Option<IpAddr>, flood: Flood) {
        let flood = flood.as_str();
        self.metrics.connections.floods.with_label_values(&[flood]).inc();
        self.refusals.warn((self.now)(), |left_out| {
            format!("connection closed client={} flood={flood}{left_out}", named(client))
        });
    }

    /// These certificates are shown from now on: the listener, the first name of the certificate, and until when it is good.
    pub fn certificates(&self, shown: impl Iterator<Item = (String, String, SystemTime)>) {
        self.metrics.connections.certificates(shown);
    }

    /// Files of certificates have changed, and what they say is in use.
    pub fn certificates_renewed(&self) {
        info!("certificates renewed");
    }

    /// A file of a certificate has changed and is not good, so all are as they were.
    pub fn certificates_kept(&self, why: &dyn Display) {
        error!("certificates not renewed, the old ones stay why={:?}", why.to_string());
    }

    /// A certificate is shown that is not good now.
    pub fn certificate_out_of_date(&self, problem: &dyn Display) {
        error!("certificate out of date problem={:?}", problem.to_string());
    }

    /// A client and bookend have agreed on keys.
    pub fn shaken(&self, how: Handshake) {
        self.metrics.connections.shaken(how);
    }

    /// A client and bookend have not agreed on keys.
    pub fn handshake_broken(&self, client: Option<IpAddr>, how: Handshake, why: &str) {
        self.metrics.connections.shaken(how);
        if how == Handshake::Gone {
            // Whoever looks whether a port is open does this.
            return;
        }
        let how = how.as_str();
        self.refusals.warn((self.now)(), |left_out| {
            format!("TLS handshake failed client={} how={how} why={why:?}{left_out}", named(client))
        });
    }
}

/// A client as the log has it; over a Unix socket nobody has an address.
pub(super) fn named(client: Option<IpAddr>) -> String {
    client.map_or_else(|| "unix".to_owned(), |client| client.to_string())
}

/// The numbers of clients' connections.
#[derive(Debug)]
pub(super) struct ConnectionMetrics {
    refused: IntCounterVec,
    floods: IntCounterVec,
    handshakes: IntCounterVec,
    certificates: IntGaugeVec,
}

impl ConnectionMetrics {
    pub(super) fn new(registry: &Registry) -> Result<Self, Error> {
        let refused = counters(
            registry,
            "bookend_connections_refused_total",
            "Connections of clients that were refused, by the limit they met.",
            &["limit"],
        )?;
        for limit in [Limit::InAll, Limit::ForClient] {
            refused.with_label_values(&[limit.as_str()]);
        }
        let floods = counters(
            registry,
            "bookend_http2_floods_total",
            "Connections that were closed because of what their client did with them, by what that was.",
            &["kind"],
        )?;
        for flood in Flood::ALL {
            floods.with_label_values(&[flood.as_str()]);
        }
        let handshakes = counters(
            registry,
            "bookend_tls_handshakes_total",
            "TLS handshakes with clients, by how they ended.",
            &["result"],
        )?;
        for how in Handshake::ALL {
            handshakes.with_label_values(&[how.as_str()]);
        }
        let name = "bookend_certificate_not_after_seconds";
        let help = "Until when the certificates of a listener are good, in seconds since 1970.";
        let certificates = IntGaugeVec::new(Opts::new(name, help), &["listener", "name"])?;
        registry.register(Box::new(certificates.clone()))?;
        Ok(Self { refused, floods, handshakes, certificates })
    }

    fn refused(&self, limit: Limit) {
        self.refused.with_label_values(&[limit.as_str()]).inc();
    }

    fn shaken(&self, how: Handshake) {
        self.handshakes.with_label_values(&[how.as_str()]).inc();
    }

    /// Of certificates for the same name the one that ends first counts.
    fn certificates(&self, shown: impl Iterator<Item = (String, String, SystemTime)>) {
        self.certificates.reset();
        for (listener, name, until) in shown {
            let seconds = until.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default().as_secs();
            let seconds = i64::try_from(seconds).unwrap_or(i64::MAX);
            let gauge = self.certificates.with_label_values(&[&listener, &name]);
            gauge.set(if gauge.get() == 0 { seconds } else { gauge.get().min(seconds) });
        }
    }
}
