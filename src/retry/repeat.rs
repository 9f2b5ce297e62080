//! Whether a request may be sent twice.

use http::{HeaderMap, HeaderName, Method, header};

const IDEMPOTENCY_KEY: HeaderName = HeaderName::from_static("idempotency-key");
/// WebDAV's own condition (RFC 4918 10.4).
const IF: HeaderName = HeaderName::from_static("if");

/// What happens if a request runs twice.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Repeatability {
    /// Nothing: it only reads (GET, HEAD, OPTIONS, TRACE; RFC 9110 9.2.1).
    Safe,
    /// The same as if it ran once (PUT, DELETE; RFC 9110 9.2.2), or the node sees to that by its `Idempotency-Key`.
    Idempotent,
    /// Something that nobody asked for.
    Unsafe,
}

impl Repeatability {
    /// What happens if a request of `method` with `headers` runs twice.
    ///
    /// An `Idempotency-Key` that is blank or an empty string (`""`) is none.
    pub fn of(method: &Method, headers: &HeaderMap) -> Self {
        match *method {
            Method::GET | Method::HEAD | Method::OPTIONS | Method::TRACE => Self::Safe,
            Method::PUT | Method::DELETE => Self::Idempotent,
            _ if has_idempotency_key(headers) => Self::Idempotent,
            _ => Self::Unsafe,
        }
    }
}

/// Whether a repeat of a PUT, DELETE or keyed request could fail just because the first run succeeded: a false 412.
///
/// True for `If-Match` and `If-Unmodified-Since` (the first run changed what they name), `If-None-Match` (the first
/// run made what must not be there yet) and WebDAV's `If`. Not for `If-Modified-Since`, which counts for GET and HEAD
/// only, and `If-Range`, which chooses between a part and the whole but never fails (RFC 9110 13.1).
pub(super) fn is_conditional(headers: &HeaderMap) -> bool {
    [header::IF_MATCH, header::IF_UNMODIFIED_SINCE, header::IF_NONE_MATCH, IF]
        .iter()
        .any(|name| headers.contains_key(name))
}

fn has_idempotency_key(headers: &HeaderMap) -> bool {
    let is_blank = |byte: &u8| matches!(byte, b' ' | b'\t' | b'"');
    headers.get_all(IDEMPOTENCY_KEY).iter().any(|key| !key.as_bytes().iter().all(is_blank))
}

#[cfg(test)]
#[path = "repeat_tests.rs"]
mod tests;
