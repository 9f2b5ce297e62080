//! The access log: a line for each request, written off the request's path.

mod record;
#[cfg(test)]
mod record_tests;
mod sink;
mod writer;
#[cfg(test)]
mod writer_tests;

use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwapOption;
use log::{error, info};
use parking_lot::Mutex;
use prometheus::IntCounter;

pub use self::record::{Asked, Record};
pub use self::sink::OpenError;
use self::writer::{Ended, Writer};
use super::Limited;
use crate::config::{self, LogDestination};

/// The access log; off until it [follows](AccessLog::follow) settings that say otherwise.
///
/// Its settings are changed by one at a time; lines may come from everywhere.
#[derive(Debug)]
pub struct AccessLog {
    facts: Arc<Facts>,
    target: ArcSwapOption<Target>,
    /// Writers that are no longer used and may still have something to write.
    former: Mutex<Vec<Arc<Ended>>>,
}

/// Settings that will work, and nothing has changed yet.
#[must_use]
#[derive(Debug)]
pub struct Prepared(Option<Arc<Target>>);

/// Where lines go, and as what.
#[derive(Debug)]
struct Target {
    settings: config::AccessLog,
    writer: Arc<Writer>,
}

impl AccessLog {
    pub(super) fn new(facts: Facts) -> Self {
        Self { facts: Arc::new(facts), target: ArcSwapOption::empty(), former: Mutex::default() }
    }

    /// Writes the line of a request, if somebody wants it. Never waits: where too much waits to be written already, the
    /// line is dropped and counted.
    pub fn write<'r>(&self, record: impl FnOnce() -> Record<'r>) {
        if let Some(target) = &*self.target.load() {
            target.writer.push(record().line(target.settings.format));
        }
    }

    /// Opens what `settings` name, unless it is open already; `None` is off.
    ///
    /// Blocks on the file system.
    ///
    /// # Errors
    ///
    /// If it cannot be opened.
    pub fn prepare(&self, settings: Option<&config::AccessLog>) -> Result<Prepared, OpenError> {
        let Some(settings) = settings else { return Ok(Prepared(None)) };
        let known =
            self.target.load_full().filter(|known| known.settings.destination == settings.destination);
        let writer = match known {
            Some(known) => Arc::clone(&known.writer),
            None => {
                let file = sink::open(&settings.destination)?;
                Arc::new(Writer::start(file, Arc::clone(&self.facts)).map_err(OpenError::Thread)?)
            }
        };
        Ok(Prepared(Some(Arc::new(Target { settings: settings.clone(), writer }))))
    }

    /// From now on lines go where was prepared; those before still go where they were to.
    pub fn follow(&self, prepared: Prepared) {
        let new = prepared.0;
        let is_kept =
            |old: &Arc<Target>| new.as_ref().is_some_and(|new| Arc::ptr_eq(&new.writer, &old.writer));
        let old = self.target.load_full().filter(|old| !is_kept(old));
        let mut former = self.former.lock();
        former.retain(|former| former.is_to_come());
        former.extend(old.map(|old| old.writer.ended()));
        self.target.store(new);
    }

    /// Opens the file anew, for whoever has moved it away: lines before are in the old file, those after in the new one.
    /// Returns which file that was; `None` if there is none to open.
    ///
    /// Blocks on the file system.
    ///
    /// # Errors
    ///
    /// If it cannot be opened. The old file stays in use.
    pub fn reopen(&self) -> Result<Option<PathBuf>, OpenError> {
        let Some(target) = self.target.load_full() else { return Ok(None) };
        match &target.settings.destination {
            LogDestination::Stdout => Ok(None),
            LogDestination::File(path) => {
                target.writer.change_to(sink::open(&target.settings.destination)?);
                Ok(Some(path.clone()))
            }
        }
    }

    /// Ends the log and waits until it is written, `limit` at most; that which was in use before it was changed, too.
    ///
    /// Blocks for that time.
    pub fn finish(&self, limit: Duration) {
        let begin = (self.facts.now)();
        if let Some(target) = self.target.swap(None) {
            target.writer.finish(limit);
        }
        for former in self.former.lock().drain(..) {
            let passed = Duration::from_millis((self.facts.now)().saturating_sub(begin));
            former.wait(limit.saturating_sub(passed));
        }
    }
}

/// What there is to tell about the log itself.
#[derive(Debug)]
pub(super) struct Facts {
    /// The clock, in milliseconds.
    pub(super) now: fn() -> u64,
    /// Lines that were dropped.
    pub(super) dropped: IntCounter,
    /// Writes that failed.
    pub(super) write_errors: IntCounter,
    /// The lines about lines that were dropped.
    pub(super) lines: Limited,
}

impl Facts {
    /// Lines were dropped, because more came than could be written.
    fn dropped(&self, count: u64) {
        self.dropped.inc_by(count);
        self.lines.warn((self.now)(), |left_out| {
            format!("access log too slow dropped_in_all={}{left_out}", self.dropped.get())
        });
    }

    /// Writing failed and is tried again; that is news the first time.
    fn write_failed(&self, why: &io::Error, is_news: bool) {
        self.write_errors.inc();
        if is_news {
            error!("access log not written, trying again why={:?}", why.to_string());
        }
    }

    /// Writing works again.
    fn write_works(&self) {
        info!("access log written again errors_in_all={}", self.write_errors.get());
    }
}
