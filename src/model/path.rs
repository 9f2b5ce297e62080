//! Which paths a route takes.

/// A prefix of whole path segments: `/api` takes `/api`, `/api/` and `/api/x`, but not `/apix`.
///
/// Always begins with `/`; a trailing slash is dropped, so that `/api/` is `/api` and `/` takes everything.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PathPrefix(String);

/// Text that is no path prefix.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct PathPrefixError(pub String);

impl PathPrefix {
    /// The prefix as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}
