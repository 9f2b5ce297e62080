//! Taking a place at a node, and waiting for one while every node that could take the request is full.

use std::future::poll_fn;
use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;
use std::time::Duration;

use pingora_proxy::Session;

use super::super::access;
use super::super::context::Context;
use super::{Attempts, Nowhere, asker, body_length, waiting};
use crate::balance::Pool;
use crate::clock;
use crate::model::ClientNetwork;
use crate::observe::{Observer, WaitEnd};
use crate::upstream::{InLine, Member, NodeKey, Rank, Waiting};

/// A request that waits for a place.
#[derive(Debug)]
pub(super) struct Queued {
    place: InLine,
    /// When it joined the line, and when it has waited for as long as it may, in milliseconds of the clock.
    since: u64,
    until: u64,
    /// Whether it may try to get a place.
    is_called: bool,
}

/// Takes a place for the next attempt, at the best node there is, and waits for one if need be. Nothing is to do if it has
/// one.
///
/// The inner error says that there is none: if all are full, the request is to be shed.
///
/// # Errors
///
/// If the client leaves meanwhile.
pub(in crate::proxy) async fn reserve(
    session: &mut Session,
    context: &mut Context,
    observer: &Observer,
) -> pingora::Result<Result<(), Nowhere>> {
    if context.attempts.is_reserved {
        return Ok(Ok(()));
    }
    loop {
        let found = match take_place(session, context) {
            // Boxed, so that those who need not wait do not carry the wait along.
            Err(Nowhere::Full) => Box::pin(wait_for_place(session, context, observer)).await?,
            found => found,
        };
        // Whoever has waited for the node of its session in vain goes elsewhere.
        if found != Err(Nowhere::Full) || !context.attempts.moves() {
            return Ok(found);
        }
    }
}

fn take_place(session: &mut Session, context: &mut Context) -> Result<(), Nowhere> {
    let body_length = body_length(session);
    let admitted = context.admitted.as_ref().ok_or(Nowhere::Refused)?;
    let route = context.generation.route(admitted.route).ok_or(Nowhere::Refused)?;
    let asker = asker(admitted.request, body_length);
    context.attempts.next(&route.pool, asker, admitted.affinity)
}

/// Joins the line, and tries again whenever its turn comes.
async fn wait_for_place(
    session: &mut Session,
    context: &mut Context,
    observer: &Observer,
) -> pingora::Result<Result<(), Nowhere>> {
    let Some(pool) = context.route().map(|route| Arc::clone(&route.pool)) else {
        return Ok(Err(Nowhere::Refused));
    };
    let client = access::client(session, context).unwrap_or(IpAddr::V4(Ipv4Addr::UNSPECIFIED));
    if !context.attempts.queue(ClientNetwork::of(client), &pool) {
        if context.attempts.awaited.is_none() {
            pool.line().turned_away(clock::millis());
            observer.waited(pool.name().as_str(), WaitEnd::Shed, Duration::ZERO);
        }
        return Ok(Err(Nowhere::Full));
    }
    // A place that became free before the request joined the line has told nobody.
    pool.offer_room();
    loop {
        let waited = waiting::for_a_place(session, context).await;
        let (end, found) = match waited {
            Err(gone) => (WaitEnd::Left, Err(gone)),
            Ok(()) if context.attempts.is_in_vain() => {
                let moves = context.attempts.awaited.is_some();
                (if moves { WaitEnd::Left } else { WaitEnd::Shed }, Ok(Err(Nowhere::Full)))
            }
            Ok(()) => match take_place(session, context) {
                Ok(()) => (WaitEnd::Turn, Ok(Ok(()))),
                Err(Nowhere::Refused) => (WaitEnd::Left, Ok(Err(Nowhere::Refused))),
                Err(Nowhere::Full) => {
                    context.attempts.missed(&pool);
                    continue;
                }
            },
        };
        context.attempts.leave_line(&pool, end, observer);
        return found;
    }
}

impl Attempts {
    /// Joins the line; `false` if the request may not wait.
    fn queue(&mut self, client: ClientNetwork, pool: &Pool) -> bool {
        let (Some(settings), now) = (&pool.settings().queue, clock::millis()) else { return false };
        let rank = if self.history.is_empty() { Rank::Newcomer } else { Rank::FailOver };
        let waiting = match self.awaited {
            Some(own) => Waiting::only(client, own),
            None => Waiting::new(client, rank, self.excluded(pool)),
        };
        // One that moves has waited before.
        let time = if self.is_moving { settings.target / 2 } else { settings.target };
        let until = now.saturating_add(clock::to_millis(time));
        let place = pool.line().join(waiting, settings.max_length, now);
        self.queued = place.map(|place| Queued { place, since: now, until, is_called: false });
        self.queued.is_some()
    }

    /// When the wait for a place is over, in milliseconds of the clock.
    pub(super) fn queued_until(&self) -> u64 {
        self.queued.as_ref().map_or(0, |queued| queued.until)
    }

    /// Ready when the request may try to get a place, or has to make room for another.
    pub(super) async fn called(&self) {
        if let Some(queued) = &self.queued {
            poll_fn(|cx| queued.place.poll(cx).map(drop)).await;
        }
    }

    /// The wait is over: whether it was in vain.
    fn is_in_vain(&mut self) -> bool {
        let Some(queued) = &mut self.queued else { return true };
        queued.is_called = !queued.place.is_in_vain(clock::millis());
        !queued.is_called
    }

    /// It waits no longer for the node of its session alone; `false` if it did not.
    fn moves(&mut self) -> bool {
        let moves = self.awaited.take().is_some();
        self.is_moving |= moves;
        moves
    }

    /// Its turn was of no use.
    fn missed(&mut self, pool: &Pool) {
        let excluded = self.excluded(pool);
        if let Some(queued) = &mut self.queued {
            queued.is_called = false;
            let is_here = |node| pool.members().iter().any(|member| member.node.key() == node);
            queued.place.missed(|node| is_here(node) && !excluded.contains(&node));
        }
    }

    /// The wait ended like this.
    fn leave_line(&mut self, pool: &Pool, end: WaitEnd, observer: &Observer) {
        let Some(queued) = self.queued.take() else { return };
        let waited = Duration::from_millis(clock::millis().saturating_sub(queued.since));
        observer.waited(pool.name().as_str(), end, waited);
        if let (WaitEnd::Turn, Some(member)) = (end, self.last()) {
            queued.place.used(member.node.key());
        }
    }

    /// Whether its turn has come to get a place.
    pub(super) fn is_called(&self) -> bool {
        self.queued.as_ref().is_some_and(|queued| queued.is_called)
    }

    /// The nodes whose places are of no use to the next attempt.
    fn excluded(&self, pool: &Pool) -> Vec<NodeKey> {
        if self.history.is_empty() {
            return Vec::new();
        }
        let members = pool.members();
        let has_first_choice = members.iter().any(|member| self.is_first_choice(member));
        let is_candidate = |member: &&Arc<Member>| {
            if has_first_choice { self.is_first_choice(member) } else { !self.has_refused(member) }
        };
        members.iter().filter(|member| !is_candidate(member)).map(|member| member.node.key()).collect()
    }
}
