//! What a client is told whose request could not be read.
//!
//! There is no request to go by, so the answer is the plainest there is, and the connection ends with it. No phase of
//! Pingora's sees such a request, so it is counted and logged here.

use std::net::IpAddr;
use std::time::Duration;

use http::StatusCode;

use crate::answer::{Answer, Kind};
use crate::clock;
use crate::observe::{Ended, Observer, Record};
use crate::retry::Outcome;

/// What stands for a name that is not there.
const NONE: &str = "none";

/// An answer to a request that could not be read.
pub(super) struct Refusal {
    status: StatusCode,
    id: String,
    body: String,
    /// The whole answer, head and body, as it goes to the client.
    pub(super) bytes: Vec<u8>,
}

impl Refusal {
    /// The answer with this status, by an id of its own.
    pub(super) fn new(status: StatusCode) -> Self {
        let id = format!("{:032x}", fastrand::u128(..));
        let answer = Answer { status, kind: Kind::Text, id: &id };
        let (body, retry_after) = (answer.body(), answer.retry_after(fastrand::u64(..)));
        let mut text = format!(
            "HTTP/1.1 {} {}\r\nContent-Type: {}\r\nContent-Length: {}\r\nCache-Control: no-store\r\nX-Request-Id: {id}\r\n",
            status.as_u16(),
            status.canonical_reason().unwrap_or_default(),
            answer.kind.content_type(),
            body.len(),
        );
        if let Some(seconds) = retry_after {
            text.push_str(&format!("Retry-After: {seconds}\r\n"));
        }
        text.push_str("Connection: close\r\n\r\n");
        text.push_str(&body);
        Self { status, id, body, bytes: text.into_bytes() }
    }

    /// Publishes that a request of `client` ended with this, `took` after it began.
    pub(super) fn report(&self, client: IpAddr, took: Duration, observer: &Observer) {
        let ended = Ended {
            id: &self.id,
            route: NONE,
            pool: NONE,
            node: NONE,
            path: &"",
            status: self.status.as_u16(),
            outcome: Outcome::Refused,
            attempts: 0,
            cause: &"",
            took,
        };
        observer.request_ended(&ended);
        let now = clock::wall();
        observer.access_log().write(|| Record {
            ended: &ended,
            began: now.checked_sub(took).unwrap_or(now),
            client: Some(client.to_canonical()),
            asked: None,
            bytes: self.body.len() as u64,
            first_byte: None,
        });
    }
}

/// The status that Pingora is about to send for a request that it could not read, from the first bytes of its answer.
pub(super) fn status_of(answer: &[u8]) -> StatusCode {
    let code = answer.strip_prefix(b"HTTP/1.1 ").and_then(|rest| rest.get(..3));
    code.and_then(|code| StatusCode::from_bytes(code).ok()).unwrap_or(StatusCode::BAD_REQUEST)
}
