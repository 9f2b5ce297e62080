//! Files that are whole or not there: written beside their place and moved, checked when read.
//!
//! The first line has the version and a checksum of all that follows it.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use highway::{HighwayHash, HighwayHasher};

use crate::clock;

/// What a file of ours begins with.
const HEAD: &str = "bookend 1 ";

/// Bytes of a file; one that is longer is none of ours.
const LARGEST: u64 = 64 * 1024 * 1024;

/// A file that could not be understood.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Damage {
    /// The file.
    pub path: PathBuf,
    /// What is wrong with it.
    pub why: String,
    /// Where it is now; `None` if it could not be moved.
    pub set_aside: Option<PathBuf>,
}

/// Opens a file for us alone, and makes it if it is not there.
pub(super) fn open_own(path: &Path) -> io::Result<File> {
    OpenOptions::new().read(true).write(true).create(true).truncate(false).mode(0o600).open(path)
}

/// Reads a file by `parse`. One that is not there holds nothing; one that cannot be understood is set aside.
pub(super) fn read<T>(
    path: &Path,
    parse: impl FnOnce(&str) -> Result<T, String>,
) -> io::Result<(Option<T>, Option<Damage>)> {
    match fs::symlink_metadata(path) {
        Ok(found) if found.is_file() => {}
        // To open a pipe would be to wait for whoever writes to it.
        Ok(_) => return Ok((None, Some(set_aside(path, "it is no file".to_owned())))),
        Err(why) if why.kind() == io::ErrorKind::NotFound => return Ok((None, None)),
        Err(why) => return Err(why),
    }
    let mut bytes = Vec::new();
    File::open(path)?.take(LARGEST + 1).read_to_end(&mut bytes)?;
    match checked(&bytes).and_then(parse) {
        Ok(value) => Ok((Some(value), None)),
        Err(why) => Ok((None, Some(set_aside(path, why)))),
    }
}

/// What follows the first line, if that is what it says.
fn checked(bytes: &[u8]) -> Result<&str, String> {
    if bytes.len() as u64 > LARGEST {
        return Err("it is too long".to_owned());
    }
    let text = std::str::from_utf8(bytes).map_err(|_| "it is no text".to_owned())?;
    let (head, body) = text.split_once('\n').ok_or("it breaks off in the first line")?;
    let sum = head.strip_prefix(HEAD).ok_or("it is of no version that is known here")?;
    if sum != checksum(body) { Err("its checksum is wrong".to_owned()) } else { Ok(body) }
}

pub(super) fn checksum(body: &str) -> String {
    format!("{:016x}", HighwayHasher::default().hash64(body.as_bytes()))
}

/// Moves a file out of the way under a name that is free.
fn set_aside(path: &Path, why: String) -> Damage {
    let now = clock::since_1970(clock::wall()) / 1_000;
    let names = (now..now + 1_000).map(|number| {
        let mut name = path.as_os_str().to_owned();
        name.push(format!(".damaged-{number}"));
        PathBuf::from(name)
    });
    let free = names.into_iter().find(|name| fs::symlink_metadata(name).is_err());
    let set_aside = free.filter(|name| fs::rename(path, name).is_ok());
    Damage { path: path.to_owned(), why, set_aside }
}

/// Puts `body` in the place of what is at `path`: written and synced beside it, then moved there.
pub(super) fn replace(directory: &Path, path: &Path, body: &str) -> io::Result<()> {
    let mut new = path.as_os_str().to_owned();
    new.push(".new");
    let new = PathBuf::from(new);
    // What a crash left behind is ours, and may be a link to something that is not.
    match fs::remove_file(&new) {
        Err(why) if why.kind() != io::ErrorKind::NotFound => return Err(why),
        Ok(()) | Err(_) => {}
    }
    let written = write(&new, body).and_then(|()| fs::rename(&new, path));
    if written.is_err() {
        // On a full disk the half of a file would only be in the way.
        let _ = fs::remove_file(&new);
    }
    written?;
    File::open(directory)?.sync_all()
}

fn write(path: &Path, body: &str) -> io::Result<()> {
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)?;
    file.write_all(format!("{HEAD}{}\n{body}", checksum(body)).as_bytes())?;
    file.sync_all()
}
