//! Waiting for a node to come back, while none takes the request.

use std::future::poll_fn;
use std::time::Duration;

use http::header;
use pingora_proxy::Session;

use super::super::admit::body_length;
use super::super::context::Context;
use super::super::failure;
use super::Attempts;
use crate::balance::Pool;
use crate::clock;
use crate::config;
use crate::listen::Connection;
use crate::retry::Reach;
use crate::upstream::Ticket;

/// Bodies up to this length are read while their request waits, so that it shows when the client leaves.
const READ_AHEAD: u64 = super::SURELY_KEPT;

/// A request that waits, or has waited, for a node to come back.
#[derive(Debug)]
pub(super) struct Parked {
    ticket: Ticket,
    /// When it has waited for as long as it may, in milliseconds of the clock.
    until: u64,
    /// Where in the history the nodes begin that have refused it since it last waited.
    from: usize,
    /// Whether it is in the line.
    is_waiting: bool,
}

impl Attempts {
    /// Every node refused the request: it joins the line, or goes back to its place there. `false` if it may not.
    pub(super) fn park(&mut self, queue: Option<&config::Queue>, pool: &Pool) -> bool {
        let (Some(queue), now) = (queue, clock::millis()) else { return false };
        if let Some(parked) = &mut self.parked {
            if now >= parked.until {
                return false;
            }
            parked.ticket.rejoin();
            parked.is_waiting = true;
            return true;
        }
        let Some(ticket) = pool.parking().join(queue.max_length) else { return false };
        let until = now.saturating_add(clock::to_millis(queue.max_wait));
        self.parked = Some(Parked { ticket, until, from: 0, is_waiting: true });
        true
    }

    /// The wait is over: nodes that refused the request may be asked again.
    fn unpark(&mut self) {
        let Some(parked) = &mut self.parked else { return };
        parked.is_waiting = false;
        parked.ticket.leave();
        if parked.from > 0 {
            // The first refusals are told, the later ones only repeat them.
            let from = parked.from;
            let mut place = 0;
            self.history.retain(|attempt| {
                place += 1;
                place <= from || attempt.reach != Some(Reach::NotSent)
            });
        }
        parked.from = self.history.len();
    }

    /// Where in the history the refusals begin that still count.
    pub(super) fn refusals_from(&self) -> usize {
        self.parked.as_ref().map_or(0, |parked| parked.from)
    }
}

/// Waits until it is the request's turn again, or its time is over; either way it asks the nodes once more.
///
/// # Errors
///
/// If the client leaves meanwhile.
pub(in crate::proxy) async fn wait(session: &mut Session, context: &mut Context) -> pingora::Result<()> {
    let Some(until) =
        context.attempts.parked.as_ref().filter(|parked| parked.is_waiting).map(|parked| parked.until)
    else {
        return Ok(());
    };
    let left = Duration::from_millis(until.saturating_sub(clock::millis()));
    let turn = async {
        let parked = context.attempts.parked.as_ref();
        if let Some(parked) = parked {
            let turn = poll_fn(|cx| parked.ticket.poll(cx));
            let _ = tokio::time::timeout(left, turn).await;
        }
    };
    let connection = context.connection.clone();
    tokio::select! {
        () = turn => {}
        gone = client_leaves(session, connection.as_deref(), left) => {
            return Err(failure::left_while_waiting(gone, context));
        }
    }
    if let Some(connection) = &connection {
        connection.await_body();
    }
    context.attempts.unpark();
    Ok(())
}

/// Ready when the client leaves, as far as that can be seen: behind a long body that nobody has read it cannot. A short one
/// is read meanwhile, and kept.
async fn client_leaves(
    session: &mut Session,
    connection: Option<&Connection>,
    left: Duration,
) -> Box<pingora::Error> {
    if !session.as_mut().is_body_done() {
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
        // The front door's stream is to look whether the client leaves, and to leave alone what it sends.
        connection.await_node(left.saturating_add(Duration::from_secs(1)));
    }
    loop {
        if let Err(error) = session.as_mut().read_body_or_idle(true).await {
            return error;
        }
    }
}
