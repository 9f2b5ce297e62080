//! `bookend reopen`: the access log goes on in a new file.

use std::path::PathBuf;
use std::process::ExitCode;

use http::Method;
use serde::Deserialize;

use super::client::{Target, done};
use super::say;

/// What is answered when it worked.
#[derive(Deserialize)]
struct Done {
    file: Option<PathBuf>,
}

/// Opens the file of the access log anew: 0 if that worked or there is none, 1 if the old file stays in use.
pub(super) fn run(target: &Target) -> anyhow::Result<ExitCode> {
    let answer = target.ask(&Method::POST, "/reopen")?;
    let Some(done) = done::<Done>(&answer)? else { return Ok(ExitCode::FAILURE) };
    match done.file {
        Some(file) => say(&format!("the access log goes on in {}", file.display())),
        None => say("there is no access log in a file"),
    }
    Ok(ExitCode::SUCCESS)
}
