//! Attempts: one node after the other, each the best that the request has not tried.

mod choosing;
mod parking;
mod queueing;
mod testimony;
mod waiting;

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use pingora::protocols::l4::ext::TcpKeepalive;
use pingora::upstreams::peer::{HttpPeer, HttpUpstreamRequestPolicy};
use pingora_proxy::Session;
use smallvec::SmallVec;

use self::parking::Parked;
use self::queueing::Queued;
pub(super) use self::queueing::reserve;
use self::testimony::Charge;
pub(super) use self::testimony::{Hearing, answered, kind};
use super::admit;
use super::context::Context;
use super::early::Oversight;
use super::finish::Finishing;
use super::replay;
use crate::balance::Pool;
use crate::clock;
use crate::config::NodeTimeouts;
use crate::generation::Route;
use crate::headers;
use crate::link::{self, Overseer};
use crate::retry::{
    Circumstance, Decision, Failure, Options, Policy, Progress, Reach, Repeatability, Request, backoff,
};
use crate::upstream::{Asker, Member, NodeKey, Patience, Place, Slot, Vigil};

/// When the kernel begins to ask whether a silent node is still there, how often, and after how many questions without
/// an answer it is gone.
const KEEPALIVE_IDLE: Duration = Duration::from_secs(60);
const KEEPALIVE_INTERVAL: Duration = Duration::from_secs(10);
const KEEPALIVE_PROBES: usize = 3;

/// The group of connections that never idle for longer than [`LONGEST_YOUTH`]; 0 is that of all others.
const YOUNG: u64 = 1;

/// How long a connection may have been idle for a request that may not run twice.
const LONGEST_YOUTH: Duration = Duration::from_secs(1);

/// How often a request goes back to a node whose connection was over before it took the request.
const MOST_ENDS: u32 = 2;

/// Bodies up to this length are kept for another attempt whatever happens.
const SURELY_KEPT: u64 = 64 * 1024;

/// The attempts of one request.
#[derive(Debug, Default)]
pub(super) struct Attempts {
    history: SmallVec<[Attempt; 2]>,
    progress: Progress,
    /// How often the request returned to nodes that it had tried.
    returns: u32,
    /// How often the connection that it went out on was over before its node took it.
    ends_met: u32,
    /// A connection broke under it; the next attempt goes out on a new one, so that it breaks for no lesser reason than
    /// that its node does.
    met_a_dead_connection: bool,
    /// Every node refused it, and it waits or has waited for one to come back.
    parked: Option<Parked>,
    /// Every node that could take it is full, and it waits for a place.
    queued: Option<Queued>,
    /// The node of its session, which it waits for alone: it is full, and another one has room.
    awaited: Option<NodeKey>,
    /// It has waited for that one in vain.
    is_moving: bool,
    /// The last of the history has its place, and has not begun.
    is_reserved: bool,
    /// The attempt under way is not at the node of its session, which stays there.
    is_lent: bool,
}

/// Why there is no attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Nowhere {
    /// There is no place at the best node there is.
    Full,
    /// Every node refused the request, or there is none.
    Refused,
}

#[derive(Debug)]
struct Attempt {
    member: Arc<Member>,
    /// How far it got, if it failed.
    reach: Option<Reach>,
    /// Whether its node did not refuse it, but the connection was over.
    is_over: bool,
    /// Its place on the node, until it failed or the request is over.
    slot: Option<Slot>,
    /// When it began, in milliseconds of the clock.
    since: u64,
    /// What is to be said of its node once another one was asked.
    open: Option<Charge>,
}

impl Attempts {
    /// How many there were.
    pub(super) fn count(&self) -> usize {
        self.history.len()
    }

    /// Whether the attempt under way is not at the node of its session, which stays there.
    pub(super) fn is_lent(&self) -> bool {
        self.is_lent
    }

    /// The status of the answer that was set aside for a better one.
    pub(super) fn answered(&self) -> Option<http::StatusCode> {
        self.progress.answered
    }

    /// The node of the attempt under way, or of the last one.
    pub(super) fn last(&self) -> Option<&Arc<Member>> {
        self.history.last().map(|attempt| &attempt.member)
    }

    /// How far the first attempt got that failed.
    pub(super) fn first_failure(&self) -> Option<Reach> {
        self.history.iter().find_map(|attempt| attempt.reach)
    }

    /// Takes the failure of the attempt under way and decides what comes next.
    pub(super) fn failed(
        &mut self,
        policy: &Policy,
        request: Request,
        mut failure: Failure,
        hearing: &Hearing<'_>,
    ) -> Decision {
        self.ends_met += u32::from(failure.circumstance == Circumstance::ConnectionOver);
        if failure.circumstance == Circumstance::ConnectionOver && self.ends_met > MOST_ENDS {
            // A node that ends every connection refuses.
            failure.circumstance = Circumstance::Unbegun;
        }
        if let Some(last) = self.history.last_mut() {
            last.reach = Some(failure.reach);
            last.is_over = failure.circumstance == Circumstance::ConnectionOver;
            last.slot = None;
        }
        self.met_a_dead_connection |= matches!(failure.reach, Reach::PartSent | Reach::MaybeSent);
        let options = Options {
            untried: self.has_untried(hearing.pool),
            returnable: self.history.iter().any(|attempt| !self.has_refused(&attempt.member)),
            is_at_fault: hearing.is_at_fault(),
        };
        let afford = || hearing.pool.budget().spend(clock::millis());
        let mut decision = policy.decide(request, failure, &mut self.progress, options, afford);
        let is_refused = failure.reach == Reach::NotSent && failure.circumstance != Circumstance::OwnLack;
        if decision == Decision::End && is_refused && self.park(hearing.queue(), hearing.pool) {
            decision = Decision::Another;
        }
        self.testify(failure, decision, hearing);
        if decision == Decision::Again {
            self.returns += 1;
        }
        decision
    }

    /// How long the attempt under way waits for a node that says nothing: for ever if there is no other one to go to.
    pub(super) fn patience(&self, request: Request, policy: &Policy, pool: &Pool) -> Patience {
        let is_last = self.progress.counted + 1 >= policy.rules.attempts || !self.has_untried(pool);
        match request.repeatability {
            _ if is_last || !request.is_replayable => Patience::Endless,
            Repeatability::Safe => Patience::UntilSuspect,
            Repeatability::Idempotent if !request.is_conditional => Patience::UntilEjected,
            Repeatability::Idempotent | Repeatability::Unsafe => Patience::Endless,
        }
    }

    /// The answer of the attempt under way is complete.
    pub(super) fn completed(&self) {
        if let Some(member) = self.last() {
            member.node.completed();
        }
    }
}

impl Attempt {
    /// Whether its node took nothing of the request, and would not now.
    fn is_refusal(&self) -> bool {
        self.reach == Some(Reach::NotSent) && !self.is_over
    }

    fn is_at(&self, member: &Member) -> bool {
        Arc::ptr_eq(&self.member.node, &member.node)
    }
}

/// The nodes in order, with how far each attempt that failed got: `web-02:not_sent,web-01`.
impl fmt::Display for Attempts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (number, Attempt { member, reach, .. }) in self.history.iter().enumerate() {
            let comma = if number == 0 { "" } else { "," };
            write!(f, "{comma}{}", member.name)?;
            if let Some(reach) = reach {
                write!(f, ":{}", reach.as_str())?;
            }
        }
        Ok(())
    }
}

/// Waits as long as a request has to that returns to nodes it has tried, or that no node takes.
///
/// # Errors
///
/// If the client leaves meanwhile.
pub(super) async fn wait(session: &mut Session, context: &mut Context) -> pingora::Result<()> {
    if context.attempts.returns > 0 {
        tokio::time::sleep(backoff(context.attempts.returns, fastrand::f64())).await;
    }
    match context.attempts.parked_until() {
        // Boxed, so that those who need not wait do not carry the wait along.
        Some(until) => Box::pin(waiting::for_a_node(session, context, until)).await,
        None => Ok(()),
    }
}

/// Begins the attempt that has its place; `None` if there is none that has.
pub(super) fn begin(session: &mut Session, context: &mut Context) -> Option<Box<HttpPeer>> {
    let admitted = context.admitted.as_ref()?;
    let route = context.generation.route(admitted.route)?;
    context.attempts.is_reserved = false;
    let member = context.attempts.last()?;
    context.body.sent_at = None;
    // What the client has sent so far comes again, out of the replay buffer.
    context.body.received = 0;
    context.body.pieces = 0;
    let mut peer = peer(member.node.place())?;
    set_timeouts(&mut peer, &route.timeouts);
    if let Some(link) = context.generation.link(route.pool.name(), &member.name) {
        let has_body = !session.as_mut().is_body_empty();
        let overseer = has_body.then(|| {
            let patience = upload_patience(session, admitted.request, route, &context.attempts);
            let (node, client) = (Arc::clone(&member.node), context.connection.clone());
            Arc::new(Oversight::new(node, patience, client)) as Arc<dyn Overseer>
        });
        link::send_out(&mut peer, &link, member.node.place(), limits(&route.timeouts), overseer);
        if link.is_shared() {
            // Such a connection has given a sign of life a moment ago, and says which requests it has not begun.
            return Some(Box::new(peer));
        }
    }
    if headers::is_for_all_connections(&session.req_header().headers) {
        // Pingora would look for each of a dozen headers; what may be there yet, `forward` takes away.
        peer.options.http_upstream_request_policy = HttpUpstreamRequestPolicy::preserve();
    }
    let may_stall = body_length(session).is_none_or(|length| length > SURELY_KEPT);
    if matches!(member.node.place(), Place::Unix(_)) && may_stall {
        // No kernel watches a Unix socket whose other end stopped reading.
        peer.options.read_timeout = Some(route.timeouts.first_byte.max(route.timeouts.between_bytes));
    }
    let is_unrepeatable = admitted.request.may_run_once_only();
    if context.attempts.met_a_dead_connection
        || is_unrepeatable && member.node.drops_connections(clock::millis())
    {
        avoid_pooled_connections(&mut peer);
    } else if is_unrepeatable {
        trust_young_connections(&mut peer);
    }
    Some(Box::new(peer))
}

/// Lets a request wait for which there is no node; `false` if it may not.
pub(super) fn park(context: &mut Context) -> bool {
    let route = context.admitted.as_ref().and_then(|admitted| context.generation.route(admitted.route));
    route.is_some_and(|route| context.attempts.park(route.pool.settings().queue.as_ref(), &route.pool))
}

/// The request is with the node, whose time is running from now on.
pub(super) fn await_head(session: &Session, context: &Context) {
    let (Some(connection), Some(admitted)) = (&context.connection, &context.admitted) else { return };
    let (Some(route), Some(member)) = (context.route(), context.attempts.last()) else { return };
    if context.passed.is_some() && !context.finishing().is_some_and(Finishing::awaits_head) {
        // The node answered before it had all of the request.
        connection.await_rest();
        return;
    }
    let now = clock::millis();
    let is_slow = route.pool.slow().contains(kind(route, session), now);
    let mut request = admitted.request;
    request.is_replayable = replay::is_possible(session, context);
    let patience = context.attempts.patience(request, &route.retry, &route.pool);
    let limit = route.timeouts.first_byte;
    connection.await_head(limit, Vigil::new(&member.node, patience, now, is_slow), now);
}

/// A long upload is under way: it is looked at, so that it does not wait for a node that takes no more of it.
pub(super) fn watch_upload(session: &Session, context: &mut Context) {
    let (Some(admitted), Some(member)) = (&context.admitted, context.attempts.last()) else { return };
    let Some(route) = context.route() else { return };
    let before = upload_patience(session, admitted.request, route, &context.attempts);
    let request = Request { is_replayable: is_kept(session, route), ..admitted.request };
    let after = context.attempts.patience(request, &route.retry, &route.pool);
    let node = Arc::clone(&member.node);
    let first_byte = route.timeouts.first_byte;
    context.body.watch.begin(node, [before, after], first_byte);
}

/// Whether the body is kept for another attempt.
fn is_kept(session: &Session, route: &Route) -> bool {
    admit::body_length(session).is_none_or(|length| length <= route.retry.rules.body_buffer)
}

/// How long a body waits for a node that takes nothing more of it. Half a request can be sent again at once: the node has not
/// all of it.
fn upload_patience(session: &Session, request: Request, route: &Route, attempts: &Attempts) -> Patience {
    let may_repeat = route.retry.rules.part_sent || request.repeatability != Repeatability::Unsafe;
    let is_movable = is_kept(session, route) && may_repeat && attempts.has_untried(&route.pool);
    if is_movable { Patience::UntilSuspect } else { Patience::Endless }
}

/// How long the body of the request is, if that is known.
fn body_length(session: &mut Session) -> Option<u64> {
    if session.as_mut().is_body_empty() { Some(0) } else { admit::body_length(session) }
}

/// Whether another node can serve the request if the first one fails it.
fn asker(request: Request, body_length: Option<u64>) -> Asker {
    let is_kept = body_length.is_some_and(|length| length <= SURELY_KEPT);
    match request.repeatability {
        Repeatability::Safe if is_kept => Asker::Repeatable,
        Repeatability::Idempotent if is_kept && !request.is_conditional => Asker::Repeatable,
        Repeatability::Safe | Repeatability::Idempotent | Repeatability::Unsafe => Asker::Unrepeatable,
    }
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
    // A node that vanished without a word, or that stopped reading in the middle of an upload, is found out by the
    // kernel: Pingora goes on waiting for its answer after a write has failed.
    peer.options.tcp_keepalive = Some(TcpKeepalive {
        idle: KEEPALIVE_IDLE,
        interval: KEEPALIVE_INTERVAL,
        count: KEEPALIVE_PROBES,
        user_timeout: timeouts.write,
    });
}

/// How long a connection by a link may take.
fn limits(timeouts: &NodeTimeouts) -> link::Limits {
    link::Limits { connect: timeouts.connect, tls: timeouts.tls, write: timeouts.write }
}

/// Keeps the attempt off the connections that wait in the pool, and its own off the pool: nobody else will ask for this
/// group.
fn avoid_pooled_connections(peer: &mut HttpPeer) {
    peer.group_key = fastrand::u64(YOUNG + 1..);
    peer.options.idle_timeout = Some(Duration::ZERO);
}

/// Keeps the attempt to connections that have been idle for no more than a second, which those of this group are: whoever
/// closes idle connections mostly lets them be for longer, and a request that met the closing could not be repeated.
fn trust_young_connections(peer: &mut HttpPeer) {
    peer.group_key = peer.group_key.wrapping_add(YOUNG);
    peer.options.idle_timeout = peer.options.idle_timeout.map(|idle| idle.min(LONGEST_YOUTH));
}
