//! Calls of gRPC at a node: what they are, and how their answers begin and end.

use bytes::Bytes;
use h2::server::SendResponse;
use http::{HeaderMap, HeaderValue, Response, response};

use crate::payload::CALL;

/// How a call ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Status {
    Ok,
    Unavailable,
}

impl Status {
    fn value(self) -> HeaderValue {
        HeaderValue::from_static(match self {
            Self::Ok => "0",
            Self::Unavailable => "14",
        })
    }

    /// What stands behind the messages.
    pub(super) fn trailers(self) -> HeaderMap {
        HeaderMap::from_iter([("grpc-status".parse().unwrap(), self.value())])
    }
}

/// Whether a request is a call.
pub(super) fn is_call(headers: &HeaderMap) -> bool {
    headers.get("content-type").is_some_and(|kind| kind == CALL)
}

/// The head of an answer with messages.
pub(super) fn head() -> response::Builder {
    Response::builder().header("content-type", CALL)
}

/// Ends a call without a message, by a head that is all there is.
pub(super) fn end(mut answer: SendResponse<Bytes>, status: Status) -> Result<(), h2::Error> {
    let head = head().header("grpc-status", status.value()).body(()).unwrap();
    answer.send_response(head, true).map(drop)
}
