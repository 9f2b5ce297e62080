//! `bookend upgrade`: the program that is on the disk now takes over.

use std::process::ExitCode;

use http::Method;
use serde::Deserialize;

use super::client::{Target, done};
use super::say;

/// What is answered when it worked.
#[derive(Deserialize)]
struct Done {
    process: u32,
}

/// Upgrades: 0 if the new process takes the requests, 1 if the old one goes on.
pub(super) fn run(target: &Target) -> anyhow::Result<ExitCode> {
    let answer = target.ask(&Method::POST, "/upgrade")?;
    let Some(done) = done::<Done>(&answer)? else { return Ok(ExitCode::FAILURE) };
    say(&format!("process {} takes the requests", done.process));
    Ok(ExitCode::SUCCESS)
}
