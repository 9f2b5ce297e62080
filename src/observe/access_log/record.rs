//! One request as a line, in one of two formats.
//!
//! Whatever the client sent, a line is one line, it cannot pass for another, and it does nothing to the terminal of who
//! reads it: control characters are written as escapes, those of Unicode and `DEL` too, which a JSON writer by the book
//! would let through.

use std::fmt::Display;
use std::io::Write;
use std::net::IpAddr;
use std::time::{Duration, SystemTime};

use super::super::Ended;
use crate::config::LogFormat;

/// What most lines fit in, in bytes.
const USUAL: usize = 640;

/// A request that ended, with all that its line tells.
pub struct Record<'a> {
    /// What became of it.
    pub ended: &'a Ended<'a>,
    /// When its head was there.
    pub began: SystemTime,
    /// Its client, past the proxies that are trusted.
    pub client: Option<IpAddr>,
    /// What it asked for; `None` if its head could not be read.
    pub asked: Option<Asked<'a>>,
    /// Bytes of the body that the client was sent.
    pub bytes: u64,
    /// From its last byte to the head of the node's answer.
    pub first_byte: Option<Duration>,
}

/// What a request asked for, in its own words.
#[derive(Clone, Copy, Debug)]
pub struct Asked<'a> {
    /// Its method.
    pub method: &'a str,
    /// The host it was for, as sent.
    pub host: Option<&'a [u8]>,
    /// What it asked for, as sent: the path with the query.
    pub path: &'a [u8],
    /// Its protocol, as in `HTTP/1.1`.
    pub protocol: &'static str,
    /// Its `Referer`, as sent.
    pub referer: Option<&'a [u8]>,
    /// Its `User-Agent`, as sent.
    pub user_agent: Option<&'a [u8]>,
}

impl Record<'_> {
    /// The line, with its end.
    pub fn line(&self, format: LogFormat) -> Vec<u8> {
        let mut line = Vec::with_capacity(USUAL);
        match format {
            LogFormat::Json => self.json(&mut line),
            LogFormat::Combined => self.combined(&mut line),
        }
        line.push(b'\n');
        line
    }

    /// An object with the same keys in the same order, whatever there is to tell.
    fn json(&self, line: &mut Vec<u8>) {
        let Ended { id, route, pool, node, path, status, outcome, attempts, took, .. } = self.ended;
        let mut object = Object { line };
        object.display("time", &Time(self.began));
        object.display_or_null("client", self.client.as_ref());
        object.text_or_null("method", self.asked.map(|asked| asked.method.as_bytes()));
        object.text_or_null("host", self.asked.and_then(|asked| asked.host));
        object.text_or_null("path", self.asked.map(|asked| asked.path));
        object.text_or_null("protocol", self.asked.map(|asked| asked.protocol.as_bytes()));
        object.number("status", status);
        object.number("bytes", &self.bytes);
        object.text_or_null("referer", self.asked.and_then(|asked| asked.referer));
        object.text_or_null("user_agent", self.asked.and_then(|asked| asked.user_agent));
        object.text("id", id.as_bytes());
        object.text("route", route.as_bytes());
        object.text("pool", pool.as_bytes());
        object.text("node", node.as_bytes());
        object.number("attempts", attempts);
        object.text("nodes", path.to_string().as_bytes());
        object.text("outcome", outcome.as_str().as_bytes());
        object.number("took_ms", &Millis(*took));
        match self.first_byte {
            Some(first_byte) => object.number("first_byte_ms", &Millis(first_byte)),
            None => object.null("first_byte_ms"),
        }
        object.end();
    }

    /// `%h - - [time] "request" status bytes "referer" "user-agent"`, as Apache writes it, and escaped as nginx does.
    fn combined(&self, line: &mut Vec<u8>) {
        match self.client {
            Some(client) => push(line, &client),
            None => line.push(b'-'),
        }
        line.extend_from_slice(b" - - [");
        push_common_time(line, self.began);
        line.extend_from_slice(b"] \"");
        match self.asked {
            Some(asked) => {
                push_hex_escaped(line, asked.method.as_bytes());
                line.push(b' ');
                push_hex_escaped(line, asked.path);
                line.push(b' ');
                line.extend_from_slice(asked.protocol.as_bytes());
            }
            None => line.push(b'-'),
        }
        line.extend_from_slice(b"\" ");
        push_unless_zero(line, u64::from(self.ended.status));
        line.push(b' ');
        push_unless_zero(line, self.bytes);
        for value in self.asked.map_or([None, None], |asked| [asked.referer, asked.user_agent]) {
            line.extend_from_slice(b" \"");
            push_hex_escaped(line, value.unwrap_or(b"-"));
            line.push(b'"');
        }
    }
}

/// A JSON object that is being written.
struct Object<'a> {
    line: &'a mut Vec<u8>,
}

impl Object<'_> {
    /// Text that came over the wire; what is no UTF-8 becomes U+FFFD.
    fn text(&mut self, key: &str, value: &[u8]) {
        self.key(key);
        self.line.push(b'"');
        // Nearly all text is plain, and plain text is cheap.
        if value.iter().all(|&byte| is_plain(byte)) {
            self.line.extend_from_slice(value);
        } else {
            push_json_escaped(self.line, value);
        }
        self.line.push(b'"');
    }

    fn text_or_null(&mut self, key: &str, value: Option<&[u8]>) {
        match value {
            Some(value) => self.text(key, value),
            None => self.null(key),
        }
    }

    /// Text of our own that needs no escapes.
    fn display(&mut self, key: &str, value: &dyn Display) {
        self.key(key);
        self.line.push(b'"');
        push(self.line, value);
        self.line.push(b'"');
    }

    fn display_or_null(&mut self, key: &str, value: Option<&impl Display>) {
        match value {
            Some(value) => self.display(key, value),
            None => self.null(key),
        }
    }

    fn number(&mut self, key: &str, value: &dyn Display) {
        self.key(key);
        push(self.line, value);
    }

    fn null(&mut self, key: &str) {
        self.key(key);
        self.line.extend_from_slice(b"null");
    }

    fn key(&mut self, key: &str) {
        self.line.extend_from_slice(if self.line.is_empty() { b"{\"" } else { b",\"" });
        self.line.extend_from_slice(key.as_bytes());
        self.line.extend_from_slice(b"\":");
    }

    fn end(self) {
        self.line.push(b'}');
    }
}

/// A time as RFC 3339 has it, in UTC, with milliseconds.
struct Time(SystemTime);

impl Display for Time {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // What humantime can write ends with the year 9999 and begins with 1970; no clock that is set is there.
        let is_writable = (SystemTime::UNIX_EPOCH..SystemTime::UNIX_EPOCH + LAST).contains(&self.0);
        let time = if is_writable { self.0 } else { SystemTime::UNIX_EPOCH };
        humantime::format_rfc3339_millis(time).fmt(f)
    }
}

/// From the beginning of 1970 to that of the year 9999.
const LAST: Duration = Duration::from_secs(253_370_764_800);

/// Milliseconds with microseconds behind the point.
struct Millis(Duration);

impl Display for Millis {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let millis = self.0.as_secs().saturating_mul(1000).saturating_add(self.0.subsec_millis().into());
        write!(f, "{millis}.{:03}", self.0.subsec_micros() % 1000)
    }
}

fn push(line: &mut Vec<u8>, value: &dyn Display) {
    // Writing to a buffer in memory does not fail.
    let _ = write!(line, "{value}");
}

fn push_unless_zero(line: &mut Vec<u8>, number: u64) {
    match number {
        0 => line.push(b'-'),
        number => push(line, &number),
    }
}

/// A time as the Common Log Format has it: `22/Nov/2026:14:30:31 +0000`.
fn push_common_time(line: &mut Vec<u8>, time: SystemTime) {
    const MONTHS: [&str; 12] =
        ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
    let text = Time(time).to_string();
    let part = |from: usize, to: usize| text.get(from..to).unwrap_or_default();
    let month = part(5, 7).parse::<usize>().ok().and_then(|month| MONTHS.get(month.checked_sub(1)?));
    let (year, month, day) = (part(0, 4), month.unwrap_or(&"Jan"), part(8, 10));
    push(line, &format_args!("{day}/{month}/{year}:{} +0000", part(11, 19)));
}

/// Writes `bytes` so that they can stand in a JSON string (RFC 8259, 7) and in a terminal.
fn push_json_escaped(line: &mut Vec<u8>, bytes: &[u8]) {
    for chunk in bytes.utf8_chunks() {
        push_json_text(line, chunk.valid());
        if !chunk.invalid().is_empty() {
            line.extend_from_slice("\u{fffd}".as_bytes());
        }
    }
}

fn push_json_text(line: &mut Vec<u8>, text: &str) {
    for piece in text.split_inclusive(is_special) {
        let mut plain = piece.chars();
        let special = plain.next_back().filter(|&last| is_special(last));
        let plain = if special.is_some() { plain.as_str() } else { piece };
        line.extend_from_slice(plain.as_bytes());
        match special {
            Some('"') => line.extend_from_slice(b"\\\""),
            Some('\\') => line.extend_from_slice(b"\\\\"),
            // All special characters are in the first plane, so four digits are enough.
            Some(control) => push(line, &format_args!("\\u{:04x}", u32::from(control))),
            None => {}
        }
    }
}

/// Quotes, control characters, and the two that some readers take for the end of a line.
fn is_special(c: char) -> bool {
    matches!(c, '"' | '\\' | '\0'..='\x1f' | '\x7f'..='\u{9f}' | '\u{2028}' | '\u{2029}')
}

/// Writes `bytes` as nginx does in its logs: all but what can be read as it stands as `\xHH`.
fn push_hex_escaped(line: &mut Vec<u8>, bytes: &[u8]) {
    for piece in bytes.split_inclusive(|&byte| !is_plain(byte)) {
        match piece.split_last() {
            Some((&last, plain)) if !is_plain(last) => {
                line.extend_from_slice(plain);
                push(line, &format_args!("\\x{last:02X}"));
            }
            Some(_) | None => line.extend_from_slice(piece),
        }
    }
}

/// Whether a byte stands for itself in every format.
fn is_plain(byte: u8) -> bool {
    matches!(byte, b' '..=b'~') && byte != b'"' && byte != b'\\'
}
