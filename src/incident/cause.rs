//! Why an incident came about, as far as its events tell, and what would help.

use super::case::Incident;
use super::date::{clock, moment, span};
use super::watched::Drain;
use super::words::Style;
use super::{Event, What};
use crate::model::counted;

/// From so many failures on a node is better left out.
const MANY: usize = 3;

/// What brought an incident about, most telling first.
enum Cause<'a> {
    Drain(&'a Drain),
    Reload(&'a Event),
    Failure(&'a Event),
    Overload,
    Silence,
    Missing(&'a str),
    Masked,
    Unknown,
}

/// The first rule that fits.
fn cause(incident: &Incident) -> Cause<'_> {
    let seen = &incident.seen;
    // A drain is to blame for a failure that came of too much work, but not for one that would have come anyway.
    let is_blamed = |drain: &&Drain| {
        seen.failures.is_empty()
            || seen.is_overloaded
            || incident.requests.shed > 0
            || drain.is_old(incident.began)
    };
    if let Some(drain) = incident.drains.iter().find(is_blamed) {
        return Cause::Drain(drain);
    }
    if let Some(reload) = &incident.reload {
        return Cause::Reload(reload);
    }
    if let Some(failure) = seen.failures.first() {
        return Cause::Failure(failure);
    }
    match () {
        () if seen.is_overloaded || incident.requests.shed > 0 => Cause::Overload,
        () if seen.is_silent => Cause::Silence,
        () => match &seen.missing {
            Some(text) => Cause::Missing(text),
            None if seen.is_masked => Cause::Masked,
            None => Cause::Unknown,
        },
    }
}

/// Why it probably came about, in whole sentences.
pub(super) fn probable(incident: &Incident, style: Style) -> String {
    let mut text = match cause(incident) {
        Cause::Drain(drain) => drained(incident, drain, style),
        Cause::Reload(reload) => reloaded(incident, reload, style),
        Cause::Failure(failure) => failed(failure, style),
        Cause::Overload => {
            "More requests came than the nodes of the pool could carry, although nobody had taken one out."
                .to_owned()
        }
        Cause::Silence => {
            "Nodes fell silent: they took requests and did not answer, while others did.".to_owned()
        }
        Cause::Missing(what) => {
            format!("The configuration has fewer nodes than are expected: {}.", style.text(what))
        }
        Cause::Masked => {
            "Nodes failed again and again, and only retries kept that from the clients.".to_owned()
        }
        Cause::Unknown => "Nothing that was written down says why.".to_owned(),
    };
    text.push_str(&beside(incident, style));
    text
}

fn drained(incident: &Incident, drain: &Drain, style: Style) -> String {
    let Drain { node, by, reason, since, until, .. } = drain;
    let (node, by, reason) = (style.name(node), style.text(by), style.text(reason));
    let (since, term) = (moment(*since), span(until.saturating_sub(drain.since)));
    let mut text =
        format!("{node} was out of service: {by} had taken it out at {since} UTC for {term}: “{reason}”.");
    if drain.is_old(incident.began) {
        let late = span(incident.began.saturating_sub(drain.since));
        text.push_str(&format!(" It was still out {late} later, so it was probably forgotten."));
    }
    let is_out = incident.seen.drained.contains(&drain.node);
    if incident.seen.is_overloaded || incident.requests.shed > 0 {
        text.push_str(" The nodes that were left could not carry what arrived.");
    } else if incident.requests.failed == 0 && is_out {
        text.push_str(" Until it is back, the pool cannot lose another node.");
    }
    if !is_out {
        text.push_str(&format!(
            " {} would have brought it back sooner",
            style.command(&undrain(incident, &drain.node))
        ));
        match incident.seen.recalled_at {
            Some(at) => text.push_str(&format!("; at {} UTC bookend did so by itself.", clock(at))),
            None => text.push('.'),
        }
    }
    text
}

/// The command that ends the drain of a node.
fn undrain(incident: &Incident, node: &str) -> String {
    format!("bookend undrain {}", quoted(&format!("{}/{node}", incident.pool)))
}

fn reloaded(incident: &Incident, reload: &Event, style: Style) -> String {
    let What::Reloaded { changes, .. } = &reload.what else { return String::new() };
    let place = format!("pools.{}:", incident.pool);
    let ours: Vec<_> = changes.iter().filter_map(|change| change.strip_prefix(&place)).take(5).collect();
    let ours: Vec<_> = ours.iter().map(|change| style.text(change.trim())).collect();
    let at = clock(reload.at);
    format!("A configuration that came into force at {at} UTC had changed the pool: {}.", ours.join("; "))
}

fn failed(failure: &Event, style: Style) -> String {
    let node = style.name(failure.node.as_deref().unwrap_or("a node"));
    match &failure.what {
        What::Down { why } => format!("{node} failed: its checks no longer passed ({}).", style.text(why)),
        What::Ejected { why } => format!("{node} failed: {}.", style.text(why)),
        What::NotBack { why } => {
            format!("{node} did not come back after it had been taken out: {}.", style.text(why))
        }
        _ => String::new(),
    }
}

/// What else was so: nodes that failed under a drain, or a drain under a failure.
fn beside(incident: &Incident, style: Style) -> String {
    let failed: Vec<&str> = incident.seen.failures.iter().filter_map(|event| event.node.as_deref()).collect();
    match cause(incident) {
        Cause::Drain(drain) => match failed.iter().find(|node| **node != drain.node) {
            Some(node) => format!(" Then {} failed as well.", style.name(node)),
            None => String::new(),
        },
        Cause::Failure(_) => match incident.drains.first() {
            Some(Drain { node, by, until, .. }) => {
                let (node, by, until) = (style.name(node), style.text(by), clock(*until));
                format!(" At that time {node} was out as well, taken out by {by} until {until} UTC.")
            }
            None => String::new(),
        },
        _ => String::new(),
    }
}

/// The one command that would help now; `None` if it is over.
pub(super) fn help(incident: &Incident) -> Option<String> {
    if incident.ended.is_some() {
        return None;
    }
    let pool = &incident.pool;
    if let Some(node) = incident.seen.drained.first() {
        return Some(undrain(incident, node));
    }
    let often = incident.nodes.iter().find(|node| {
        let of_node = |event: &&Event| event.node.as_ref() == Some(*node);
        incident.seen.failures.iter().filter(of_node).count() >= MANY
    });
    match (cause(incident), often) {
        (Cause::Reload(_), _) => Some("bookend reload".to_owned()),
        (_, Some(node)) if !incident.seen.is_down => {
            let target = quoted(&format!("{pool}/{node}"));
            Some(format!("bookend drain {target} --for 30m --reason 'it fails again and again'"))
        }
        _ => Some("bookend status".to_owned()),
    }
}

/// As a shell takes it for one word.
fn quoted(word: &str) -> String {
    let is_plain = word.chars().all(|c| c.is_ascii_alphanumeric() || "-_./:@[]".contains(c));
    if is_plain { word.to_owned() } else { format!("'{}'", word.replace('\'', "'\\''")) }
}

/// What can be done so that it does not come again, a sentence each.
pub(super) fn measures(incident: &Incident, style: Style) -> Vec<String> {
    let mut measures = Vec::new();
    let has_lost = incident.requests.failed > 0;
    match cause(incident) {
        Cause::Drain(drain) => {
            let node = style.name(&drain.node);
            measures.push(format!(
                "Ask {} whether {node} still has to be out; take nodes out for as short a time as the work needs (`--for`).",
                style.text(&drain.by)
            ));
            if has_lost {
                measures.push(format!(
                    "Have enough nodes that the others can carry the load without {node}, or take it out when less is asked for."
                ));
            }
        }
        Cause::Reload(_) => measures.push(
            "Compare the configuration with the one before it, and put back what was not meant; then `bookend reload`."
                .to_owned(),
        ),
        Cause::Failure(event) => {
            let node = style.name(event.node.as_deref().unwrap_or("the node"));
            measures.push(format!("Find out on {node} why it failed at {} UTC.", clock(event.at)));
        }
        Cause::Overload => measures
            .push("Find out what the requests were; if they were wanted, add a node, or make the ones there faster.".to_owned()),
        Cause::Silence | Cause::Masked => {
            measures.push("Look at the logs of the nodes that are named above for that time.".to_owned());
        }
        Cause::Missing(_) => measures
            .push("Put the node that is missing back into the configuration, or correct `expect_nodes`.".to_owned()),
        Cause::Unknown => measures.push("Look at the logs of bookend and of the nodes for that time.".to_owned()),
    }
    if incident.seen.is_down {
        measures.push("Add a node: for some time there was none that could serve.".to_owned());
    } else if incident.returned > 0 {
        measures.push(format!(
            "It came again {}; what was done helped only for a while.",
            counted(incident.returned.into(), "time")
        ));
    }
    measures
}
