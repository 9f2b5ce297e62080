//! Pools: Pingora's `LoadBalancer` around our nodes.
//!
//! The nodes of a pool are the backends of a `LoadBalancer`, whose selection is our [`Selector`]: the order comes from
//! [`upstream::Lineup`](crate::upstream::Lineup), this floor adds the time and chance and carries each node's live state in
//! `Backend.ext`.

mod discovery;
mod pool;
mod registry;
mod selection;
mod sessions;

pub use pool::{Addresses, Pool, address};
pub use registry::Registry;
pub use selection::Selector;
pub use sessions::Sessions;
