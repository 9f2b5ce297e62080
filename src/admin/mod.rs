//! The operator's side: how bookend is, and the changes that a person asks for.
//!
//! [`bind`](Bound::new) takes the Unix socket and the address before anything else begins; [`Serving`] answers there until
//! dropped. Who may do what is decided in [`access`], what there is to see is put together in [`report`], and every
//! refusal is a problem document (RFC 9457).

mod access;
mod alarms;
mod alerts;
mod api;
mod ask;
mod bind;
mod body;
mod capacity;
mod complaints;
mod crowd;
mod desk;
mod drain;
mod incidents;
mod leases;
mod owner;
mod problem;
mod recent;
mod report;
mod rest;
mod serve;
pub mod status;

pub use access::{Rules, TokenError};
pub use alarms::Hush;
pub use alerts::{Tested, Tests};
pub use ask::{Answer, AskError, ask, send};
pub use bind::{AdminError, Bound};
pub use desk::{Background, Desk, Phase, Wanted};
pub use drain::{Drained, Wish};
pub use problem::{ConfigProblem, Problem};
pub use rest::{Carrier, Rest};
pub use serve::{Prepared, Serving};
