//! `bookend demo`, and the commands that it starts its processes with.

use std::net::SocketAddr;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::Context;
use clap::Args;
use rustix::process::{Signal, getpid, kill_process};

use super::{complain_of, say};
use crate::demo::{self, Ending, Options};

#[derive(Debug, Args)]
pub(super) struct Wanted {
    /// Keep the site up afterwards, for your own curl and wrk, until Ctrl-C
    #[arg(long)]
    stay: bool,
    /// How long the load lasts; what happens meanwhile moves together
    #[arg(long, value_name = "SECONDS", default_value_t = 27, value_parser = clap::value_parser!(u16).range(3..=600))]
    seconds: u16,
}

/// A node of the demo, as a process of its own.
#[derive(Debug, Args)]
pub(super) struct Node {
    name: String,
    address: SocketAddr,
}

/// Runs the demo: 0 if no client saw a request fail, 1 if one did or it was ended before its time.
pub(super) fn run(wanted: &Wanted) -> anyhow::Result<ExitCode> {
    let options = Options { length: Duration::from_secs(wanted.seconds.into()), stays: wanted.stay };
    match demo::run(options)? {
        Ending::NoneFailed => return Ok(ExitCode::SUCCESS),
        Ending::Failed(failed) => {
            say(&format!("\n{failed} requests failed: that is not what bookend promises"))
        }
        Ending::Interrupted => complain_of("ended before its time; so has everything that it started"),
    }
    Ok(ExitCode::FAILURE)
}

/// Is a node until killed.
pub(super) fn serve_node(node: &Node) -> anyhow::Result<ExitCode> {
    demo::serve_node(&node.name, node.address).with_context(|| format!("serving on {}", node.address))?;
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
