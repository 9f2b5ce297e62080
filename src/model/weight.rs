//! How much of the traffic a node takes, and when it takes any.

use std::num::NonZeroU16;

/// A node's share of its tier's traffic relative to the other nodes: `1..=65535`, 1 unless told.
///
/// There is no weight of zero: a node that shall get nothing is drained or left out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Weight(NonZeroU16);

/// A weight that no node can have.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0} is not a weight: it must be a whole number from 1 to 65535")]
pub struct WeightError(pub i64);

impl Weight {
    /// The weight of a node that names none.
    pub const ONE: Self = Self(NonZeroU16::MIN);

    /// The weight as a number, `1..=65535`.
    pub fn get(self) -> u16 {
        self.0.get()
    }
}

impl Default for Weight {
    fn default() -> Self {
        Self::ONE
    }
}

impl TryFrom<i64> for Weight {
    type Error = WeightError;

    fn try_from(value: i64) -> Result<Self, Self::Error> {
        u16::try_from(value).ok().and_then(NonZeroU16::new).map(Self).ok_or(WeightError(value))
    }
}

/// The line a node stands in: 0 serves, 1 and up are backups for when no tier before them can.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Tier(pub u8);
