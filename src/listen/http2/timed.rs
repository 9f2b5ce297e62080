//! The time that a stream of HTTP/2 may wait.
//!
//! Pingora asks a session for its client whenever it waits, for the client or for a node. With HTTP/1 that question ends at
//! the front door's stream, where all time runs out; here many requests share that stream, so each keeps its own.

use std::future::poll_fn;
use std::io;
use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use h2::Reason;
use pingora::protocols::http::{HttpTask, ServerSession};
use pingora::{Error, ErrorType, Result};
use tokio::runtime::Handle;
use tokio::time::timeout;

use super::LAST_WORDS;
use super::download::Download;
use super::streams::Place;
use crate::clock;
use crate::listen::alarm::Alarm;
use crate::listen::connection::{Connection, Late, Look, Waiting};
use crate::listen::stream::cut;
use crate::listen::uptake::Patience;
use crate::observe::{Observer, TooSlow};
use crate::session::Overlay;

/// How much of an answer goes out at once. How much of it the client has taken is not known in between.
const LOT: usize = 16 * 1024;

/// What keeps the time of one stream.
pub(super) struct Timed {
    connection: Arc<Connection>,
    /// The connection that it shares with others.
    shared: Arc<Connection>,
    observer: Arc<Observer>,
    alarm: Alarm,
    download: Download,
    /// The client may take its answer as slowly as it likes.
    is_at_will: bool,
    /// Taken only at the end.
    place: Option<Place>,
}

impl Timed {
    pub(super) fn new(
        connection: Arc<Connection>,
        shared: Arc<Connection>,
        place: Place,
        observer: Arc<Observer>,
    ) -> Self {
        let (alarm, download) = (Alarm::default(), Download::default());
        Self { connection, shared, observer, alarm, download, is_at_will: false, place: Some(place) }
    }

    /// The same for a client that may take its answer as slowly as it likes, as long as it takes anything.
    pub(super) fn at_will(self) -> Self {
        Self { is_at_will: true, ..self }
    }

    /// Sends these parts of the answer, as fast as the client has to take them.
    async fn send(&mut self, real: &mut ServerSession, parts: Vec<HttpTask>) -> Result<bool> {
        self.download.begins(length(&parts) as u64);
        let (mut writing, mut has_waited) = (pin!(real.response_duplex_vec(parts)), false);
        let sent = poll_fn(|cx| {
            if let Poll::Ready(sent) = writing.as_mut().poll(cx) {
                return Poll::Ready(sent);
            }
            has_waited = true;
            self.poll_patience(cx).map(Err)
        });
        let sent = sent.await;
        self.download.has_gone(clock::millis);
        if has_waited {
            // The node could not be read meanwhile; its time begins again.
            self.connection.progressed();
        }
        if sent.as_ref().is_err_and(|why| *why.etype() == ErrorType::WriteTimedout) {
            let client = self.connection.client().map(|client| client.ip());
            self.observer.client_too_slow(client, TooSlow::Answer);
        }
        sent
    }

    /// Ready when the client has been too slow to take the answer, or has had the time that it gives for its call.
    fn poll_patience(&mut self, cx: &mut Context<'_>) -> Poll<Box<Error>> {
        self.connection.pause_body();
        let pace = Patience::of(&self.connection.listener()).pace.filter(|_| !self.is_at_will);
        loop {
            let stalls = self.shared.presence().stalls();
            let judged = pace.map_or(u64::MAX, |pace| self.download.waits(pace, stalls, clock::millis()));
            ready!(self.alarm.poll(cx, judged.min(self.connection.call_ends_at())));
            if clock::millis() >= self.connection.call_ends_at() {
                return Poll::Ready(down(self.connection.give_up_call()));
            }
            if pace.is_some_and(|pace| self.download.is_too_slow(pace, stalls, clock::millis())) {
                return Poll::Ready(too_slow());
            }
        }
    }

    /// Why the client cannot be read.
    fn why(&self, error: Box<Error>) -> Box<Error> {
        let protocol = error.root_cause().downcast_ref::<h2::Error>();
        if protocol.is_some_and(|error| error.is_library() && error.reason().is_some()) {
            // Found by the one who reads the frames, such as a body that is not as long as was said.
            return down(io::Error::new(io::ErrorKind::InvalidData, error.to_string()));
        }
        if let Some(place) = &self.place {
            place.was_reset();
        }
        Error::because(ErrorType::ConnectionClosed, "the client gave up the stream", error).into_down()
    }
}

impl Overlay for Timed {
    /// A stream that nobody ended has an answer that broke off. Only if nobody says so it passes for one that was not wanted.
    ///
    /// One that has its answer and still sends is heard out for a moment: told to stop at once, some clients forget the answer.
    fn dropped(&mut self, mut real: Box<ServerSession>) {
        real.shutdown_with_reason(Reason::INTERNAL_ERROR);
        if real.is_body_done() {
            return;
        }
        let (place, rest) =
            (self.place.take(), async move { while let Ok(Some(_)) = real.read_request_body().await {} });
        if let Ok(runtime) = Handle::try_current() {
            runtime.spawn(async move {
                let _ = timeout(LAST_WORDS, rest).await;
                drop(place);
            });
        }
    }

    async fn write(&mut self, real: &mut ServerSession, parts: Vec<HttpTask>) -> Result<bool> {
        if length(&parts) <= LOT {
            return self.send(real, parts).await;
        }
        let mut is_complete = false;
        for mut part in parts {
            while let Some(lot) = take_lot(&mut part) {
                self.send(real, vec![lot]).await?;
            }
            is_complete |= self.send(real, vec![part]).await?;
        }
        Ok(is_complete)
    }

    async fn read_or_idle(&mut self, real: &mut ServerSession, is_complete: bool) -> Result<Option<Bytes>> {
        let (connection, alarm) = (&self.connection, &mut self.alarm);
        let mut reading = pin!(real.read_body_or_idle(is_complete));
        let read = poll_fn(|cx| {
            if connection.is_cut() {
                return Poll::Ready(Ok(Err(cut())));
            }
            if let Poll::Ready(read) = reading.as_mut().poll(cx) {
                return Poll::Ready(read.map(Ok));
            }
            let over = ready!(connection.poll_wait(alarm, cx));
            Poll::Ready(Ok(Err(late(connection, over))))
        });
        match read.await {
            Ok(Ok(piece)) => {
                if let Some(piece) = &piece {
                    self.connection.read_some(piece.len());
                }
                Ok(piece)
            }
            Ok(Err(late)) => Err(down(late)),
            Err(error) => Err(self.why(error)),
        }
    }
}

/// How much of a body these parts are.
fn length(parts: &[HttpTask]) -> usize {
    let length = |part: &HttpTask| match part {
        HttpTask::Body(Some(data), _) => data.len(),
        _ => 0,
    };
    parts.iter().map(length).sum()
}

/// Takes a lot from a part that is more than one.
fn take_lot(part: &mut HttpTask) -> Option<HttpTask> {
    match part {
        HttpTask::Body(Some(data), _) if data.len() > LOT => {
            Some(HttpTask::Body(Some(data.split_to(LOT)), false))
        }
        _ => None,
    }
}

/// What happens when whoever is waited for has had its time.
fn late(connection: &Connection, over: Look) -> io::Error {
    match (over, connection.waiting()) {
        (Look::GivenUp, _) => connection.give_up_node(Late::GivenUp),
        (Look::CallIsOver, _) => connection.give_up_call(),
        (_, Waiting::Node | Waiting::Continue) => connection.give_up_node(Late::Node),
        (_, Waiting::Request | Waiting::Head | Waiting::Body | Waiting::Nothing) => {
            connection.give_up_client()
        }
    }
}

/// The error of a client that does not take its answer.
fn too_slow() -> Box<Error> {
    Error::explain(ErrorType::WriteTimedout, "the client takes too little of its answer").into_down()
}

/// The error of a client, as Pingora would make it.
fn down(why: io::Error) -> Box<Error> {
    Error::because(ErrorType::ReadError, "reading from the client", why).into_down()
}
