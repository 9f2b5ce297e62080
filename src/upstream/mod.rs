//! What is known of a pool's nodes, and in which order a request tries them.
//!
//! [`Node`] is the live state of one server and outlives a configuration; [`Member`] is its place in one pool of one
//! configuration; [`Lineup`] offers the members to a request, best first.

mod health;
mod lineup;
mod node;
mod rotation;

pub use health::{Health, Thresholds};
pub use lineup::{Lineup, Offers};
pub use node::{Availability, Checks, Member, Node, Place, Slot, Transition};
pub use rotation::Rotation;
