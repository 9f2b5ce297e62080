//! `Via`: who passed a message on.

use http::header::{self, GetAll};
use http::{HeaderMap, HeaderValue, Version};

/// The `Via` of a message that came in `version` with `headers`: what is there, and bookend (RFC 9110 7.6.3).
///
/// For requests and answers alike; `version` is the one the message was received in.
pub fn via(version: Version, headers: &HeaderMap) -> HeaderValue {
    let own = match version {
        Version::HTTP_09 => "0.9 bookend",
        Version::HTTP_10 => "1.0 bookend",
        Version::HTTP_2 => "2.0 bookend",
        Version::HTTP_3 => "3.0 bookend",
        _ => "1.1 bookend",
    };
    let lines = headers.get_all(header::VIA);
    append(&lines, own.as_bytes()).unwrap_or(HeaderValue::from_static(own))
}

/// All `lines` in one, with `entry` behind them; `None` if there is no line, or `entry` may not stand in a header.
pub(super) fn append(lines: &GetAll<'_, HeaderValue>, entry: &[u8]) -> Option<HeaderValue> {
    let length: usize = lines.iter().map(|line| line.len() + ", ".len()).sum();
    if length == 0 {
        return None;
    }
    let mut joined = Vec::with_capacity(length + entry.len());
    for line in lines.iter().filter(|line| !line.is_empty()) {
        joined.extend_from_slice(line.as_bytes());
        joined.extend_from_slice(b", ");
    }
    joined.extend_from_slice(entry);
    HeaderValue::try_from(joined).ok()
}
