//! Running a command for a message, once.

use std::convert::Infallible;
use std::future::pending;
use std::io;
use std::process::{ExitStatus, Stdio};
use std::sync::Arc;
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process_group};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::unix::pipe;
use tokio::process::{Child, ChildStdin};

use super::message::Message;
use super::target::Trouble;
use crate::config::Tell;

/// How often a command is run for one message that asks for it.
pub(super) const ATTEMPTS: u32 = 3;

/// The exit code that asks for another attempt (`EX_TEMPFAIL` of sysexits.h).
const TRY_AGAIN: i32 = 75;

/// Bytes of its output that are kept, from the end.
const LARGEST_TAIL: usize = 2048;
/// Characters of it that are shown.
const MOST_SHOWN: usize = 300;
/// How long what a command has written is waited for after its end: others that it left behind may hold the pipe.
const LAST_OUTPUT: Duration = Duration::from_millis(100);

/// The command, run once at a time.
#[derive(Debug)]
pub(super) struct Command {
    settings: Tell,
    turn: Arc<tokio::sync::Mutex<()>>,
}

impl Command {
    pub(super) fn new(settings: Tell, turn: Arc<tokio::sync::Mutex<()>>) -> Self {
        Self { settings, turn }
    }

    /// What is run.
    pub(super) fn program(&self) -> &str {
        &self.settings.program
    }

    /// Runs it with a message; what it leaves behind when it has ended goes on and is not waited for.
    pub(super) async fn run(&self, message: &Message) -> Result<String, Trouble> {
        let _turn = self.turn.lock().await;
        let (mut child, mut output) = self.spawn(message).map_err(|why| Trouble::last(&why))?;
        let stdin = child.stdin.take();
        let mut group = Group::of(&child);
        let mut tail = Tail::default();
        let ended = tokio::select! {
            ended = tokio::time::timeout(self.settings.timeout, child.wait()) => ended,
            never = hand_over(stdin, message.json()) => match never {},
            never = tail.follow(&mut output) => match never {},
        };
        let Ok(ended) = ended else {
            group.kill();
            let _ = child.wait().await;
            group.is_over();
            let limit = humantime::format_duration(self.settings.timeout);
            return Err(Trouble::last(&tail.after(&format!("killed after {limit}"))));
        };
        group.is_over();
        let _ = tokio::time::timeout(LAST_OUTPUT, tail.read(&mut output)).await;
        judge(ended.map_err(|why| Trouble::last(&why))?, &tail)
    }

    fn spawn(&self, message: &Message) -> io::Result<(Child, pipe::Receiver)> {
        let (reader, writer) = io::pipe()?;
        let output = pipe::Receiver::from_owned_fd(reader.into())?;
        let child = tokio::process::Command::new(&self.settings.program)
            .args(&self.settings.arguments)
            .envs(message.variables())
            .stdin(Stdio::piped())
            .stdout(writer.try_clone()?)
            .stderr(writer)
            .process_group(0)
            .spawn()?;
        Ok((child, output))
    }
}

/// Gives the command all that it takes of `bytes`. It may end without having read any.
async fn hand_over(stdin: Option<ChildStdin>, bytes: Vec<u8>) -> Infallible {
    if let Some(mut stdin) = stdin {
        let _ = stdin.write_all(&bytes).await;
    }
    pending().await
}

fn judge(ended: ExitStatus, tail: &Tail) -> Result<String, Trouble> {
    if ended.success() {
        return Ok(tail.after("exit status 0"));
    }
    let why = tail.after(&ended.to_string().replace("exit status: ", "exit status "));
    match ended.code() {
        Some(TRY_AGAIN) => Err(Trouble::again(&why)),
        Some(_) | None => Err(Trouble::last(&why)),
    }
}

/// The processes of a command that has not ended; killed on drop, as when bookend itself ends.
struct Group(Option<Pid>);

impl Group {
    fn of(child: &Child) -> Self {
        Self(child.id().and_then(|id| Pid::from_raw(id.cast_signed())))
    }

    fn kill(&self) {
        if let Some(leader) = self.0 {
            let _ = kill_process_group(leader, Signal::KILL);
        }
    }

    /// The command has been waited for, so that its number may be another's from now on.
    fn is_over(&mut self) {
        self.0 = None;
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        self.kill();
    }
}

/// The end of what a command has written.
#[derive(Default)]
struct Tail(Vec<u8>);

impl Tail {
    async fn follow(&mut self, output: &mut pipe::Receiver) -> Infallible {
        self.read(output).await;
        pending().await
    }

    /// Reads until nobody writes any more.
    async fn read(&mut self, output: &mut pipe::Receiver) {
        let mut piece = [0; 1024];
        while let Ok(count @ 1..) = output.read(&mut piece).await {
            self.0.extend_from_slice(piece.get(..count).unwrap_or_default());
            let excess = self.0.len().saturating_sub(LARGEST_TAIL);
            self.0.drain(..excess);
        }
    }

    /// What it wrote last, in one line, after `what`.
    fn after(&self, what: &str) -> String {
        let text = String::from_utf8_lossy(&self.0);
        let text = text.trim();
        let skipped = text.chars().count().saturating_sub(MOST_SHOWN);
        let shown: String =
            text.chars().skip(skipped).map(|c| if c.is_control() { ' ' } else { c }).collect();
        if shown.is_empty() { what.to_owned() } else { format!("{what}: {shown}") }
    }
}
