//! What is done about an attempt that failed: the one table of the whole program.
//!
//! [`Reach`] says how far the attempt got, [`Request`] what its repetition could do, and [`Policy::decide`] puts the two
//! together. A request that may have been carried out is repeated only if carrying it out twice is the same as once
//! (RFC 9110, 9.2.2).

mod backoff;
mod body;
mod budget;
mod decision;
mod kinds;
mod outcome;
mod reach;
mod repeat;
mod request;

pub use backoff::backoff;
pub use body::{BodyRoom, KeepLimits, KeptBody, NotKept};
pub use budget::Budget;
pub use decision::{Decision, Options, Policy, Progress};
pub use kinds::Kinds;
pub use outcome::Outcome;
pub use reach::{Circumstance, Failure, Reach};
pub use repeat::Repeatability;
pub use request::Request;

#[cfg(test)]
mod tests;
