//! What must outlive the process, in files of the directory for the state.
//!
//! These are the leases, and the events. Whoever opens the journal of a directory has it alone: a second bookend beside the
//! first would write over what the first has written.

mod events;
mod file;
mod leases;

use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustix::fs::{FlockOperation, flock};
use rustix::io::Errno;

pub use events::{Appended, Events, Gaps, read_events};
pub use file::Damage;

use crate::lease::Lease;

/// What is locked while a journal is open.
const LOCK: &str = "journal.lock";

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
    directory: PathBuf,
    /// Locked for as long as it is open.
    lock: Arc<File>,
}

/// What a journal held when it was opened.
#[derive(Debug, Default)]
pub struct Found {
    /// The leases.
    pub leases: Vec<Lease>,
    /// The file was damaged, or is of a version that is not known; it was set aside.
    pub damage: Option<Damage>,
}

impl Journal {
    /// Opens the journal in `directory`, and reads what it holds: also where nothing can be written any more, but not where
    /// it is another process's.
    ///
    /// Blocks on the file system.
    pub fn open(directory: &Path) -> (Result<Self, JournalError>, Found) {
        let lock = Self::lock(directory);
        let journal = lock.map(|lock| Self { directory: directory.to_owned(), lock });
        if matches!(journal, Err(JournalError::Taken { .. })) {
            return (journal, Found::default());
        }
        let path = directory.join(LEASES);
        match file::read(&path, leases::parse) {
            Ok((leases, damage)) => (journal, Found { leases: leases.unwrap_or_default(), damage }),
            Err(source) => {
                let unread = JournalError::File { doing: "reading", path, source };
                (journal.and(Err(unread)), Found::default())
            }
        }
    }

    fn lock(directory: &Path) -> Result<Arc<File>, JournalError> {
        let path = directory.join(LOCK);
        let failed = |source| JournalError::File { doing: "opening", path: path.clone(), source };
        let lock = file::open_own(&path).map_err(failed)?;
        match flock(&lock, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => Ok(Arc::new(lock)),
            Err(Errno::WOULDBLOCK) => Err(JournalError::Taken { path: directory.to_owned() }),
            Err(why) => Err(failed(why.into())),
        }
    }

    /// Lets another process have the journal; nothing may be written until it is taken back.
    ///
    /// # Errors
    ///
    /// If the system says no.
    pub fn let_go(&self) -> Result<(), JournalError> {
        flock(&self.lock, FlockOperation::Unlock).map_err(|why| self.failed("unlocking", why))
    }

    /// Takes the journal back that another process did not take, or has no more.
    ///
    /// # Errors
    ///
    /// If another process has it.
    pub fn take_back(&self) -> Result<(), JournalError> {
        match flock(&self.lock, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => Ok(()),
            Err(Errno::WOULDBLOCK) => Err(JournalError::Taken { path: self.directory.clone() }),
            Err(why) => Err(self.failed("locking", why)),
        }
    }

    fn failed(&self, doing: &'static str, why: Errno) -> JournalError {
        JournalError::File { doing, path: self.directory.join(LOCK), source: why.into() }
    }

    /// Writes these leases in the place of all before, so that a crash at whatever moment leaves either these or those.
    ///
    /// Blocks on the file system.
    ///
    /// # Errors
    ///
    /// If they cannot be written; what was there before still is.
    pub fn write_leases<'a>(&self, leases: impl Iterator<Item = &'a Lease>) -> Result<(), JournalError> {
        let path = self.directory.join(LEASES);
        file::replace(&self.directory, &path, &leases::text(leases)).map_err(|source| JournalError::File {
            doing: "writing",
            path,
            source,
        })
    }
}

#[cfg(test)]
mod tests;

#[cfg(test)]
mod events_tests;
