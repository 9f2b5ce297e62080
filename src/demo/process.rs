//! A process of the demo, which ends with it.

use std::ffi::OsStr;
use std::fs::File;
use std::io;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, Command, Stdio};

/// A process; killed when dropped, and by its own lifeline if nobody is left to drop it.
#[derive(Debug)]
pub(super) struct Process(Child);

impl Process {
    /// Starts this program once more, with other arguments; what it says goes to the end of `log`.
    pub(super) fn start<A: AsRef<OsStr>>(arguments: &[A], log: &Path) -> io::Result<Self> {
        let log = File::options().create(true).append(true).open(log)?;
        let child = Command::new(std::env::current_exe()?)
            .args(arguments)
            .env("RUST_LOG", "info")
            // Held open for as long as this lives: the lifeline.
            .stdin(Stdio::piped())
            .stdout(log.try_clone()?)
            .stderr(log)
            // A Ctrl-C is for the demo, which sees to the others.
            .process_group(0)
            .spawn()?;
        Ok(Self(child))
    }

    pub(super) fn pid(&self) -> u32 {
        self.0.id()
    }

    /// Whether it has ended; one whose end cannot be told is taken to go on.
    pub(super) fn has_ended(&mut self) -> bool {
        matches!(self.0.try_wait(), Ok(Some(_)))
    }
}

impl Drop for Process {
    /// `kill -9`: nothing that it could do about it.
    fn drop(&mut self) {
        // Either fails only if it has ended already.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}
