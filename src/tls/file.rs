//! Files, and whether they have changed.

use std::io::{self, Read};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

/// The most that is read of a file, in bytes: more is no certificate.
const LARGEST: u64 = 4 * 1024 * 1024;

/// A file as it was when it was read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Stamp {
    path: PathBuf,
    /// Device, inode, length, and the times of the last change of content and of owner or name, in nanoseconds; `None` where
    /// the file cannot be seen.
    seen: Option<[i128; 5]>,
}

impl Stamp {
    /// How the file at `path` is now.
    pub(super) fn of(path: &Path) -> Self {
        let seen = std::fs::metadata(path).ok().map(|file| {
            let nanos = |seconds: i64, nanos: i64| i128::from(seconds) * 1_000_000_000 + i128::from(nanos);
            let modified = nanos(file.mtime(), file.mtime_nsec());
            let changed = nanos(file.ctime(), file.ctime_nsec());
            [file.dev().into(), file.ino().into(), file.len().into(), modified, changed]
        });
        Self { path: path.to_owned(), seen }
    }
}

/// Files that are watched.
#[derive(Clone, Debug, Default)]
pub struct Files(pub(super) Vec<Stamp>);

impl Files {
    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether one of them has changed since this was last asked, or since it was read.
    ///
    /// Blocks on the file system.
    pub fn have_changed(&mut self) -> bool {
        let now: Vec<_> = self.0.iter().map(|stamp| Stamp::of(&stamp.path)).collect();
        let before = std::mem::replace(&mut self.0, now);
        before != self.0
    }
}

/// Reads a file whole, and notes in `stamps` how it was.
pub(super) fn read(path: &Path, stamps: &mut Vec<Stamp>) -> io::Result<Vec<u8>> {
    // Before it is read: what changes meanwhile is read again.
    stamps.push(Stamp::of(path));
    let mut bytes = Vec::new();
    std::fs::File::open(path)?.take(LARGEST + 1).read_to_end(&mut bytes)?;
    match bytes.len() as u64 > LARGEST {
        true => Err(io::Error::new(io::ErrorKind::FileTooLarge, "the file is larger than 4 MiB")),
        false => Ok(bytes),
    }
}
