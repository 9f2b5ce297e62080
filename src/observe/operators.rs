//! Telling of those who ask the operator's side for what they may not have.

use std::fmt::Display;

use prometheus::{Error, IntCounterVec, Registry};

use super::Observer;
use super::metrics::counters;

/// Why somebody may not do what they ask for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Denial {
    /// The user is neither root nor the one that bookend runs as.
    OtherUser,
    /// It takes a token, and there was none or another one.
    Token,
    /// It takes a token, and bookend was given none.
    NoTokenSet,
    /// The request is for a host that we are not.
    Host,
    /// A page of another origin sent it.
    Origin,
}

impl Denial {
    const ALL: [Self; 5] = [Self::OtherUser, Self::Token, Self::NoTokenSet, Self::Host, Self::Origin];

    /// The reason in a word, for logs and metrics.
    fn as_str(self) -> &'static str {
        match self {
            Self::OtherUser => "other_user",
            Self::Token => "token",
            Self::NoTokenSet => "no_token_set",
            Self::Host => "host",
            Self::Origin => "origin",
        }
    }
}

/// The numbers of the operator's side.
#[derive(Debug)]
pub(super) struct OperatorMetrics {
    denied: IntCounterVec,
}

impl OperatorMetrics {
    pub(super) fn new(registry: &Registry) -> Result<Self, Error> {
        let denied = counters(
            registry,
            "bookend_admin_denied_total",
            "Requests to the operator's side that were refused because of who sent them, by why.",
            &["reason"],
        )?;
        for denial in Denial::ALL {
            denied.with_label_values(&[denial.as_str()]);
        }
        Ok(Self { denied })
    }
}

impl Observer {
    /// Somebody asked for `what`, and may not. A line a second at the most: anybody can ask.
    pub fn denied(&self, why: Denial, what: &str, from: &dyn Display) {
        let why = why.as_str();
        self.metrics.operators.denied.with_label_values(&[why]).inc();
        self.denials.warn((self.now)(), |left_out| {
            format!("request of no operator refused why={why} what={what} from={from}{left_out}")
        });
    }
}
