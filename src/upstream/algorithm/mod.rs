//! How one is picked of several members that are equally good.
//!
//! [`Lineup`](super::Lineup) says who is equally good: the order of resort, full members and trials are its business. The
//! weights that an algorithm sees are those that count at the moment, with the share of a node that comes back.

mod round_robin;

pub use round_robin::RoundRobin;
