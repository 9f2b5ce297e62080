//! Who is told of what goes wrong, and from when on what retries hide is wrong.

use std::cell::RefCell;
use std::collections::{HashMap, HashSet};
use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use http::{HeaderName, HeaderValue, header};

use super::bounds;
use super::locate::Place;
use super::read::{Fault, Fields, Value, shown};
use crate::model::{Name, WebhookUrl};

/// Who is told of what goes wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Alerts {
    /// The webhooks; no name twice.
    pub webhooks: Vec<Webhook>,
    /// The command that is run; `None` is none.
    pub command: Option<Tell>,
    /// From when on what retries hide is an alarm; `None` is never.
    pub masked: Option<Masked>,
}

/// A URL to which messages are posted.
#[derive(Clone, PartialEq, Eq)]
pub struct Webhook {
    /// What it is called in logs and metrics.
    pub name: Name,
    /// Where it is.
    pub url: WebhookUrl,
    /// What a message looks like.
    pub format: WebhookFormat,
    /// The file with the key that signs messages.
    pub secret_file: Option<PathBuf>,
    /// How long one attempt may take.
    pub timeout: Duration,
    /// Attempts at one message, at least 1.
    pub attempts: u32,
    /// Headers that each request has.
    pub headers: Vec<(HeaderName, HeaderValue)>,
}

/// What a message to a webhook looks like.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum WebhookFormat {
    /// An object with all that is known.
    #[default]
    Json,
    /// `{"text": …}`, as Slack and those like it take it.
    Slack,
}

/// A command that is run for each message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tell {
    /// The program, as a whole path or to be found in `PATH`.
    pub program: String,
    /// What it gets.
    pub arguments: Vec<String>,
    /// How long it may take.
    pub timeout: Duration,
}

/// From when on what retries hide is an alarm.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Masked {
    /// The part of a pool's requests that retries save, in hundredths of a percent.
    pub hundredths: u32,
    /// For how long.
    pub window: Duration,
}

/// Webhooks at the most.
const MOST_WEBHOOKS: usize = 16;
/// Headers of one webhook at the most.
const MOST_HEADERS: usize = 16;
/// Arguments of the command at the most.
const MOST_ARGUMENTS: usize = 64;
/// What the command is called in logs and metrics.
pub const COMMAND: &str = "command";

/// Headers that a webhook's own settings or the message decide.
const OURS: [HeaderName; 6] = [
    header::HOST,
    header::CONTENT_LENGTH,
    header::CONTENT_TYPE,
    header::TRANSFER_ENCODING,
    header::CONNECTION,
    header::UPGRADE,
];

impl Default for Alerts {
    fn default() -> Self {
        Self { webhooks: Vec::new(), command: None, masked: Some(Masked::default()) }
    }
}

impl Default for Masked {
    fn default() -> Self {
        Self { hundredths: 100, window: Duration::from_secs(5 * 60) }
    }
}

/// Shows which headers there are, but not what they say: tokens stand there.
impl fmt::Debug for Webhook {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { name, url, format, secret_file, timeout, attempts, headers } = self;
        let headers: Vec<_> = headers.iter().map(|(name, _)| name.as_str()).collect();
        f.debug_struct("Webhook")
            .field("name", name)
            .field("url", url)
            .field("format", format)
            .field("secret_file", secret_file)
            .field("timeout", timeout)
            .field("attempts", attempts)
            .field("headers", &headers)
            .finish()
    }
}

pub(super) fn read(value: Value<'_>) -> Option<Alerts> {
    value.fields("a mapping of settings", |fields| {
        let timeout = fields.read("command_timeout", |v| v.duration(bounds::TELLING));
        let command = fields.read("command", |v| command(v, timeout.unwrap_or(Duration::from_secs(10))));
        let masked = fields.read("masked", masked);
        let webhooks = fields.read("webhooks", webhooks).unwrap_or_default();
        Alerts { webhooks, command, masked: masked.unwrap_or(Some(Masked::default())) }
    })
}

fn webhooks(value: Value<'_>) -> Option<Vec<Webhook>> {
    if value.is_text() {
        return value.fail(unread("expected a list of webhooks, found text"));
    }
    let mut names = HashMap::new();
    let hooks = value.each("a list of webhooks", |item| {
        if item.is_text() {
            return item.fail(unread("expected a webhook, found text"));
        }
        item.fields("a mapping with the key `url`", |fields| webhook(&item, fields, &mut names))?
    })?;
    if hooks.len() > MOST_WEBHOOKS {
        return value.fail(Fault::new(format!("there are more than {MOST_WEBHOOKS} webhooks")));
    }
    Some(hooks)
}

/// That a URL stands where it must not, without a word of it: it may be a secret.
fn unread(what: &str) -> Fault {
    Fault::new(what).help("write it as in `- url: https://hooks.example.com/services/…`")
}

fn webhook(item: &Value<'_>, fields: &Fields<'_>, names: &mut HashMap<Name, Place>) -> Option<Webhook> {
    const FORMATS: [(&str, WebhookFormat); 2] =
        [("json", WebhookFormat::Json), ("slack", WebhookFormat::Slack)];
    const EXAMPLE: &str = "add it, as in `url: https://hooks.example.com/services/…`";
    let name = fields.read_or(
        "name",
        || item.index().and_then(derived_name),
        |v| v.parsed("a name like `team`").map(Some),
    );
    let url = fields.require("url", EXAMPLE, |v| v.parsed("a URL"));
    let format = fields.read_or("format", WebhookFormat::default, |v| v.one_of("a format", &FORMATS));
    let secret_file = fields.read("secret_file", |v| v.file_path());
    let timeout = fields.read_or("timeout", || Duration::from_secs(5), |v| v.duration(bounds::TELLING));
    let attempts = fields.read_or("attempts", || 10, |v| v.whole(bounds::ATTEMPTS));
    let headers = fields.read_or("headers", Vec::new, headers);
    let name: Name = name??;
    if name.as_str() == COMMAND {
        return item.fail(Fault::new("this name is the command's").help("give it another name"));
    }
    if let Some(first) = names.get(&name) {
        let fault = Fault::new(format!("called `{name}`, as the webhook")).first(first.clone());
        return item.fail(fault.help("give one of them another name, as in `name: team`"));
    }
    names.insert(name.clone(), item.place());
    let (format, timeout, attempts) = (format?, timeout?, attempts?);
    Some(Webhook { name, url: url?, format, secret_file, timeout, attempts, headers: headers? })
}

fn derived_name(index: usize) -> Option<Name> {
    format!("webhook-{}", index.saturating_add(1)).parse().ok()
}

/// Reads headers; what they say is quoted nowhere.
fn headers(value: Value<'_>) -> Option<Vec<(HeaderName, HeaderValue)>> {
    let seen = RefCell::new(HashSet::new());
    let headers = value.named("a mapping from header to value", |name, value| {
        let Ok(header) = HeaderName::from_bytes(name.as_bytes()) else {
            return value.fail(Fault::new(format!("`{}` is no header's name", shown(name))).on_key());
        };
        if OURS.contains(&header) || header.as_str().starts_with("x-bookend-") {
            return value.fail(Fault::new("bookend itself sets this header").help("remove it").on_key());
        }
        if !seen.borrow_mut().insert(header.clone()) {
            return value.fail(Fault::new("the same header twice; letter case makes no difference").on_key());
        }
        if !value.is_text() {
            return value.fail(Fault::new("the value of a header is text").help("put it in quotes"));
        }
        let Ok(mut content) = HeaderValue::from_str(value.text("text")?) else {
            return value
                .fail(Fault::new("this is no value of a header").help("write it on one line, in ASCII"));
        };
        content.set_sensitive(true);
        Some((header, content))
    })?;
    if headers.len() > MOST_HEADERS {
        return value.fail(Fault::new(format!("there are more than {MOST_HEADERS} headers")));
    }
    Some(headers)
}

fn command(value: Value<'_>, timeout: Duration) -> Option<Tell> {
    const HELP: &str =
        "write the program and each argument by itself, as in `[/usr/local/bin/page, --team, web]`";
    if value.is_text() {
        return value.fail(Fault::new("expected a list, found text: no shell takes it apart").help(HELP));
    }
    let mut words = value.each("a list of the program and its arguments", argument)?.into_iter();
    let Some(program) = words.next() else {
        return if value.is_empty_list() {
            value.fail(Fault::new("the command is empty").help(HELP))
        } else {
            None
        };
    };
    if program.is_empty() || program.contains('/') && !program.starts_with('/') {
        let fault = Fault::new("the program is neither a whole path nor a name to be found in PATH");
        return value.fail(fault.help("write it as in `/usr/local/bin/page` or `page`"));
    }
    if words.len() > MOST_ARGUMENTS {
        return value.fail(Fault::new(format!("there are more than {MOST_ARGUMENTS} arguments")));
    }
    Some(Tell { program, arguments: words.collect(), timeout })
}

fn argument(value: Value<'_>) -> Option<String> {
    let text = value.free_text("an argument")?;
    if text.contains('\0') {
        return value.fail(Fault::new("a zero byte ends an argument, so that none can hold one"));
    }
    Some(text.to_owned())
}

fn masked(value: Value<'_>) -> Option<Option<Masked>> {
    const WHAT: &str = "a mapping like `{percent: 1, for: 5m}`";
    value.or_off(WHAT, |value| {
        let usual = Masked::default();
        value.fields(WHAT, |fields| {
            let hundredths = fields.read_or("percent", || usual.hundredths, |v| v.percent(bounds::SHARE));
            let window = fields.read_or("for", || usual.window, |v| v.duration(bounds::MASKED));
            Some(Masked { hundredths: hundredths?, window: window? })
        })?
    })
}
