//! What kind of body a client wants for an answer that is ours.

use http::HeaderValue;

/// How much of `Accept` is read, over all its lines, in bytes.
const MAX_ACCEPT: usize = 1024;

/// A kind of body that bookend can write.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// `text/html`, for people.
    Html,
    /// `application/json`, `application/problem+json` and every other `+json`, for programs.
    Json,
    /// `text/plain`, for everyone else.
    Text,
}

/// How well a kind would be received.
#[derive(Clone, Copy)]
struct Offer {
    kind: Kind,
    /// In thousandths, `0..=1000`.
    quality: u16,
    /// Of the range that says so.
    precision: Precision,
}

/// How exactly a media range names a kind.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Precision {
    /// Not at all.
    Unnamed,
    /// `*/*`
    Anything,
    /// `text/*`
    Type,
    /// `text/html`
    Exact,
}

impl Kind {
    /// The `Content-Type` of such a body.
    pub fn content_type(self) -> &'static str {
        match self {
            Self::Html => "text/html; charset=utf-8",
            Self::Json => "application/problem+json",
            Self::Text => "text/plain; charset=utf-8",
        }
    }

    /// The kind that the lines of `accept` prefer (RFC 9110 12.5.1).
    ///
    /// The kind with the highest quality; among equals the one that is named more exactly, which is what makes
    /// browsers get HTML; then text. Text also if there is no `Accept`, or none of the three is acceptable: a short
    /// text helps more than a 406. The most exact range decides about a kind, parameters other than `q` are not
    /// looked at, and a range with a malformed `q` does not count. Only the first 1,024 bytes are read.
    pub fn preferred<'a>(accept: impl IntoIterator<Item = &'a HeaderValue>) -> Self {
        // The last of equals wins.
        let mut offers = [Self::Json, Self::Html, Self::Text].map(Offer::new);
        let mut left = MAX_ACCEPT;
        for line in accept {
            let (line, _) = line.as_bytes().split_at_checked(left).unwrap_or((line.as_bytes(), &[]));
            left -= line.len();
            for (range, quality) in line.split(|&byte| byte == b',').filter_map(parse_range) {
                offers.iter_mut().for_each(|offer| offer.hear(range, quality));
            }
        }
        let acceptable = offers.into_iter().filter(|offer| offer.quality > 0);
        acceptable.max_by_key(|offer| (offer.quality, offer.precision)).map_or(Self::Text, |offer| offer.kind)
    }

    /// How exactly `range`, such as `text/*`, names this kind.
    fn named_by(self, range: &[u8]) -> Precision {
        let (name, family): (_, &[u8]) = match self {
            Self::Html => (range.eq_ignore_ascii_case(b"text/html"), b"text/*"),
            Self::Json => (is_json(range), b"application/*"),
            Self::Text => (range.eq_ignore_ascii_case(b"text/plain"), b"text/*"),
        };
        if name {
            Precision::Exact
        } else if range.eq_ignore_ascii_case(family) {
            Precision::Type
        } else if range == b"*/*" {
            Precision::Anything
        } else {
            Precision::Unnamed
        }
    }
}

impl Offer {
    fn new(kind: Kind) -> Self {
        Self { kind, quality: 0, precision: Precision::Unnamed }
    }

    fn hear(&mut self, range: &[u8], quality: u16) {
        let precision = self.kind.named_by(range);
        if precision > Precision::Unnamed && (precision, quality) > (self.precision, self.quality) {
            (self.precision, self.quality) = (precision, quality);
        }
    }
}

fn is_json(range: &[u8]) -> bool {
    let Some((family, subtype)) = range.split_at_checked(b"application/".len()) else { return false };
    let suffix = subtype.len().checked_sub(b"+json".len()).and_then(|at| subtype.get(at..));
    let is_suffixed = suffix.is_some_and(|suffix| suffix.eq_ignore_ascii_case(b"+json"));
    family.eq_ignore_ascii_case(b"application/") && (is_suffixed || subtype.eq_ignore_ascii_case(b"json"))
}

/// The media range and its quality in thousandths, 1000 unless told; `None` if the quality is malformed.
fn parse_range(element: &[u8]) -> Option<(&[u8], u16)> {
    let mut parts = element.split(|&byte| byte == b';').map(<[u8]>::trim_ascii);
    let range = parts.next()?;
    let mut weights = parts.filter_map(|part| part.strip_prefix(b"q=").or_else(|| part.strip_prefix(b"Q=")));
    Some((range, weights.next().map_or(Some(1000), parse_quality)?))
}

/// Reads `0` to `1` with up to three decimals (RFC 9110 12.4.2) as thousandths.
fn parse_quality(text: &[u8]) -> Option<u16> {
    let (&whole, decimals) = text.split_first()?;
    let decimals = if decimals.is_empty() { decimals } else { decimals.strip_prefix(b".")? };
    if !matches!(whole, b'0' | b'1') || decimals.len() > 3 || !decimals.iter().all(u8::is_ascii_digit) {
        return None;
    }
    let places = decimals.iter().zip([100, 10, 1]);
    let thousandths: u16 = places.map(|(&digit, place)| u16::from(digit - b'0') * place).sum();
    Some(u16::from(whole - b'0') * 1000 + thousandths).filter(|&quality| quality <= 1000)
}

#[cfg(test)]
#[path = "kind_tests.rs"]
mod tests;
