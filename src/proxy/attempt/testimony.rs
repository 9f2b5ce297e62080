//! What the attempts of a request say of their nodes.
//!
//! One failure has two suspects, the node and the request, and the next node's answer tells them apart: if it serves the
//! request, the first node is accused; if it fails alike, the request is at fault, and nobody is.

use std::hash::Hash;
use std::sync::Arc;
use std::time::Duration;

use http::StatusCode;
use pingora_proxy::Session;

use super::super::context::Context;
use super::super::forward;
use super::{Attempt, Attempts};
use crate::balance::Pool;
use crate::clock;
use crate::config;
use crate::generation::Route;
use crate::observe::Observer;
use crate::retry::{Circumstance, Decision, Failure, Reach};
use crate::upstream::{Fault, Member, PATIENCE, Transition, Verdicts};

/// How many of those that wait are let go by one that was served.
const RELEASED_BY_EACH: usize = 2;

/// Who hears what the attempts say, and what they were about.
pub(in crate::proxy) struct Hearing<'a> {
    pub(super) pool: &'a Pool,
    route: &'a Route,
    session: &'a Session,
    observer: &'a Observer,
}

/// What a failed attempt says of its node, if no other node fails the request alike.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Charge {
    /// The node failed.
    Node,
    /// A connection that had served before broke, which is no failure.
    Connection,
}

impl Attempts {
    /// The attempt under way failed, and this is what comes next.
    pub(in crate::proxy) fn testify(&mut self, failure: Failure, decision: Decision, hearing: &Hearing<'_>) {
        let Some((last, before)) = self.history.split_last_mut() else { return };
        if failure.is_of_the_connection() {
            last.member.node.dropped_a_connection(clock::millis());
        }
        hearing.note_failure(last, failure);
        match failure.reach {
            _ if failure.circumstance.is_of_nobody() => {}
            Reach::NotSent => hearing.accuse(last, Fault::Unreachable),
            // How an upgraded connection ends is its own business.
            Reach::Truncated if hearing.session.was_upgraded() => {}
            Reach::Truncated => hearing.accuse(last, Fault::Cut),
            Reach::Answered(status) if !is_failure(status) => {}
            Reach::PartSent | Reach::MaybeSent | Reach::Silent | Reach::Nonsense | Reach::Answered(_) => {
                last.member.node.check_call().call();
                let is_open = |attempt: &&mut Attempt| attempt.open.is_some() && !attempt.is_at(&last.member);
                let open = before.iter_mut().find(is_open);
                let is_alike = |open: &Attempt| open.reach.is_some_and(|reach| reach.is_like(failure.reach));
                match open {
                    Some(open) if is_alike(open) => {
                        open.open = None;
                        hearing.pool.at_fault().remember(hearing.kind(), clock::millis());
                    }
                    None if hearing.is_at_fault() => {}
                    Some(_) | None if failure.is_of_the_connection() => last.open = Some(Charge::Connection),
                    Some(_) | None => last.open = Some(Charge::Node),
                }
            }
        }
        if decision == Decision::End {
            self.close(Fault::Unconfirmed, hearing);
        }
    }

    /// The head of the answer is there: the attempt waits no longer, `took` after its node had all of the request.
    fn end_wait(&mut self, took: Option<Duration>, now: u64) {
        if let Some(Attempt { slot: Some(slot), .. }) = self.history.last_mut() {
            slot.answered(took, now);
        }
    }

    /// The attempt under way is answered at `now`, so long after its node had all of the request.
    fn acquit(&mut self, took: Duration, now: u64, hearing: &Hearing<'_>) {
        let waited = clock::to_millis(took);
        if let Some(Attempt { member, slot: Some(slot), .. }) = self.history.last_mut() {
            let transition = hearing.pool.jury().answered(slot, waited, now);
            hearing.note_latency(member, took, transition, now);
            let member = Arc::clone(member);
            hearing.tell(transition.map(|transition| (member, transition)).into_iter().collect());
        }
        hearing.pool.at_fault().forget(hearing.kind());
        if waited < PATIENCE {
            hearing.pool.slow().forget(hearing.kind());
        } else {
            hearing.pool.slow().remember(hearing.kind(), now);
        }
        self.close(Fault::Confirmed, hearing);
        // What was served makes room for more.
        hearing.pool.parking().release(RELEASED_BY_EACH);
    }

    /// No other node will say more: whoever failed is accused.
    fn close(&mut self, fault: Fault, hearing: &Hearing<'_>) {
        for attempt in &mut self.history {
            if attempt.open.take() == Some(Charge::Node) {
                hearing.accuse(attempt, fault);
            }
        }
    }
}

impl<'a> Hearing<'a> {
    /// The hearing of a request on `route`.
    pub(in crate::proxy) fn new(route: &'a Route, session: &'a Session, observer: &'a Observer) -> Self {
        Self { pool: &route.pool, route, session, observer }
    }

    /// Whether requests of this kind are known to fail on every node.
    pub(in crate::proxy) fn is_at_fault(&self) -> bool {
        self.pool.at_fault().contains(self.kind(), clock::millis())
    }

    /// Whether and how requests wait while no node takes any.
    pub(super) fn queue(&self) -> Option<&config::Queue> {
        self.pool.settings().queue.as_ref()
    }

    fn kind(&self) -> impl Hash {
        kind(self.route, self.session)
    }

    /// How long a node took that answered.
    fn note_latency(&self, member: &Member, took: Duration, transition: Option<Transition>, now: u64) {
        if !self.pool.goes_by_latency() {
            return;
        }
        if transition == Some(Transition::Returning) {
            // What it was like before it was out says nothing of what it is like now.
            member.node.latency().forget();
        }
        let took = u64::try_from(took.as_micros()).unwrap_or(u64::MAX);
        member.node.latency().answered(took, member.node.load().in_flight(), now);
    }

    /// A failure counts as a slow answer: a node that fails at once would be the fastest of all.
    fn note_failure(&self, attempt: &Attempt, failure: Failure) {
        let is_its_own = match (failure.circumstance, failure.reach) {
            (Circumstance::OwnLack | Circumstance::ConnectionOver, _) => false,
            (_, Reach::Answered(status)) => is_failure(status),
            (_, Reach::NotSent | Reach::PartSent | Reach::MaybeSent | Reach::Silent) => true,
            (_, Reach::Nonsense | Reach::Truncated) => true,
        };
        if is_its_own && self.pool.goes_by_latency() {
            let now = clock::millis();
            let took = now.saturating_sub(attempt.since).saturating_mul(1_000);
            attempt.member.node.latency().failed(took, now);
        }
    }

    fn accuse(&self, attempt: &Attempt, fault: Fault) {
        let member = &attempt.member;
        member.node.check_call().call();
        let at = (clock::millis(), fastrand::f64());
        self.tell(self.pool.jury().failed(&self.pool.members(), member, attempt.since, fault, at));
    }

    fn tell(&self, verdicts: Verdicts) {
        for (member, transition) in verdicts {
            self.observer.node(self.pool.name().as_str(), &member.name, transition, &"");
        }
    }
}

/// What requests have in common that fail alike, or that are slow.
pub(in crate::proxy) fn kind<'a>(route: &'a Route, session: &'a Session) -> impl Hash + 'a {
    let head = session.req_header();
    (route.name.as_str(), head.method.as_str(), head.uri.path())
}

/// A node began to answer.
pub(in crate::proxy) fn answered(
    session: &Session,
    status: StatusCode,
    context: &mut Context,
    observer: &Observer,
) {
    let now = clock::millis();
    if let Some(member) = context.attempts.last() {
        member.node.heard(now);
    }
    let is_final = !status.is_informational() || status == StatusCode::SWITCHING_PROTOCOLS;
    if !is_final {
        return;
    }
    // How fast a node fails says nothing of what it can finish, nor does an answer before it had all of the request.
    let took = forward::node_took(context);
    context.attempts.end_wait(took.filter(|_| !is_failure(status)), now);
    if is_failure(status) {
        return;
    }
    let took = took.unwrap_or_default();
    let Some(route) = context.admitted.as_ref().and_then(|admitted| context.generation.route(admitted.route))
    else {
        return;
    };
    let hearing = Hearing::new(route, session, observer);
    context.attempts.acquit(took, now, &hearing);
}

/// The statuses by which a node says that it failed, and not that the request is wrong.
fn is_failure(status: StatusCode) -> bool {
    matches!(status.as_u16(), 500 | 502..=504)
}
