//! `bookend reopen`: the access log goes on in a new file.

use std::path::PathBuf;
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
    file: Option<PathBuf>,
}

/// Opens the file of the access log anew: 0 if that worked or there is none, 1 if the old file stays in use.
pub(super) fn run(target: &Target) -> anyhow::Result<ExitCode> {
    let answer = target.ask(&Method::POST, "/reopen")?;
    if !answer.status.is_success() {
        let problem: Problem = serde_json::from_slice(&answer.body).context("understanding the answer")?;
        complain_of(&problem.detail);
        return Ok(ExitCode::FAILURE);
    }
    let done: Done = serde_json::from_slice(&answer.body).context("understanding the answer")?;
    match done.file {
        Some(file) => say(&format!("the access log goes on in {}", file.display())),
        None => say("there is no access log in a file"),
    }
    Ok(ExitCode::SUCCESS)
}
