//! Events as sentences.

use super::date::{clock, span};
use super::{AlarmKind, Event, Stage, What};
use crate::model::counted;

/// Letters of a text that somebody else has written.
const LONGEST: usize = 300;

/// How what others have written is put into a sentence.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Style {
    /// As it is, without what a terminal would act on.
    Plain,
    /// So that it is nothing but text in Markdown.
    Markdown,
}

impl Style {
    /// What somebody else has written, on one line.
    pub(super) fn text(self, text: &str) -> String {
        let line: String = text.chars().map(|c| if c.is_whitespace() { ' ' } else { c }).collect();
        let mut shown: String = line.chars().filter(|c| !is_hidden(*c)).take(LONGEST).collect();
        if line.chars().count() > LONGEST {
            shown.push('…');
        }
        match self {
            Self::Plain => shown,
            Self::Markdown => escaped(&shown),
        }
    }

    /// A name.
    pub(super) fn name(self, name: &str) -> String {
        match self {
            Self::Plain => self.text(name),
            // Within a span of code nothing counts but its end.
            Self::Markdown => format!("`{}`", Self::Plain.text(name).replace('`', "'")),
        }
    }

    /// A command.
    pub(super) fn command(self, command: &str) -> String {
        format!("`{}`", Self::Plain.text(command).replace('`', "'"))
    }
}

/// What shows nothing by itself, and changes how the rest is shown.
fn is_hidden(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}')
}

fn escaped(text: &str) -> String {
    let mut safe = String::new();
    for c in text.chars() {
        if matches!(
            c,
            '\\' | '`' | '*' | '_' | '[' | ']' | '<' | '>' | '|' | '#' | '~' | '&' | '!' | '@' | '$'
        ) {
            safe.push('\\');
        }
        safe.push(c);
    }
    // What looks like an address would become a link.
    safe.replace("://", "\\://").replace("www.", "www\\.").replace("WWW.", "WWW\\.")
}

/// What happened, as a sentence; `None` for what is no news.
pub(super) fn sentence(event: &Event, style: Style) -> Option<String> {
    let node = style.name(event.node.as_deref().unwrap_or("a node"));
    let text = |text: &str| style.text(text);
    Some(match &event.what {
        What::Started { version } => format!("bookend {} was started.", text(version)),
        What::Stopped => "bookend was stopped.".to_owned(),
        What::Up => format!("The checks of {node} passed again."),
        What::Down { why } => format!("The checks of {node} failed: {}.", text(why)),
        What::Suspect => format!("{node} fell silent while others answered."),
        What::Ejected { why } => format!("{node} was taken out for what its answers said: {}.", text(why)),
        What::Returning => format!("{node} passed its trial, and its share of the requests grew."),
        What::Returned => format!("{node} had all of its share of the requests again."),
        What::Limited { most } => {
            let requests = counted((*most).into(), "request");
            format!("{node} had more to do than it could, and was held to {requests} at once.")
        }
        What::Unlimited => format!("{node} kept up with its requests again."),
        What::Drained { .. }
        | What::Empty
        | What::Reminded { .. }
        | What::Renewed { .. }
        | What::Undrained { .. }
        | What::LeaseEnded { .. }
        | What::Recalled { .. }
        | What::NotBack { .. }
        | What::Back => return of_drain(event, &node, style),
        What::Reloaded { generation, by, changes, .. } => {
            reloaded(*generation, by.as_deref(), changes, style)
        }
        What::ReloadRefused { by, why } => {
            let asked = asked(by.as_deref(), style);
            let why = text(why);
            format!("A configuration{asked} was refused, and the one before it stayed in force: {why}.")
        }
        What::Redundancy { state, why } => redundancy(state, why, style),
        What::Alarm { alarm, stage, text: what, .. } => alarmed(*alarm, *stage, what, style)?,
        What::Silenced { by, reason, until } if *until > event.at => {
            let until = clock(*until);
            format!("{} asked for no word about the alarms until {until}: {}.", text(by), text(reason))
        }
        What::Silenced { by, .. } => format!("{} asked to be told of alarms again.", text(by)),
        What::Traffic { .. } | What::Incident { .. } => return None,
    })
}

fn of_drain(event: &Event, node: &str, style: Style) -> Option<String> {
    let text = |text: &str| style.text(text);
    Some(match &event.what {
        What::Drained { by, reason, until, forced } => {
            let term = span(until.saturating_sub(event.at));
            let against = if *forced { ", although bookend advised against it" } else { "" };
            format!("{} took {node} out for {term}{against}: “{}”.", text(by), text(reason))
        }
        What::Empty => format!("{node} had finished its last request."),
        What::Reminded { by, percent, until, .. } => {
            let (by, until) = (text(by), clock(*until));
            format!(
                "{percent} % of the time was over for which {by} had taken out {node}; it was to end at {until}."
            )
        }
        What::Renewed { by, until } => {
            format!("{} set the time at which {node} comes back to {}.", text(by), clock(*until))
        }
        What::Undrained { by } => format!("{} let {node} come back.", text(by)),
        What::LeaseEnded { by, .. } => {
            format!("The time was over for which {} had taken out {node}.", text(by))
        }
        What::Recalled { by, why, .. } => {
            let (by, why) = (text(by), text(why));
            format!("bookend took back {node}, which {by} had taken out, because it was needed: {why}.")
        }
        What::NotBack { why } => {
            format!("{node} did not come back after the time for which it had been taken out: {}.", text(why))
        }
        What::Back => format!("{node} was back after it had been taken out."),
        _ => return None,
    })
}

/// Who asked, in half a sentence; nothing if nobody did.
fn asked(by: Option<&str>, style: Style) -> String {
    by.map(|by| format!(", asked for by {},", style.text(by))).unwrap_or_default()
}

fn reloaded(generation: u64, by: Option<&str>, changes: &[String], style: Style) -> String {
    let asked = asked(by, style);
    let some: Vec<_> = changes.iter().take(5).map(|change| style.text(change)).collect();
    let more = match changes.len().saturating_sub(some.len()) {
        0 => String::new(),
        more => format!("; and {more} more"),
    };
    match some.is_empty() {
        true => format!("Configuration {generation}{asked} came into force."),
        false => format!("Configuration {generation}{asked} came into force. {}{more}.", some.join("; ")),
    }
}

fn redundancy(state: &str, why: &str, style: Style) -> String {
    let why = if why.is_empty() { String::new() } else { format!(": {}", style.text(why)) };
    match state {
        "protected" => "The pool could lose its largest node again.".to_owned(),
        "down" => format!("The pool had no node left that could serve{why}."),
        _ => format!("The pool could not have lost another node{why}."),
    }
}

/// Those of the redundancy say again what was said when it was lost.
fn alarmed(kind: AlarmKind, stage: Stage, what: &str, style: Style) -> Option<String> {
    let what = style.text(what);
    Some(match (kind, stage) {
        (AlarmKind::Down | AlarmKind::Exposed, Stage::Begins | Stage::Ends) => return None,
        (_, Stage::Begins) => format!("Alarm: {what}."),
        (_, Stage::Lasts) => format!("The alarm was repeated: {what}."),
        (AlarmKind::Missing, Stage::Ends) => "The configuration had all nodes again.".to_owned(),
        (AlarmKind::Overloaded, Stage::Ends) => "No request was turned away any more.".to_owned(),
        (AlarmKind::Masked, Stage::Ends) => "Retries hid no failures any more.".to_owned(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_others_write_is_nothing_but_text() {
        let odd = "x\n# head [a](http://b) <img> | `c` *d* @e www.f \u{202e}g\u{1b}[31m";
        let safe = Style::Markdown.text(odd);
        assert_eq!(safe, "x \\# head \\[a\\](http\\://b) \\<img\\> \\| \\`c\\` \\*d\\* \\@e www\\.f g\\[31m");
        assert_eq!(Style::Markdown.name("a`b\nc"), "`a'b c`");
        assert_eq!(Style::Plain.text("a\u{1b}[2Jb\tc"), "a[2Jb c");
        assert_eq!(Style::Plain.text(&"x".repeat(1_000)).chars().count(), LONGEST + 1);
    }
}
