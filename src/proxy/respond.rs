//! Answering in our own name.

use bytes::Bytes;
use http::{Method, StatusCode, header};
use pingora::http::ResponseHeader;
use pingora_proxy::Session;

use super::context::Context;
use crate::answer::{Answer, Kind};
use crate::headers::RequestId;
use crate::observe::{Failure, Observer};

/// Tells the client why its request ended, if it can still be told.
pub(super) async fn respond(session: &mut Session, context: &Context) -> pingora::Result<()> {
    let Some(status) = context.status() else { return Ok(()) };
    if session.response_written().is_some_and(|head| !head.status.is_informational()) {
        return Ok(());
    }
    if !session.as_mut().is_body_done() || context.attempts.count() > 0 {
        session.set_keepalive(None);
    }
    let (kind, id) = match &context.asker {
        Some(asker) => (asker.kind, asker.id.as_str()),
        None => (Kind::Text, ""),
    };
    let answer = Answer { status, kind, id };
    let body = answer.body();
    let head = head(&answer, body.len())?;
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

/// Publishes what became of the request, where a client saw it fail.
pub(super) fn report(context: &Context, observer: &Observer) {
    let Some(cause) = context.cause.as_ref().filter(|cause| cause.is_failure()) else { return };
    let (Some(asker), Some(route)) = (&context.asker, context.route()) else { return };
    observer.request_failed(&Failure {
        id: &asker.id,
        route: &route.name,
        pool: route.pool.name(),
        status: context.status().map_or(0, |status| status.as_u16()),
        attempts: context.attempts.count(),
        cause,
    });
}
