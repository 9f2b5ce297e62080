//! What is known of a pool's nodes, and in which order a request tries them.
//!
//! [`Node`] is the live state of one server and outlives a configuration; [`Member`] is its place in one pool of one
//! configuration; [`Lineup`] offers the members to a request, best first, and an [`algorithm`] picks among equals. What a
//! node's traffic says of it is [`Evidence`], what is not said is [`Silence`], and the [`Jury`] takes a node out for either
//! and lets it in again ([`Standing`]). What it can finish is its [`Limit`], and the [`Load`] says whether it takes more.
//! While no node takes any requests, they wait in the [`Parking`]; while all that could are full, in the [`OverloadLine`].

mod algorithm;
mod availability;
mod check_call;
mod drain;
mod evidence;
mod headroom;
mod health;
mod jury;
mod latency;
mod legacy;
mod limit;
mod lineup;
mod load;
mod member;
mod node;
mod overload;
mod parking;
mod ramp;
mod room;
mod session;
mod silence;
mod slot;
#[cfg(test)]
mod soundness_tests;
mod standing;
mod unrest;

use algorithm::{Algorithm, Contenders};
pub use algorithm::{Clue, key};
pub use availability::Availability;
pub use check_call::CheckCall;
pub use drain::{Drain, Resort};
pub use evidence::{Evidence, Fault};
pub use headroom::{Headroom, Proof};
pub use health::{Health, Thresholds};
pub use jury::{Jury, Verdicts};
pub use latency::Latency;
pub use legacy::Legacy;
pub use limit::{Learnt, Limit, Shown, Tuning};
pub use lineup::{Asker, Lineup, Offers, offer_room};
pub use load::Load;
pub use member::{Member, Place};
pub use node::{Checks, Node, Patience, Transition};
pub use overload::{Called, InLine, OverloadLine, Rank, Waiting};
pub use parking::{Parking, Ticket};
pub use room::NodeKey;
use room::Room;
pub use session::{Pass, Seal, Seat, Tie, release_sessions, tie};
pub use silence::{PATIENCE, Pulse, Silence, Vigil};
pub use slot::Slot;
pub use standing::{Share, Standing, Stay, Why};
