//! The clients of the site: an open loop, which sends each request at its time whatever became of those before.

mod answer;
mod ask;
mod call;
mod connection;
mod connections;
mod load;
mod mix;
mod multiplexed;
mod record;

pub(crate) use ask::{Answers, Ask, Kind, Protocol};
pub(crate) use connection::Connection;
pub(crate) use load::{Load, Script};
pub(crate) use mix::Mix;
pub(crate) use record::{Outcome, Record};
