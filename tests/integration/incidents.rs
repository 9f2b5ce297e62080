//! What happened is written down, survives what befalls the process, and is told as a story.

use std::fs;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::os::unix::fs::FileTypeExt;
use std::process::Output;

use bookend::incident::{Event, What};
use bookend::journal::read_events;
use serde_json::Value;

use crate::support::{Bookend, Origin, Port, Reload, Site, TempDirectory, eventually, fetch, program, until};

/// A site whose nodes are checked often enough for a test.
fn site(nodes: &[&Origin]) -> Site {
    Site::of(nodes).with_pool("health_check: { interval: 50ms, fall: 2, rise: 1 }")
}

fn said(output: &Output) -> String {
    [&output.stdout[..], &output.stderr[..]].map(String::from_utf8_lossy).concat()
}

#[track_caller]
fn done(bookend: &Bookend, command: &str) -> String {
    let output = bookend.command(command);
    assert_eq!(output.status.code(), Some(0), "{command}: {}", said(&output));
    said(&output)
}

fn incidents(bookend: &Bookend) -> Vec<Value> {
    let list: Value = serde_json::from_slice(&bookend.ask("/incidents")).unwrap();
    list.as_array().unwrap().clone()
}

fn events(bookend: &Bookend) -> Vec<Event> {
    let mut events = Vec::new();
    let gaps = read_events(&bookend.state(), |event| events.push(event)).unwrap();
    assert_eq!((gaps.damaged, gaps.unknown, gaps.unread), (0, 0, 0), "{gaps:?}");
    events
}

fn drain_web_02(bookend: &Bookend) {
    done(bookend, "drain web/web-02 --for 10m --reason kernel|test");
    until("an incident is open", || incidents(bookend).iter().any(|incident| incident["open"] == true));
}

#[test]
fn drain_that_leaves_one_node_is_an_incident_with_a_name_and_a_remedy() {
    let (a, b) = (Origin::answering("a"), Origin::answering("b"));
    let bookend = Bookend::start(&site(&[&a, &b]));
    assert!(done(&bookend, "incidents").contains("no incident"));
    drain_web_02(&bookend);
    for _ in 0..5 {
        assert_eq!(fetch(bookend.address(), "/").status, 200);
    }
    let open = incidents(&bookend)[0].clone();
    let id = open["id"].as_str().unwrap().to_owned();
    assert!(id.ends_with("-1"), "{open}");
    assert_eq!(
        (&open["pool"], &open["what"], &open["help"]),
        (&"web".into(), &"no spare node".into(), &"bookend undrain web/web-02".into())
    );
    let cause = open["cause"].as_str().unwrap();
    assert!(cause.contains("web-02 was out of service") && cause.contains("“kernel|test”"), "{cause}");
    let list = done(&bookend, "incidents");
    for part in
        [id.as_str(), "no spare node", "none", "open", "what would help now: bookend undrain web/web-02"]
    {
        assert!(list.contains(part), "no {part} in\n{list}");
    }
    let story = done(&bookend, "incidents show");
    for part in [
        &format!("# Incident {id}: no spare node"),
        "the pool `web` cannot lose another node. Nobody who uses the site was affected.",
        "took `web-02` out for 10 minutes: “kernel\\|test”.",
        "It is not over. What would help now: `bookend undrain web/web-02`",
        "## Measures",
    ] {
        assert!(story.contains(part), "no {part} in\n{story}");
    }
    let json = done(&bookend, &format!("incidents show {id} --json"));
    let json: Value = serde_json::from_str(&json).unwrap();
    assert!(json["timeline"].as_array().unwrap().len() >= 2 && json["id"] == id, "{json}");
    let status = said(&bookend.command("status"));
    assert!(status.contains(&format!("incident {id}, pool web, for ")), "{status}");
    assert_eq!(bookend.metric("bookend_incidents_open"), 1);
    assert!(said(&bookend.command("incidents show 2020-01-01-1")).contains("there is no incident"));
    assert_eq!(bookend.command("incidents show ../status").status.code(), Some(1));
}

#[test]
fn restart_knows_what_was_and_a_graceful_stop_writes_the_last_word() {
    let (a, b) = (Origin::answering("a"), Origin::answering("b"));
    let mut bookend = Bookend::start(&site(&[&a, &b]));
    drain_web_02(&bookend);
    let id = incidents(&bookend)[0]["id"].clone();
    bookend.terminate();
    assert!(bookend.wait().success());
    let written = events(&bookend);
    assert_eq!(written.first().map(|event| matches!(event.what, What::Started { .. })), Some(true));
    assert_eq!(written.last().map(|event| event.what == What::Stopped), Some(true), "{written:?}");
    let read = program().args(["incidents", "show", "--state-dir"]).arg(bookend.state()).output().unwrap();
    assert!(said(&read).contains("`web-02`") && read.status.success(), "{}", said(&read));
    bookend.start_again();
    until("it is still known", || incidents(&bookend).iter().any(|incident| incident["id"] == id));
    assert_eq!(incidents(&bookend).len(), 1);
    let story = done(&bookend, "incidents show");
    assert!(story.contains("bookend was stopped.") && story.contains("was started."), "{story}");
}

#[test]
fn reload_that_takes_a_node_away_is_named() {
    let (a, b) = (Origin::answering("a"), Origin::answering("b"));
    let bookend = Bookend::start(&site(&[&a, &b]));
    assert_eq!(bookend.reload_site(&site(&[&a])), Reload::InForce);
    bookend.wait_for_log("changed \"pools.web: node web-02 was removed\"");
    let open = eventually("an incident is open", || incidents(&bookend).into_iter().next());
    let cause = open["cause"].as_str().unwrap();
    assert!(cause.contains("had changed the pool: node web-02 was removed"), "{cause}");
    assert_eq!(open["help"], "bookend reload");
}

#[test]
fn who_asked_and_from_where_is_written_down() {
    let (a, b) = (Origin::answering("a"), Origin::answering("b"));
    let (directory, port) = (TempDirectory::new(), Port::free());
    let (token, file) = ("a-token-that-nobody-knows", directory.path().join("token"));
    fs::write(&file, token).unwrap();
    let admin = format!("{{ address: \"{port}\", token_file: {} }}", file.display());
    let site = site(&[&a, &b]).with_admin(&admin);
    let bookend = Bookend::start(&site);
    let over_tcp = |path: &str, body: &str| {
        let mut stream = TcpStream::connect(port.address()).unwrap();
        let head =
            format!("Host: {port}\r\nAuthorization: Bearer {token}\r\nContent-Type: application/json\r\n");
        let length = body.len();
        write!(stream, "POST {path} HTTP/1.1\r\n{head}Content-Length: {length}\r\n\r\n{body}").unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    };
    over_tcp("/drain", r#"{"node": "web/web-02", "reason": "x"}"#);
    until("an incident is open", || !incidents(&bookend).is_empty());
    over_tcp("/reload", r#"{"force": true}"#);
    done(&bookend, "silence web --reason x");
    done(&bookend, "reload --force");
    assert_eq!(bookend.reload_site(&site.with_pool("helth_check: off")), Reload::Refused);
    let status: Value = serde_json::from_slice(&bookend.ask("/status")).unwrap();
    let owner = status["silences"][0]["by"].as_str().unwrap().to_owned();
    let is_written = |what: &str, by: &str| {
        events(&bookend).iter().map(|event| serde_json::to_value(event).unwrap()).any(|event| {
            let told = event["by"].as_str().unwrap_or_default();
            event["what"] == what && told == by
        })
    };
    for (what, by) in [
        ("drained", "token@127.0.0.1"),
        ("reloaded", "token@127.0.0.1"),
        ("silenced", &owner),
        ("reloaded", &owner),
        ("reload_refused", "SIGHUP"),
    ] {
        until(&format!("{what} by {by} is written"), || is_written(what, by));
    }
    let story = String::from_utf8(bookend.ask("/incidents/last")).unwrap();
    assert!(story.contains("Configuration 2, asked for by token@127.0.0.1, came into force."), "{story}");
    assert!(bookend.logs().contains("asked what=POST \"/reload\" by=token@127.0.0.1:"), "{}", bookend.logs());
}

#[test]
fn events_that_cannot_be_written_wait_until_they_can() {
    let (a, b) = (Origin::answering("a"), Origin::answering("b"));
    let mut bookend = Bookend::start(&site(&[&a, &b]));
    bookend.kill();
    // What keeps even root from writing there.
    let (lock, state) = (bookend.state().join("journal.lock"), bookend.state());
    fs::remove_file(&lock).unwrap();
    fs::create_dir(&lock).unwrap();
    bookend.start_again();
    bookend.wait_for_log("events are not written");
    drain_web_02(&bookend);
    let status = said(&bookend.command("status"));
    assert!(status.contains("what happens is not written down"), "{status}");
    assert!(bookend.metric("bookend_journal_write_errors_total") > 0);
    let before = events(&bookend).len();
    fs::remove_dir(&lock).unwrap();
    bookend.wait_for_log("events are written again lost=0");
    assert!(events(&bookend).len() > before);
    let drained = |event: &Event| matches!(event.what, What::Drained { .. });
    assert!(events(&bookend).iter().any(drained));
    assert_eq!(bookend.logs().matches("events are not written").count(), 1);
    assert!(fs::metadata(state.join("admin.sock")).unwrap().file_type().is_socket());
}

#[test]
fn damage_is_told_once_and_stops_nothing() {
    let (a, b) = (Origin::answering("a"), Origin::answering("b"));
    let mut bookend = Bookend::start(&site(&[&a, &b]));
    drain_web_02(&bookend);
    until("it is written", || bookend.metric("bookend_journal_events_written_total") >= 4);
    bookend.kill();
    let file = bookend.state().join("events-1.log");
    let mut bytes = fs::read(&file).unwrap();
    bytes[30] ^= 1;
    bytes.extend(b"0123 {\"at\":");
    fs::write(&file, bytes).unwrap();
    bookend.start_again();
    bookend.wait_for_log("events are lost lines_damaged=1 lines_broken_off=1");
    assert_eq!(incidents(&bookend).len(), 1);
    assert_eq!(bookend.metric("bookend_journal_lines_damaged"), 2);
}
