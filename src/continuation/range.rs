//! The part of a representation that an answer holds.

use http::{HeaderMap, HeaderValue, header};

/// A single range of bytes, both ends included: `bytes 0-499/1234` (RFC 9110, 14.4). Never empty, never past the end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Part {
    first: u64,
    last: u64,
    /// The length of the whole.
    total: u64,
}

impl Part {
    /// All of a representation; `None` if it is empty.
    pub(super) fn whole(length: u64) -> Option<Self> {
        Some(Self { first: 0, last: length.checked_sub(1)?, total: length })
    }

    /// What `Content-Range` says; `None` unless it is there once and names a range and a length.
    pub(super) fn of(headers: &HeaderMap) -> Option<Self> {
        let mut values = headers.get_all(header::CONTENT_RANGE).iter();
        let text = values.next()?.to_str().ok()?;
        if values.next().is_some() {
            return None;
        }
        let (unit, rest) = text.split_once(' ')?;
        let (range, total) = rest.split_once('/')?;
        let (first, last) = range.split_once('-')?;
        let (first, last, total) = (number(first)?, number(last)?, number(total)?);
        let is_sound = unit.eq_ignore_ascii_case("bytes") && first <= last && last < total;
        is_sound.then_some(Self { first, last, total })
    }

    /// How many bytes it has.
    pub(super) fn length(self) -> u64 {
        // Cannot overflow: `last` is below `total`.
        self.last - self.first + 1
    }

    /// What is left without its first `count` bytes; `None` if nothing is.
    pub(super) fn after(self, count: u64) -> Option<Self> {
        let first = self.first.checked_add(count)?;
        (first <= self.last).then_some(Self { first, ..self })
    }

    /// The value of `Range` that asks for it.
    pub(super) fn to_range(self) -> Option<HeaderValue> {
        HeaderValue::try_from(format!("bytes={}-{}", self.first, self.last)).ok()
    }
}

/// The length that the headers tell; `None` unless there is one and it is a number.
pub(super) fn content_length(headers: &HeaderMap) -> Option<u64> {
    number(headers.get(header::CONTENT_LENGTH)?.to_str().ok()?)
}

/// Digits and nothing else: `parse` alone would take a sign.
fn number(text: &str) -> Option<u64> {
    let is_digits = text.bytes().all(|byte| byte.is_ascii_digit());
    if is_digits { text.parse().ok() } else { None }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn parsed(value: &str) -> Option<Part> {
        let mut headers = HeaderMap::new();
        headers.insert(header::CONTENT_RANGE, HeaderValue::from_str(value).unwrap());
        Part::of(&headers)
    }

    #[test]
    fn only_one_whole_range_of_bytes_is_read() {
        assert_eq!(parsed("bytes 2-5/9"), Some(Part { first: 2, last: 5, total: 9 }));
        assert_eq!(parsed("Bytes 0-0/1"), Some(Part { first: 0, last: 0, total: 1 }));
        let wrong = [
            "",
            "bytes",
            "bytes */9",
            "bytes 2-5/*",
            "bytes 5-2/9",
            "bytes 2-9/9",
            "lines 2-5/9",
            "bytes=2-5/9",
            "bytes 2-5",
            "bytes +2-5/9",
            "bytes 2 - 5/9",
            "bytes -5/9",
            "bytes 2-/9",
            "bytes 0-18446744073709551615/18446744073709551616",
        ];
        for value in wrong {
            assert_eq!(parsed(value), None, "{value:?}");
        }
    }

    #[test]
    fn two_ranges_are_none() {
        let mut headers = HeaderMap::new();
        headers.append(header::CONTENT_RANGE, HeaderValue::from_static("bytes 0-1/9"));
        headers.append(header::CONTENT_RANGE, HeaderValue::from_static("bytes 2-3/9"));
        assert_eq!(Part::of(&headers), None);
    }

    proptest! {
        #[test]
        fn part_and_its_rest_are_the_whole(first: u64, length: u64, beyond: u64, count: u64) {
            let last = first.saturating_add(length).min(u64::MAX - 1);
            let part = Part { first: first.min(last), last, total: last.saturating_add(beyond).max(last + 1) };
            match part.after(count) {
                Some(rest) => {
                    prop_assert_eq!(rest.length() + count, part.length());
                    prop_assert_eq!((rest.last, rest.total), (part.last, part.total));
                }
                None => prop_assert!(count >= part.length()),
            }
        }

        #[test]
        fn any_value_is_read_or_refused(value in "[ -~]{0,40}") {
            if let Some(part) = parsed(&value) {
                prop_assert!(part.length() >= 1 && part.last < part.total);
            }
        }
    }
}
