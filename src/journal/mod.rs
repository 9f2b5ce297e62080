//! What must outlive the process, in files of the directory for the state.
//!
//! These are the leases, and the events. Whoever opens the journal of a directory has it alone: a second bookend beside the
//! first would write over what the first has written.

mod claim;
mod events;
mod file;
mod leases;

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

pub use events::{Appended, Events, Gaps, read_events};
pub use file::Damage;

use self::claim::Claim;
use crate::lease::Lease;

/// Where the leases are.
const LEASES: &str = "leases.json";

/// Why there is no journal, or why something is not in it.
#[derive(Debug, thiserror::Error)]
pub enum JournalError {
    /// Another process has it.
    #[error("another bookend uses {}", path.display())]
    Taken {
        /// The directory.
        path: PathBuf,
    },
    /// The system says no.
    #[error("{doing} {}", path.display())]
    File {
        /// What was being done.
        doing: &'static str,
        /// The file.
        path: PathBuf,
        /// Why it did not work.
        source: io::Error,
    },
}

impl JournalError {
    /// The error with its cause.
    pub fn in_full(&self) -> String {
        match self {
            Self::Taken { .. } => self.to_string(),
            Self::File { source, .. } => format!("{self}: {source}"),
        }
    }
}

/// The files of one directory.
#[derive(Debug)]
pub struct Journal {
    claim: Arc<Claim>,
}

/// What a journal held when it was opened.
#[derive(Debug, Default)]
pub struct Found {
    /// The leases.
    pub leases: Vec<Lease>,
    /// The file was damaged, or is of a version that is not known; it was set aside.
    pub damage: Option<Damage>,
    /// Why nothing can be written: for now if there is a journal, and if there is none for good.
    pub trouble: Option<JournalError>,
}

impl Journal {
    /// Opens the journal in `directory`, and reads what it holds. There is one also where nothing can be written yet, but
    /// not where it is another process's, and not where what is there cannot be read: that is not to be written over.
    ///
    /// Blocks on the file system.
    pub fn open(directory: &Path) -> (Option<Self>, Found) {
        let claim = Claim::new(directory);
        let trouble = match claim.hold() {
            Err(taken @ JournalError::Taken { .. }) => {
                return (None, Found { trouble: Some(taken), ..Found::default() });
            }
            held => held.err(),
        };
        let path = directory.join(LEASES);
        match file::read(&path, leases::parse) {
            Ok((leases, damage)) => {
                let found = Found { leases: leases.unwrap_or_default(), damage, trouble };
                (Some(Self { claim: Arc::new(claim) }), found)
            }
            Err(source) => {
                let unread = JournalError::File { doing: "reading", path, source };
                (None, Found { trouble: Some(unread), ..Found::default() })
            }
        }
    }

    /// Lets another process have the journal; nothing is written until it is taken back.
    pub fn let_go(&self) {
        self.claim.let_go();
    }

    /// Takes the journal back that another process did not take, or has no more.
    ///
    /// # Errors
    ///
    /// If another process has it.
    pub fn take_back(&self) -> Result<(), JournalError> {
        self.claim.take_back()
    }

    /// Writes these leases in the place of all before, so that a crash at whatever moment leaves either these or those.
    ///
    /// Blocks on the file system.
    ///
    /// # Errors
    ///
    /// If they cannot be written; what was there before still is.
    pub fn write_leases<'a>(&self, leases: impl Iterator<Item = &'a Lease>) -> Result<(), JournalError> {
        self.claim.hold()?;
        let path = self.claim.directory().join(LEASES);
        let replaced = file::replace(self.claim.directory(), &path, &leases::text(leases));
        replaced.map_err(|source| JournalError::File { doing: "writing", path, source })
    }
}

#[cfg(test)]
mod tests;

#[cfg(test)]
mod events_tests;
