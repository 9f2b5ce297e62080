//! What must outlive the process, and where it is kept.

mod directory;

pub use directory::{make, make_ours, usual_state_dirs};
