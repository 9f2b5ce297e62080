//! A directory of the demo's own.

use std::fs::{self, DirBuilder};
use std::io;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};

/// Bytes of the directory for temporary files: within it stands a Unix socket, whose whole path has to fit in 107.
const LONGEST: usize = 60;

/// A directory that nobody else can read, and that goes with all it holds when dropped.
#[derive(Debug)]
pub(super) struct Directory(PathBuf);

impl Directory {
    pub(super) fn new() -> io::Result<Self> {
        let path = place()?.join(format!("bookend-demo-{}-{:08x}", std::process::id(), fastrand::u32(..)));
        DirBuilder::new().mode(0o700).create(&path)?;
        Ok(Self(path))
    }

    pub(super) fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for Directory {
    fn drop(&mut self) {
        // What cannot be removed is left to the system, as are all temporary files.
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// Where temporary files are kept, if that can be written in a configuration and a socket fits.
fn place() -> io::Result<PathBuf> {
    let usual = std::path::absolute(std::env::temp_dir())?;
    let fits = usual.to_str().is_some_and(|text| text.len() <= LONGEST);
    Ok(if fits { usual } else { PathBuf::from("/tmp") })
}
