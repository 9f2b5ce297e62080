//! What became of a request.

use std::time::Duration;

use super::ask::{Ask, Kind};
use crate::clock::Moment;
use crate::node::Place;

/// How a request ended, as its client saw it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// The right answer, whole.
    Served,
    /// Another status than 200.
    Status(u16),
    /// A call that ended with this status of gRPC, which is not 0, and without a message.
    Ended(u8),
    /// As above, after messages that were the right ones so far.
    EndedAfterMessage(u8),
    /// The head came and the body broke off, so that the client can tell.
    Cut,
    /// The connection ended without an answer.
    NoAnswer(String),
    /// What looks like a whole answer and is not the one to this request.
    Wrong(String),
    /// Nothing came for as long as anyone would wait.
    Unanswered,
}

/// A request and what became of it.
#[derive(Clone, Debug)]
pub(crate) struct Record {
    pub(crate) ask: Ask,
    pub(crate) id: u64,
    pub(crate) kind: Kind,
    pub(crate) place: Place,
    /// When it was to be sent. Latency counts from here.
    pub(crate) scheduled: Moment,
    /// How late the harness was.
    pub(crate) delay: Duration,
    /// How it ended, and when; `None` while it is under way.
    pub(crate) end: Option<(Moment, Outcome)>,
    /// The node that answered, by its name.
    pub(crate) node: Option<String>,
}

impl Record {
    pub(crate) fn outcome(&self) -> &Outcome {
        self.end.as_ref().map_or(&Outcome::Unanswered, |(_, outcome)| outcome)
    }

    pub(crate) fn latency(&self) -> Option<Duration> {
        self.end.as_ref().map(|(at, _)| at.since(self.scheduled))
    }

    pub(crate) fn is_served(&self) -> bool {
        *self.outcome() == Outcome::Served
    }
}
