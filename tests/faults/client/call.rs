//! Whether what came is the answer to a call of gRPC.

use http::{HeaderMap, StatusCode, header};

use super::ask::Ask;
use super::record::Outcome;
use crate::payload::{self, CALL, Way};

/// What came of a call.
pub(super) struct Answer<'a> {
    pub(super) status: StatusCode,
    pub(super) headers: &'a HeaderMap,
    pub(super) messages: &'a [u8],
    /// What stands behind the messages; `None` if the answer broke off.
    pub(super) trailers: Option<HeaderMap>,
}

/// What this answer comes to.
pub(super) fn judge(ask: &Ask, answer: &Answer<'_>) -> Outcome {
    if answer.status != StatusCode::OK {
        return Outcome::Status(answer.status.as_u16());
    }
    if answer.headers.get(header::CONTENT_TYPE).is_none_or(|kind| kind != CALL) {
        return Outcome::Wrong("no answer of gRPC".to_owned());
    }
    let expected = payload::messages(payload::of(ask.order.id, Way::ToClient, ask.order.wanted)).concat();
    let length = answer.messages.len();
    if !expected.starts_with(answer.messages) {
        return Outcome::Wrong(format!("{length} B of other messages"));
    }
    match (&answer.trailers, answer.ended()) {
        (None, _) => Outcome::Cut,
        (Some(_), None) => Outcome::Wrong("a call that ended without a status".to_owned()),
        (Some(_), Some(0)) if length == expected.len() => Outcome::Served,
        (Some(_), Some(0)) => Outcome::Wrong(format!("{length} of {} B that look whole", expected.len())),
        (Some(_), Some(status)) if length == 0 => Outcome::Ended(status),
        (Some(_), Some(status)) => Outcome::EndedAfterMessage(status),
    }
}

impl Answer<'_> {
    /// The status of gRPC: behind the messages, or in the head where that is all there is.
    fn ended(&self) -> Option<u8> {
        let trailers = self.trailers.as_ref().filter(|trailers| !trailers.is_empty());
        let told = trailers.unwrap_or(self.headers).get("grpc-status")?;
        told.to_str().ok()?.parse().ok()
    }
}
