//! `bookend incidents`: what happened, as a list and as a post-mortem.

use std::io::{self, IsTerminal};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context, bail};
use clap::{Args, Subcommand};
use http::Method;

use super::client::Target;
use super::{complain_of, say};
use crate::admin::{Answer, Problem};
use crate::clock;
use crate::incident::{Account, History, Incident, Summary, post_mortem};
use crate::journal::{Gaps, read_events};
use crate::terminal::{Cell, Colour, aligned, paint};

#[derive(Debug, Args)]
#[command(args_conflicts_with_subcommands = true)]
pub(super) struct Wanted {
    #[command(subcommand)]
    command: Option<Command>,
    #[command(flatten)]
    list: Origin,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Write the post-mortem of an incident, in Markdown
    Show {
        /// The incident, as in 2026-11-22-1; `last` is the newest
        #[arg(default_value = "last")]
        id: String,
        #[command(flatten)]
        origin: Origin,
    },
}

/// Where incidents are known, and how they are told.
#[derive(Debug, Args)]
struct Origin {
    #[command(flatten)]
    target: Target,
    /// Read what is written down in this directory, where no bookend runs
    #[arg(long, value_name = "DIR", conflicts_with_all = ["socket", "config"])]
    state_dir: Option<PathBuf>,
    /// Print it as JSON, for machines
    #[arg(long)]
    json: bool,
}

/// Lists incidents, or tells one: 0 if that is done, 1 if there is none or it cannot be told.
pub(super) fn run(wanted: &Wanted) -> anyhow::Result<ExitCode> {
    match &wanted.command {
        None => list(&wanted.list),
        Some(Command::Show { id, origin }) => show(id, origin),
    }
}

fn list(origin: &Origin) -> anyhow::Result<ExitCode> {
    let summaries: Vec<Summary> = match &origin.state_dir {
        Some(directory) => {
            let now = clock::steady();
            read(directory)?.iter().rev().map(|incident| Summary::of(incident, now)).collect()
        }
        None => {
            let answer = ask(origin, "/incidents")?;
            serde_json::from_slice(&understood(&answer)?.body).context("understanding the answer")?
        }
    };
    if origin.json {
        say(&serde_json::to_string_pretty(&summaries).context("writing the incidents")?);
    } else if summaries.is_empty() {
        say("no incident, as far as is known");
    } else {
        say(table(&summaries).trim_end());
    }
    Ok(ExitCode::SUCCESS)
}

fn show(id: &str, origin: &Origin) -> anyhow::Result<ExitCode> {
    let told = match &origin.state_dir {
        Some(directory) => {
            let history = read(directory)?;
            let incident = history.find(id);
            let told = incident.map(|incident| tell(incident, origin.json)).transpose()?;
            told.with_context(|| format!("there is no incident `{id}` in {}", directory.display()))?
        }
        None => {
            let Some(id) = safe(id) else {
                bail!("no incident can be called `{id}`; `bookend incidents` has them")
            };
            let format = if origin.json { "json" } else { "markdown" };
            let answer = ask(origin, &format!("/incidents/{id}?format={format}"))?;
            String::from_utf8_lossy(&understood(&answer)?.body).into_owned()
        }
    };
    say(told.trim_end());
    Ok(ExitCode::SUCCESS)
}

fn ask(origin: &Origin, path: &str) -> anyhow::Result<Answer> {
    origin.target.ask(&Method::GET, path).context(
        "asking the bookend that runs; where none does, `--state-dir DIR` reads what it has written down",
    )
}

fn understood(answer: &Answer) -> anyhow::Result<&Answer> {
    if answer.status.is_success() {
        return Ok(answer);
    }
    let problem: Problem = serde_json::from_slice(&answer.body).context("understanding the answer")?;
    bail!("{}", problem.detail)
}

/// An id as it may stand in a path.
fn safe(id: &str) -> Option<&str> {
    let is_safe = !id.is_empty() && id.chars().all(|c| c.is_ascii_alphanumeric() || c == '-');
    is_safe.then_some(id)
}

fn tell(incident: &Incident, is_json: bool) -> anyhow::Result<String> {
    let now = clock::steady();
    match is_json {
        true => serde_json::to_string_pretty(&Account::of(incident, now)).context("writing the incident"),
        false => Ok(post_mortem(incident, now)),
    }
}

/// What is written down in a directory, whether or not a bookend uses it.
fn read(directory: &Path) -> anyhow::Result<History> {
    let mut history = History::default();
    let gaps = read_events(directory, |event| drop(history.take(&event)))
        .with_context(|| format!("reading {}", directory.display()))?;
    drop(history.pass(clock::steady()));
    let Gaps { damaged, torn, unknown, unread } = gaps;
    if !gaps.is_none() {
        complain_of(&format!(
            "not everything can be read: {damaged} lines are damaged, {torn} break off, {unknown} are of another \
             version, and {unread} files cannot be read"
        ));
    }
    Ok(history)
}

fn table(summaries: &[Summary]) -> String {
    let has_colour = io::stdout().is_terminal() && std::env::var_os("NO_COLOR").is_none();
    let heading = |text| Cell::text(text).in_colour(Colour::Dim);
    let names = ["INCIDENT", "BEGAN", "LASTED", "POOL", "WHAT", "REQUESTS AFFECTED", "STATE"];
    let mut rows = vec![names.map(heading).to_vec()];
    rows.extend(summaries.iter().map(row));
    let mut text = aligned(&rows, has_colour);
    for summary in summaries.iter().filter(|summary| summary.open) {
        let Some(help) = &summary.help else { continue };
        let line = format!("{}: {}", summary.id, plain(&summary.cause));
        text.push_str(&format!(
            "\n{}\n  what would help now: {}\n",
            paint(&line, Colour::Yellow, has_colour),
            plain(help)
        ));
    }
    text
}

fn row(summary: &Summary) -> Vec<Cell> {
    let (state, colour) = match (summary.open, summary.requests.failed) {
        (true, 0) => ("open", Colour::Yellow),
        (true, _) => ("open", Colour::Red),
        (false, _) => ("over", Colour::Plain),
    };
    let length = humantime::format_duration(std::time::Duration::from_secs(summary.seconds));
    vec![
        Cell::text(&summary.id),
        Cell::text(summary.began.replace('T', " ").replace('Z', "")),
        Cell::text(length.to_string()),
        Cell::text(plain(&summary.pool)),
        Cell::text(plain(&summary.what)),
        Cell::text(summary.affected()),
        Cell::text(state).in_colour(colour),
    ]
}

/// Without what a terminal would act on.
fn plain(text: &str) -> String {
    text.chars().filter(|c| !c.is_control()).collect()
}
