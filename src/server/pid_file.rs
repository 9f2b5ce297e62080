//! The file with the process id, for whoever sends signals.

use std::io;
use std::path::PathBuf;

/// The file; removed on drop, unless another process has written it since.
#[derive(Debug)]
pub(super) struct PidFile(PathBuf);

impl PidFile {
    /// Writes the id of this process to `path`.
    pub(super) fn write(path: PathBuf) -> io::Result<Self> {
        std::fs::write(&path, own_id())?;
        Ok(Self(path))
    }
}

fn own_id() -> String {
    format!("{}\n", std::process::id())
}

impl Drop for PidFile {
    fn drop(&mut self) {
        if std::fs::read_to_string(&self.0).is_ok_and(|id| id == own_id()) {
            // Someone may be faster.
            let _ = std::fs::remove_file(&self.0);
        }
    }
}
