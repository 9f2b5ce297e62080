//! Which paths a route takes.

use std::fmt;
use std::str::FromStr;

use super::Advice;

/// The longest prefix in bytes; request lines beyond it are refused almost everywhere.
const LONGEST: usize = 4096;

/// A prefix of whole path segments: `/api` takes `/api`, `/api/` and `/api/x`, but not `/apix`.
///
/// Always begins with `/`; a trailing slash is dropped, so that `/api/` is `/api` and `/` takes everything.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PathPrefix(String);

/// Why a text is no path prefix.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PathPrefixError {
    /// Nothing, or something else, where `/` must be.
    #[error("the path does not begin with `/`")]
    NoSlash,
    /// A query or fragment.
    #[error("the path holds `{0}`, but routes look only at the path before it")]
    Query(char),
    /// A pattern.
    #[error("the path ends in `*`, but it is a prefix and takes all that is below it anyway")]
    Star,
    /// A character that arrives in encoded form only.
    #[error("the path holds {0:?}, which a client sends only in encoded form")]
    BadCharacter(char),
    /// More than any client sends.
    #[error("the path is longer than 4096 bytes")]
    Long,
}

impl PathPrefix {
    /// The prefix as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl Default for PathPrefix {
    /// `/`, which takes everything.
    fn default() -> Self {
        Self("/".to_owned())
    }
}

impl FromStr for PathPrefix {
    type Err = PathPrefixError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if !text.starts_with('/') {
            return Err(PathPrefixError::NoSlash);
        }
        if let Some(mark) = text.chars().find(|c| matches!(c, '?' | '#')) {
            return Err(PathPrefixError::Query(mark));
        }
        if let Some(odd) = text.chars().find(|c| !c.is_ascii_graphic()) {
            return Err(PathPrefixError::BadCharacter(odd));
        }
        if text.trim_end_matches('/').ends_with('*') {
            return Err(PathPrefixError::Star);
        }
        if text.len() > LONGEST {
            return Err(PathPrefixError::Long);
        }
        match text.trim_end_matches('/') {
            "" => Ok(Self::default()),
            prefix => Ok(Self(prefix.to_owned())),
        }
    }
}

impl fmt::Display for PathPrefix {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl Advice for PathPrefixError {
    fn advice(&self) -> Option<String> {
        match self {
            Self::NoSlash => Some("write it as in `/` or `/api`".to_owned()),
            Self::Star => Some("write `/api` rather than `/api/*`".to_owned()),
            Self::BadCharacter(_) => Some("write it percent-encoded, a space as `%20`".to_owned()),
            Self::Query(_) | Self::Long => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<String, PathPrefixError> {
        text.parse::<PathPrefix>().map(|path| path.to_string())
    }

    #[test]
    fn trailing_slash_is_dropped() {
        for (text, kept) in [("/", "/"), ("//", "/"), ("/api", "/api"), ("/api/", "/api"), ("/a/b//", "/a/b")]
        {
            assert_eq!(read(text), Ok(kept.to_owned()));
        }
    }

    #[test]
    fn wrong_path_says_what_is_wrong() {
        assert_eq!(read(""), Err(PathPrefixError::NoSlash));
        assert_eq!(read("api"), Err(PathPrefixError::NoSlash));
        assert_eq!(read("/a?b"), Err(PathPrefixError::Query('?')));
        assert_eq!(read("/a#b"), Err(PathPrefixError::Query('#')));
        assert_eq!(read("/a b"), Err(PathPrefixError::BadCharacter(' ')));
        assert_eq!(read("/\u{7}"), Err(PathPrefixError::BadCharacter('\u{7}')));
        assert_eq!(read("/ü"), Err(PathPrefixError::BadCharacter('ü')));
        assert_eq!(read("/api/*"), Err(PathPrefixError::Star));
        assert_eq!(read("/api/*/"), Err(PathPrefixError::Star));
        assert_eq!(read(&"/x".repeat(2049)), Err(PathPrefixError::Long));
    }
}
