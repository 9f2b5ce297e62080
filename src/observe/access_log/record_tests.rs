use std::time::{Duration, SystemTime};

use proptest::prelude::*;
use serde_json::Value;

use super::super::Ended;
use super::{Asked, Record};
use crate::config::LogFormat;
use crate::retry::{Outcome, Reach};

/// A request that a retry saved, for `path`, by an agent, from a page.
fn line(format: LogFormat, path: &[u8], agent: Option<&[u8]>, referer: Option<&[u8]>) -> String {
    let ended = Ended {
        id: "id-1",
        route: "site",
        pool: "web",
        node: "web-01",
        path: &"web-02:not_sent,web-01",
        status: 200,
        outcome: Outcome::Saved(Reach::NotSent),
        attempts: 2,
        cause: &"",
        took: Duration::from_micros(12_345),
    };
    let record = Record {
        ended: &ended,
        began: SystemTime::UNIX_EPOCH + Duration::from_millis(1_795_357_831_042),
        client: "192.0.2.7".parse().ok(),
        asked: Some(Asked {
            method: "GET",
            host: Some(b"site.test"),
            path,
            protocol: "HTTP/1.1",
            referer,
            user_agent: agent,
        }),
        bytes: 1024,
        first_byte: Some(Duration::from_micros(7_008)),
    };
    String::from_utf8(record.line(format)).unwrap()
}

#[test]
fn json_tells_all_in_one_order() {
    let expected = concat!(
        r#"{"time":"2026-11-22T14:30:31.042Z","client":"192.0.2.7","method":"GET","host":"site.test","#,
        r#""path":"/a?b=c","protocol":"HTTP/1.1","status":200,"bytes":1024,"referer":null,"user_agent":"curl/8","#,
        r#""id":"id-1","route":"site","pool":"web","node":"web-01","attempts":2,"nodes":"web-02:not_sent,web-01","#,
        r#""outcome":"saved_not_sent","took_ms":12.345,"first_byte_ms":7.008}"#,
        "\n"
    );
    assert_eq!(line(LogFormat::Json, b"/a?b=c", Some(b"curl/8"), None), expected);
}

#[test]
fn combined_is_apache_s() {
    let expected = concat!(
        r#"192.0.2.7 - - [22/Nov/2026:14:30:31 +0000] "GET /a?b=c HTTP/1.1" 200 1024 "http://x/" "-""#,
        "\n"
    );
    assert_eq!(line(LogFormat::Combined, b"/a?b=c", None, Some(b"http://x/")), expected);
}

#[test]
fn nothing_forges_a_line_or_speaks_to_a_terminal() {
    let agent = "\" 200 \\ \r\n\x1b[2J\x7f\u{9b}2J\u{2028}é".as_bytes();
    let combined = line(LogFormat::Combined, b"/\xff", Some(agent), None);
    let escaped = r#"\x22 200 \x5C \x0D\x0A\x1B[2J\x7F\xC2\x9B2J\xE2\x80\xA8\xC3\xA9""#;
    assert!(combined.contains(escaped), "{combined}");
    assert!(combined.contains(r#""GET /\xFF HTTP/1.1""#), "{combined}");
    let json = line(LogFormat::Json, b"/\xff", Some(agent), None);
    let escaped = r#""\" 200 \\ \u000d\u000a\u001b[2J\u007f\u009b2J\u2028é""#;
    assert!(json.contains(escaped), "{json}");
    assert!(json.contains("\"/\u{fffd}\""), "{json}");
}

#[test]
fn what_is_not_there_is_a_dash_or_null() {
    let ended = Ended {
        id: "id-1",
        route: "none",
        pool: "none",
        node: "none",
        path: &"",
        status: 0,
        outcome: Outcome::ClientGone,
        attempts: 0,
        cause: &"",
        took: Duration::ZERO,
    };
    let record = Record {
        ended: &ended,
        began: SystemTime::UNIX_EPOCH - Duration::from_secs(1),
        client: None,
        asked: Some(Asked {
            method: "GET",
            host: None,
            path: b"/",
            protocol: "HTTP/1.0",
            referer: None,
            user_agent: None,
        }),
        bytes: 0,
        first_byte: None,
    };
    let line = |format| String::from_utf8(record.line(format)).unwrap();
    let expected = "- - - [01/Jan/1970:00:00:00 +0000] \"GET / HTTP/1.0\" - - \"-\" \"-\"\n";
    assert_eq!(line(LogFormat::Combined), expected);
    let json: Value = serde_json::from_str(&line(LogFormat::Json)).unwrap();
    for key in ["client", "host", "referer", "user_agent", "first_byte_ms"] {
        assert_eq!(json[key], Value::Null, "{key}");
    }
    assert_eq!((json["status"].as_u64(), json["outcome"].as_str()), (Some(0), Some("client_gone")));

    let unread = Record { asked: None, ..record };
    let line = |format| String::from_utf8(unread.line(format)).unwrap();
    assert_eq!(line(LogFormat::Combined), "- - - [01/Jan/1970:00:00:00 +0000] \"-\" - - \"-\" \"-\"\n");
    let json: Value = serde_json::from_str(&line(LogFormat::Json)).unwrap();
    for key in ["method", "host", "path", "protocol", "referer", "user_agent"] {
        assert_eq!(json[key], Value::Null, "{key}");
    }
}

proptest! {
    #[test]
    fn json_reads_back_what_was_sent(path: Vec<u8>, agent: Vec<u8>, text: String) {
        let line = line(LogFormat::Json, &path, Some(&agent), Some(text.as_bytes()));
        let read: Value = serde_json::from_str(&line).unwrap();
        prop_assert_eq!(read["path"].as_str().unwrap(), String::from_utf8_lossy(&path));
        prop_assert_eq!(read["user_agent"].as_str().unwrap(), String::from_utf8_lossy(&agent));
        prop_assert_eq!(read["referer"].as_str().unwrap(), text);
    }

    #[test]
    fn line_is_one_line(path: Vec<u8>, agent: Vec<u8>, text in "[\\PC\\pC]*") {
        for format in [LogFormat::Json, LogFormat::Combined] {
            let line = line(format, &path, Some(&agent), Some(text.as_bytes()));
            let line = line.strip_suffix('\n').unwrap();
            prop_assert!(!line.contains(char::is_control), "{line:?}");
        }
    }

    #[test]
    fn combined_has_six_quotes_and_reads_back(path: Vec<u8>, agent: Vec<u8>) {
        let line = line(LogFormat::Combined, &path, Some(&agent), None);
        let parts: Vec<_> = line.split('"').collect();
        prop_assert_eq!(parts.len(), 7, "{}", line);
        prop_assert_eq!(unescaped(parts[1]), [b"GET ", &path[..], b" HTTP/1.1"].concat());
        prop_assert_eq!(unescaped(parts[5]), agent);
    }
}

/// The bytes behind `\xHH`.
fn unescaped(text: &str) -> Vec<u8> {
    let mut pieces = text.split("\\x");
    let mut bytes = pieces.next().unwrap_or_default().as_bytes().to_vec();
    for piece in pieces {
        let (digits, plain) = piece.split_at(2);
        bytes.push(u8::from_str_radix(digits, 16).unwrap());
        bytes.extend_from_slice(plain.as_bytes());
    }
    bytes
}
