//! An incident as it is told: to machines as a tree of data, to people as a post-mortem in Markdown.

use serde::{Deserialize, Serialize};

use super::case::{Incident, Requests};
use super::date::{clock, day, moment, span, stamp};
use super::words::{Style, sentence};
use super::{Event, cause};
use crate::model::{counted, grouped};

/// An incident in a few words.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Summary {
    /// Day and number, as in `2026-11-22-1`.
    pub id: String,
    /// The pool.
    pub pool: String,
    /// Whether it is not over.
    pub open: bool,
    /// When it began (RFC 3339).
    pub began: String,
    /// When it ended (RFC 3339); `None` while it is open.
    pub ended: Option<String>,
    /// How long it was, or is so far.
    pub seconds: u64,
    /// What it was, in a few words.
    pub what: String,
    /// Nodes that something was wrong with, or that were out.
    pub nodes: Vec<String>,
    /// What became of the requests for the pool in that time.
    pub requests: Counts,
    /// Why it probably came about.
    pub cause: String,
    /// The command that would help now; `None` if it is over.
    pub help: Option<String>,
}

/// Requests of an incident.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Counts {
    /// All that ended.
    pub total: u64,
    /// Those that a retry saved.
    pub saved: u64,
    /// Those that a client saw fail, those turned away among them.
    pub failed: u64,
    /// Those that were turned away because all nodes were full.
    pub shed: u64,
    /// The part that failed, from 0 to 1.
    pub failed_share: f64,
}

/// An incident with all that happened in it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Account {
    /// What it was.
    #[serde(flatten)]
    pub summary: Summary,
    /// How often it came again after it had seemed to be over.
    pub returned: u32,
    /// What happened, the oldest first.
    pub timeline: Vec<Line>,
    /// Events that were too many for the timeline.
    pub left_out: u64,
    /// What can be done so that it does not come again.
    pub measures: Vec<String>,
}

/// Something that happened.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Line {
    /// When (RFC 3339).
    pub at: String,
    /// What, as a sentence.
    pub text: String,
}

impl Summary {
    /// What is to be said of an incident at `now`.
    pub fn of(incident: &Incident, now: u64) -> Self {
        let requests = &incident.requests;
        Self {
            id: incident.id.clone(),
            pool: incident.pool.clone(),
            open: incident.ended.is_none(),
            began: stamp(incident.began),
            ended: incident.ended.map(stamp),
            seconds: incident.length(now) / 1_000,
            what: what(incident).to_owned(),
            nodes: incident.nodes.iter().cloned().collect(),
            requests: Counts {
                total: requests.total,
                saved: requests.saved,
                failed: requests.failed,
                shed: requests.shed,
                failed_share: requests.failed_share(),
            },
            cause: cause::probable(incident, Style::Plain),
            help: cause::help(incident),
        }
    }

    /// Who was affected, in a few words.
    pub fn affected(&self) -> String {
        let Counts { total, saved, failed, failed_share, .. } = &self.requests;
        match (failed, saved) {
            (0, 0) => "none".to_owned(),
            (0, saved) => format!("none, {} saved", grouped(*saved)),
            (failed, _) => {
                format!("{} of {} ({})", grouped(*failed), grouped(*total), percent(*failed_share))
            }
        }
    }
}

impl Account {
    /// All that is to be said of an incident at `now`.
    pub fn of(incident: &Incident, now: u64) -> Self {
        let (first, left_out, latest) = incident.events();
        let line = |event: &Event| Some(Line { at: stamp(event.at), text: sentence(event, Style::Plain)? });
        Self {
            summary: Summary::of(incident, now),
            returned: incident.returned,
            timeline: first.iter().chain(latest).filter_map(line).collect(),
            left_out,
            measures: cause::measures(incident, Style::Plain),
        }
    }
}

/// What an incident was, in a few words.
fn what(incident: &Incident) -> &'static str {
    let seen = &incident.seen;
    match () {
        () if seen.is_down => "no node could serve",
        () if incident.requests.shed > 0 => "requests turned away",
        () if incident.requests.failed > 0 => "requests failed",
        () if !seen.failures.is_empty() => "node failed",
        () if seen.is_overloaded => "overloaded",
        () if seen.is_masked => "failures hidden by retries",
        () if seen.is_exposed => "no spare node",
        () if seen.missing.is_some() => "node missing",
        () => "something wrong",
    }
}

/// The post-mortem of an incident at `now`, in Markdown.
pub fn post_mortem(incident: &Incident, now: u64) -> String {
    let style = Style::Markdown;
    let mut text = format!("# Incident {}: {}\n\n", style.text(&incident.id), what(incident));
    text.push_str(&format!("## Summary\n\n{}\n\n", summary(incident, now, style)));
    text.push_str(&format!("## Impact\n\n{}\n\n", impact(incident, now)));
    text.push_str(&format!("## Timeline\n\n{}\n", timeline(incident, style)));
    let (why, end) = (cause::probable(incident, style), resolution(incident, style));
    text.push_str(&format!("## Cause and resolution\n\n{why}\n\n{end}\n\n"));
    text.push_str("## Measures\n\n");
    for measure in cause::measures(incident, style) {
        text.push_str(&format!("- {measure}\n"));
    }
    text
}

fn summary(incident: &Incident, now: u64, style: Style) -> String {
    let (pool, began) = (style.name(&incident.pool), moment(incident.began));
    let length = span(incident.length(now));
    let when = match incident.ended {
        Some(end) => format!("From {began} to {} UTC ({length})", until(incident.began, end)),
        None => format!("Since {began} UTC ({length} so far)"),
    };
    let (is_over, seen) = (incident.ended.is_some(), &incident.seen);
    let what = match () {
        () if seen.is_down => "had for some time no node that could serve".to_owned(),
        () if incident.requests.shed > 0 => "had more to do than its nodes could carry".to_owned(),
        () if seen.is_exposed => match is_over {
            true => "could not have lost another node".to_owned(),
            false => "cannot lose another node".to_owned(),
        },
        () if !seen.failures.is_empty() => "lost a node and kept enough others".to_owned(),
        () if seen.is_overloaded => "had more to do than its nodes could carry".to_owned(),
        () => "did not work as it should".to_owned(),
    };
    let returned = match incident.returned {
        0 => String::new(),
        times => format!(" It seemed to be over and came again {}.", counted(times.into(), "time")),
    };
    let open = if is_over { "" } else { " It is not over." };
    format!("{when} the pool {pool} {what}. {}{returned}{open}", users(&incident.requests))
}

/// The end of a time, with its day if that is another.
fn until(began: u64, end: u64) -> String {
    if day(began) == day(end) { clock(end) } else { moment(end) }
}

/// What the people who use the site saw.
fn users(requests: &Requests) -> String {
    match (requests.failed, requests.saved) {
        (0, 0) => "Nobody who uses the site was affected.".to_owned(),
        (0, saved) => format!(
            "Nobody who uses the site was affected: {} failed on one node and succeeded on another.",
            counted(saved, "request")
        ),
        (failed, _) => {
            let (all, share) = (counted(requests.total, "request"), percent(requests.failed_share()));
            format!("Of {all} in that time {} failed ({share}).", grouped(failed))
        }
    }
}

fn impact(incident: &Incident, now: u64) -> String {
    let Requests { total, saved, failed, shed, lost } = incident.requests;
    let mut text = format!("- Duration: {}\n", span(incident.length(now)));
    text.push_str(&format!("- Requests for the pool in that time: {}\n", grouped(total)));
    text.push_str(&format!(
        "- Failed for a client: {} ({})\n",
        grouped(failed),
        percent(incident.requests.failed_share())
    ));
    if failed > 0 {
        text.push_str(&format!("- Of these turned away because the nodes were full: {}\n", grouped(shed)));
    }
    text.push_str(&format!("- Saved by another node: {}\n", grouped(saved)));
    if let Some((first, last)) = lost {
        let last = until(first, last);
        text.push_str(&format!("- Clients saw failures from about {} to {last} UTC\n", moment(first)));
    }
    let nodes: Vec<_> = incident.nodes.iter().take(20).map(|node| Style::Markdown.name(node)).collect();
    let more = if incident.nodes.len() > nodes.len() { " and more" } else { "" };
    let nodes = if nodes.is_empty() { "none by itself".to_owned() } else { nodes.join(", ") };
    text.push_str(&format!("- Nodes: {nodes}{more}"));
    text
}

/// A list, with the day where it changes.
fn timeline(incident: &Incident, style: Style) -> String {
    let (first, left_out, latest) = incident.events();
    let mut text = "All times are in UTC.\n".to_owned();
    let mut today = String::new();
    let mut tell = |event: &Event, text: &mut String| {
        let Some(what) = sentence(event, style) else { return };
        let day = day(event.at);
        if day != today {
            text.push_str(&format!("\n{day}\n\n"));
            today = day;
        }
        text.push_str(&format!("- {} {what}\n", clock(event.at)));
    };
    first.iter().for_each(|event| tell(event, &mut text));
    if left_out > 0 {
        text.push_str(&format!("- … {} more that are not kept\n", counted(left_out, "event")));
    }
    latest.for_each(|event| tell(event, &mut text));
    text
}

fn resolution(incident: &Incident, style: Style) -> String {
    let Some(end) = incident.ended else {
        return match cause::help(incident) {
            Some(command) => format!("It is not over. What would help now: {}", style.command(&command)),
            None => "It is not over.".to_owned(),
        };
    };
    let end = moment(end);
    match incident.seen.relief.as_ref().and_then(|event| sentence(event, style)) {
        Some(what) => format!("It was over at {end} UTC. What happened last before that: {what}"),
        None => format!("It was over at {end} UTC, without anything that somebody did."),
    }
}

/// A share, as precise as people read it.
fn percent(share: f64) -> String {
    match share * 100.0 {
        0.0 => "0 %".to_owned(),
        small if small < 0.1 => "under 0.1 %".to_owned(),
        share => format!("{share:.1} %"),
    }
}
