//! A directory that one process has alone.

use std::fs::File;
use std::path::{Path, PathBuf};

use parking_lot::Mutex;
use rustix::fs::{FlockOperation, flock};
use rustix::io::Errno;

use super::JournalError;
use super::file::open_own;

/// What is locked while a journal is open.
pub(super) const LOCK: &str = "journal.lock";

/// A directory that is kept from other processes from the moment at which something can be written there.
#[derive(Debug)]
pub(super) struct Claim {
    directory: PathBuf,
    /// Locked for as long as it is open.
    lock: Mutex<Option<File>>,
}

impl Claim {
    pub(super) fn new(directory: &Path) -> Self {
        Self { directory: directory.to_owned(), lock: Mutex::new(None) }
    }

    pub(super) fn directory(&self) -> &Path {
        &self.directory
    }

    /// Makes sure that the directory is ours; it is asked before each write, since a disk may become writable later.
    ///
    /// Blocks on the file system.
    pub(super) fn hold(&self) -> Result<(), JournalError> {
        let mut held = self.lock.lock();
        if held.is_none() {
            *held = Some(lock(&self.directory)?);
        }
        Ok(())
    }
}

fn lock(directory: &Path) -> Result<File, JournalError> {
    let path = directory.join(LOCK);
    let failed = |source| JournalError::File { doing: "opening", path: path.clone(), source };
    let lock = open_own(&path).map_err(failed)?;
    match flock(&lock, FlockOperation::NonBlockingLockExclusive) {
        Ok(()) => Ok(lock),
        Err(Errno::WOULDBLOCK) => Err(JournalError::Taken { path: directory.to_owned() }),
        Err(why) => Err(failed(why.into())),
    }
}
