//! `bookend alerts test`.

use std::process::ExitCode;

use anyhow::{Context, bail};
use clap::{Args, Subcommand};
use http::Method;

use super::client::Target;
use super::{complain_of, say};
use crate::admin::{Problem, Tests};

#[derive(Debug, Args)]
pub(super) struct Alerts {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Send a test message to every webhook and the command, and show what each says; ends with 0 if all took it
    Test(Target),
}

/// Sends a test message to everybody: 0 if it reached them all, 1 if it did not, or if there is nobody.
pub(super) fn run(alerts: &Alerts) -> anyhow::Result<ExitCode> {
    let Command::Test(target) = &alerts.command;
    let answer = target.ask(&Method::POST, "/alerts/test")?;
    if !answer.status.is_success() {
        let problem: Problem = serde_json::from_slice(&answer.body).context("understanding the answer")?;
        bail!(problem.detail);
    }
    let tests: Tests = serde_json::from_slice(&answer.body).context("understanding the answer")?;
    if tests.results.is_empty() {
        complain_of(
            "nobody is told of alarms: the configuration has neither alerts.webhooks nor alerts.command",
        );
        return Ok(ExitCode::FAILURE);
    }
    let mut all_arrived = true;
    for test in &tests.results {
        let word = if test.arrived { "arrived" } else { "failed" };
        say(&format!("{} ({}): {word} after {} ms: {}", test.to, test.place, test.took_ms, test.answer));
        all_arrived &= test.arrived;
    }
    Ok(if all_arrived { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
