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
    held: Mutex<Held>,
}

/// Whether a directory is ours.
#[derive(Debug)]
enum Held {
    /// Not until something is written there.
    NotYet,
    /// It is, for as long as this file is open.
    Ours(#[expect(dead_code, reason = "it is locked while it is open")] File),
    /// Another process may have it.
    LetGo,
}

impl Claim {
    pub(super) fn new(directory: &Path) -> Self {
        Self { directory: directory.to_owned(), held: Mutex::new(Held::NotYet) }
    }

    pub(super) fn directory(&self) -> &Path {
        &self.directory
    }

    /// Makes sure that the directory is ours; it is asked before each write, since a disk may become writable later.
    ///
    /// Blocks on the file system.
    pub(super) fn hold(&self) -> Result<(), JournalError> {
        let mut held = self.held.lock();
        match &*held {
            Held::Ours(_) => {}
            Held::NotYet => *held = Held::Ours(lock(&self.directory)?),
            Held::LetGo => return Err(JournalError::Taken { path: self.directory.clone() }),
        }
        Ok(())
    }

    /// Lets another process have the directory.
    pub(super) fn let_go(&self) {
        *self.held.lock() = Held::LetGo;
    }

    /// Takes the directory back, now or as soon as something can be written there.
    ///
    /// Blocks on the file system.
    ///
    /// # Errors
    ///
    /// If another process has it.
    pub(super) fn take_back(&self) -> Result<(), JournalError> {
        let mut held = self.held.lock();
        *held = match lock(&self.directory) {
            Ok(lock) => Held::Ours(lock),
            Err(JournalError::File { .. }) => Held::NotYet,
            Err(taken @ JournalError::Taken { .. }) => return Err(taken),
        };
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
