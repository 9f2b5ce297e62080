//! Whether a node can be given work.

use super::Node;

/// A node that has waited for so long for a request that tries it waits because there are none, in milliseconds.
const UNTRIED: u64 = 2_000;

/// Whether a node may get new work, best first; the order is the order of resort.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Availability {
    /// Nothing speaks against it.
    Available,
    /// It is silent while others answer.
    Suspect,
    /// It asked to be left alone for a while (`Retry-After`).
    Resting,
    /// It was taken out by what its traffic said, or is on trial.
    Ejected,
    /// Its checks fail, or none has passed since it was drained.
    CheckFailed,
    /// A person took it out for a while.
    Drained,
}

impl Availability {
    /// What keeps a node from serving that stands like this, in a word; `None` if nothing does.
    pub fn obstacle(self) -> Option<&'static str> {
        match self {
            Self::Available | Self::Suspect | Self::Resting => None,
            Self::Ejected => Some("ejected"),
            Self::CheckFailed => Some("down"),
            Self::Drained => Some("drained"),
        }
    }
}

impl Node {
    /// How the node stands at `now` for those who ask what its pool could do: nothing speaks any more against one that only
    /// waits for a request to try it, where none comes.
    pub fn prospect(&self, now: u64) -> Availability {
        match self.wants_trial(now) {
            Some(waits) if waits >= UNTRIED => Availability::Available,
            Some(_) | None => self.availability(now),
        }
    }
}
