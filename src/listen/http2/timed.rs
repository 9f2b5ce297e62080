//! The time that a stream of HTTP/2 may wait.
//!
//! Pingora asks a session for its client whenever it waits, for the client or for a node. With HTTP/1 that question ends at
//! the front door's stream, where all time runs out; here many requests share that stream, so each keeps its own.

use std::future::poll_fn;
use std::io;
use std::pin::pin;
use std::sync::Arc;
use std::task::{Poll, ready};

use bytes::Bytes;
use h2::Reason;
use pingora::protocols::http::ServerSession;
use pingora::{Error, ErrorType, Result};
use tokio::runtime::Handle;
use tokio::time::timeout;

use super::LAST_WORDS;
use super::streams::Place;
use crate::listen::alarm::Alarm;
use crate::listen::connection::{Connection, Late, Look, Waiting};
use crate::listen::stream::cut;
use crate::session::Overlay;

/// What keeps the time of one stream.
pub(super) struct Timed {
    connection: Arc<Connection>,
    alarm: Alarm,
    /// Taken only at the end.
    place: Option<Place>,
}

impl Timed {
    pub(super) fn new(connection: Arc<Connection>, place: Place) -> Self {
        Self { connection, alarm: Alarm::default(), place: Some(place) }
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

/// What happens when whoever is waited for has had its time.
fn late(connection: &Connection, over: Look) -> io::Error {
    match (over, connection.waiting()) {
        (Look::GivenUp, _) => connection.give_up_node(Late::GivenUp),
        (_, Waiting::Node | Waiting::Continue) => connection.give_up_node(Late::Node),
        (_, Waiting::Request | Waiting::Head | Waiting::Body | Waiting::Nothing) => {
            connection.give_up_client()
        }
    }
}

/// The error of a client, as Pingora would make it.
fn down(why: io::Error) -> Box<Error> {
    Error::because(ErrorType::ReadError, "reading from the client", why).into_down()
}
