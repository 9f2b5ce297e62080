//! What a node gets to see of a request, and a client of an answer.

use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, StatusCode, Version, header};
use pingora::http::{RequestHeader, ResponseHeader};
use pingora_proxy::Session;

use super::admit::body_length;
use super::context::{Context, Passed};
use super::failure;
use crate::clock;
use crate::framing;
use crate::headers::{self, Arrival, Change, Forwarding, RequestId, Scheme};
use crate::listen::Connection;
use crate::upstream::Place;

/// How many pieces of a body Pingora's pipe from the client's half of an exchange to the node's holds.
const PIPE: u32 = 4;

/// How many headers are added at the most to nearly every request.
const ADDED: usize = 6;

/// Tells the node where the request came from. What was for the client's connection alone is gone by then, where there was
/// more than its wish to keep it; Pingora removes it where it speaks with the node itself.
pub(super) fn request(
    session: &Session,
    request: &mut RequestHeader,
    context: &Context,
) -> pingora::Result<()> {
    let host = make_plain(request)?;
    edit(request, |headers| {
        headers.reserve(ADDED);
        remove_hop_by_hop(headers, context);
        if let Some(connection) = &context.connection {
            tell_origin(session, connection, headers);
        }
        frame(session, headers);
        if let Some(host) = host.or_else(|| missing_host(headers, context)) {
            headers.insert(header::HOST, host);
        }
        if session.req_header().version == Version::HTTP_2 {
            put_together(headers);
        }
        if headers.contains_key(header::EXPECT) && session.as_ref().body_bytes_read() == 0 {
            context.client_waits_for_node();
        }
        if let Some(left) = context.time_left(session) {
            headers.insert(headers::GRPC_TIMEOUT, headers::grpc_timeout_of(left));
        }
        if let Some(asker) = context.asker.as_ref().filter(|asker| !asker.id.is_kept()) {
            headers.insert(RequestId::NAME, asker.id.value().clone());
        }
    });
    Ok(())
}

/// Changes headers where they are. Pingora allows that only where no name has to keep its case: then each change is one to
/// one map, and not to two that are held together.
fn edit(request: &mut RequestHeader, change: impl FnOnce(&mut HeaderMap)) {
    let nothing = RequestHeader::from(http::Request::new(()).into_parts().0);
    let mut parts: http::request::Parts = std::mem::replace(request, nothing).into();
    change(&mut parts.headers);
    *request = parts.into();
}

fn remove_hop_by_hop(headers: &mut HeaderMap, context: &Context) {
    if context.body.is_shared {
        for name in headers::hop_by_hop(headers, headers::Passage::Plain) {
            headers.remove(name);
        }
    } else if headers::keeps_alive(headers) {
        headers.remove(header::CONNECTION);
    }
}

/// Says by whom the request was sent, and how it came here.
fn tell_origin(session: &Session, connection: &Connection, headers: &mut HeaderMap) {
    let listener = connection.listener();
    let peer = connection.client().map(|client| client.ip());
    let client = headers::client(peer, headers, &listener.trusted_proxies);
    let arrival = Arrival {
        peer,
        trusted_peer: client.trusted_peer,
        scheme: if connection.security().is_some() { Scheme::Https } else { Scheme::Http },
        version: session.req_header().version,
        host: headers.get(header::HOST).and_then(|host| host.to_str().ok()),
        wants_forwarded: listener.forwarded,
    };
    for (name, change) in Forwarding::new(&arrival, headers).into_changes() {
        match change {
            Change::Keep => {}
            Change::Set(value) => drop(headers.insert(name, value)),
            Change::Remove => drop(headers.remove(name)),
        }
    }
    let subject = connection.security().and_then(|security| security.client.as_deref());
    if let Some(subject) = subject.and_then(|subject| HeaderValue::from_str(subject).ok()) {
        headers.insert(headers::CLIENT_SUBJECT, subject);
    } else if !client.trusted_peer || subject.is_some() {
        // Nobody may say of itself who it is.
        headers.remove(headers::CLIENT_SUBJECT);
    }
}

/// HTTP/1.0 knows no host; the request leaves as HTTP/1.1, which must name one.
fn missing_host(headers: &HeaderMap, context: &Context) -> Option<HeaderValue> {
    if headers.contains_key(header::HOST) {
        return None;
    }
    match context.attempts.last().map(|member| member.node.place()) {
        Some(Place::Tcp(address)) => HeaderValue::try_from(address.to_string()).ok(),
        Some(Place::Unix(_)) | None => Some(HeaderValue::from_static("localhost")),
    }
}

/// Makes one line of cookies that came one by one (RFC 9113, 8.2.3), and has no node wait for a client that is never asked to
/// go on: Pingora passes no 100 to HTTP/2.
fn put_together(headers: &mut HeaderMap) {
    headers.remove(header::EXPECT);
    let cookies: Vec<&[u8]> = headers.get_all(header::COOKIE).iter().map(HeaderValue::as_bytes).collect();
    if cookies.len() < 2 {
        return;
    }
    if let Ok(cookies) = HeaderValue::try_from(cookies.join(&b"; "[..])) {
        headers.insert(header::COOKIE, cookies);
    }
}

/// Says in one way only where the request ends, whatever way its client chose.
fn frame(session: &Session, headers: &mut HeaderMap) {
    if let Some(length) = body_length(session) {
        headers.insert(header::CONTENT_LENGTH, length.into());
    }
    if session.req_header().headers.contains_key(header::TRANSFER_ENCODING) {
        headers.insert(header::TRANSFER_ENCODING, HeaderValue::from_static("chunked"));
    }
}

/// Makes a path of a target that names a host as well, and returns that.
fn make_plain(request: &mut RequestHeader) -> pingora::Result<Option<HeaderValue>> {
    let Some((host, rest)) = framing::split_url(request.raw_path()) else { return Ok(None) };
    let slash = if rest.starts_with(b"/") { &b""[..] } else { b"/" };
    let (host, target) = (HeaderValue::from_bytes(host), [slash, rest].concat());
    request.set_raw_path(&target)?;
    Ok(host.ok())
}

/// Counts a piece of the body on its way to the node; after the last one the node's time begins.
pub(super) fn request_body(
    body: &mut Option<Bytes>,
    is_end: bool,
    context: &mut Context,
) -> pingora::Result<()> {
    // Pingora would write an empty last piece as a last chunk, and then another.
    if is_end && body.as_ref().is_some_and(Bytes::is_empty) {
        *body = None;
    }
    context.body.pieces = context.body.pieces.saturating_add(1);
    context.body.received += body.as_ref().map_or(0, |piece| piece.len() as u64);
    if context.body.limit.is_some_and(|limit| context.body.received > limit) {
        return Err(failure::body_too_large(context));
    }
    if is_end {
        context.body.sent_at = Some(clock::now());
    }
    Ok(())
}

/// Lets what is on its way to the node out of Pingora's pipe before the last piece goes in.
///
/// Pingora listens to the client only while the pipe has room, and after the last piece it does not wait for room: if the
/// pipe were full then, nobody would see the client leave or the node's time end.
pub(super) async fn let_pass(context: &Context) {
    if context.body.pieces >= PIPE {
        // Both halves of the exchange are one task, whose turns alternate: after two every other half had one.
        tokio::task::yield_now().await;
        tokio::task::yield_now().await;
    }
}

/// Passes a node's answer on: what concerned our connection to it stays here, and the node's time goes on for the body.
pub(super) fn answer(session: &mut Session, answer: &mut ResponseHeader, context: &mut Context) {
    if !answer.status.is_informational() || answer.status == StatusCode::SWITCHING_PROTOCOLS {
        let first_byte = first_byte(context);
        context.passed = Some(Passed { status: answer.status, first_byte, sent: None, finishing: None });
    }
    if answer.status == StatusCode::SWITCHING_PROTOCOLS {
        if let Some(connection) = &context.connection {
            connection.await_nothing();
        }
        // Both ends of an upgraded connection may be silent for as long as they like.
        session.set_read_timeout(None);
        return;
    }
    if answer.status.is_informational() {
        // A node that says 100 waits for the client again.
        context.node_continues();
        return;
    }
    if matches!(answer.status, StatusCode::NO_CONTENT | StatusCode::NOT_MODIFIED) {
        // There is no body, whatever would be said of its end.
        answer.remove_header(&header::TRANSFER_ENCODING);
    }
    if answer.status == StatusCode::NO_CONTENT {
        answer.remove_header(&header::CONTENT_LENGTH);
    }
    for name in headers::hop_by_hop(&answer.headers, headers::Passage::Plain) {
        answer.remove_header(&name);
    }
    tell_to_stay_secure(answer, context);
    let between_bytes = context.route().map_or(Duration::MAX, |route| route.timeouts.between_bytes);
    let limit = if is_endless(&answer.headers) { Duration::MAX } else { between_bytes };
    context.answer_began(limit);
    if context.is_last_answer() {
        session.set_keepalive(None);
    }
}

/// Tells browsers to come by TLS alone, where that is wanted.
pub(super) fn tell_to_stay_secure(answer: &mut ResponseHeader, context: &Context) {
    let Some(connection) = context.connection.as_ref().filter(|connection| connection.security().is_some())
    else {
        return;
    };
    if let Some(hsts) = connection.listener().tls.as_ref().and_then(|tls| tls.hsts.as_ref()) {
        // A value that was made of a header before.
        let _ = answer.insert_header(header::STRICT_TRANSPORT_SECURITY, hsts.header.clone());
    }
}

/// How long the node of the attempt under way took to begin its answer; for when that has just begun.
pub(super) fn node_took(context: &Context) -> Option<Duration> {
    match &context.passed {
        // What was passed is the head of the node that broke.
        Some(Passed { finishing: Some(_), .. }) => first_byte(context),
        Some(passed) => passed.first_byte,
        None => None,
    }
}

/// How long the node took from the last byte of the request until now; `None` if that byte was not sent yet.
fn first_byte(context: &Context) -> Option<Duration> {
    context.body.sent_at.map(|sent_at| clock::now().saturating_duration_since(sent_at))
}

/// Answers that may pause for as long as they like.
pub(super) fn is_endless(headers: &HeaderMap) -> bool {
    let Some(kind) = headers.get(header::CONTENT_TYPE).map(HeaderValue::as_bytes) else {
        return false;
    };
    let begins = |with: &[u8]| kind.get(..with.len()).is_some_and(|begin| begin.eq_ignore_ascii_case(with));
    begins(b"text/event-stream") || begins(b"application/grpc")
}

/// Takes back what Pingora does for clients that it is not meant for: HTTP/1.0 knows no chunks (RFC 9112, 6.1), so an answer
/// without a length ends with the connection.
pub(super) fn fit_to_client(session: &Session, answer: &mut ResponseHeader) {
    if session.req_header().version < Version::HTTP_11 {
        answer.remove_header(&header::TRANSFER_ENCODING);
    }
}
