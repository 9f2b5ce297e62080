//! Events, appended a line each to files of a bounded length, of which the oldest go.
//!
//! A line is a checksum and an object of JSON. Whatever a crash or a disk does to a line, the others can still be read.

use std::fs::{self, File};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::claim::Claim;
use super::file::{checksum, open_own};
use super::{Journal, JournalError};
use crate::incident::Event;

/// Bytes after which another file is begun.
const LONGEST_FILE: u64 = 4 * 1024 * 1024;

/// Files that are kept.
const MOST_FILES: usize = 8;

/// Bytes of a line; a longer one is damaged.
const LONGEST_LINE: usize = 1024 * 1024;

/// Appends events to the files of one directory.
#[derive(Debug)]
pub struct Events {
    claim: Arc<Claim>,
    last: Option<Last>,
    longest_file: u64,
}

/// The file that is written to.
#[derive(Debug)]
struct Last {
    file: File,
    path: PathBuf,
    number: u64,
    /// Bytes of whole lines.
    length: u64,
}

/// How much of some events was written.
#[must_use = "what was not written has to be written again"]
#[derive(Debug)]
pub struct Appended {
    /// So many, from the first, are on the disk: they outlive a loss of power.
    pub count: usize,
    /// Why the others are not.
    pub failure: Option<JournalError>,
}

/// What could not be read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Gaps {
    /// Lines that are damaged.
    pub damaged: u64,
    /// Lines that break off at the end of a file, as a crash leaves them.
    pub torn: u64,
    /// Lines that another version has written.
    pub unknown: u64,
    /// Files that cannot be read.
    pub unread: u64,
}

impl Events {
    /// The events of a journal that is open.
    pub fn of(journal: &Journal) -> Self {
        Self { claim: Arc::clone(&journal.claim), last: None, longest_file: LONGEST_FILE }
    }

    /// The events in `directory`, which is locked once something can be written there.
    pub fn unlocked(directory: &Path) -> Self {
        Self { claim: Arc::new(Claim::new(directory)), last: None, longest_file: LONGEST_FILE }
    }

    /// The same with files of another length.
    #[cfg(test)]
    pub(super) fn with_files_of(self, longest_file: u64) -> Self {
        Self { longest_file, ..self }
    }

    /// Appends events, and returns when they are on the disk.
    ///
    /// Blocks on the file system.
    pub fn append(&mut self, events: &[Event]) -> Appended {
        let mut count = 0;
        while let Some(rest) = events.get(count..).filter(|rest| !rest.is_empty()) {
            match self.append_some(rest) {
                Ok(more) => count += more,
                Err(failure) => {
                    // Whatever state the file is in, it is looked at anew.
                    self.last = None;
                    return Appended { count, failure: Some(failure) };
                }
            }
        }
        Appended { count, failure: None }
    }

    /// Appends as many events as fit into one file, but at least one.
    fn append_some(&mut self, events: &[Event]) -> Result<usize, JournalError> {
        self.claim.hold()?;
        let first = events.first().map_or(0, |event| line(event).len() as u64);
        let is_fit = |last: &Last| last.length == 0 || last.length + first <= self.longest_file;
        let last = match self.last.take() {
            Some(last) if is_fit(&last) => last,
            Some(last) => self.begin(last.number.saturating_add(1))?,
            None => self.open(first)?,
        };
        let room = usize::try_from(self.longest_file.saturating_sub(last.length)).unwrap_or(usize::MAX);
        let (mut text, mut count) = (String::new(), 0);
        for event in events {
            let line = line(event);
            if count > 0 && text.len() + line.len() > room {
                break;
            }
            text.push_str(&line);
            count += 1;
        }
        self.last = Some(last.write(&text)?);
        Ok(count)
    }

    /// The last file, if there is one with so much room, or a new one.
    fn open(&self, room: u64) -> Result<Last, JournalError> {
        let failed = |source| failure("looking into", self.claim.directory(), source);
        let numbers = numbers(self.claim.directory()).map_err(failed)?;
        let number = numbers.last().copied().unwrap_or_default();
        let path = path(self.claim.directory(), number);
        let is_fit = fs::symlink_metadata(&path)
            .is_ok_and(|found| found.is_file() && found.len() + room <= self.longest_file);
        if is_fit {
            return mended(&path)
                .map(|(file, length)| Last { file, path: path.clone(), number, length })
                .map_err(|source| failure("opening", &path, source));
        }
        self.begin(number.saturating_add(1))
    }

    /// Begins a new file, and removes the oldest if there are too many.
    fn begin(&self, number: u64) -> Result<Last, JournalError> {
        let path = path(self.claim.directory(), number);
        let file = open_own(&path).map_err(|source| failure("opening", &path, source))?;
        let synced = File::open(self.claim.directory()).and_then(|directory| directory.sync_all());
        synced.map_err(|source| failure("opening", &path, source))?;
        let numbers = numbers(self.claim.directory()).unwrap_or_default();
        for old in numbers.iter().take(numbers.len().saturating_sub(MOST_FILES)) {
            // One that stays takes room, and nothing else.
            let _ = fs::remove_file(self::path(self.claim.directory(), *old));
        }
        Ok(Last { file, path, number, length: 0 })
    }
}

impl Last {
    /// Appends whole lines; if that fails, what was written of them is taken back.
    fn write(mut self, text: &str) -> Result<Self, JournalError> {
        let written = self.file.write_all(text.as_bytes()).and_then(|()| self.file.sync_data());
        match written {
            Ok(()) => {
                self.length += text.len() as u64;
                Ok(self)
            }
            Err(source) => {
                let _ = self.file.set_len(self.length);
                Err(failure("writing", &self.path, source))
            }
        }
    }
}

/// Reads the events in `directory`, the oldest first, and hands each to `each`.
///
/// Blocks on the file system.
///
/// # Errors
///
/// If the directory cannot be read; whatever else is wrong is counted, and what is not wrong is read.
pub fn read_events(directory: &Path, mut each: impl FnMut(Event)) -> io::Result<Gaps> {
    let mut gaps = Gaps::default();
    for number in numbers(directory)? {
        match contents(&path(directory, number)) {
            Ok(bytes) => gaps.read(&bytes, &mut each),
            Err(_) => gaps.unread += 1,
        }
    }
    Ok(gaps)
}

impl Gaps {
    /// Whether everything was read.
    pub fn is_none(&self) -> bool {
        *self == Self::default()
    }

    fn read(&mut self, bytes: &[u8], each: &mut impl FnMut(Event)) {
        for line in bytes.split_inclusive(|&byte| byte == b'\n') {
            let Some(line) = line.strip_suffix(b"\n") else {
                self.torn += 1;
                continue;
            };
            let Some(json) = checked(line) else {
                self.damaged += 1;
                continue;
            };
            match serde_json::from_str(json) {
                Ok(event) => each(event),
                Err(_) => self.unknown += 1,
            }
        }
    }
}

/// What a line says, if that is what was written.
fn checked(line: &[u8]) -> Option<&str> {
    let line = std::str::from_utf8(line).ok().filter(|line| line.len() <= LONGEST_LINE)?;
    let (sum, json) = line.split_once(' ')?;
    (sum == checksum(json)).then_some(json)
}

fn line(event: &Event) -> String {
    // Text and numbers can always be written.
    let json = serde_json::to_string(event).unwrap_or_default();
    format!("{} {json}\n", checksum(&json))
}

/// Opens a file to append to it, without the line that breaks off at its end; and how long it is.
fn mended(path: &Path) -> io::Result<(File, u64)> {
    let mut file = open_own(path)?;
    let mut bytes = Vec::new();
    (&mut file).take(2 * LONGEST_FILE).read_to_end(&mut bytes)?;
    let whole = bytes.iter().rposition(|&byte| byte == b'\n').map_or(0, |end| end + 1);
    if whole < bytes.len() {
        file.set_len(whole as u64)?;
    }
    file.seek(SeekFrom::End(0))?;
    Ok((file, whole as u64))
}

fn contents(path: &Path) -> io::Result<Vec<u8>> {
    if !fs::symlink_metadata(path)?.is_file() {
        // To open a pipe would be to wait for whoever writes to it.
        return Err(io::Error::other("it is no file"));
    }
    let mut bytes = Vec::new();
    File::open(path)?.take(2 * LONGEST_FILE).read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// The numbers of the files in `directory`, the oldest first.
fn numbers(directory: &Path) -> io::Result<Vec<u64>> {
    let mut numbers = Vec::new();
    for entry in fs::read_dir(directory)? {
        let name = entry?.file_name();
        let number = name.to_str().and_then(|name| name.strip_prefix("events-")?.strip_suffix(".log"));
        numbers.extend(number.and_then(|number| number.parse::<u64>().ok()));
    }
    numbers.sort_unstable();
    Ok(numbers)
}

fn path(directory: &Path, number: u64) -> PathBuf {
    directory.join(format!("events-{number}.log"))
}

fn failure(doing: &'static str, path: &Path, source: io::Error) -> JournalError {
    JournalError::File { doing, path: path.to_owned(), source }
}
