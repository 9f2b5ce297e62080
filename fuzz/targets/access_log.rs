//! The line of a request: one line, whatever was sent, and it reads back.
//!
//! The input is the path, the host, the referrer and the user agent, with two zero bytes between any two of these.
#![no_main]

use std::time::{Duration, SystemTime};

use bookend::config::LogFormat;
use bookend::observe::{Asked, Ended, Record};
use bookend::retry::Outcome;
use bookend_fuzz::parts;
use libfuzzer_sys::fuzz_target;
use serde_json::Value;

fuzz_target!(|data: &[u8]| {
    let [path, host, referer, agent] = parts(data, b"\0\0");
    let ended = Ended {
        id: "id-1",
        route: "site",
        pool: "web",
        node: "web-01",
        path: &"web-01",
        status: 200,
        outcome: Outcome::Served,
        attempts: 1,
        cause: &"",
        took: Duration::from_nanos(data.len() as u64 * 1_000_003),
    };
    let asked = Asked {
        method: "GET",
        host: Some(host),
        path,
        protocol: "HTTP/1.1",
        referer: Some(referer),
        user_agent: Some(agent),
    };
    let record = Record {
        ended: &ended,
        began: SystemTime::UNIX_EPOCH + Duration::from_millis(data.len() as u64),
        client: None,
        asked: Some(asked),
        bytes: data.len() as u64,
        first_byte: None,
    };
    check_json(&line(&record, LogFormat::Json), &asked);
    check_combined(&line(&record, LogFormat::Combined), &asked);
});

/// The line without its end; nothing in it ends a line or speaks to a terminal.
fn line(record: &Record<'_>, format: LogFormat) -> String {
    let line = String::from_utf8(record.line(format)).expect("UTF-8");
    let line = line.strip_suffix('\n').expect("a line end");
    assert!(!line.contains(|c: char| c.is_control() || matches!(c, '\u{2028}' | '\u{2029}')), "{line:?}");
    line.to_owned()
}

fn check_json(line: &str, asked: &Asked<'_>) {
    let read: Value = serde_json::from_str(line).expect("JSON");
    let is_told = |key: &str, sent: &[u8]| assert_eq!(read[key], *String::from_utf8_lossy(sent), "{key}");
    is_told("path", asked.path);
    is_told("host", asked.host.unwrap_or_default());
    is_told("referer", asked.referer.unwrap_or_default());
    is_told("user_agent", asked.user_agent.unwrap_or_default());
    assert_eq!(read["outcome"], "served");
    assert_eq!(read.as_object().map(|object| object.len()), Some(19), "{line}");
}

fn check_combined(line: &str, asked: &Asked<'_>) {
    let parts: Vec<_> = line.split('"').collect();
    assert_eq!(parts.len(), 7, "{line}");
    assert_eq!(unescaped(parts[1]), [b"GET ", asked.path, b" HTTP/1.1"].concat());
    assert_eq!(unescaped(parts[3]), asked.referer.unwrap_or_default());
    assert_eq!(unescaped(parts[5]), asked.user_agent.unwrap_or_default());
}

/// The bytes behind `\xHH`.
fn unescaped(text: &str) -> Vec<u8> {
    let mut pieces = text.split("\\x");
    let mut bytes = pieces.next().unwrap_or_default().as_bytes().to_vec();
    for piece in pieces {
        let (digits, plain) = piece.split_at(2);
        bytes.push(u8::from_str_radix(digits, 16).expect("two digits"));
        bytes.extend_from_slice(plain.as_bytes());
    }
    bytes
}
