//! `bookend drain`, `undrain` and `renew`.

use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context, bail};
use clap::Args;
use http::Method;

use super::client::Target;
use super::{complain_of, say};
use crate::admin::status::{Node, Status};
use crate::admin::{Drained, Rest, Wish};
use crate::lease::{self, Reason, Term};
use crate::terminal::counted;

/// From one look to the next while a node empties.
const INTERVAL: Duration = Duration::from_millis(200);

#[derive(Debug, Args)]
pub(super) struct Drain {
    /// The node, as in web/web-02
    #[arg(value_name = "POOL/NODE")]
    node: lease::Target,
    /// For how long, from 1s to 72h; then it comes back by itself
    #[arg(long = "for", value_name = "TIME", default_value_t)]
    term: Term,
    /// What for, for whoever finds it drained
    #[arg(long, value_name = "TEXT")]
    reason: Reason,
    /// Wait until the last request is over
    #[arg(long)]
    wait: bool,
    /// Drain it even if the others cannot do without it
    #[arg(long)]
    force: bool,
    /// Leave it drained even if the others are not enough, and give it no request that they do not take
    #[arg(long)]
    never_recall: bool,
    #[command(flatten)]
    target: Target,
}

#[derive(Debug, Args)]
pub(super) struct Undrain {
    /// The node, as in web/web-02
    #[arg(value_name = "POOL/NODE")]
    node: lease::Target,
    #[command(flatten)]
    target: Target,
}

#[derive(Debug, Args)]
pub(super) struct Renew {
    /// The node, as in web/web-02
    #[arg(value_name = "POOL/NODE")]
    node: lease::Target,
    /// For how long from now on, from 1s to 72h
    #[arg(long = "for", value_name = "TIME")]
    term: Term,
    #[command(flatten)]
    target: Target,
}

/// Drains a node: 0 if that is done, and with `--wait` if the node is empty; 1 if not.
pub(super) fn drain(wanted: &Drain) -> anyhow::Result<ExitCode> {
    let wish = Wish {
        node: wanted.node.to_string(),
        term: Some(wanted.term.to_string()),
        reason: Some(wanted.reason.to_string()),
        force: wanted.force,
        never_recall: wanted.never_recall,
    };
    let Some(done) = wanted.target.order::<Drained>("/drain", &wish)? else { return Ok(ExitCode::FAILURE) };
    say(&format!("{} is drained until {}", done.lease.node, done.lease.until));
    say(&evidence(&done.rest));
    if done.lease.never_recall {
        say("it is not taken back before that, whatever becomes of the others");
    }
    warn_if_not_kept(&done);
    if wanted.wait {
        return wait(&wanted.target, &done);
    }
    say(&left(done.in_flight));
    Ok(ExitCode::SUCCESS)
}

/// Lets a node come back: 0 if it may, 1 if it was not drained or cannot be told.
pub(super) fn undrain(wanted: &Undrain) -> anyhow::Result<ExitCode> {
    let wish = Wish { node: wanted.node.to_string(), ..Wish::default() };
    let Some(done) = wanted.target.order::<Drained>("/undrain", &wish)? else { return Ok(ExitCode::FAILURE) };
    say(&format!("{} comes back by a check, a trial and step by step", done.lease.node));
    warn_if_not_kept(&done);
    Ok(ExitCode::SUCCESS)
}

/// Gives a lease another time: 0 if that is done, 1 if not.
pub(super) fn renew(wanted: &Renew) -> anyhow::Result<ExitCode> {
    let term = Some(wanted.term.to_string());
    let wish = Wish { node: wanted.node.to_string(), term, ..Wish::default() };
    let Some(done) = wanted.target.order::<Drained>("/renew", &wish)? else { return Ok(ExitCode::FAILURE) };
    say(&format!("{} is drained until {}", done.lease.node, done.lease.until));
    warn_if_not_kept(&done);
    Ok(ExitCode::SUCCESS)
}

fn warn_if_not_kept(done: &Drained) {
    if !done.kept {
        complain_of("this is not written down: a restart of bookend would forget it; its log says why");
    }
}

/// Counts down until the node has no request any more.
fn wait(target: &Target, done: &Drained) -> anyhow::Result<ExitCode> {
    let mut before = None;
    loop {
        let node = look(target, &done.lease.node)?;
        if node.lease.is_none() {
            complain_of(&format!("{} is no longer drained", done.lease.node));
            return Ok(ExitCode::FAILURE);
        }
        if before != Some(node.in_flight) {
            say(&left(node.in_flight));
            before = Some(node.in_flight);
        }
        if node.in_flight == 0 {
            return Ok(ExitCode::SUCCESS);
        }
        std::thread::sleep(INTERVAL);
    }
}

fn look(target: &Target, wanted: &str) -> anyhow::Result<Node> {
    let answer = target.ask(&Method::GET, "/status")?;
    let status: Status = serde_json::from_slice(&answer.body).context("understanding the answer")?;
    for pool in status.pools {
        let prefix = format!("{}/", pool.name);
        let is_wanted = |node: &Node| wanted.strip_prefix(&prefix) == Some(node.name.as_str());
        if let Some(node) = pool.nodes.into_iter().find(is_wanted) {
            return Ok(node);
        }
    }
    bail!("{wanted} is no longer in the configuration")
}

/// Whether the others are enough, as far as is known.
fn evidence(rest: &Rest) -> String {
    let nodes = counted(rest.nodes as u64, "node");
    let (load, shown) = (format!("{:.0} answers/s", rest.load), format!("{:.0}/s", rest.rest));
    let able = format!("{} of {nodes} can serve without it", rest.available);
    match rest.proof.as_str() {
        _ if rest.available == 0 => able,
        "enough" => format!("{able}, which is enough: the load is {load} now, and they have shown {shown}"),
        "lacking" => {
            format!("{able}, which is not enough: the load is {load} now, and all they can give is {shown}")
        }
        _ => format!(
            "{able}, whether they can carry the load is unproven: it is {load} now, and they have shown {shown}"
        ),
    }
}

fn left(in_flight: u32) -> String {
    match in_flight {
        0 => "it is empty".to_owned(),
        count => format!("{} left", counted(count.into(), "request")),
    }
}
