//! `bookend status`: how a running bookend is, for people and for scripts.

use std::io::{self, IsTerminal, Write};
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context, bail};
use clap::Args;
use http::Method;

use super::client::Target;
use super::say;
use crate::admin::Problem;
use crate::admin::status::{Headroom, Masked, Node, Pool, Redundancy, Refused, Requests, Status};
use crate::incident::Summary;
use crate::terminal::{Cell, Colour, aligned, counted, grouped, paint, seconds};

/// From one look to the next.
const INTERVAL: Duration = Duration::from_secs(1);

#[derive(Debug, Args)]
pub(super) struct Wanted {
    #[command(flatten)]
    target: Target,
    /// Print it as JSON, for machines
    #[arg(long)]
    json: bool,
    /// Look again every second, until interrupted
    #[arg(long)]
    watch: bool,
}

/// Shows how bookend is: 0 if all is well, 1 if it is not or cannot be told.
pub(super) fn run(wanted: &Wanted) -> anyhow::Result<ExitCode> {
    if wanted.watch {
        return Ok(watch(wanted));
    }
    let (text, is_well) = look(wanted)?;
    say(&text);
    Ok(if is_well { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Looks again and again, until nobody reads it any more.
fn watch(wanted: &Wanted) -> ExitCode {
    // To the upper left, and nothing below; what is no terminal gets one page after the other.
    let clear = if io::stdout().is_terminal() { "\x1b[H\x1b[2J" } else { "" };
    loop {
        let text = look(wanted).map_or_else(|error| format!("{error:#}"), |(text, _)| text);
        if writeln!(io::stdout(), "{clear}{text}").is_err() {
            return ExitCode::FAILURE;
        }
        std::thread::sleep(INTERVAL);
    }
}

/// What is to be shown, and whether all is well.
fn look(wanted: &Wanted) -> anyhow::Result<(String, bool)> {
    let answer = wanted.target.ask(&Method::GET, "/status")?;
    if !answer.status.is_success() {
        let problem: Problem = serde_json::from_slice(&answer.body).context("understanding the answer")?;
        bail!("bookend would not say: {}", problem.detail);
    }
    let status: Status = serde_json::from_slice(&answer.body).context("understanding the answer")?;
    if wanted.json {
        return Ok((String::from_utf8_lossy(&answer.body).into_owned(), status.is_well()));
    }
    let has_colour = io::stdout().is_terminal() && std::env::var_os("NO_COLOR").is_none();
    Ok((page(&status, has_colour), status.is_well()))
}

/// Everything, for people.
fn page(status: &Status, has_colour: bool) -> String {
    let configuration = &status.configuration;
    let mut text = format!(
        "{} {}, {}, up {}\n{}, generation {}, in force for {}\n{} on {}, {}\n",
        paint("bookend", Colour::Bold, has_colour),
        status.version,
        status.phase,
        span(status.uptime_seconds),
        configuration.file,
        configuration.generation,
        span(configuration.in_force_seconds),
        counted(status.connections as u64, "connection"),
        status.listeners.join(", "),
        summary(&status.requests),
    );
    for pool in &status.pools {
        text.push('\n');
        text.push_str(&table(pool, has_colour));
    }
    for lease in &status.leases_of_others {
        let left = span(lease.seconds_left);
        let head = format!("{} is drained, and in no configuration", lease.node);
        text.push_str(&format!("\n{head}; by {} for another {left}: {}\n", lease.owner, lease.reason));
    }
    for silence in &status.silences {
        let left = span(silence.seconds_left);
        let (pool, by, reason) = (&silence.pool, &silence.by, &silence.reason);
        text.push_str(&format!(
            "\nalarms of pool {pool} are silenced by {by} for another {left}: {reason}\n"
        ));
    }
    if let Some(refused) = &configuration.refused {
        text.push_str(&refusal(refused, has_colour));
    }
    for incident in &status.incidents_open {
        text.push_str(&told(incident));
    }
    text.push('\n');
    text.push_str(&verdict(status, has_colour));
    text
}

/// An incident that is not over, and what would help.
fn told(incident: &Summary) -> String {
    let Summary { id, pool, what, help, .. } = incident;
    let help = help.as_ref().map_or_else(String::new, |help| format!("; what would help: {help}"));
    let since = span(incident.seconds);
    format!(
        "\nincident {id}, pool {pool}, for {since}: {what}{help}; `bookend incidents show {id}` has it all\n"
    )
}

/// All that is wrong, or, when it no longer matters, that it was.
fn refusal(refused: &Refused, has_colour: bool) -> String {
    let ago = span(refused.seconds_ago);
    if refused.superseded {
        let line = format!("last refused reload: {ago} ago, mended since");
        return format!("\n{}\n", paint(&line, Colour::Dim, has_colour));
    }
    let head = format!("reload refused {ago} ago:");
    let mut text = format!("\n{}\n", paint(&head, Colour::Red, has_colour));
    for line in refused.why.lines() {
        text.push_str(&format!("  {line}\n"));
    }
    text
}

fn verdict(status: &Status, has_colour: bool) -> String {
    if status.is_well() {
        return paint("all is well", Colour::Green, has_colour);
    }
    let mut text = paint("not all is well:", Colour::Red, has_colour);
    for complaint in &status.complaints {
        text.push_str(&format!("\n  {complaint}"));
    }
    text
}

fn table(pool: &Pool, has_colour: bool) -> String {
    let head = format!("pool {}", pool.name);
    let serving = format!("{} of {} nodes can serve", pool.available, pool.nodes.len());
    let head = paint(&head, Colour::Bold, has_colour);
    let mut rows = vec![headings()];
    rows.extend(pool.nodes.iter().map(row));
    let some = |count: u64, what: &str| match count {
        0 => String::new(),
        count => format!(", {} {what}", grouped(count)),
    };
    let waiting = some(pool.waiting as u64, "wait for one");
    let in_line = some(pool.in_line as u64, "wait for a place");
    let shed = some(pool.shed, "shed");
    let redundancy = pool.redundancy.as_ref().map_or_else(String::new, |known| protection(known, has_colour));
    format!(
        "{head}{redundancy}, {serving}{waiting}{in_line}, {}{shed}\n{}",
        summary(&pool.requests),
        aligned(&rows, has_colour)
    ) + &pool.masked.as_ref().map_or_else(String::new, hidden)
        + &pool.headroom.as_ref().map_or_else(String::new, |headroom| spare(headroom, has_colour))
}

/// What retries hide; nothing if that is nothing.
fn hidden(masked: &Masked) -> String {
    if masked.saved == 0 {
        return String::new();
    }
    let (percent, time) = (masked.share * 100.0, span(masked.seconds));
    let most = match (&masked.node, &masked.reach, masked.part) {
        (Some(node), Some(reach), Some(part)) => {
            format!("; {:.0} % of the bad tries at {node} ({})", part * 100.0, reach.replace('_', " "))
        }
        _ => String::new(),
    };
    let requests = counted(masked.requests, "request");
    format!("in the last {time} retries saved {percent:.2} % of {requests}{most}\n")
}

/// Whether the pool may lose a node, and for how long it may not.
fn protection(redundancy: &Redundancy, has_colour: bool) -> String {
    let word = redundancy.state.to_uppercase();
    match redundancy.state.as_str() {
        "protected" => format!(", {}", paint(&word, Colour::Green, has_colour)),
        state => {
            let colour = if state == "down" { Colour::Red } else { Colour::Yellow };
            format!(", {} for {}", paint(&word, colour, has_colour), span(redundancy.seconds))
        }
    }
}

/// What the pool would have to spare, or lack, without its largest node.
fn spare(headroom: &Headroom, has_colour: bool) -> String {
    let (without, load) = (&headroom.without, rate(headroom.load));
    let rest = rate(headroom.rest);
    let (text, colour) = match headroom.proof.as_str() {
        "enough" => (
            format!("without {without} the others have carried {rest} answers/s, and {load} are asked for"),
            Colour::Dim,
        ),
        "lacking" => (
            format!(
                "without {without} the others can carry {rest} answers/s, and {load} are asked for: it would lack {}",
                rate(-headroom.spare)
            ),
            Colour::Yellow,
        ),
        _ => (
            format!(
                "without {without} the others have carried {rest} answers/s, and {load} are asked for: unproven, none was near its limit"
            ),
            Colour::Dim,
        ),
    };
    paint(&format!("{text}\n"), colour, has_colour)
}

/// Answers a second, as precise as people read them.
fn rate(per_second: f64) -> String {
    // What is a little less than nothing is nothing.
    format!("{:.0}", per_second.round() + 0.0)
}

fn headings() -> Vec<Cell> {
    let text = |text| Cell::text(text).in_colour(Colour::Dim);
    let number = |text| Cell::number(text).in_colour(Colour::Dim);
    vec![
        text("NODE"),
        text("ADDRESS"),
        number("TIER"),
        number("WEIGHT"),
        number("SHARE"),
        number("IN FLIGHT"),
        number("REQUESTS"),
        number("P50"),
        number("P99"),
        number("SAVED"),
        number("FAILED"),
        number("BAD TRIES"),
        text("STATE"),
    ]
}

/// The state stands last: what is said about it may be long.
fn row(node: &Node) -> Vec<Cell> {
    let count = |count: u64| Cell::number(grouped(count));
    let latency = |pick: fn(&crate::admin::status::FirstByte) -> f64| {
        Cell::number(node.first_byte.as_ref().map_or_else(|| "-".to_owned(), |first| seconds(pick(first))))
    };
    let alarming = |count: u64| match count {
        0 => Cell::number("0"),
        _ => Cell::number(grouped(count)).in_colour(Colour::Yellow),
    };
    vec![
        Cell::text(&node.name),
        Cell::text(&node.address),
        Cell::number(node.tier.to_string()),
        Cell::number(node.weight.to_string()),
        Cell::number(node.share.map_or_else(|| "-".to_owned(), |share| format!("{:.0} %", share * 100.0))),
        in_flight(node),
        count(node.requests.total),
        latency(|first| first.p50),
        latency(|first| first.p99),
        count(node.requests.saved),
        alarming(node.requests.failed),
        alarming(node.attempts_failed.values().sum()),
        state(node),
    ]
}

/// With the limit behind it, where the node is held back.
fn in_flight(node: &Node) -> Cell {
    let count = grouped(node.in_flight.into());
    match node.limit {
        None => Cell::number(count),
        Some(limit) => {
            Cell::number(format!("{count} of {}", grouped(limit.into()))).in_colour(Colour::Yellow)
        }
    }
}

fn state(node: &Node) -> Cell {
    let mut text = node.state.as_str().to_owned();
    if let Some(seconds) = node.state_seconds {
        text.push_str(&format!(" for {}", span(seconds)));
    }
    if let Some(why) = &node.why {
        text.push_str(&format!(": {why}"));
    }
    Cell::text(text).in_colour(node.state.colour())
}

fn summary(requests: &Requests) -> String {
    format!(
        "{}: {} saved, {} failed",
        counted(requests.total, "request"),
        grouped(requests.saved),
        grouped(requests.failed)
    )
}

/// A time that passed, by its two largest units.
fn span(seconds: u64) -> String {
    let (days, hours, minutes) = (seconds / 86_400, seconds / 3_600 % 24, seconds / 60 % 60);
    match (days, hours, minutes) {
        (0, 0, 0) => format!("{seconds}s"),
        (0, 0, _) => format!("{minutes}m {}s", seconds % 60),
        (0, _, _) => format!("{hours}h {minutes}m"),
        (_, _, _) => format!("{days}d {hours}h"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_easy_to_read() {
        let cases = [(0, "0s"), (59, "59s"), (60, "1m 0s"), (3_661, "1h 1m"), (90_000, "1d 1h")];
        for (number, wanted) in cases {
            assert_eq!(span(number), wanted);
        }
    }
}
