//! Waiting for a node to come back, while none takes the request.

use std::future::poll_fn;

use super::Attempts;
use crate::balance::Pool;
use crate::clock;
use crate::config;
use crate::retry::Reach;
use crate::upstream::Ticket;

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

    /// When the wait for a node to come back is over, if it waits for that.
    pub(super) fn parked_until(&self) -> Option<u64> {
        self.parked.as_ref().filter(|parked| parked.is_waiting).map(|parked| parked.until)
    }

    /// Ready when it is the request's turn.
    pub(super) async fn released(&self) {
        if let Some(parked) = &self.parked {
            poll_fn(|cx| parked.ticket.poll(cx)).await;
        }
    }

    /// The wait is over: nodes that refused the request may be asked again.
    pub(super) fn unpark(&mut self) {
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
