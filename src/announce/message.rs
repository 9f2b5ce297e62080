//! What people are told, made of what happened.

use std::time::{Duration, SystemTime};

use serde::Serialize;

use crate::clock;
use crate::incident::{AlarmKind, Event, Stage, What};

/// The version of what receivers are promised; more keys do not change it.
const VERSION: u32 = 1;

/// How far the clock on the wall may be from where it was, in milliseconds, without having been set.
const DRIFT: u64 = 1_000;

/// The longest text in characters: a reload can be refused at length.
const LONGEST: usize = 2_000;

/// Something that people are told.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(super) struct Message {
    version: u32,
    /// The same when a message is sent again.
    pub(super) id: String,
    pub(super) event: &'static str,
    pub(super) pool: Option<String>,
    pub(super) node: Option<String>,
    pub(super) alarm: Option<AlarmKind>,
    pub(super) stage: Option<Stage>,
    since: Option<String>,
    at: String,
    pub(super) text: String,
    pub(super) help: String,
    pub(super) host: String,
}

/// Makes messages.
#[derive(Debug)]
pub(super) struct Messages {
    host: String,
    /// What the ids of this process begin with.
    series: u64,
    count: u64,
    /// By how many milliseconds the clock on the wall is ahead of the one that dates events.
    lead: Option<i64>,
}

impl Default for Messages {
    fn default() -> Self {
        let host = rustix::system::uname().nodename().to_string_lossy().into_owned();
        Self { host, series: fastrand::u64(..), count: 0, lead: None }
    }
}

impl Messages {
    /// What people are told of an event; `None` if they need not hear of it, or asked not to. `now` and `wall` are the same
    /// moment by the clock that dates events and by the one on the wall.
    pub(super) fn of(&mut self, event: &Event, now: u64, wall: SystemTime) -> Option<Message> {
        let (kind, text, help) = told(event)?;
        let lead = self.lead(now, wall);
        let at = |then: u64| {
            let then = Duration::from_millis(then.saturating_add_signed(lead));
            SystemTime::UNIX_EPOCH.checked_add(then).unwrap_or(wall)
        };
        let mut message = self.message(kind, at(event.at), text, help);
        (message.pool, message.node) = (event.pool.clone(), event.node.clone());
        if let What::Alarm { alarm, stage, since, .. } = &event.what {
            (message.alarm, message.stage) = (Some(*alarm), Some(*stage));
            message.since = Some(written(at(*since)));
        }
        Some(message)
    }

    /// A message that only shows that messages arrive.
    pub(super) fn test(&mut self, at: SystemTime) -> Message {
        let text = "this is a test: bookend would tell you here if something were wrong".to_owned();
        self.message("test", at, text, "bookend status".to_owned())
    }

    /// By how much the clock on the wall is ahead. It stays what it was unless somebody has set the clock, so that an alarm
    /// has begun at the same moment in each message about it.
    fn lead(&mut self, now: u64, wall: SystemTime) -> i64 {
        let lead = clock::since_1970(wall).cast_signed().saturating_sub(now.cast_signed());
        let known = self.lead.filter(|known| known.abs_diff(lead) <= DRIFT);
        *self.lead.insert(known.unwrap_or(lead))
    }

    fn message(&mut self, event: &'static str, at: SystemTime, text: String, help: String) -> Message {
        self.count += 1;
        Message {
            version: VERSION,
            id: format!("{:016x}-{}", self.series, self.count),
            event,
            pool: None,
            node: None,
            alarm: None,
            stage: None,
            since: None,
            at: written(at),
            text: plain(&text),
            help: plain(&help),
            host: plain(&self.host),
        }
    }
}

impl Message {
    /// Whether `self` and `other` are about the same thing, so that the newer of them is enough.
    pub(super) fn is_about_the_same(&self, other: &Self) -> bool {
        (self.event, self.alarm, &self.pool, &self.node)
            == (other.event, other.alarm, &other.pool, &other.node)
    }

    /// Whether it only says once more what was said before.
    pub(super) fn is_repeat(&self) -> bool {
        self.stage == Some(Stage::Lasts) || self.event == "reminded"
    }

    /// The whole as JSON.
    pub(super) fn json(&self) -> Vec<u8> {
        // There is nothing in it that JSON could not say.
        serde_json::to_vec(self).unwrap_or_default()
    }

    /// The message as Slack and those like it take it.
    pub(super) fn slack(&self) -> Vec<u8> {
        let help = match self.help.as_str() {
            "" => String::new(),
            help => format!("\n`{}`", escaped(help)),
        };
        let text =
            format!("*{}* ({})\n{}{help}", escaped(&self.title()), escaped(&self.host), escaped(&self.text));
        serde_json::json!({ "text": text }).to_string().into_bytes()
    }

    /// The message as variables of the environment.
    pub(super) fn variables(&self) -> [(&'static str, &str); 12] {
        [
            ("BOOKEND_VERSION", "1"),
            ("BOOKEND_ID", &self.id),
            ("BOOKEND_EVENT", self.event),
            ("BOOKEND_POOL", self.pool.as_deref().unwrap_or_default()),
            ("BOOKEND_NODE", self.node.as_deref().unwrap_or_default()),
            ("BOOKEND_ALARM", self.alarm.map(AlarmKind::as_str).unwrap_or_default()),
            ("BOOKEND_STAGE", self.stage.map(stage).unwrap_or_default()),
            ("BOOKEND_SINCE", self.since.as_deref().unwrap_or_default()),
            ("BOOKEND_AT", &self.at),
            ("BOOKEND_TEXT", &self.text),
            ("BOOKEND_HELP", &self.help),
            ("BOOKEND_HOST", &self.host),
        ]
    }

    /// What it is about, in a few words.
    fn title(&self) -> String {
        let place = match (&self.pool, &self.node) {
            (Some(pool), Some(node)) => format!("{pool}/{node}"),
            (Some(pool), None) => pool.clone(),
            (None, _) => "bookend".to_owned(),
        };
        let what = match (self.alarm, self.stage) {
            (Some(alarm), Some(Stage::Ends)) => format!("no longer {}", alarm.as_str()),
            (Some(alarm), Some(Stage::Lasts)) => {
                format!("still {}, since {}", alarm.as_str(), self.since.as_deref().unwrap_or_default())
            }
            (Some(alarm), _) => alarm.as_str().to_owned(),
            (None, _) => self.event.replace('_', " "),
        };
        format!("{place}: {what}")
    }
}

/// The kind, the text and the help of what people want to hear of.
fn told(event: &Event) -> Option<(&'static str, String, String)> {
    let place = || match (&event.pool, &event.node) {
        (Some(pool), Some(node)) => format!("{pool}/{node}"),
        (Some(place), None) | (None, Some(place)) => place.clone(),
        (None, None) => String::new(),
    };
    Some(match &event.what {
        What::Alarm { silenced: true, .. } => return None,
        What::Alarm { text, help, .. } => ("alarm", text.clone(), help.clone()),
        What::Reminded { by, reason, until, percent } => {
            let left = Duration::from_secs(until.saturating_sub(event.at).div_ceil(1_000));
            let left = humantime::format_duration(left);
            let text = format!(
                "{} is still drained by {by} ({reason}); {percent} % of the time is over, it ends by itself in {left}",
                place()
            );
            ("reminded", text, format!("bookend undrain {}", place()))
        }
        What::NotBack { why } => {
            let text = format!("{} does not come back after its drain: {why}", place());
            ("not_back", text, "bookend status".to_owned())
        }
        What::Recalled { by, reason, why } => {
            let text = format!("{} was drained by {by} ({reason}) and is taken back: {why}", place());
            ("recalled", text, "bookend status".to_owned())
        }
        What::ReloadRefused { why, .. } => {
            let text = format!("a configuration was refused, the one before it stays in force: {why}");
            ("reload_refused", text, "bookend check".to_owned())
        }
        What::Started { .. }
        | What::Stopped
        | What::Up
        | What::Down { .. }
        | What::Suspect
        | What::Ejected { .. }
        | What::Returning
        | What::Returned
        | What::Limited { .. }
        | What::Unlimited
        | What::Drained { .. }
        | What::Empty
        | What::Renewed { .. }
        | What::Undrained { .. }
        | What::LeaseEnded { .. }
        | What::Back
        | What::Reloaded { .. }
        | What::Redundancy { .. }
        | What::Silenced { .. }
        | What::Traffic { .. }
        | What::Incident { .. } => return None,
    })
}

fn stage(stage: Stage) -> &'static str {
    match stage {
        Stage::Begins => "begins",
        Stage::Lasts => "lasts",
        Stage::Ends => "ends",
    }
}

/// What has a meaning of its own in Slack's texts.
fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

/// A text in one line and not too long. A zero byte could not be in an environment.
fn plain(text: &str) -> String {
    let mut plain: String =
        text.chars().take(LONGEST).map(|c| if c.is_control() { ' ' } else { c }).collect();
    if text.chars().nth(LONGEST).is_some() {
        plain.push('…');
    }
    plain
}

fn written(time: SystemTime) -> String {
    humantime::format_rfc3339_millis(time).to_string()
}

#[cfg(test)]
#[path = "message_tests.rs"]
mod tests;
