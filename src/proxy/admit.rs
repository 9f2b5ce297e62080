//! Whether a request may go on, and where it goes.

use std::sync::Arc;

use http::{HeaderValue, Version, header};
use pingora::http::RequestHeader;
use pingora_proxy::Session;

use super::affinity::Affinity;
use super::cause::Cause;
use super::context::{Admitted, Asker, Context};
use crate::answer::Kind;
use crate::clock;
use crate::framing;
use crate::generation::Current;
use crate::headers::{self, RequestId};
use crate::listen::{Connection, Pace};
use crate::retry;
use crate::routing;

/// Fills in what is known of a request once its head is there, and refuses what no node has to see.
pub(super) fn admit(session: &mut Session, context: &mut Context, current: &Current) -> Result<(), Cause> {
    let connection = connection(session);
    if let Some(connection) = &connection {
        connection.await_body();
    }
    context.connection = connection;
    // What the client sends ahead is its next request, not a reason to hang up.
    session.set_pipelining_enabled(true);
    // The front door's stream keeps the time; Pingora's clock would run besides.
    session.set_read_timeout(None);
    let head = session.req_header();
    context.asker = Some(Asker {
        id: RequestId::new(&head.headers, fastrand::u128(..)),
        kind: Kind::preferred(head.headers.get_all(header::ACCEPT)),
        began: clock::now(),
    });
    if session.req_header().version < Version::HTTP_11 {
        session.set_ignore_info_resp(true);
    }
    check_parts(session, context)?;
    check_head(session, context)?;
    check_scheme(session, context, current)?;
    let route = find_route(session, context)?;
    let head = session.req_header();
    let request = retry::Request::of(&head.method, &head.headers);
    context.admitted = Some(Admitted { route, request, affinity: Affinity::default() });
    if let Some(route) = context.route() {
        route.pool.budget().request(clock::millis());
    }
    hold_to_pace(session, context);
    give_time(session, context);
    let affinity = Affinity::of(session, context);
    if let Some(admitted) = &mut context.admitted {
        admitted.affinity = affinity;
    }
    check_body(session, context)
}

/// The connection that the front door hid in the stream.
fn connection(session: &Session) -> Option<Arc<Connection>> {
    let digest = session.digest()?.proxy_digest.as_ref()?;
    digest.user_data.as_ref()?.downcast_ref::<Arc<Connection>>().cloned()
}

/// The body has to come as fast as its route or its listener asks; calls go on for as long as they like.
fn hold_to_pace(session: &Session, context: &Context) {
    let Some(connection) = &context.connection else { return };
    let limits = &connection.listener().limits;
    let rate = context.route().and_then(|route| route.body_rate).unwrap_or(limits.body_rate);
    let content = session.req_header().headers.get(header::CONTENT_TYPE);
    let is_call = content.is_some_and(|content| content.as_bytes().starts_with(b"application/grpc"));
    connection.hold_to(Pace::new(rate, limits.body_rate_time).filter(|_| !is_call));
}

/// A call of gRPC ends when its client says so, whatever it waits for.
fn give_time(session: &Session, context: &Context) {
    if let (Some(connection), Some(left)) = (&context.connection, context.time_left(session)) {
        connection.end_by(clock::millis().saturating_add(clock::to_millis(left)));
    }
}

/// Refuses what the parts of a request of HTTP/2 leave unclear. With HTTP/1 the front door has read every byte before.
fn check_parts(session: &Session, context: &Context) -> Result<(), Cause> {
    let head = session.req_header();
    let Some(connection) = context.connection.as_ref().filter(|_| head.version >= Version::HTTP_2) else {
        return Ok(());
    };
    let request = framing::Parsed {
        method: &head.method,
        target: head.raw_path(),
        authority: head.uri.authority().map(|authority| authority.as_str()),
        fields: &head.headers,
    };
    request.check(connection.bounds()).map_err(Cause::Malformed)
}

/// Sends on who came without TLS for a host that a certificate is for.
fn check_scheme(session: &Session, context: &Context, current: &Current) -> Result<(), Cause> {
    let Some(connection) = context.connection.as_ref().filter(|connection| connection.security().is_none())
    else {
        return Ok(());
    };
    let listener = connection.listener();
    if !listener.redirect_to_https || !current.speaks_tls() {
        return Ok(());
    }
    let head = session.req_header();
    let Some(host) = host(head).and_then(headers::bare_host) else { return Ok(()) };
    let Some(port) = current.tls_port_of(host) else { return Ok(()) };
    let peer = connection.client().map(|client| client.ip());
    let client = headers::client(peer, &head.headers, &listener.trusted_proxies);
    if client.trusted_peer && headers::is_said_to_be_secure(&head.headers) {
        return Ok(());
    }
    let path = head.uri.path_and_query().map_or("/", |path| path.as_str());
    let location = match port {
        443 => format!("https://{host}{path}"),
        port => format!("https://{host}:{port}{path}"),
    };
    HeaderValue::try_from(location).map_or(Ok(()), |location| Err(Cause::Elsewhere(location)))
}

/// The host that was asked for, with its port if it has one.
fn host(head: &RequestHeader) -> Option<&str> {
    match framing::split_url(head.raw_path()) {
        Some((host, _)) => std::str::from_utf8(host).ok(),
        None => match head.uri.authority() {
            Some(authority) => Some(authority.as_str()),
            None => head.headers.get(header::HOST).and_then(|host| host.to_str().ok()),
        },
    }
}

/// The front door counts what it reads and stops a head that does not end; here it is known how long the head was.
fn check_head(session: &Session, context: &Context) -> Result<(), Cause> {
    let Some(connection) = &context.connection else { return Ok(()) };
    let limit = connection.listener().limits.head;
    if connection.head_bytes() <= limit {
        return Ok(());
    }
    let length = session.as_http1().map_or(0, |session| session.get_headers_raw_bytes().len() as u64);
    if length > limit { Err(Cause::HeadTooLarge) } else { Ok(()) }
}

fn find_route(session: &Session, context: &Context) -> Result<usize, Cause> {
    let head = session.req_header();
    let request = routing::Request {
        host: host(head),
        path: head.uri.path(),
        method: &head.method,
        headers: &head.headers,
    };
    context.generation.find(&request).ok_or(Cause::NoRoute)
}

/// Refuses a body whose length says that it is too large; one that does not say is counted as it comes.
fn check_body(session: &Session, context: &mut Context) -> Result<(), Cause> {
    let of_listener = context.connection.as_ref().and_then(|connection| connection.listener().limits.body);
    context.body.limit = context.route().and_then(|route| route.max_body).or(of_listener);
    let Some(limit) = context.body.limit else { return Ok(()) };
    if body_length(session).is_some_and(|length| length > limit) { Err(Cause::BodyTooLarge) } else { Ok(()) }
}

/// How long the body of the request is, if it says so.
pub(super) fn body_length(session: &Session) -> Option<u64> {
    let length = session.req_header().headers.get(header::CONTENT_LENGTH)?;
    length.to_str().ok()?.trim().parse().ok()
}
