//! Why a request ended without a node's answer, and the one table from cause to status.

use std::fmt;

use http::{HeaderValue, StatusCode};

use super::attempt::Nowhere;
use crate::continuation::Mismatch;
use crate::framing::Flaw;
use crate::retry::{Outcome, Reach};

/// Why a request ended without a node's answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Cause {
    /// It came without TLS to a host that is to be reached by TLS, which is there.
    Elsewhere(HeaderValue),
    /// No route takes it.
    NoRoute,
    /// It could be read in two ways, or in none.
    Malformed(Flaw),
    /// Its head is too large.
    HeadTooLarge,
    /// Its body is too large.
    BodyTooLarge,
    /// Its body did not come in time.
    BodyTooSlow,
    /// Its body is not HTTP.
    BodyInvalid,
    /// Every node refused it, or there is none.
    NoNode,
    /// Every node that could take it is full, and it has waited for a place as long as it may.
    Overloaded,
    /// A node had it and broke, answered nonsense, or was silent, and it may not be repeated.
    Node(Reach),
    /// A node answered with this, was asked to be outdone by another, and was not.
    FirstAnswer(StatusCode),
    /// Its answer broke off, and that of another node does not go on where it did.
    Unfinished(Mismatch),
    /// The time is over that the client gives for its call.
    Deadline,
    /// The client left.
    ClientGone,
    /// Something went wrong in bookend itself.
    Internal,
}

impl Cause {
    /// What the client is told; `None` if it cannot be told anything any more.
    pub(super) fn status(&self) -> Option<StatusCode> {
        match self {
            Self::Elsewhere(_) => Some(StatusCode::PERMANENT_REDIRECT),
            Self::NoRoute => Some(StatusCode::NOT_FOUND),
            Self::Malformed(flaw) => Some(flaw.status()),
            Self::BodyInvalid => Some(StatusCode::BAD_REQUEST),
            Self::HeadTooLarge => Some(StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE),
            Self::BodyTooLarge => Some(StatusCode::PAYLOAD_TOO_LARGE),
            Self::BodyTooSlow => Some(StatusCode::REQUEST_TIMEOUT),
            Self::NoNode | Self::Overloaded => Some(StatusCode::SERVICE_UNAVAILABLE),
            Self::Node(reach) => match reach {
                Reach::NotSent => Some(StatusCode::SERVICE_UNAVAILABLE),
                Reach::PartSent | Reach::MaybeSent | Reach::Nonsense => Some(StatusCode::BAD_GATEWAY),
                Reach::Silent => Some(StatusCode::GATEWAY_TIMEOUT),
                Reach::Answered(status) => Some(*status),
                Reach::Truncated => None,
            },
            Self::FirstAnswer(status) => Some(*status),
            Self::Deadline => Some(StatusCode::GATEWAY_TIMEOUT),
            Self::Unfinished(_) | Self::ClientGone => None,
            Self::Internal => Some(StatusCode::INTERNAL_SERVER_ERROR),
        }
    }

    /// How a request ended that ended by this.
    pub(super) fn outcome(&self) -> Outcome {
        match self {
            Self::Elsewhere(_) => Outcome::of_answer(StatusCode::PERMANENT_REDIRECT, None),
            Self::NoNode => Outcome::NoNode,
            Self::Overloaded => Outcome::Shed,
            Self::Node(Reach::Truncated) | Self::Unfinished(_) => Outcome::Cut,
            Self::Node(reach) => Outcome::Failed(*reach),
            Self::FirstAnswer(status) => Outcome::Failed(Reach::Answered(*status)),
            Self::Internal => Outcome::Internal,
            Self::Deadline => Outcome::Deadline,
            Self::ClientGone => Outcome::ClientGone,
            Self::NoRoute
            | Self::Malformed(_)
            | Self::HeadTooLarge
            | Self::BodyTooLarge
            | Self::BodyTooSlow
            | Self::BodyInvalid => Outcome::Refused,
        }
    }
}

impl From<Nowhere> for Cause {
    fn from(why: Nowhere) -> Self {
        match why {
            Nowhere::Full => Self::Overloaded,
            Nowhere::Refused => Self::NoNode,
        }
    }
}

impl fmt::Display for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Elsewhere(_) => f.write_str("sent on to TLS"),
            Self::NoRoute => f.write_str("no route"),
            Self::Malformed(flaw) => write!(f, "malformed: {}", flaw.as_str()),
            Self::HeadTooLarge => f.write_str("head too large"),
            Self::BodyTooLarge => f.write_str("body too large"),
            Self::BodyTooSlow => f.write_str("body too slow"),
            Self::BodyInvalid => f.write_str("body not readable"),
            Self::NoNode => f.write_str("no node took it"),
            Self::Overloaded => f.write_str("every node is full"),
            Self::Node(reach) => write!(f, "node failed: {}", reach.as_str()),
            Self::FirstAnswer(status) => write!(f, "answered {} and no better answer", status.as_u16()),
            Self::Unfinished(mismatch) => write!(f, "node failed: truncated, and another's {mismatch}"),
            Self::Deadline => f.write_str("the client's deadline has passed"),
            Self::ClientGone => f.write_str("client gone"),
            Self::Internal => f.write_str("internal error"),
        }
    }
}
