//! Values that cannot be wrong: whoever holds one holds the proof that it was checked.

mod address;
mod host;
mod name;
mod path;
mod status;
mod weight;

pub use address::{AddressError, NodeAddress};
pub use host::{HostPattern, HostPatternError};
pub use name::{Name, NameError};
pub use path::{PathPrefix, PathPrefixError};
pub use status::{StatusSet, StatusSetError};
pub use weight::{Tier, Weight, WeightError};
