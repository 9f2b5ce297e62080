//! Sets of HTTP statuses.

use std::fmt;
use std::ops::RangeInclusive;
use std::str::FromStr;

use super::Advice;

/// Statuses and ranges of them, written `200`, `200-399` or a list of such.
///
/// Equal when the same statuses are in it, however they were written.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct StatusSet(Vec<RangeInclusive<u16>>);

/// Why a text is no set of statuses.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum StatusSetError {
    /// Something else than a number or two with `-` between them.
    #[error("`{0}` is not a status")]
    NotStatus(String),
    /// A number that is no status (RFC 9110, 15).
    #[error("{0} is not a status: those go from 100 to 599")]
    OutOfRange(String),
    /// The end of a range is before its beginning.
    #[error("the range {0}-{1} is empty: it ends before it begins")]
    Backwards(u16, u16),
}

impl StatusSet {
    /// Whether the set holds `status`.
    pub fn contains(&self, status: u16) -> bool {
        self.0.iter().any(|range| range.contains(&status))
    }

    /// Whether no status is in the set.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether every status of the set lies in `bounds`.
    pub fn is_within(&self, bounds: &RangeInclusive<u16>) -> bool {
        self.0.iter().all(|range| bounds.contains(range.start()) && bounds.contains(range.end()))
    }

    /// The set of the statuses in any of `sets`.
    pub fn union(sets: impl IntoIterator<Item = Self>) -> Self {
        let mut ranges: Vec<_> = sets.into_iter().flat_map(|set| set.0).collect();
        ranges.sort_by_key(|range| *range.start());
        let mut merged: Vec<RangeInclusive<u16>> = Vec::with_capacity(ranges.len());
        for range in ranges {
            match merged.last_mut() {
                Some(last) if *range.start() <= last.end().saturating_add(1) => {
                    *last = *last.start()..=*last.end().max(range.end());
                }
                Some(_) | None => merged.push(range),
            }
        }
        Self(merged)
    }
}

impl FromStr for StatusSet {
    type Err = StatusSetError;

    /// Reads one status or one range.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (first, last) = text.split_once('-').unwrap_or((text, text));
        let (first, last) = (status(first, text)?, status(last, text)?);
        if last < first {
            return Err(StatusSetError::Backwards(first, last));
        }
        Ok(Self(vec![first..=last]))
    }
}

impl fmt::Display for StatusSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, range) in self.0.iter().enumerate() {
            let comma = if index == 0 { "" } else { ", " };
            match (range.start(), range.end()) {
                (first, last) if first == last => write!(f, "{comma}{first}")?,
                (first, last) => write!(f, "{comma}{first}-{last}")?,
            }
        }
        Ok(())
    }
}

impl Advice for StatusSetError {
    fn advice(&self) -> Option<String> {
        match self {
            Self::NotStatus(_) => Some("write `200`, `200-399` or a list as in `[200, 204]`".to_owned()),
            Self::Backwards(first, last) => Some(format!("write `{last}-{first}`")),
            Self::OutOfRange(_) => None,
        }
    }
}

/// The number in `part`, which stands in `text`.
fn status(part: &str, text: &str) -> Result<u16, StatusSetError> {
    let part = part.trim();
    if part.is_empty() || !part.bytes().all(|b| b.is_ascii_digit()) {
        return Err(StatusSetError::NotStatus(text.to_owned()));
    }
    match part.parse() {
        Ok(number @ 100..=599) => Ok(number),
        Ok(_) | Err(_) => Err(StatusSetError::OutOfRange(part.to_owned())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn set(parts: &[&str]) -> StatusSet {
        StatusSet::union(parts.iter().map(|part| part.parse().unwrap()))
    }

    #[test]
    fn set_holds_what_was_written() {
        let set = set(&["200-204", "301"]);
        let held: Vec<u16> = (0..=999).filter(|&status| set.contains(status)).collect();
        assert_eq!(held, [200, 201, 202, 203, 204, 301]);
    }

    #[test]
    fn sets_are_equal_when_they_hold_the_same() {
        assert_eq!(set(&["200-399"]), set(&["300-399", "200-250", "251-299", "210"]));
        assert_eq!(set(&["204", "200"]).to_string(), "200, 204");
        assert_eq!(set(&["500-504"]).to_string(), "500-504");
    }

    #[test]
    fn set_knows_its_bounds() {
        assert!(set(&["500-599"]).is_within(&(500..=599)));
        assert!(!set(&["503", "499-500"]).is_within(&(500..=599)));
        assert!(set(&[]).is_within(&(500..=599)) && set(&[]).is_empty());
    }

    #[test]
    fn wrong_status_says_what_is_wrong() {
        for (text, part) in [
            ("", "not a status"),
            ("abc", "not a status"),
            ("200-", "not a status"),
            ("+200", "not a status"),
            ("200,204", "not a status"),
            ("99", "100 to 599"),
            ("600", "100 to 599"),
            ("99999999", "100 to 599"),
            ("399-200", "ends before"),
        ] {
            let message = text.parse::<StatusSet>().map_err(|error| error.to_string());
            assert!(matches!(&message, Err(m) if m.contains(part)), "{text:?} gave {message:?}");
        }
    }
}
