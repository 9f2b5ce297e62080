//! Whether a node's answer has one end.
//!
//! Pingora reads the bytes, and refuses control bytes and lengths that differ. What it would mend or pass on so that a
//! client could read it in another way is found here, by what it made of the head.

use http::{HeaderMap, StatusCode, Version, header};

use super::head::parse_length;

/// Whether a client can read an answer with this head in one way only (RFC 9112 6).
///
/// It cannot if a length is no number or there are two, if there is any transfer coding but `chunked`, or that one in
/// HTTP/1.0, and if an answer that has no body says how long it is.
pub fn is_plain_answer(version: Version, status: StatusCode, headers: &HeaderMap) -> bool {
    let mut lengths = headers.get_all(header::CONTENT_LENGTH).iter();
    let length = match (lengths.next(), lengths.next()) {
        (None, _) => None,
        (Some(length), None) => match parse_length(length.as_bytes()) {
            Some(length) => Some(length),
            None => return false,
        },
        (Some(_), Some(_)) => return false,
    };
    let mut codings = headers.get_all(header::TRANSFER_ENCODING).iter();
    let is_chunked = match (codings.next(), codings.next()) {
        (None, _) => false,
        (Some(coding), None) if coding.as_bytes().eq_ignore_ascii_case(b"chunked") => true,
        (Some(_), _) => return false,
    };
    let has_no_body = status.is_informational() || status == StatusCode::NO_CONTENT;
    let is_possible = !has_no_body || !is_chunked && length.is_none_or(|length| length == 0);
    is_possible && !(is_chunked && (version < Version::HTTP_11 || length.is_some()))
}

/// Bytes of an answer by which a refusal is known.
pub const STATUS: usize = "HTTP/1.1 4".len();

/// Whether an answer that begins like this says no. One that says yes, or go on, may belong to an exchange in which both sides
/// talk.
pub fn begins_refusal(answer: &[u8]) -> bool {
    let status = answer.strip_prefix(b"HTTP/1.1 ").or_else(|| answer.strip_prefix(b"HTTP/1.0 "));
    status.and_then(<[u8]>::first).is_some_and(|class| matches!(class, b'3'..=b'5'))
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    fn is_plain(version: Version, status: u16, fields: &[(header::HeaderName, &'static str)]) -> bool {
        let fields = fields.iter().map(|(name, value)| (name.clone(), HeaderValue::from_static(value)));
        let mut headers = HeaderMap::new();
        for (name, value) in fields {
            headers.append(name, value);
        }
        is_plain_answer(version, StatusCode::from_u16(status).expect("a status"), &headers)
    }

    #[test]
    fn answers_have_one_end() {
        use header::{CONTENT_LENGTH as LENGTH, TRANSFER_ENCODING as CODING};
        let new = Version::HTTP_11;
        for (status, fields) in [
            (200, vec![]),
            (200, vec![(LENGTH, "5")]),
            (200, vec![(CODING, "Chunked")]),
            (204, vec![(LENGTH, "0")]),
            (304, vec![(LENGTH, "5")]),
            (103, vec![]),
        ] {
            assert!(is_plain(new, status, &fields), "{status} {fields:?}");
        }
        for (status, fields) in [
            (200, vec![(LENGTH, "5"), (LENGTH, "5")]),
            (200, vec![(LENGTH, "5, 5")]),
            (200, vec![(LENGTH, "+5")]),
            (200, vec![(LENGTH, "")]),
            (200, vec![(LENGTH, "5"), (CODING, "chunked")]),
            (200, vec![(CODING, "gzip, chunked")]),
            (200, vec![(CODING, "chunked"), (CODING, "chunked")]),
            (204, vec![(LENGTH, "5")]),
            (204, vec![(CODING, "chunked")]),
            (103, vec![(LENGTH, "5")]),
        ] {
            assert!(!is_plain(new, status, &fields), "{status} {fields:?}");
        }
        assert!(!is_plain(Version::HTTP_10, 200, &[(CODING, "chunked")]));
    }
}
