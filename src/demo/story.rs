//! The stories that the demo tells.

use std::time::Duration;

use super::node::Strength;

/// What happens to the site.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Story {
    /// A server is killed and comes back, the configuration is reloaded, a crowd arrives.
    Killed,
    /// A server is taken out by hand and forgotten, and then more arrives than the other can carry.
    Forgotten,
}

/// A promise that was not kept before the eyes of everybody.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Breach {
    /// So many requests failed.
    #[error("{0} requests failed")]
    Failed(u64),
    /// A server did not survive what it was given.
    #[error("{0} did not survive")]
    Died(&'static str),
    /// What was written down does not say why it came about.
    #[error("the incident does not name the forgotten drain and the command that ends it, but says: {0}")]
    Unexplained(String),
}

impl Story {
    /// The story in a few words.
    pub(super) fn title(self) -> &'static str {
        match self {
            Self::Killed => "a server dies",
            Self::Forgotten => "the server that nobody reconnected",
        }
    }

    /// What its nodes can do.
    pub(super) fn strength(self) -> Strength {
        match self {
            Self::Killed => Strength { takes: Duration::from_millis(3), workers: None, holds: None },
            Self::Forgotten => {
                Strength { takes: Duration::from_millis(80), workers: Some(8), holds: Some(100) }
            }
        }
    }

    /// Requests a second while most is asked for, without a crowd.
    pub(super) fn rate(self) -> u32 {
        match self {
            Self::Killed => 300,
            Self::Forgotten => 140,
        }
    }
}
