//! What must outlive the process, and where it is kept.

mod directory;
mod secret;

pub use directory::{make, make_ours, usual_state_dirs};
pub use secret::{KeyTrouble, Secret};
