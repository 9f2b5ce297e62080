//! `bookend silence` and `unsilence`.

use std::process::ExitCode;

use clap::Args;

use super::client::Target;
use super::say;
use crate::admin::Hush;
use crate::admin::status::Silence;
use crate::lease::{Reason, Term};

#[derive(Debug, Args)]
pub(super) struct Begin {
    /// The pool
    pool: String,
    /// For how long, from 1s to 72h; then you are told again
    #[arg(long = "for", value_name = "TIME", default_value_t)]
    term: Term,
    /// What for, for whoever wonders
    #[arg(long, value_name = "TEXT")]
    reason: Reason,
    #[command(flatten)]
    target: Target,
}

#[derive(Debug, Args)]
pub(super) struct End {
    /// The pool
    pool: String,
    #[command(flatten)]
    target: Target,
}

/// Silences the alarms of a pool: 0 if that is done, 1 if not.
pub(super) fn begin(wanted: &Begin) -> anyhow::Result<ExitCode> {
    let hush = Hush {
        pool: wanted.pool.clone(),
        term: Some(wanted.term.to_string()),
        reason: Some(wanted.reason.to_string()),
    };
    let Some(done) = wanted.target.order::<Silence>("/silence", &hush)? else { return Ok(ExitCode::FAILURE) };
    say(&format!("nobody is told of the alarms of pool {} until {}", done.pool, done.until));
    Ok(ExitCode::SUCCESS)
}

/// Ends the silence of a pool: 0 if that is done, 1 if there was none or it cannot be told.
pub(super) fn end(wanted: &End) -> anyhow::Result<ExitCode> {
    let hush = Hush { pool: wanted.pool.clone(), term: None, reason: None };
    let Some(done) = wanted.target.order::<Silence>("/unsilence", &hush)? else {
        return Ok(ExitCode::FAILURE);
    };
    say(&format!("alarms of pool {} are told again", done.pool));
    Ok(ExitCode::SUCCESS)
}
