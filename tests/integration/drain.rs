//! Nodes that a person takes out for a while: nobody notices, and they come back by themselves.

use std::fs;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::os::unix::net::UnixStream;
use std::process::{Output, Stdio};
use std::thread;
use std::time::Duration;

use serde_json::{Value, json};

use crate::support::{
    Bookend, Client, Gate, Load, Origin, Port, Reload, Site, TempDirectory, fetch, program, until,
};

const TOKEN: &str = "a-token-that-nobody-knows";

/// A site whose nodes are checked often enough for a test.
pub(crate) fn site(nodes: &[&Origin]) -> Site {
    Site::of(nodes)
        .with_pool("health_check: { interval: 50ms, fall: 2, rise: 1 }")
        .with_pool("slow_start: 200ms")
}

pub(crate) fn said(output: &Output) -> String {
    [&output.stdout[..], &output.stderr[..]].map(String::from_utf8_lossy).concat()
}

/// Runs a command that has to succeed, and returns what it said.
#[track_caller]
pub(crate) fn done(bookend: &Bookend, command: &str) -> String {
    let output = bookend.command(command);
    assert_eq!(output.status.code(), Some(0), "{command}: {}", said(&output));
    said(&output)
}

/// Runs a command that has to fail, and returns what it said.
#[track_caller]
pub(crate) fn refused(bookend: &Bookend, command: &str) -> String {
    let output = bookend.command(command);
    assert_eq!(output.status.code(), Some(1), "{command}: {}", said(&output));
    said(&output)
}

pub(crate) fn node(bookend: &Bookend, number: usize) -> Value {
    let status: Value = serde_json::from_slice(&bookend.ask("/status")).unwrap();
    status["pools"][0]["nodes"][number].clone()
}

pub(crate) fn is_drained(bookend: &Bookend, number: usize) -> bool {
    node(bookend, number)["state"] == "drained"
}

fn exchange(mut stream: impl Read + Write, path: &str, headers: &str, body: &str) -> (u16, Value) {
    let length = body.len();
    let request = format!("POST {path} HTTP/1.1\r\n{headers}Content-Length: {length}\r\n\r\n{body}");
    stream.write_all(request.as_bytes()).unwrap();
    let mut answer = String::new();
    let _ = stream.read_to_string(&mut answer);
    let status = answer.split(' ').nth(1).and_then(|status| status.parse().ok()).unwrap_or_default();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap_or_default();
    let is_problem = head.to_ascii_lowercase().contains("content-type: application/problem+json");
    assert!(status == 200 || is_problem, "{answer}");
    (status, serde_json::from_str(body).unwrap())
}

pub(crate) fn over_socket(bookend: &Bookend, path: &str, body: &str) -> (u16, Value) {
    let headers = "Host: x\r\nContent-Type: application/json\r\n";
    exchange(UnixStream::connect(bookend.socket()).unwrap(), path, headers, body)
}

fn over_tcp(address: SocketAddr, path: &str, headers: &str, body: &Value) -> (u16, Value) {
    let headers = format!("Host: {address}\r\nContent-Type: application/json\r\n{headers}");
    exchange(TcpStream::connect(address).unwrap(), path, &headers, &body.to_string())
}

#[test]
fn drained_node_gets_no_new_request() {
    let (a, b) = (Origin::answering("a"), Origin::answering("b"));
    let bookend = Bookend::start(&site(&[&a, &b]));
    let load = Load::start(bookend.address(), 4);
    load.wait_for(50);
    let text = done(&bookend, "drain web/web-02 --reason test");
    for part in ["web/web-02 is drained until 20", "1 of 2 nodes can serve without it", "unproven"] {
        assert!(text.contains(part), "no {part} in\n{text}");
    }
    until("it is empty", || node(&bookend, 1)["lease"]["empty_since"].is_string());
    let before = b.count();
    load.wait_for(300);
    assert_eq!(b.count(), before);
    load.finish();
    let seen = node(&bookend, 1);
    let lease = &seen["lease"];
    assert_eq!((&seen["state"], &lease["reason"]), (&"drained".into(), &"test".into()));
    let left = lease["seconds_left"].as_u64().unwrap();
    assert!((1_700..=1_800).contains(&left), "{lease}");
    let status = refused(&bookend, "status");
    for part in ["1 of 2 nodes can serve", "drained for", "empty: test", "not all is well"] {
        assert!(status.contains(part), "no {part} in\n{status}");
    }
    bookend.wait_for_log("node is drained pool=web node=web-02 by=");
    bookend.wait_for_log("node is empty pool=web node=web-02");
    let labels = "{node=\"web-02\",pool=\"web\"}";
    assert_eq!(bookend.metric(&format!("bookend_node_drained{labels}")), 1);
    assert_eq!(bookend.metric(&format!("bookend_node_available{labels}")), 0);
    assert!(bookend.metric(&format!("bookend_node_lease_seconds{labels}")) > 1_700);
}

#[test]
fn what_a_drained_node_has_it_finishes() {
    let gate = Gate::default();
    let closed = gate.clone();
    let a = Origin::answering("a");
    let b = Origin::start(move |call| {
        closed.pass();
        call.answer(200, "b")
    });
    let bookend = Bookend::start(&site(&[&a, &b]));
    let mut clients: Vec<_> = (0..4).map(|_| Client::connect(bookend.address())).collect();
    for client in &mut clients {
        client.send("GET / HTTP/1.1\r\nHost: site.test\r\n\r\n");
    }
    until("it has half of them", || b.count() == 2);
    let mut waiting = program()
        .args(["drain", "web/web-02", "--reason", "kernel test", "--wait", "--socket"])
        .arg(bookend.socket())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    until("it has two left", || {
        let seen = node(&bookend, 1);
        seen["state"] == "drained" && seen["why"].as_str().unwrap().contains("2 requests left: kernel test")
    });
    thread::sleep(Duration::from_millis(300));
    assert!(waiting.try_wait().unwrap().is_none(), "it did not wait");
    assert!(!bookend.logs().contains("node is empty"));
    gate.open();
    let bodies: Vec<_> =
        clients.iter_mut().map(|client| client.read_answer("GET").text().to_owned()).collect();
    assert_eq!(bodies.iter().filter(|body| *body == "b").count(), 2, "{bodies:?}");
    let output = waiting.wait_with_output().unwrap();
    assert!(output.status.success());
    let text = said(&output);
    assert!(text.contains("2 requests left") && text.ends_with("it is empty\n"), "{text}");
    bookend.wait_for_log("node is empty pool=web node=web-02");
}

#[test]
fn lease_ends_and_the_node_returns() {
    let (a, b) = (Origin::answering("a"), Origin::answering("b"));
    let bookend = Bookend::start(&site(&[&a, &b]));
    let load = Load::start(bookend.address(), 4);
    done(&bookend, "drain web/web-02 --for 3s --reason test");
    for line in [
        "node is still drained pool=web node=web-02",
        "over=50%",
        "over=90%",
        "lease ended pool=web node=web-02",
        "node is returning pool=web node=web-02",
        "node is back after its lease pool=web node=web-02",
        "node has returned pool=web node=web-02",
    ] {
        bookend.wait_for_log(line);
    }
    let before = b.count();
    load.wait_for(100);
    assert!(b.count() > before + 20, "{} of 100", b.count() - before);
    load.finish();
    until("all is well", || bookend.command("status").status.code() == Some(0));
}

#[test]
fn node_that_died_meanwhile_does_not_return_and_is_missed() {
    let (a, mut b) = (Origin::answering("a"), Origin::answering("b"));
    let bookend = Bookend::start(&site(&[&a, &b]));
    done(&bookend, "drain web/web-02 --reason test");
    b.stop();
    bookend.wait_for_log("node is down pool=web node=web-02");
    assert!(is_drained(&bookend, 1), "it is down, but drained in the first place");
    done(&bookend, "undrain web/web-02");
    let load = Load::start(bookend.address(), 2);
    bookend.wait_for_log("node does not come back after its lease pool=web node=web-02");
    load.finish();
    assert_eq!(node(&bookend, 1)["state"], "down");
    let metric = "bookend_node_overdue{node=\"web-02\",pool=\"web\"}";
    assert_eq!(bookend.metric(metric), 1);
    b.restart();
    until("it is let in", || fetch(bookend.address(), "/").text() == "b");
    bookend.wait_for_log("node is back after its lease pool=web node=web-02");
    assert_eq!(bookend.metric(metric), 0);
}

#[test]
fn node_that_dies_with_its_drain_gets_no_request_before_a_check_has_passed() {
    let (a, mut b) = (Origin::answering("a"), Origin::answering("b"));
    let slow =
        Site::of(&[&a, &b]).with_pool("health_check: { interval: 10s, timeout: 1s, fall: 100, rise: 1 }");
    let bookend = Bookend::start(&slow);
    done(&bookend, "drain web/web-02 --reason test");
    b.stop();
    done(&bookend, "undrain web/web-02");
    let tried = "bookend_attempts_failed_total";
    for _ in 0..20 {
        assert_eq!(fetch(bookend.address(), "/").text(), "a");
    }
    assert!(!String::from_utf8(bookend.ask("/metrics")).unwrap().contains(&format!("{tried}{{")));
    assert!(node(&bookend, 1)["why"].as_str().unwrap().contains("no check has passed since"));
    b.restart();
    until("it is let in", || fetch(bookend.address(), "/").text() == "b");
}

#[test]
fn lease_survives_kill_9_with_the_time_it_had_left() {
    let (a, b) = (Origin::answering("a"), Origin::answering("b"));
    let mut bookend = Bookend::start(&site(&[&a, &b]));
    done(&bookend, "drain web/web-02 --for 10m --reason test");
    let before = node(&bookend, 1)["lease"].clone();
    bookend.kill();
    bookend.start_again();
    for _ in 0..20 {
        assert_eq!(fetch(bookend.address(), "/").text(), "a", "not one before the lease is in force");
    }
    assert!(bookend.logs().contains("node stays drained pool=web node=web-02"), "{}", bookend.logs());
    let after = node(&bookend, 1)["lease"].clone();
    for key in ["owner", "reason", "since"] {
        assert_eq!(before[key], after[key]);
    }
    let left = |lease: &Value| lease["seconds_left"].as_u64().unwrap();
    assert!(left(&after) <= left(&before) && left(&after) > 500, "{before} {after}");
    done(&bookend, "undrain web/web-02");
    until("it is let in", || fetch(bookend.address(), "/").text() == "b");
    bookend.kill();
    bookend.start_again();
    assert!(node(&bookend, 1)["lease"].is_null(), "it came back");
}

#[test]
fn lease_survives_a_reload_even_of_its_node() {
    let (a, b, c) = (Origin::answering("a"), Origin::answering("b"), Origin::answering("c"));
    let bookend = Bookend::start(&site(&[&a, &b]));
    done(&bookend, "drain web/web-02 --reason test");
    let load = Load::start(bookend.address(), 2);
    assert_eq!(bookend.reload_site(&site(&[&a, &b]).with_pool("queue: off")), Reload::InForce);
    load.wait_for(50);
    assert!(is_drained(&bookend, 1));
    // The name has another address now, and the address another name.
    assert_eq!(bookend.reload_site(&site(&[&a, &c, &b])), Reload::InForce);
    until("the address is let in", || b.count() > 0);
    assert_eq!((c.count(), is_drained(&bookend, 1), is_drained(&bookend, 2)), (0, true, false));

    let without = site(&[&a]);
    assert_eq!(bookend.reload_site(&without), Reload::InForce);
    let drained = "web/web-02 is drained, and in no configuration";
    until("status tells of it", || said(&bookend.command("status")).contains(drained));
    assert_eq!(bookend.reload_site(&site(&[&a, &c])), Reload::InForce);
    load.wait_for(50);
    assert_eq!((c.count(), is_drained(&bookend, 1)), (0, true));
    load.finish();
    assert_eq!(bookend.reload_site(&site(&[&a])), Reload::InForce);
    done(&bookend, "undrain web/web-02");
}

#[test]
fn damaged_leases_are_set_aside_and_told() {
    let (a, b) = (Origin::answering("a"), Origin::answering("b"));
    let mut bookend = Bookend::start(&site(&[&a, &b]));
    done(&bookend, "drain web/web-02 --reason test");
    bookend.kill();
    let file = bookend.state().join("leases.json");
    let damaged = fs::read_to_string(&file).unwrap().replace("web-02", "web-01");
    fs::write(&file, &damaged).unwrap();
    bookend.start_again();
    bookend.wait_for_log("leases are lost file=");
    assert!(!is_drained(&bookend, 0) && !is_drained(&bookend, 1));
    let entries = fs::read_dir(bookend.state()).unwrap().map(|entry| entry.unwrap().path());
    let aside =
        entries.filter(|path| path.to_str().unwrap().contains("leases.json.damaged-")).collect::<Vec<_>>();
    assert_eq!(aside.len(), 1, "{aside:?}");
    assert_eq!(fs::read_to_string(&aside[0]).unwrap(), damaged);
    done(&bookend, "drain web/web-02 --reason test");
    bookend.kill();
    bookend.start_again();
    assert!(is_drained(&bookend, 1), "it is kept as ever");
}

#[test]
fn lease_that_cannot_be_written_is_in_force_and_says_so() {
    let (a, b) = (Origin::answering("a"), Origin::answering("b"));
    let bookend = Bookend::start(&site(&[&a, &b]));
    // Not even root can write a file where a directory is that is not empty.
    let file = bookend.state().join("leases.json.new");
    fs::create_dir_all(file.join("in the way")).unwrap();
    let text = done(&bookend, "drain web/web-02 --reason test");
    assert!(text.contains("a restart of bookend would forget it"), "{text}");
    assert!(is_drained(&bookend, 1));
    bookend.wait_for_log("leases are not kept, a restart would end them");
    fs::remove_dir_all(&file).unwrap();
    bookend.wait_for_log("leases are kept again");
    let text = done(&bookend, "renew web/web-02 --for 1h");
    assert!(!text.contains("would forget it"), "{text}");
}

#[test]
fn lease_can_be_renewed_and_ended() {
    let (a, b) = (Origin::answering("a"), Origin::answering("b"));
    let bookend = Bookend::start(&site(&[&a, &b]));
    done(&bookend, "drain web/web-02 --for 10m --reason test");
    let text = refused(&bookend, "drain web/web-02 --for 20m --reason other");
    assert!(text.contains("drained already, by") && text.contains("bookend renew web/web-02"), "{text}");
    done(&bookend, "renew web/web-02 --for 2h");
    let left = node(&bookend, 1)["lease"]["seconds_left"].as_u64().unwrap();
    assert!((7_100..=7_200).contains(&left), "{left}");
    done(&bookend, "undrain web/web-02");
    until("it is let in", || fetch(bookend.address(), "/").text() == "b");
    bookend.wait_for_log("node may come back pool=web node=web-02 by=");
    for command in ["undrain web/web-02", "renew web/web-02 --for 1h"] {
        assert!(refused(&bookend, command).contains("web/web-02 is not drained"));
    }
}

#[test]
fn every_node_drained_still_serves() {
    let (a, b) = (Origin::answering("a"), Origin::answering("b"));
    let bookend = Bookend::start(&site(&[&a, &b]));
    done(&bookend, "drain web/web-01 --reason test");
    let text = refused(&bookend, "drain web/web-02 --reason test");
    let wanted = "pool web has 2 nodes: web-01 is drained; without web-02 that leaves 0 of 2 (`--force`";
    assert!(text.contains(wanted), "{text}");
    assert!(!is_drained(&bookend, 1));
    done(&bookend, "drain web/web-02 --reason test --force");
    let load = Load::start(bookend.address(), 4);
    load.wait_for(100);
    load.finish();
    assert!(refused(&bookend, "status").contains("pool web has no node that can serve"));
}

#[test]
fn reload_that_leaves_only_a_drained_node_is_refused_unless_forced() {
    let (a, b, c) = (Origin::answering("a"), Origin::answering("b"), Origin::answering("c"));
    let bookend = Bookend::start(&site(&[&a, &b]));
    done(&bookend, "drain web/web-01 --reason test");
    let write = |site: &Site| bookend.write_configuration(&site.to_yaml(&[bookend.address()]));
    write(&site(&[&a]));
    let text = refused(&bookend, "reload");
    let wanted =
        "pool web would have no node that can serve: web-01 is drained; web-02 can serve now (`bookend";
    assert!(text.contains(wanted), "{text}");
    assert_eq!(bookend.reload_site(&site(&[&a])), Reload::Refused);
    assert_eq!(fetch(bookend.address(), "/").text(), "b");
    write(&site(&[&a, &c]));
    done(&bookend, "reload");
    assert_eq!(fetch(bookend.address(), "/").text(), "c", "what is not known yet counts as good");
    write(&site(&[&a]));
    done(&bookend, "reload --force");
    assert_eq!(fetch(bookend.address(), "/").text(), "a", "the last resort");
    write(&site(&[&a]).with_pool("queue: off"));
    done(&bookend, "reload");
}

#[test]
fn two_drains_at_once_leave_one_node() {
    let nodes: Vec<_> = (0..4).map(|_| Origin::answering("a")).collect();
    let bookend = Bookend::start(&site(&nodes.iter().collect::<Vec<_>>()));
    let codes: Vec<_> = thread::scope(|scope| {
        let drain = |number| {
            let command = format!("drain web/web-0{number} --reason test");
            let bookend = &bookend;
            scope.spawn(move || bookend.command(&command).status.code())
        };
        let all: Vec<_> = (1..=4).map(drain).collect();
        all.into_iter().map(|drain| drain.join().unwrap()).collect()
    });
    assert_eq!(codes.iter().filter(|code| **code == Some(1)).count(), 1, "{codes:?}");
}

#[test]
fn what_makes_no_sense_is_refused_and_explained() {
    let (a, b) = (Origin::answering("a"), Origin::answering("b"));
    let bookend = Bookend::start(&site(&[&a, &b]));
    for (command, part) in [
        ("drain web/web-2 --reason test", "pool web has no node `web-2`; did you mean `web-02`?"),
        ("drain wbe/web-02 --reason test", "there is no pool `wbe`; did you mean `web`?"),
        ("undrain web/nonsense", "pool web has no node `nonsense`"),
        ("renew wobble/x --for 1h", "there is no pool `wobble`"),
    ] {
        let text = refused(&bookend, command);
        assert!(text.contains(part), "{command}: {text}");
    }
    for command in [
        "drain web/web-02",
        "drain web-02 --reason test",
        "drain web/web-02 --reason test --for 73h",
        "drain web/web-02 --reason test --for 30",
        "drain web/web-02 --reason test --for 0s",
        "renew web/web-02",
    ] {
        assert_eq!(bookend.command(command).status.code(), Some(2), "{command}");
    }
    let long = "x".repeat(70_000);
    let cases = [
        ("", 400),
        ("{", 400),
        ("[]", 400),
        ("\"web/web-02\"", 400),
        ("{}", 400),
        (r#"{"node": "web/web-02"}"#, 400),
        (r#"{"node": 7, "reason": "x"}"#, 400),
        (r#"{"node": "web/web-02", "reason": "  "}"#, 400),
        (r#"{"node": "web/web-02", "reason": "a\u0000b"}"#, 400),
        (r#"{"node": "web/web-02", "reason": "x", "for": "forever"}"#, 400),
        (r#"{"node": "web/web-02", "reason": "x", "for": "73h"}"#, 400),
        (r#"{"node": "web/web-02", "reason": "x", "for": 30}"#, 400),
        (r#"{"node": "web/web-02", "reason": "x", "owner": "root"}"#, 400),
        (r#"{"node": "web-02", "reason": "x"}"#, 400),
        (r#"{"node": "../web-02", "reason": "x"}"#, 400),
        (r#"{"node": "web/web-03", "reason": "x"}"#, 404),
        (long.as_str(), 413),
    ];
    for (body, wanted) in cases {
        let (status, problem) = over_socket(&bookend, "/drain", body);
        assert_eq!(status, wanted, "{body:.80} {problem}");
        assert!(problem["detail"].as_str().unwrap().len() < 500, "{problem}");
    }
    let drain = json!({ "node": "web/web-02", "reason": "x" }).to_string();
    let plain = exchange(UnixStream::connect(bookend.socket()).unwrap(), "/drain", "Host: x\r\n", &drain);
    assert_eq!(plain.0, 415);
    let (status, problem) = over_socket(&bookend, "/undrain", &drain);
    assert_eq!((status, &problem["detail"]), (400, &"`reason`: this is for /drain".into()));
    assert!(!is_drained(&bookend, 0) && !is_drained(&bookend, 1), "something was let through");
}

#[test]
fn nobody_drains_over_tcp_without_the_token() {
    let (a, b) = (Origin::answering("a"), Origin::answering("b"));
    let (directory, port) = (TempDirectory::new(), Port::free());
    let file = directory.path().join("token");
    fs::write(&file, TOKEN).unwrap();
    let admin = format!("{{ address: \"{port}\", token_file: {} }}", file.display());
    let bookend = Bookend::start(&site(&[&a, &b]).with_admin(&admin));
    let wish = json!({ "node": "web/web-02", "reason": "kernel test", "for": "1h" });
    let good = format!("Authorization: Bearer {TOKEN}\r\n");
    let ask = |path, headers: &str| over_tcp(port.address(), path, headers, &wish);
    assert_eq!(ask("/drain", "").0, 401);
    assert_eq!(ask("/drain", "Authorization: Bearer nonsense-nonsense\r\n").0, 401);
    assert_eq!(ask("/drain", &format!("{good}Origin: http://evil.example\r\n")).0, 403);
    assert!(!is_drained(&bookend, 1), "something was let through");
    let (status, done) = ask("/drain", &good);
    assert_eq!(
        (status, &done["lease"]["owner"], &done["kept"]),
        (200, &"token@127.0.0.1".into(), &true.into())
    );
    assert!(is_drained(&bookend, 1));
    assert_eq!(over_tcp(port.address(), "/undrain", "", &json!({ "node": "web/web-02" })).0, 401);
    assert_eq!(over_tcp(port.address(), "/undrain", &good, &json!({ "node": "web/web-02" })).0, 200);
}

#[test]
fn second_bookend_leaves_the_leases_of_the_first_alone() {
    let (a, b) = (Origin::answering("a"), Origin::answering("b"));
    let directory = TempDirectory::new();
    let state = format!("state_dir: {}", directory.path().join("both").display());
    let socket =
        |name: &str| format!("{{ address: off, socket: {} }}", directory.path().join(name).display());
    let of = |name: &str| site(&[&a, &b]).with_top(&state).with_admin(&socket(name));
    let (first, second) = (Bookend::start(&of("1.sock")), Bookend::start(&of("2.sock")));
    let run = |name: &str, arguments: &[&str]| {
        program().args(arguments).arg("--socket").arg(directory.path().join(name)).output().unwrap()
    };
    assert!(second.logs().contains("leases are not kept"), "{}", second.logs());
    let drain = ["drain", "web/web-02", "--reason", "test"];
    let (here, there) = (run("1.sock", &drain), run("2.sock", &drain));
    assert!(here.status.success() && !said(&here).contains("forget"), "{}", said(&here));
    assert!(there.status.success() && said(&there).contains("forget"), "{}", said(&there));
    assert!(run("2.sock", &["undrain", "web/web-02"]).status.success());
    let leases = fs::read_to_string(directory.path().join("both/leases.json")).unwrap();
    assert!(leases.contains("web-02"), "{leases}");
    drop(first);
}
