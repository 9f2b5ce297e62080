//! `bookend demo`, and the commands that it starts its processes with.

use std::net::SocketAddr;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::Context;
use clap::{Args, ValueEnum};
use rustix::process::{Signal, getpid, kill_process};

use super::{complain_of, say};
use crate::demo::{self, Ending, Options, Story, Strength};

#[derive(Debug, Args)]
pub(super) struct Wanted {
    /// What is told [default: both, one after the other; with --stay the first]
    story: Option<Tale>,
    /// Keep the site up afterwards, for your own curl and wrk, until Ctrl-C
    #[arg(long)]
    stay: bool,
    /// How long the load of `killed` lasts; what happens meanwhile moves together
    #[arg(long, value_name = "SECONDS", default_value_t = 27, value_parser = clap::value_parser!(u16).range(3..=600))]
    seconds: u16,
}

/// A story, as it is typed.
#[derive(Clone, Copy, Debug, ValueEnum)]
enum Tale {
    /// A server is killed and comes back, the configuration is reloaded, a crowd arrives
    Killed,
    /// A server is drained and forgotten, and then more arrives than the other can carry
    Forgotten,
}

/// A node of the demo, as a process of its own.
#[derive(Debug, Args)]
pub(super) struct Node {
    name: String,
    address: SocketAddr,
    /// Milliseconds that an answer takes
    #[arg(long, default_value_t = 3)]
    takes: u64,
    /// Answers that are in the making at once
    #[arg(long)]
    workers: Option<usize>,
    /// Requests for which it has memory
    #[arg(long)]
    holds: Option<usize>,
}

/// Runs the demo: 0 if every promise was kept, 1 if one was not or it was ended before its time.
pub(super) fn run(wanted: &Wanted) -> anyhow::Result<ExitCode> {
    let story = wanted.story.map(|tale| match tale {
        Tale::Killed => Story::Killed,
        Tale::Forgotten => Story::Forgotten,
    });
    let length = Duration::from_secs(wanted.seconds.into());
    match demo::run(Options { story, length, stays: wanted.stay })? {
        Ending::Kept => return Ok(ExitCode::SUCCESS),
        Ending::Broken(breaches) => {
            for breach in breaches {
                say(&format!("\n{breach}: that is not what bookend promises"));
            }
        }
        Ending::Interrupted => complain_of("ended before its time; so has everything that it started"),
    }
    Ok(ExitCode::FAILURE)
}

/// Is a node until killed.
pub(super) fn serve_node(node: &Node) -> anyhow::Result<ExitCode> {
    let takes = Duration::from_millis(node.takes);
    let strength = Strength { takes, workers: node.workers, holds: node.holds };
    demo::serve_node(&node.name, node.address, strength)
        .with_context(|| format!("serving on {}", node.address))?;
    Ok(ExitCode::SUCCESS)
}

/// Ends this process as SIGTERM does once its standard input ends.
pub(super) fn stop_when_stdin_ends() -> anyhow::Result<()> {
    let stop = || {
        // It cannot fail for a process that sends it to itself.
        let _ = kill_process(getpid(), Signal::TERM);
    };
    demo::when_stdin_ends(stop).context("starting a thread")
}
