//! Which `Host` a route takes.

/// A pattern for the host of a request, without its port.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum HostPattern {
    /// This very host, in lower case.
    Exact(String),
    /// Every host below this domain, written `*.example.com` and held here in lower case as `example.com`;
    /// any number of labels, but not the domain itself.
    Suffix(String),
    /// Every host, and requests that name none; written `*`.
    Any,
}

/// Text that is no host pattern.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct HostPatternError(pub String);
