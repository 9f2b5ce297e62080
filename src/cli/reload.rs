//! `bookend reload`: waits for the outcome and says what it was.

use std::process::ExitCode;

use anyhow::Context;
use clap::Args;
use http::{Method, StatusCode};
use serde::Deserialize;

use super::client::Target;
use super::{complain_of, say};
use crate::admin::Problem;

#[derive(Debug, Args)]
pub(super) struct Wanted {
    #[command(flatten)]
    target: Target,
    /// Even if that leaves a pool too few nodes, or takes some that it cannot do without
    #[arg(long)]
    force: bool,
}

/// What a reload that worked is answered with.
#[derive(Deserialize)]
struct Done {
    generation: u64,
}

/// Reloads: 0 if the configuration is in force, 2 if it has problems, 1 if anything else is in the way.
pub(super) fn run(wanted: &Wanted) -> anyhow::Result<ExitCode> {
    let answer = match wanted.force {
        true => wanted.target.send("/reload", br#"{"force":true}"#.to_vec())?,
        false => wanted.target.ask(&Method::POST, "/reload")?,
    };
    if answer.status.is_success() {
        let done: Done = serde_json::from_slice(&answer.body).context("understanding the answer")?;
        say(&format!("generation {} is in force", done.generation));
        return Ok(ExitCode::SUCCESS);
    }
    let problem: Problem = serde_json::from_slice(&answer.body).context("understanding the answer")?;
    for problem in &problem.problems {
        complain_of(&problem.text);
    }
    complain_of(&problem.detail);
    let is_configuration = answer.status == StatusCode::UNPROCESSABLE_ENTITY;
    Ok(ExitCode::from(if is_configuration { 2 } else { 1 }))
}
