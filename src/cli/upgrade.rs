//! `bookend upgrade`: the program that is on the disk now takes over.

use std::process::ExitCode;

use anyhow::Context;
use http::Method;
use serde::Deserialize;

use super::client::Target;
use super::{complain_of, say};
use crate::admin::Problem;

/// What is answered when it worked.
#[derive(Deserialize)]
struct Done {
    process: u32,
}

/// Upgrades: 0 if the new process takes the requests, 1 if the old one goes on.
pub(super) fn run(target: &Target) -> anyhow::Result<ExitCode> {
    let answer = target.ask(&Method::POST, "/upgrade")?;
    if !answer.status.is_success() {
        let problem: Problem = serde_json::from_slice(&answer.body).context("understanding the answer")?;
        complain_of(&problem.detail);
        return Ok(ExitCode::FAILURE);
    }
    let done: Done = serde_json::from_slice(&answer.body).context("understanding the answer")?;
    say(&format!("process {} takes the requests", done.process));
    Ok(ExitCode::SUCCESS)
}
