//! Reading a tree: each reader takes what it can, reports what it cannot, and goes on.
//!
//! A reader that returns `None` has reported why; a caller then goes on with what it has, as the configuration is
//! given up anyway.

mod fields;
mod findings;
mod nearest;
mod scalar;
mod value;

pub(super) use fields::Fields;
pub(super) use findings::{Fault, Findings};
pub use nearest::nearest;
pub(super) use scalar::fault;
pub(super) use value::{Value, shown};
