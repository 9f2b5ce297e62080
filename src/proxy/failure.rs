//! What became of an attempt that failed: Pingora's errors in our words.

use std::io;
use std::time::Duration;

use http::{StatusCode, Version, header};
use pingora::http::ResponseHeader;
use pingora::{Error, ErrorSource, ErrorType};
use pingora_proxy::Session;

use super::admit::body_length;
use super::attempt::{self, Hearing, Nowhere};
use super::cause::Cause;
use super::context::Context;
use super::finish::Finishing;
use super::replay;
use crate::clock;
use crate::continuation::Mismatch;
use crate::framing;
use crate::headers;
use crate::link::{self, Known};
use crate::listen::Late;
use crate::observe::{Attempt, Observer};
use crate::retry::{Circumstance, Decision, Failure, Reach, Repeatability};

/// The longest that a node's `Retry-After` keeps work from it.
const LONGEST_REST: Duration = Duration::from_secs(10);

/// The error for Pingora when there is no node to try. The request comes again if it may wait for one.
pub(super) fn nowhere(why: Nowhere, context: &mut Context) -> Box<Error> {
    let is_parked = why == Nowhere::Refused && attempt::park(context);
    let mut error = Error::new_in(ErrorType::ConnectProxyFailure);
    error.set_retry(is_parked);
    if !is_parked {
        end_with_nodes(context, why.into());
    }
    error
}

/// The error for Pingora when the body of a request is larger than it may be.
pub(super) fn body_too_large(context: &mut Context) -> Box<Error> {
    context.end(Cause::BodyTooLarge);
    Error::new_down(ErrorType::HTTPStatus(StatusCode::PAYLOAD_TOO_LARGE.as_u16()))
}

/// The client left, did not go on with its body, or has no more time, while its request waited for a node.
pub(super) fn left_while_waiting(mut error: Box<Error>, context: &mut Context) -> Box<Error> {
    let late = context.connection.as_ref().and_then(|connection| connection.take_late());
    context.end(match late {
        Some(Late::Client) => Cause::BodyTooSlow,
        Some(Late::Call) => Cause::Deadline,
        Some(Late::Node | Late::GivenUp) | None => Cause::ClientGone,
    });
    error.as_down();
    error.set_retry(false);
    error
}

/// The error for Pingora when the answer of another node is not the one that broke off.
pub(super) fn unfinished(mismatch: Mismatch, context: &mut Context) -> Box<Error> {
    context.end(Cause::Unfinished(mismatch));
    Error::new_up(ErrorType::HTTPStatus(StatusCode::BAD_GATEWAY.as_u16()))
}

/// No connection: nothing was sent.
pub(super) fn not_connected(
    session: &mut Session,
    error: Box<Error>,
    context: &mut Context,
    observer: &Observer,
) -> Box<Error> {
    // Pingora's words for a connection that could not even be begun.
    let circumstance = match error.etype() {
        ErrorType::InternalError | ErrorType::SocketError | ErrorType::BindError => Circumstance::OwnLack,
        _ => Circumstance::Usual,
    };
    after(Failure { reach: Reach::NotSent, circumstance }, session, error, context, observer)
}

/// The attempt broke somewhere between its first byte and the last of its answer.
pub(super) fn broken(
    session: &mut Session,
    mut error: Box<Error>,
    context: &mut Context,
    was_pooled: bool,
    observer: &Observer,
) -> Box<Error> {
    // Our own, from `judge` or `body_too_large`: it has been decided on.
    if matches!(error.etype(), ErrorType::HTTPStatus(_)) {
        return error;
    }
    let late = context.connection.as_ref().and_then(|connection| connection.take_late());
    let late = late.or_else(|| context.body.watch.is_late().then_some(Late::Node));
    let known = link::known_of(error.root_cause());
    let reach = match (late, error.esource()) {
        (Some(Late::Client), _) => {
            context.end(Cause::BodyTooSlow);
            None
        }
        (Some(Late::Call), _) => {
            context.end(Cause::Deadline);
            None
        }
        (Some(Late::Node | Late::GivenUp), _) if is_under_way(session, context) => Some(Reach::Truncated),
        (Some(Late::Node | Late::GivenUp), _) => Some(Reach::Silent),
        (None, ErrorSource::Upstream) if matches!(known, Some(Known::Refused | Known::Over)) => {
            Some(Reach::NotSent)
        }
        (None, ErrorSource::Upstream) => Some(reach(session, &error, context)),
        (None, ErrorSource::Downstream | ErrorSource::Internal | ErrorSource::Unset) => None,
    };
    let Some(reach) = reach else {
        error.set_retry(false);
        return error;
    };
    error.as_up();
    let circumstance = match late {
        _ if context.body.watch.is_given_up() => Circumstance::NodeIsOut,
        Some(Late::GivenUp) => Circumstance::NodeIsOut,
        Some(Late::Client | Late::Node | Late::Call) => Circumstance::of_connection(was_pooled),
        None => match known {
            Some(Known::Over) => Circumstance::ConnectionOver,
            Some(Known::Refused) => Circumstance::Unbegun,
            Some(Known::GivenUp) => Circumstance::NodeIsOut,
            // One that is shared was alive a moment ago.
            None => Circumstance::of_connection(was_pooled && !context.body.is_shared),
        },
    };
    after(Failure { reach, circumstance }, session, error, context, observer)
}

/// Lets a node's answer pass, or sets it aside for that of another node.
pub(super) fn judge(
    session: &Session,
    answer: &ResponseHeader,
    context: &mut Context,
    observer: &Observer,
) -> pingora::Result<()> {
    let status = answer.status;
    if status == StatusCode::SWITCHING_PROTOCOLS && !session.is_upgrade_req() {
        // Nobody asked for another protocol; what follows cannot be an answer.
        return Err(Error::new_up(ErrorType::InvalidHTTPHeader));
    }
    if !framing::is_plain_answer(answer.version, status, &answer.headers) {
        return Err(Error::new_up(ErrorType::InvalidHTTPHeader));
    }
    if headers::is_unavailable(&answer.headers) && headers::is_grpc(&session.req_header().headers) {
        let reach = Reach::Answered(StatusCode::SERVICE_UNAVAILABLE);
        return outdo(Failure { reach, circumstance: Circumstance::Unbegun }, session, context, observer);
    }
    if !status.is_server_error() {
        return Ok(());
    }
    if status == StatusCode::SERVICE_UNAVAILABLE {
        let_rest(answer, context);
    }
    outdo(Reach::Answered(status).into(), session, context, observer)
}

/// Sets an answer aside if another node may have a better one.
fn outdo(
    failure: Failure,
    session: &Session,
    context: &mut Context,
    observer: &Observer,
) -> pingora::Result<()> {
    match decide(failure, session, context, observer) {
        Decision::Another | Decision::Again => {
            // The number is read by nobody but `broken`, which lets it be.
            let mut error = Error::new_up(ErrorType::HTTPStatus(StatusCode::BAD_GATEWAY.as_u16()));
            error.set_retry(true);
            Err(error)
        }
        Decision::End => Ok(()),
    }
}

/// Makes sure that a request that failed has a cause.
pub(super) fn conclude(error: &Error, context: &mut Context) {
    let cause = match (error.esource(), error.etype()) {
        (ErrorSource::Downstream, ErrorType::ReadError) if is_malformed(error) => Cause::BodyInvalid,
        (
            ErrorSource::Downstream,
            ErrorType::ReadError | ErrorType::WriteError | ErrorType::ConnectionClosed,
        ) => Cause::ClientGone,
        (
            ErrorSource::Downstream,
            ErrorType::WriteTimedout | ErrorType::ConnectError | ErrorType::H2Error,
        ) => Cause::ClientGone,
        (ErrorSource::Downstream, ErrorType::ReadTimedout) => Cause::BodyTooSlow,
        (ErrorSource::Downstream, _) => Cause::BodyInvalid,
        (ErrorSource::Upstream | ErrorSource::Internal | ErrorSource::Unset, _) => Cause::Internal,
    };
    context.end(cause);
}

/// Whether the front door found that the request cannot be read in one way.
fn is_malformed(error: &Error) -> bool {
    let why = error.root_cause().downcast_ref::<io::Error>();
    why.is_some_and(|why| why.kind() == io::ErrorKind::InvalidData)
}

fn after(
    failure: Failure,
    session: &Session,
    mut error: Box<Error>,
    context: &mut Context,
    observer: &Observer,
) -> Box<Error> {
    match decide(failure, session, context, observer) {
        Decision::Another | Decision::Again => error.set_retry(true),
        Decision::End => {
            error.set_retry(false);
            if failure.reach == Reach::Truncated && session.req_header().version < Version::HTTP_11 {
                // Without chunks or a length the end of the connection is the end of the answer.
                context.break_off();
            }
            end_with_nodes(context, Cause::Node(failure.reach));
        }
    }
    error
}

/// After an answer nothing worse may replace it; but an answer that says "not processed" is no longer true of a request
/// that may have run since.
fn end_with_nodes(context: &mut Context, cause: Cause) {
    // Whatever became of the attempts to finish it: what the client has is an answer that broke off.
    let cause = if context.finishing().is_some() { Cause::Node(Reach::Truncated) } else { cause };
    let may_have_run = matches!(cause, Cause::Node(Reach::MaybeSent | Reach::Silent)) && context.is_unsafe();
    let is_superseded = may_have_run || cause == Cause::Node(Reach::Truncated);
    match context.attempts.answered().filter(|_| !is_superseded) {
        Some(status) => context.end(Cause::FirstAnswer(status)),
        None => context.end(cause),
    }
}

/// Whether the client still holds its whole body back until a node says that it wants it.
fn is_held_back(session: &Session, context: &Context) -> bool {
    context.body.sent_at.is_none() && session.as_ref().body_bytes_read() == 0
}

fn decide(failure: Failure, session: &Session, context: &mut Context, observer: &Observer) -> Decision {
    let Some(admitted) = &context.admitted else { return Decision::End };
    let Some(route) = context.generation.route(admitted.route) else { return Decision::End };
    let mut request = admitted.request;
    // What is not there must never be sent: Pingora would wait for it for ever.
    request.is_replayable = replay::is_possible(session, context);
    if failure.reach == Reach::Silent && is_held_back(session, context) && route.retry.rules.part_sent {
        // Of a head alone nobody has done anything, and the node will not get more.
        request.repeatability = Repeatability::Safe;
    }
    request.is_finishable = context.finishing().is_some();
    let hearing = Hearing::new(route, session, observer);
    let decision = context.attempts.failed(&route.retry, request, failure, &hearing);
    if let Some(member) = context.attempts.last() {
        let followed = decision != Decision::End;
        observer.attempt_failed(&Attempt {
            pool: route.pool.name().as_str(),
            node: &member.name,
            reach: failure.reach,
            followed,
        });
    }
    decision
}

/// How far an attempt got whose connection to the node failed.
fn reach(session: &Session, error: &Error, context: &Context) -> Reach {
    if is_under_way(session, context) {
        return Reach::Truncated;
    }
    match error.etype() {
        ErrorType::InvalidHTTPHeader => Reach::Nonsense,
        ErrorType::WriteError | ErrorType::WriteTimedout => Reach::PartSent,
        ErrorType::ReadTimedout if is_all_sent(session, context) => Reach::Silent,
        _ if is_all_sent(session, context) => Reach::MaybeSent,
        _ => Reach::PartSent,
    }
}

/// Whether the last byte of the request was written. What was given to Pingora may still have waited for its turn, which
/// shows where the length of the body is known.
fn is_all_sent(session: &Session, context: &Context) -> bool {
    let sent = session.upstream_body_bytes_sent().map(|sent| sent as u64);
    let is_short = sent.zip(body_length(session)).is_some_and(|(sent, length)| sent < length);
    context.body.sent_at.is_some() && !is_short
}

/// Whether this attempt's answer has begun; that of another may have before.
fn is_under_way(session: &Session, context: &Context) -> bool {
    is_answered(session) && !context.finishing().is_some_and(Finishing::awaits_head)
}

/// Whether the head of a final answer went to the client.
fn is_answered(session: &Session) -> bool {
    session
        .response_written()
        .is_some_and(|head| !head.status.is_informational() || head.status == StatusCode::SWITCHING_PROTOCOLS)
}

/// Gives the node the rest that it asked for.
fn let_rest(answer: &ResponseHeader, context: &Context) {
    let seconds =
        answer.headers.get(header::RETRY_AFTER).and_then(|value| value.to_str().ok()?.trim().parse().ok());
    if let (Some(seconds), Some(member)) = (seconds, context.attempts.last()) {
        let rest = Duration::from_secs(seconds).min(LONGEST_REST);
        member.node.rest(clock::millis() + clock::to_millis(rest));
    }
}
