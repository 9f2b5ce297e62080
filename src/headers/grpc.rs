//! gRPC, as far as it concerns who stands in between.
//!
//! The words are those of the protocol over HTTP/2 (`PROTOCOL-HTTP2.md` of grpc/grpc) and of its list of statuses
//! (`statuscodes.md`).

use std::time::Duration;

use http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};

/// In which time the client wants its answer.
pub const GRPC_TIMEOUT: HeaderName = HeaderName::from_static("grpc-timeout");

/// How a call ended.
pub const GRPC_STATUS: &str = "grpc-status";

/// Why, in words of ASCII without `%`.
pub const GRPC_MESSAGE: &str = "grpc-message";

/// What the body of calls and answers is.
pub const GRPC: &str = "application/grpc";

/// The status by which a node says that it cannot take a call now.
const UNAVAILABLE: &[u8] = b"14";

/// The most digits of a time.
const DIGITS: usize = 8;

/// Whether a message is one of gRPC; gRPC-Web is not, which ends in its body.
pub fn is_grpc(headers: &HeaderMap) -> bool {
    let Some(kind) = headers.get(header::CONTENT_TYPE).map(HeaderValue::as_bytes) else { return false };
    let (Some(begin), rest) = (kind.get(..GRPC.len()), kind.get(GRPC.len())) else { return false };
    begin.eq_ignore_ascii_case(GRPC.as_bytes()) && matches!(rest, None | Some(b'+' | b';' | b' '))
}

/// Whether the head of an answer is all of it, and says that the node cannot take the call now. It has sent no message, and
/// gRPC's own clients send such a call again (gRFC A6).
pub fn is_unavailable(headers: &HeaderMap) -> bool {
    headers.get(GRPC_STATUS).is_some_and(|status| status.as_bytes() == UNAVAILABLE)
}

/// In which time the client wants its answer; `None` if it does not say, or not in words that are known.
pub fn grpc_timeout(headers: &HeaderMap) -> Option<Duration> {
    let (&unit, digits) = headers.get(GRPC_TIMEOUT)?.as_bytes().split_last()?;
    if !(1..=DIGITS).contains(&digits.len()) || !digits.iter().all(u8::is_ascii_digit) {
        return None;
    }
    let number = digits.iter().fold(0, |number: u64, digit| number * 10 + u64::from(digit - b'0'));
    match unit {
        b'H' => Some(Duration::from_secs(number * 3600)),
        b'M' => Some(Duration::from_secs(number * 60)),
        b'S' => Some(Duration::from_secs(number)),
        b'm' => Some(Duration::from_millis(number)),
        b'u' => Some(Duration::from_micros(number)),
        b'n' => Some(Duration::from_nanos(number)),
        _ => None,
    }
}

/// How a time that is left is told to a node.
pub fn grpc_timeout_of(left: Duration) -> HeaderValue {
    let (number, unit) = match (left.as_micros(), left.as_millis()) {
        (micros, _) if micros < 100_000_000 => (micros, 'u'),
        (_, millis) if millis < 100_000_000 => (millis, 'm'),
        _ => (u128::from(left.as_secs()).min(99_999_999), 'S'),
    };
    HeaderValue::try_from(format!("{number}{unit}")).unwrap_or(HeaderValue::from_static("0n"))
}

/// The status of gRPC that says what `status` of ours says. `UNAVAILABLE` (14) invites clients to try again, so it is for
/// calls alone that no node has begun.
pub fn grpc_status_of(status: StatusCode) -> u8 {
    match status {
        StatusCode::NOT_FOUND | StatusCode::PERMANENT_REDIRECT => 12,
        StatusCode::TOO_MANY_REQUESTS
        | StatusCode::PAYLOAD_TOO_LARGE
        | StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE => 8,
        StatusCode::SERVICE_UNAVAILABLE => 14,
        StatusCode::GATEWAY_TIMEOUT => 4,
        StatusCode::UNAUTHORIZED => 16,
        StatusCode::FORBIDDEN => 7,
        StatusCode::BAD_REQUEST | StatusCode::INTERNAL_SERVER_ERROR | StatusCode::BAD_GATEWAY => 13,
        _ => 2,
    }
}

#[cfg(test)]
mod tests {
    use std::fmt::Debug;

    use super::*;

    fn headers(name: impl TryInto<HeaderName, Error: Debug>, value: &'static str) -> HeaderMap {
        HeaderMap::from_iter([(name.try_into().unwrap(), HeaderValue::from_static(value))])
    }

    #[test]
    fn grpc_is_known_by_its_type() {
        for (kind, is_it) in [
            ("application/grpc", true),
            ("application/grpc+proto", true),
            ("Application/gRPC;x=y", true),
            ("application/grpc-web", false),
            ("application/grpcx", false),
            ("text/plain", false),
        ] {
            assert_eq!(is_grpc(&headers("content-type", kind)), is_it, "{kind}");
        }
    }

    #[test]
    fn time_is_read_in_every_unit_and_no_other_words() {
        for (text, wanted) in [
            ("1H", Some(Duration::from_secs(3600))),
            ("2M", Some(Duration::from_secs(120))),
            ("3S", Some(Duration::from_secs(3))),
            ("100m", Some(Duration::from_millis(100))),
            ("7u", Some(Duration::from_micros(7))),
            ("99999999n", Some(Duration::from_nanos(99_999_999))),
            ("", None),
            ("S", None),
            ("1", None),
            ("-1S", None),
            ("1s", None),
            ("123456789S", None),
        ] {
            assert_eq!(grpc_timeout(&headers(GRPC_TIMEOUT, text)), wanted, "{text}");
        }
    }

    #[test]
    fn time_that_is_left_is_told_as_it_is_read() {
        for left in [Duration::ZERO, Duration::from_millis(1_500), Duration::from_secs(7_200)] {
            let told = HeaderMap::from_iter([(GRPC_TIMEOUT, grpc_timeout_of(left))]);
            assert_eq!(grpc_timeout(&told), Some(left));
        }
        let longest = HeaderMap::from_iter([(GRPC_TIMEOUT, grpc_timeout_of(Duration::MAX))]);
        assert_eq!(grpc_timeout(&longest), Some(Duration::from_secs(99_999_999)));
    }
}
