//! The waits of a request: for a node to come back while none takes it, and for a place while all that could are full.
//!
//! Whoever waits is listened to, so that a request whose client has left waits for nobody.

use std::time::Duration;

use http::{Version, header};
use pingora_proxy::Session;

use super::super::admit::body_length;
use super::super::context::Context;
use super::super::failure;
use crate::clock;
use crate::listen::Connection;

/// Bodies up to this length are read while their request waits, so that it shows when the client leaves.
const READ_AHEAD: u64 = super::SURELY_KEPT;

/// Waits until it is the request's turn again, or its time is over at `until`; either way it asks the nodes once more.
///
/// # Errors
///
/// If the client leaves meanwhile.
pub(super) async fn for_a_node(
    session: &mut Session,
    context: &mut Context,
    until: u64,
) -> pingora::Result<()> {
    let turn = context.attempts.released();
    let ended = listening(turn, until, session, context.connection.as_deref()).await;
    end(ended, context)?;
    context.attempts.unpark();
    Ok(())
}

/// Waits until the request may try to get a place, or its time is over.
///
/// # Errors
///
/// If the client leaves meanwhile.
pub(super) async fn for_a_place(session: &mut Session, context: &mut Context) -> pingora::Result<()> {
    let (turn, until) = (context.attempts.called(), context.attempts.queued_until());
    let ended = listening(turn, until, session, context.connection.as_deref()).await;
    end(ended, context)
}

/// Waits for `turn`, but no longer than `until` (milliseconds of the clock), and listens to the client meanwhile.
async fn listening(
    turn: impl Future<Output = ()>,
    until: u64,
    session: &mut Session,
    connection: Option<&Connection>,
) -> pingora::Result<()> {
    let left = Duration::from_millis(until.saturating_sub(clock::millis()));
    tokio::select! {
        _ = tokio::time::timeout(left, turn) => Ok(()),
        gone = client_leaves(session, connection) => Err(gone),
    }
}

/// The wait is over: the client is listened to as before.
fn end(ended: pingora::Result<()>, context: &mut Context) -> pingora::Result<()> {
    match (ended, &context.connection) {
        (Err(gone), _) => return Err(failure::left_while_waiting(gone, context)),
        (Ok(()), Some(connection)) => connection.await_body(),
        (Ok(()), None) => {}
    }
    Ok(())
}

/// Ready when the client leaves, as far as that can be seen: behind a long body that nobody has read it cannot. A short one
/// is read meanwhile, and kept.
async fn client_leaves(session: &mut Session, connection: Option<&Connection>) -> Box<pingora::Error> {
    // A stream of HTTP/2 says that it is given up whatever else comes; a connection says it behind all that was sent.
    if session.req_header().version < Version::HTTP_2 && !session.as_mut().is_body_done() {
        let is_short = body_length(session).is_some_and(|length| length <= READ_AHEAD);
        if !is_short || session.req_header().headers.contains_key(header::EXPECT) {
            return std::future::pending().await;
        }
        session.as_mut().enable_retry_buffering();
        loop {
            match session.as_mut().read_request_body().await {
                Ok(Some(_)) => {}
                Ok(None) => break,
                Err(error) => return error,
            }
        }
    }
    if let Some(connection) = connection {
        // The front door's stream is to look whether the client leaves, and to leave alone what it sends. How long that may
        // take is for the wait alone: with a limit of its own a stream that was not looked at for a while, because the
        // machine was busy, would end at the same moment as the wait, and the client would not be told anything.
        connection.await_node(Duration::MAX);
    }
    loop {
        if let Err(error) = session.as_mut().read_body_or_idle(true).await {
            return error;
        }
    }
}
