//! Sets of HTTP statuses.

/// Statuses and ranges of them, written `200`, `200-399` or a list of such.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct StatusSet(Vec<std::ops::RangeInclusive<u16>>);

/// Text that is no set of statuses.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct StatusSetError(pub String);

impl StatusSet {
    /// Whether the set holds `status`.
    pub fn contains(&self, status: u16) -> bool {
        self.0.iter().any(|range| range.contains(&status))
    }
}
