//! What it takes to finish an answer that broke off with the answer of another node.
//!
//! [`Sent`] keeps account of what the client has. When the node breaks, a [`Plan`] says what to ask another node for:
//! the rest alone where a strong validator vouches for it (RFC 9110, 13.1.5 and 14.2), else the whole again. The plan
//! then judges the second head, and an [`Overlap`] cuts off what the client has already and compares it, byte for byte.
//! Nothing is kept but a count and the state of a hash.
//!
//! # The hash
//!
//! HighwayHash with a key of this process. Whoever writes the bodies on both nodes may look for two beginnings that
//! collide; without the key, of which no output ever leaves the process, that is as good as guessing 256 bits.

mod head;
mod overlap;
mod plan;
mod range;
mod sent;

pub use head::{Head, Mismatch};
pub use overlap::Overlap;
pub use plan::{Ask, Plan};
pub use sent::{LONGEST_UNVERIFIED, Sent};

/// What the running hashes of this process begin with; for it alone to know.
pub type Key = [u64; 4];

type Digest = [u64; 4];

#[cfg(test)]
mod tests;
