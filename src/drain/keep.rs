//! Keeping the leases beyond the process.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU64, Ordering};

use parking_lot::Mutex;

use super::Drains;
use crate::clock;
use crate::journal::{Journal, JournalError};
use crate::lease::Lease;

/// How soon writing is tried again that failed, in milliseconds.
const AGAIN: u64 = 5_000;

/// How far the clock on the wall may be set before the leases are written anew, in milliseconds.
const DRIFT: u64 = 1_000;

/// Where the leases are kept, and how well.
#[derive(Debug)]
pub(super) struct Keep {
    journal: Option<Arc<Journal>>,
    /// One writes at a time, so that what is newer is written later.
    writing: tokio::sync::Mutex<()>,
    /// The change that is written.
    written: AtomicU64,
    /// By how much the clock on the wall was ahead then.
    lead: AtomicI64,
    failure: Mutex<Option<Failure>>,
    /// A successor may have the journal.
    is_let_go: AtomicBool,
}

/// Why what changed last is not written.
#[derive(Debug)]
struct Failure {
    why: String,
    at: u64,
}

impl Keep {
    /// Without a journal nothing is kept; `trouble` is why nothing can be written there so far.
    pub(super) fn new(journal: Option<Journal>, trouble: Option<String>) -> Self {
        let failure = trouble.map(|why| Failure { why, at: clock::millis() });
        Self {
            journal: journal.map(Arc::new),
            writing: tokio::sync::Mutex::new(()),
            written: AtomicU64::new(0),
            lead: AtomicI64::new(lead()),
            failure: Mutex::new(failure),
            is_let_go: AtomicBool::new(false),
        }
    }

    /// Whether all that changed outlives the process.
    pub(super) fn is_kept(&self) -> bool {
        self.journal.is_some() && self.trouble().is_none()
    }

    /// Why it does not although it should.
    pub(super) fn trouble(&self) -> Option<String> {
        if self.is_let_go.load(Ordering::Relaxed) {
            return Some("another bookend takes over".to_owned());
        }
        self.failure.lock().as_ref().map(|failure| failure.why.clone())
    }

    fn is_late(&self, now: u64) -> bool {
        self.failure.lock().as_ref().is_none_or(|failure| now.saturating_sub(failure.at) >= AGAIN)
    }
}

/// By how much the clock on the wall is ahead of the one that does not jump, in milliseconds.
fn lead() -> i64 {
    let (wall, steady) = (clock::since_1970(clock::wall()), clock::steady());
    i64::try_from(i128::from(wall) - i128::from(steady)).unwrap_or_default()
}

impl Drains {
    /// Writes the leases if they changed, if the clock did by which they are written, or if they could not be written.
    pub(super) async fn save_if_due(&self) {
        let is_moved = self.keep.lead.load(Ordering::Relaxed).abs_diff(lead()) > DRIFT;
        let has_leases = || !self.leases.lock().is_empty();
        let is_changed = self.changes.load(Ordering::Relaxed) != self.keep.written.load(Ordering::Relaxed);
        let is_wanted = is_changed || is_moved && has_leases() || self.keep.trouble().is_some();
        if is_wanted && self.keep.is_late(clock::millis()) {
            self.save().await;
        }
    }

    /// Writes the leases as they are, and tells the world if that does not work, or works again.
    pub(super) async fn save(&self) {
        let Some(journal) = self.keep.journal.clone() else { return };
        let _writing = self.keep.writing.lock().await;
        if self.keep.is_let_go.load(Ordering::Relaxed) {
            return;
        }
        let (lead, (leases, change)) = (lead(), self.as_they_are());
        let leases: Vec<Lease> = leases.into_iter().map(|lease| lease.shifted(lead)).collect();
        let writing = tokio::task::spawn_blocking(move || journal.write_leases(leases.iter())).await;
        let written = writing.unwrap_or_else(|why| {
            let source = io::Error::other(why);
            Err(JournalError::File { doing: "writing", path: Default::default(), source })
        });
        let mut failure = self.keep.failure.lock();
        match written {
            Ok(()) => {
                self.keep.written.store(change, Ordering::Relaxed);
                self.keep.lead.store(lead, Ordering::Relaxed);
                if failure.take().is_some() {
                    self.observer.leases_kept_again();
                }
            }
            Err(why) => {
                let why = why.in_full();
                if failure.is_none() {
                    self.observer.leases_not_kept(&why);
                }
                *failure = Some(Failure { why, at: clock::millis() });
            }
        }
    }

    /// Writes the leases for the last time, and lets a successor have the journal.
    pub async fn let_go(&self) {
        self.save().await;
        let Some(journal) = &self.keep.journal else { return };
        let _writing = self.keep.writing.lock().await;
        self.keep.is_let_go.store(true, Ordering::Relaxed);
        journal.let_go();
    }

    /// Takes the journal back that no successor has; returns it, if there is one.
    ///
    /// # Errors
    ///
    /// If a successor has it nevertheless.
    pub fn take_back(&self) -> Result<Option<Arc<Journal>>, JournalError> {
        let Some(journal) = &self.keep.journal else { return Ok(None) };
        journal.take_back()?;
        self.keep.is_let_go.store(false, Ordering::Relaxed);
        Ok(Some(Arc::clone(journal)))
    }

    fn as_they_are(&self) -> (Vec<Lease>, u64) {
        let leases = self.leases.lock();
        (leases.iter().cloned().collect(), self.changes.load(Ordering::Relaxed))
    }
}
