//! What the access log tells of a request, and of whom.

use std::net::IpAddr;
use std::time::SystemTime;

use http::{HeaderName, Version, header};
use pingora_proxy::Session;

use super::context::Context;
use crate::headers;
use crate::observe::{Asked, Ended, Record};

/// All that the line of a request tells that ended at `now`.
pub(super) fn record<'a>(
    session: &'a Session,
    context: &'a Context,
    ended: &'a Ended<'a>,
    now: SystemTime,
) -> Record<'a> {
    let head = session.req_header();
    let value = |name: HeaderName| head.headers.get(name).map(header::HeaderValue::as_bytes);
    let authority = head.uri.authority().map(|authority| authority.as_str().as_bytes());
    Record {
        ended,
        began: now.checked_sub(ended.took).unwrap_or(now),
        client: client(session, context),
        asked: Some(Asked {
            method: head.method.as_str(),
            host: authority.or_else(|| value(header::HOST)),
            path: head.raw_path(),
            protocol: protocol(head.version),
            referer: value(header::REFERER),
            user_agent: value(header::USER_AGENT),
        }),
        bytes: session.as_downstream().body_bytes_sent() as u64,
        first_byte: context.passed.as_ref().and_then(|passed| passed.first_byte),
    }
}

/// Who sent the request, past the proxies that are trusted.
pub(super) fn client(session: &Session, context: &Context) -> Option<IpAddr> {
    let connection = context.connection.as_ref()?;
    let peer = connection.client().map(|client| client.ip());
    let headers = &session.req_header().headers;
    headers::client(peer, headers, &connection.listener().trusted_proxies).address
}

fn protocol(version: Version) -> &'static str {
    match version {
        Version::HTTP_09 => "HTTP/0.9",
        Version::HTTP_10 => "HTTP/1.0",
        Version::HTTP_2 => "HTTP/2.0",
        Version::HTTP_3 => "HTTP/3.0",
        _ => "HTTP/1.1",
    }
}
