//! What a client is told whose request could not be read.
//!
//! There is no request to go by, so the answer is the plainest there is, and the connection ends with it.

use http::StatusCode;

use crate::answer::{Answer, Kind};

/// The whole answer, head and body, as it goes to the client.
pub(super) fn bytes(status: StatusCode) -> Vec<u8> {
    let id = format!("{:032x}", fastrand::u128(..));
    let answer = Answer { status, kind: Kind::Text, id: &id };
    let body = answer.body();
    let mut text = format!(
        "HTTP/1.1 {} {}\r\nContent-Type: {}\r\nContent-Length: {}\r\nCache-Control: no-store\r\nX-Request-Id: {id}\r\n",
        status.as_u16(),
        status.canonical_reason().unwrap_or_default(),
        answer.kind.content_type(),
        body.len(),
    );
    if let Some(seconds) = answer.retry_after(fastrand::u64(..)) {
        text.push_str(&format!("Retry-After: {seconds}\r\n"));
    }
    text.push_str("Connection: close\r\n\r\n");
    text.push_str(&body);
    text.into_bytes()
}

/// The status that Pingora is about to send for a request that it could not read, from the first bytes of its answer.
pub(super) fn status_of(answer: &[u8]) -> StatusCode {
    let code = answer.strip_prefix(b"HTTP/1.1 ").and_then(|rest| rest.get(..3));
    code.and_then(|code| StatusCode::from_bytes(code).ok()).unwrap_or(StatusCode::BAD_REQUEST)
}
