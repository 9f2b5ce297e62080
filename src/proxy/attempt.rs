//! Attempts: one node after the other, each the best that the request has not tried.

use std::sync::Arc;

use pingora::upstreams::peer::HttpPeer;
use smallvec::SmallVec;

use super::context::Context;
use crate::balance::Pool;
use crate::config::NodeTimeouts;
use crate::retry::{Decision, Policy, Progress, Reach, Request, backoff};
use crate::upstream::{Member, Place};

/// The attempts of one request.
#[derive(Debug, Default)]
pub(super) struct Attempts {
    tried: SmallVec<[Tried; 2]>,
    progress: Progress,
    /// How often the request returned to nodes that it had tried.
    returns: u32,
    /// Attempts in all.
    count: usize,
}

#[derive(Debug)]
struct Tried {
    member: Arc<Member>,
    /// Nothing was sent: it refused, or could not be reached.
    refused: bool,
}

impl Attempts {
    /// How many there were.
    pub(super) fn count(&self) -> usize {
        self.count
    }

    /// The status of the answer that was set aside for a better one.
    pub(super) fn answered(&self) -> Option<http::StatusCode> {
        self.progress.answered
    }

    /// The node of the attempt under way, or of the last one.
    pub(super) fn last(&self) -> Option<&Arc<Member>> {
        self.tried.last().map(|tried| &tried.member)
    }

    /// Takes the failure of the attempt under way and decides what comes next.
    pub(super) fn failed(
        &mut self,
        policy: &Policy,
        request: Request,
        reach: Reach,
        pool: &Pool,
    ) -> Decision {
        if let Some(last) = self.tried.last_mut() {
            last.refused = reach == Reach::NotSent;
        }
        let untried = pool.members().iter().any(|member| !self.has_tried(member));
        let returnable = self.tried.iter().any(|tried| !tried.refused);
        let decision = policy.decide(request, reach, &mut self.progress, untried, returnable);
        if decision == Decision::Again {
            self.returns += 1;
        }
        decision
    }

    fn has_tried(&self, member: &Arc<Member>) -> bool {
        self.tried.iter().any(|tried| Arc::ptr_eq(&tried.member.node, &member.node))
    }

    fn has_refused(&self, member: &Arc<Member>) -> bool {
        self.tried.iter().any(|tried| tried.refused && Arc::ptr_eq(&tried.member.node, &member.node))
    }

    /// Picks the best node for the next attempt and remembers it as tried.
    fn next(&mut self, pool: &Pool) -> Option<Arc<Member>> {
        let member = if self.returns == 0 {
            pool.select(|member| !self.has_tried(member))
        } else {
            pool.select(|member| !self.has_refused(member))
        }?;
        self.count += 1;
        self.tried.retain(|tried| !Arc::ptr_eq(&tried.member.node, &member.node));
        self.tried.push(Tried { member: Arc::clone(&member), refused: false });
        Some(member)
    }
}

/// Waits as long as a request has to that returns to nodes it has tried.
pub(super) async fn wait(context: &Context) {
    if context.attempts.returns > 0 {
        tokio::time::sleep(backoff(context.attempts.returns, fastrand::f64())).await;
    }
}

/// Begins an attempt at the best node there is; `None` if there is none.
pub(super) fn begin(context: &mut Context) -> Option<Box<HttpPeer>> {
    let route = context.generation.route(context.admitted.as_ref()?.route)?;
    let member = context.attempts.next(&route.pool)?;
    context.body.is_sent = false;
    let mut peer = peer(member.node.place())?;
    set_timeouts(&mut peer, &route.timeouts);
    Some(Box::new(peer))
}

/// `None` only for a Unix socket whose path is not UTF-8, which no configuration can name.
fn peer(place: &Place) -> Option<HttpPeer> {
    match place {
        Place::Tcp(address) => Some(HttpPeer::new(*address, false, String::new())),
        Place::Unix(path) => HttpPeer::new_uds(path.to_str()?, false, String::new()).ok(),
    }
}

/// All but the time to the first byte and between two bytes: Pingora has one clock for both, which cannot be changed once
/// the answer has begun. Those are kept by the front door's stream.
fn set_timeouts(peer: &mut HttpPeer, timeouts: &NodeTimeouts) {
    peer.options.connection_timeout = Some(timeouts.connect);
    peer.options.write_timeout = Some(timeouts.write);
    peer.options.idle_timeout = Some(timeouts.idle);
}
