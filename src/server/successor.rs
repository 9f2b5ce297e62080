//! Starting another bookend in the place of this one: the predecessor's side.

use std::ffi::OsString;
use std::io;
use std::path::PathBuf;
use std::process::Stdio;
use std::sync::Arc;
use std::time::Duration;

use tokio::process::{Child, Command};

use crate::handover::{Channel, UpgradeError, Word};
use crate::passed::Given;

/// The argument by which a successor knows what it is.
const SUCCEED: &str = "--take-over";

/// The argument of a bookend whose end is tied to its standard input.
const TIED: &str = "--until-stdin-ends";

/// Variables that concern this process and no other.
const OURS: [&str; 4] = ["LISTEN_FDS", "LISTEN_PID", "LISTEN_FDNAMES", "WATCHDOG_PID"];

/// How the program was started, and is started again.
#[derive(Clone, Debug)]
pub(super) struct Program {
    path: PathBuf,
    arguments: Vec<OsString>,
}

/// A bookend that is to take over.
#[derive(Debug)]
pub(super) struct Successor {
    child: Child,
    channel: Arc<Channel>,
    process: u32,
}

impl Program {
    /// As it was started; to be asked at the beginning, before the file is replaced.
    pub(super) fn as_started() -> io::Result<Self> {
        let mut arguments = std::env::args_os();
        let path = arguments.next().map(PathBuf::from).filter(|path| path.components().count() > 1);
        // One that was found by its name alone would be looked for again, and something else might be found.
        let path = path.map_or_else(std::env::current_exe, Ok)?;
        Ok(Self { path, arguments: arguments.filter(|argument| argument != SUCCEED).collect() })
    }

    /// Starts it once more, as it is on the disk now.
    pub(super) fn start(&self) -> Result<Successor, UpgradeError> {
        if std::process::id() == 1 {
            return Err(UpgradeError::FirstProcess);
        }
        if self.arguments.iter().any(|argument| argument == TIED) {
            return Err(UpgradeError::Tied);
        }
        let failed = |source| UpgradeError::Failed { doing: "starting it", source };
        let (channel, theirs) = Channel::pair().map_err(failed)?;
        let mut command = Command::new(&self.path);
        command.args(&self.arguments).arg(SUCCEED).stdin(Stdio::from(theirs));
        for name in OURS {
            command.env_remove(name);
        }
        let child = command.spawn().map_err(failed)?;
        let process = child.id().unwrap_or_default();
        Ok(Successor { child, channel: Arc::new(channel), process })
    }
}

impl Successor {
    /// Its process id.
    pub(super) fn process(&self) -> u32 {
        self.process
    }

    /// Gives it these sockets, beside which ours stay open.
    pub(super) async fn give(&self, sockets: Vec<Given>) -> Result<(), UpgradeError> {
        self.within("passing the sockets on", move |channel| channel.send(&sockets)).await
    }

    /// Waits for a word of it.
    pub(super) async fn says(
        &self,
        doing: &'static str,
        word: Word,
        within: Duration,
    ) -> Result<(), UpgradeError> {
        self.within(doing, move |channel| channel.expect(word, within).map(drop)).await
    }

    /// Says a word to it, and more about it.
    pub(super) async fn is_told(&self, word: Word, more: String) -> Result<(), UpgradeError> {
        self.within("telling it to go on", move |channel| channel.say(word, &more)).await
    }

    /// Ends it.
    pub(super) async fn kill(&mut self) {
        // It may have ended by itself.
        let _ = self.child.kill().await;
    }

    /// Does what blocks where it holds nobody up.
    async fn within<T: Send + 'static>(
        &self,
        doing: &'static str,
        work: impl FnOnce(&Channel) -> io::Result<T> + Send + 'static,
    ) -> Result<T, UpgradeError> {
        let channel = Arc::clone(&self.channel);
        let done = tokio::task::spawn_blocking(move || work(&channel)).await;
        let done = done.unwrap_or_else(|why| Err(io::Error::other(why)));
        done.map_err(|source| UpgradeError::Failed { doing, source })
    }
}
