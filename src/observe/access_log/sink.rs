//! Where lines end up: opened before anything depends on it.

use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::fd::AsFd;
use std::os::unix::fs::FileTypeExt;
use std::path::{Path, PathBuf};

use crate::config::LogDestination;

/// Why lines cannot go where they should.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The file cannot be opened for writing.
    #[error("opening the access log {}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The process has no standard output.
    #[error("opening the access log on the standard output")]
    Stdout(#[source] io::Error),
    /// There is no thread that could write.
    #[error("starting the thread of the access log")]
    Thread(#[source] io::Error),
}

/// Opens the end of a destination; a file that is not there is made.
///
/// Blocks on the file system.
pub(super) fn open(destination: &LogDestination) -> Result<File, OpenError> {
    match destination {
        LogDestination::Stdout => {
            // A descriptor of its own: what Rust keeps around the standard output would buffer line by line.
            io::stdout().as_fd().try_clone_to_owned().map(File::from).map_err(OpenError::Stdout)
        }
        LogDestination::File(path) => {
            append(path).map_err(|source| OpenError::File { path: path.clone(), source })
        }
    }
}

fn append(path: &Path) -> io::Result<File> {
    // Opening a pipe waits until somebody reads from it, which would keep the start or the reload for ever.
    if let Ok(metadata) = fs::metadata(path)
        && (metadata.file_type().is_fifo() || metadata.file_type().is_socket())
    {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, "it is a pipe or socket, not a file"));
    }
    OpenOptions::new().append(true).create(true).open(path)
}
