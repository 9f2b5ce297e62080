//! What is known of one request on its way.

use std::sync::Arc;
use std::time::{Duration, Instant};

use http::StatusCode;
use pingora_proxy::Session;

use super::affinity::Affinity;
use super::attempt::Attempts;
use super::cause::Cause;
use super::early::Watch;
use super::finish::Finishing;
use super::replay::Replay;
use crate::answer::Kind;
use crate::clock;
use crate::continuation::Sent;
use crate::generation::{Generation, Route};
use crate::headers::{self, RequestId};
use crate::listen::{Connection, Waiting};
use crate::retry::{self, Repeatability};

/// One request. Each field is made whole by one phase.
#[derive(Debug)]
pub struct Context {
    /// The configuration it began with.
    pub(super) generation: Arc<Generation>,
    /// What admitting it found out; `None` for a request that was not admitted.
    pub(super) admitted: Option<Admitted>,
    /// The connection it came on.
    pub(super) connection: Option<Arc<Connection>>,
    /// Its name, since when it is here, and the kind of answer it wants.
    pub(super) asker: Option<Asker>,
    /// Its body on the way to the node.
    pub(super) body: Body,
    /// Its attempts at nodes.
    pub(super) attempts: Attempts,
    /// The node's answer that goes to the client.
    pub(super) passed: Option<Passed>,
    /// Why it ended without a node's answer; `None` while all is well.
    pub(super) cause: Option<Cause>,
}

/// Who asks, for answers of ours and for the log.
#[derive(Debug)]
pub(super) struct Asker {
    pub(super) id: RequestId,
    pub(super) kind: Kind,
    /// When its head was there.
    pub(super) began: Instant,
}

/// A request that may go to a node.
#[derive(Debug)]
pub(super) struct Admitted {
    /// The number of its route.
    pub(super) route: usize,
    /// What a retry has to know of it.
    pub(super) request: retry::Request,
    /// What ties it to a node.
    pub(super) affinity: Affinity,
}

/// The body of a request.
#[derive(Debug, Default)]
pub(super) struct Body {
    /// Bytes that came from the client.
    pub(super) received: u64,
    /// In how many pieces this attempt was given them.
    pub(super) pieces: u32,
    /// The most that may come; `None` is no limit.
    pub(super) limit: Option<u64>,
    /// When this attempt was given the last of it.
    pub(super) sent_at: Option<Instant>,
    /// For another attempt.
    pub(super) replay: Replay,
    /// Whether other requests are on the connection that this attempt goes out on.
    pub(super) is_shared: bool,
    /// Over the connection that it goes out on.
    pub(super) watch: Watch,
}

/// A node's answer that goes to the client.
#[derive(Debug)]
pub(super) struct Passed {
    pub(super) status: StatusCode,
    /// From the last byte of the request to its head; `None` if it came before that byte.
    pub(super) first_byte: Option<Duration>,
    /// What the client has of it; `None` if no other node could finish it.
    pub(super) sent: Option<Sent>,
    /// How another node finishes it, once it broke off.
    pub(super) finishing: Option<Box<Finishing>>,
}

impl Context {
    pub(super) fn new(generation: Arc<Generation>) -> Self {
        Self {
            generation,
            admitted: None,
            connection: None,
            asker: None,
            body: Body::default(),
            attempts: Attempts::default(),
            passed: None,
            cause: None,
        }
    }

    /// The route that took the request.
    pub(super) fn route(&self) -> Option<&Route> {
        self.generation.route(self.admitted.as_ref()?.route)
    }

    /// How much is left of the time that the client gives for its call (gRPC); `None` if it gives none.
    pub(super) fn time_left(&self, session: &Session) -> Option<Duration> {
        let headers = &session.req_header().headers;
        let given = headers::grpc_timeout(headers).filter(|_| headers::is_grpc(headers))?;
        let gone = clock::now().saturating_duration_since(self.asker.as_ref()?.began);
        Some(given.saturating_sub(gone))
    }

    /// The request ends because of `cause`. The first cause stays: what follows from it is no news.
    pub(super) fn end(&mut self, cause: Cause) {
        self.cause.get_or_insert(cause);
    }

    /// How another node finishes the answer that broke off.
    pub(super) fn finishing(&self) -> Option<&Finishing> {
        self.passed.as_ref()?.finishing.as_deref()
    }

    /// Whether something may happen twice if the request is carried out twice.
    pub(super) fn is_unsafe(&self) -> bool {
        self.admitted.as_ref().is_some_and(|admitted| admitted.request.repeatability == Repeatability::Unsafe)
    }

    /// What the client is told; `None` if it cannot be told anything any more.
    pub(super) fn status(&self) -> Option<StatusCode> {
        self.cause.as_ref()?.status()
    }

    /// The client holds its body back until the node has said that it wants it: until then the node's time is running.
    pub(super) fn client_waits_for_node(&self) {
        if let (Some(connection), Some(route)) = (&self.connection, self.route())
            && matches!(connection.waiting(), Waiting::Body | Waiting::Continue)
        {
            connection.await_continue(route.timeouts.first_byte);
        }
    }

    /// The node wants the body that the client holds back.
    pub(super) fn node_continues(&self) {
        if let Some(connection) = &self.connection
            && connection.waiting() == Waiting::Continue
        {
            connection.await_body();
        }
    }

    /// The node's answer began, and `limit` is for every further piece of it.
    pub(super) fn answer_began(&self, limit: Duration) {
        let Some(connection) = &self.connection else { return };
        match connection.waiting() {
            Waiting::Node => connection.await_node(limit),
            // Both ends have something to say; either keeps the exchange alive.
            Waiting::Body | Waiting::Continue => connection.await_either(limit),
            Waiting::Request | Waiting::Head | Waiting::Nothing => {}
        }
    }

    /// A piece of the answer came.
    pub(super) fn answer_goes_on(&self) {
        let now = clock::millis();
        if let Some(connection) = &self.connection {
            connection.progressed_at(now);
        }
        if let Some(member) = self.attempts.last() {
            member.node.heard(now);
        }
    }

    /// Whether the connection ends after this answer because its listener has closed.
    pub(super) fn is_last_answer(&self) -> bool {
        self.connection.as_ref().is_some_and(|connection| connection.is_closing())
    }

    /// The client is to see that its answer is not complete.
    pub(super) fn break_off(&self) {
        if let Some(connection) = &self.connection {
            connection.break_off();
        }
    }

    /// The request is over and its client may send the next one.
    pub(super) fn await_next_request(&self) {
        if let Some(connection) = &self.connection {
            connection.await_request();
        }
    }
}
