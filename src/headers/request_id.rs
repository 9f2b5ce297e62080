//! The name by which a request is found again in the logs of everyone it passed.

use std::fmt;

use http::{HeaderMap, HeaderName, HeaderValue};

/// The longest id of a client that is kept, in bytes.
const LONGEST: usize = 128;

/// A request's id: 1 to 128 letters, digits, `.`, `_`, `~`, `+`, `/`, `=` or `-`.
///
/// Cheap to clone and safe to write anywhere: logs, headers, pages.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct RequestId {
    value: HeaderValue,
    is_kept: bool,
}

impl RequestId {
    /// The header that carries it, as bookend writes it.
    pub const HEADER: &'static str = "X-Request-Id";

    /// The same, for maps of headers.
    pub const NAME: HeaderName = HeaderName::from_static("x-request-id");

    /// Keeps the id in `X-Request-Id` if there is exactly one and it is well formed; else makes one of `random`, as
    /// 32 hexadecimal digits in lower case.
    ///
    /// What `random` is worth, the id is worth: that no two are alike, and that nobody guesses one.
    pub fn new(headers: &HeaderMap, random: u128) -> Self {
        kept(headers).unwrap_or_else(|| Self::made_of(random))
    }

    /// Whether the request already carries it, so that no header needs to be set.
    pub fn is_kept(&self) -> bool {
        self.is_kept
    }

    /// The id as a header's value; a clone of it copies no text.
    pub fn value(&self) -> &HeaderValue {
        &self.value
    }

    /// The id as text.
    pub fn as_str(&self) -> &str {
        self.value.to_str().unwrap_or_default()
    }

    fn made_of(random: u128) -> Self {
        // By hand: the formatting machinery takes several times as long, for every request.
        let digits: [u8; 32] = std::array::from_fn(|place| hexadecimal(random >> (124 - 4 * place)));
        // Digits always make a header's value.
        let value = HeaderValue::from_bytes(&digits).unwrap_or(HeaderValue::from_static("0"));
        Self { value, is_kept: false }
    }
}

/// The digit of the lowest four bits.
fn hexadecimal(number: u128) -> u8 {
    match (number & 15) as u8 {
        digit @ 0..=9 => b'0' + digit,
        digit => b'a' - 10 + digit,
    }
}

impl fmt::Display for RequestId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

fn kept(headers: &HeaderMap) -> Option<RequestId> {
    let mut lines = headers.get_all(RequestId::NAME).iter();
    let value = lines.next().filter(|value| is_well_formed(value.as_bytes()))?;
    lines.next().is_none().then(|| RequestId { value: value.clone(), is_kept: true })
}

fn is_well_formed(id: &[u8]) -> bool {
    let is_allowed = |byte: &u8| byte.is_ascii_alphanumeric() || b"._~+/=-".contains(byte);
    (1..=LONGEST).contains(&id.len()) && id.iter().all(is_allowed)
}
