//! What identifies an answer.

use std::fmt;

use http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};

/// The head of an answer.
#[derive(Clone, Copy, Debug)]
pub struct Head<'a> {
    /// Its status.
    pub status: StatusCode,
    /// Its headers, as the node sent them but for hop-by-hop ones.
    pub headers: &'a HeaderMap,
}

/// Why an answer does not go on where another broke off.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Mismatch {
    /// It has another status.
    Status,
    /// It has another value of this header, none, or more than one.
    Header(HeaderName),
    /// Its end cannot be told from a break.
    Endless,
    /// It sets a cookie that the client would never see.
    Cookie,
    /// It begins with other bytes than the client has.
    Beginning,
}

/// What must be the same in both answers.
#[derive(Clone, Debug)]
pub(super) struct Identity {
    status: StatusCode,
    values: [Option<HeaderValue>; COUNT],
}

const COUNT: usize = 6;
const NAMES: [HeaderName; COUNT] = [
    header::CONTENT_LENGTH,
    header::CONTENT_RANGE,
    header::CONTENT_TYPE,
    header::CONTENT_ENCODING,
    header::ETAG,
    header::LAST_MODIFIED,
];

/// What a part may leave out that is asked for with `If-Range`: the client has it already (RFC 9110, 15.3.7).
const LEFT_OUT_OF_PARTS: [HeaderName; 2] = [header::CONTENT_TYPE, header::LAST_MODIFIED];

impl Identity {
    /// What identifies the answer; `None` if a header is there twice that may be there once.
    pub(super) fn of(head: Head<'_>) -> Option<Self> {
        let mut values = [const { None }; COUNT];
        for (value, name) in values.iter_mut().zip(&NAMES) {
            *value = single(head.headers, name).ok()?.cloned();
        }
        Some(Self { status: head.status, values })
    }

    /// Whether an answer with this head is the same answer as a whole.
    pub(super) fn check(&self, head: Head<'_>) -> Result<(), Mismatch> {
        if head.status != self.status {
            return Err(Mismatch::Status);
        }
        self.values.iter().zip(NAMES).try_for_each(|(value, name)| check(value.as_ref(), head, name))
    }

    /// Whether an answer with this head is a part of the same; its length and range are for the caller to judge.
    pub(super) fn check_part(&self, head: Head<'_>) -> Result<(), Mismatch> {
        let of_the_whole =
            |name: &HeaderName| *name != header::CONTENT_LENGTH && *name != header::CONTENT_RANGE;
        let may_be_left_out =
            |name: &HeaderName| LEFT_OUT_OF_PARTS.contains(name) && !head.headers.contains_key(name);
        let values =
            self.values.iter().zip(NAMES).filter(|(_, name)| of_the_whole(name) && !may_be_left_out(name));
        values.into_iter().try_for_each(|(value, name)| check(value.as_ref(), head, name))
    }
}

fn check(value: Option<&HeaderValue>, head: Head<'_>, name: HeaderName) -> Result<(), Mismatch> {
    match single(head.headers, &name) {
        Ok(other) if other == value => Ok(()),
        Ok(_) | Err(Twice) => Err(Mismatch::Header(name)),
    }
}

struct Twice;

fn single<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Result<Option<&'a HeaderValue>, Twice> {
    let mut values = headers.get_all(name).iter();
    let first = values.next();
    if values.next().is_some() { Err(Twice) } else { Ok(first) }
}

/// The strong validator that vouches for every byte of an answer, if it has one (RFC 9110, 8.8.3).
pub(super) fn strong_etag(headers: &HeaderMap) -> Option<&HeaderValue> {
    let etag = headers.get(header::ETAG)?;
    let is_strong = matches!(etag.as_bytes(), [b'"', .., b'"']);
    is_strong.then_some(etag)
}

/// Whether the body says itself where it ends, so that a break can be told from an end.
pub(super) fn is_framed(headers: &HeaderMap) -> bool {
    headers.contains_key(header::CONTENT_LENGTH) || headers.contains_key(header::TRANSFER_ENCODING)
}

impl fmt::Display for Mismatch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Status => f.write_str("status differs"),
            Self::Header(name) => write!(f, "{name} differs"),
            Self::Endless => f.write_str("body ends with its connection"),
            Self::Cookie => f.write_str("set-cookie would be lost"),
            Self::Beginning => f.write_str("body differs"),
        }
    }
}
