//! Answering in our own name.

use std::fmt::Display;

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Method, StatusCode, Version, header};
use pingora::http::ResponseHeader;
use pingora_proxy::Session;

use super::cause::Cause;
use super::context::Context;
use super::{access, forward};
use crate::answer::{Answer, Kind};
use crate::clock;
use crate::headers::{self, RequestId};
use crate::observe::{Ended, Observer, TooSlow};
use crate::retry::{Outcome, Reach};

/// What stands for a name that is not there.
const NONE: &str = "none";

/// Tells the client why its request ended, if it can still be told.
pub(super) async fn respond(session: &mut Session, context: &Context) -> pingora::Result<()> {
    let Some(status) = context.status() else { return Ok(()) };
    if session.response_written().is_some_and(|head| !head.status.is_informational()) {
        return end_begun(session, context, status).await;
    }
    let is_over = context.attempts.count() > 0 || context.is_last_answer();
    if !session.as_mut().is_body_done() || is_over || context.cause == Some(Cause::HeadTooLarge) {
        session.set_keepalive(None);
    }
    let (kind, id) = match &context.asker {
        Some(asker) => (asker.kind, asker.id.as_str()),
        None => (Kind::Text, ""),
    };
    let answer = Answer { status, kind, id };
    if headers::is_grpc(&session.req_header().headers) {
        return end_call(session, &answer).await;
    }
    let body = answer.body();
    let mut head = head(&answer, body.len())?;
    if let Some(Cause::Elsewhere(location)) = &context.cause {
        head.insert_header("Location", location.clone())?;
    }
    forward::tell_to_stay_secure(&mut head, context);
    let is_head_only = session.req_header().method == Method::HEAD;
    session.write_response_header(Box::new(head), is_head_only).await?;
    let body = if is_head_only { Bytes::new() } else { Bytes::from(body) };
    session.write_response_body(Some(body), true).await
}

fn head(answer: &Answer<'_>, length: usize) -> pingora::Result<ResponseHeader> {
    let mut head = ResponseHeader::build(answer.status, Some(8))?;
    head.insert_header(header::CONTENT_TYPE, answer.kind.content_type())?;
    head.insert_header(header::CONTENT_LENGTH, length)?;
    head.insert_header(header::CACHE_CONTROL, "no-store")?;
    head.insert_header(RequestId::HEADER, answer.id)?;
    if let Some(seconds) = answer.retry_after(fastrand::u64(..)) {
        head.insert_header(header::RETRY_AFTER, seconds)?;
    }
    if answer.status == StatusCode::NOT_FOUND {
        head.insert_header(header::VARY, "Accept")?;
    }
    Ok(head)
}

/// Ends a call of gRPC, which is told of in gRPC's own words: a page in HTML would be noise to its client.
async fn end_call(session: &mut Session, answer: &Answer<'_>) -> pingora::Result<()> {
    let mut head = ResponseHeader::build(StatusCode::OK, Some(5))?;
    head.insert_header(header::CONTENT_TYPE, headers::GRPC)?;
    head.insert_header(RequestId::HEADER, answer.id)?;
    if session.req_header().version < Version::HTTP_2 {
        // Nobody who speaks gRPC; without trailers all has to stand in the head.
        for (name, value) in &call_ended(answer.status) {
            head.insert_header(name.clone(), value.clone())?;
        }
        head.insert_header(header::CONTENT_LENGTH, 0)?;
        session.write_response_header(Box::new(head), false).await?;
        return session.write_response_body(Some(Bytes::new()), true).await;
    }
    session.write_response_header(Box::new(head), false).await?;
    session.as_mut().write_response_trailers(call_ended(answer.status)).await
}

/// Ends a call of gRPC whose answer has begun and whose time is over, where its protocol has words for that.
async fn end_begun(session: &mut Session, context: &Context, status: StatusCode) -> pingora::Result<()> {
    if context.cause != Some(Cause::Deadline) || session.req_header().version < Version::HTTP_2 {
        return Ok(());
    }
    session.as_mut().write_response_trailers(call_ended(status)).await
}

/// What a client of gRPC is told of a call that ended with this status.
fn call_ended(status: StatusCode) -> HeaderMap {
    let why = Answer { status, kind: Kind::Text, id: "" }.detail();
    let mut told = HeaderMap::new();
    told.insert(headers::GRPC_STATUS, HeaderValue::from(u16::from(headers::grpc_status_of(status))));
    told.insert(headers::GRPC_MESSAGE, HeaderValue::from_static(why));
    told
}

/// Publishes what became of the request.
pub(super) fn report(session: &Session, context: &Context, observer: &Observer) {
    let Some(asker) = &context.asker else { return };
    let route = context.route();
    if context.cause == Some(Cause::BodyTooSlow) {
        let peer = context.connection.as_ref().and_then(|connection| connection.client());
        observer.client_too_slow(peer.map(|peer| peer.ip()), TooSlow::Body);
    }
    if context.cause.is_none() && context.passed.is_some() {
        context.attempts.completed();
    }
    let ended = Ended {
        id: asker.id.as_str(),
        route: route.map_or(NONE, |route| route.name.as_str()),
        pool: route.map_or(NONE, |route| route.pool.name().as_str()),
        node: context.attempts.last().map_or(NONE, |member| &member.name),
        path: &context.attempts,
        status: told(context).map_or(0, |status| status.as_u16()),
        outcome: outcome(context),
        attempts: context.attempts.count(),
        cause: cause(context),
        took: clock::now().saturating_duration_since(asker.began),
    };
    observer.request_ended(&ended);
    observer.access_log().write(|| access::record(session, context, &ended, clock::wall()));
}

/// The status that the client was told.
fn told(context: &Context) -> Option<StatusCode> {
    context.passed.as_ref().map(|passed| passed.status).or_else(|| context.status())
}

/// Why the request ended without a whole answer, in words; empty if it did not.
fn cause(context: &Context) -> &dyn Display {
    match &context.cause {
        Some(Cause::ClientGone) if is_cut(context) => &"not finished at the end of the grace period",
        Some(cause) => cause,
        None => &"",
    }
}

/// Whether the process stopped before the request was done.
fn is_cut(context: &Context) -> bool {
    context.connection.as_ref().is_some_and(|connection| connection.is_cut())
}

fn outcome(context: &Context) -> Outcome {
    match (&context.cause, &context.passed) {
        // The client did not leave, it was left.
        (Some(Cause::ClientGone), _) if is_cut(context) => Outcome::Cut,
        (Some(cause), _) => cause.outcome(),
        (None, Some(passed)) if passed.finishing.is_some() => Outcome::Saved(Reach::Truncated),
        (None, Some(passed)) => Outcome::of_answer(passed.status, context.attempts.first_failure()),
        // Pingora ended it without asking us for an answer.
        (None, None) => Outcome::ClientGone,
    }
}

/// Publishes how long the node took to answer.
pub(super) fn tell_first_byte(answer: &ResponseHeader, context: &Context, observer: &Observer) {
    if answer.status.is_informational() {
        return;
    }
    let (Some(route), Some(member)) = (context.route(), context.attempts.last()) else { return };
    if let Some(took) = forward::node_took(context) {
        observer.answered(route.pool.name().as_str(), &member.name, took);
    }
}
