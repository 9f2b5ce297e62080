//! The operator's side: what it shows, what it changes, and for whom.

use std::fs;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::os::unix::fs::MetadataExt;
use std::os::unix::net::UnixStream;
use std::process::{Command, Output, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::support::{
    Bookend, Client, Gate, Origin, Port, Reload, Site, TempDirectory, eventually, fetch, program, run_of,
    until,
};

const TOKEN: &str = "a token that nobody knows";

/// Sends `request` and returns the status and the body of the answer, which ends with the connection.
fn exchange(mut stream: impl Read + Write, request: &str) -> (u16, String) {
    stream.write_all(request.as_bytes()).unwrap();
    let mut answer = String::new();
    // Whoever refuses early may cut us off.
    let _ = stream.read_to_string(&mut answer);
    let status = answer.split(' ').nth(1).and_then(|status| status.parse().ok()).unwrap_or_default();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap_or_default();
    let is_problem = head.to_ascii_lowercase().contains("content-type: application/problem+json");
    assert!(status < 400 || status == 431 || is_problem, "{status} is no problem document:\n{answer}");
    (status, body.to_owned())
}

fn over_socket(bookend: &Bookend, method: &str, path: &str) -> (u16, String) {
    let request = format!("{method} {path} HTTP/1.1\r\nHost: x\r\n\r\n");
    exchange(UnixStream::connect(bookend.socket()).unwrap(), &request)
}

fn over_tcp(address: SocketAddr, method: &str, path: &str, headers: &str) -> (u16, String) {
    let host = if headers.contains("Host:") { String::new() } else { format!("Host: {address}\r\n") };
    let request = format!("{method} {path} HTTP/1.1\r\n{host}{headers}\r\n");
    exchange(TcpStream::connect(address).unwrap(), &request)
}

fn status(bookend: &Bookend) -> Value {
    let (status, body) = over_socket(bookend, "GET", "/status");
    assert_eq!(status, 200, "{body}");
    serde_json::from_str(&body).unwrap()
}

/// What a command said, on both ways.
fn said(output: &Output) -> String {
    [&output.stdout[..], &output.stderr[..]].map(String::from_utf8_lossy).concat()
}

/// A site whose nodes are checked often enough for a test.
fn site(nodes: &[&Origin]) -> Site {
    Site::of(nodes).with_pool("health_check: { interval: 50ms, fall: 2, rise: 1 }")
}

/// A site with a token for changes over TCP at a port of its own.
fn with_token(site: Site, port: &Port, directory: &TempDirectory) -> Site {
    let file = directory.path().join("token");
    fs::write(&file, format!("{}\n", TOKEN.replace(' ', "-"))).unwrap();
    site.with_admin(&format!("{{ address: \"{port}\", token_file: {} }}", file.display()))
}

fn authorization() -> String {
    format!("Authorization: Bearer {}\r\n", TOKEN.replace(' ', "-"))
}

#[test]
fn metrics_keep_to_the_conventions_of_prometheus() {
    let (node, dead) = (Origin::answering("a"), Origin::absent());
    let bookend = Bookend::start(&site(&[&node, &dead]));
    for _ in 0..4 {
        assert_eq!(fetch(bookend.address(), "/").status, 200);
    }
    let text = eventually("all requests are counted", || {
        let (_, text) = over_socket(&bookend, "GET", "/metrics");
        text.contains("bookend_request_duration_seconds_count{route=\"route-1\"} 4").then_some(text)
    });
    for part in ["bookend_node_in_flight{", "outcome=\"served\"", "bookend_build_info{"] {
        assert!(text.contains(part), "no {part} in\n{text}");
    }
    let mut promtool = Command::new("promtool")
        .args(["check", "metrics"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("promtool is there; scripts/setup test installs it");
    promtool.stdin.take().unwrap().write_all(text.as_bytes()).unwrap();
    let output = promtool.wait_with_output().unwrap();
    assert!(output.status.success() && said(&output).is_empty(), "{}", said(&output));
}

#[test]
fn balancers_look_away_before_it_stops() {
    let node = Origin::answering("a");
    let mut bookend = Bookend::start(&site(&[&node]).with_top("server: { shutdown_delay: 3s }"));
    assert_eq!(over_socket(&bookend, "GET", "/healthz"), (200, "ok\n".to_owned()));
    until("it is ready", || over_socket(&bookend, "GET", "/readyz").0 == 200);
    bookend.terminate();
    bookend.wait_for_log("stopping");
    assert_eq!(over_socket(&bookend, "GET", "/readyz").0, 503);
    assert_eq!(over_socket(&bookend, "GET", "/healthz").0, 200);
    assert_eq!(over_socket(&bookend, "POST", "/reload").0, 503);
    assert_eq!(fetch(bookend.address(), "/").status, 200, "requests are still taken");
    assert!(bookend.wait().success());
    assert!(!bookend.socket().exists(), "the socket stayed behind");
}

#[test]
fn status_says_which_node_is_down_and_why() {
    let (node, mut other) = (Origin::answering("a"), Origin::absent());
    let bookend = Bookend::start(&site(&[&node, &other]));
    assert_eq!(fetch(bookend.address(), "/").status, 200);
    bookend.wait_for_log("node is down");
    until("the request is counted", || status(&bookend)["requests"]["total"] == 1);
    let seen = status(&bookend);
    let dead = &seen["pools"][0]["nodes"][1];
    assert_eq!((&dead["name"], &dead["state"]), (&"web-02".into(), &"down".into()));
    assert!(dead["why"].as_str().unwrap().contains("refused"), "{dead}");
    assert_eq!(seen["pools"][0]["nodes"][0]["requests"]["total"], 1);
    let output = bookend.command("status");
    assert_eq!(output.status.code(), Some(1));
    for part in ["web-02", "down for", "refused", "1 of 2 nodes can serve", "not all is well"] {
        assert!(said(&output).contains(part), "no {part} in\n{}", said(&output));
    }
    assert!(!said(&output).contains('\x1b'), "colour without a terminal");

    other.restart();
    let well = eventually("all is well", || {
        let output = bookend.command("status");
        (output.status.code() == Some(0)).then(|| said(&output))
    });
    assert!(well.contains("all is well") && bookend.logs().contains("node is up"), "{well}");
}

#[test]
fn status_counts_what_is_in_flight() {
    let gate = Gate::default();
    let closed = gate.clone();
    let node = Origin::start(move |call| {
        closed.pass();
        call.answer(200, "a")
    });
    let bookend = Bookend::start(&Site::of(&[&node]));
    let in_flight = || status(&bookend)["pools"][0]["nodes"][0]["in_flight"].as_u64().unwrap();
    let mut client = Client::connect(bookend.address());
    client.send("GET / HTTP/1.1\r\nHost: site.test\r\n\r\n");
    until("the node has it", || node.count() == 1);
    assert_eq!(in_flight(), 1);
    gate.open();
    assert_eq!(client.read_answer("GET").status, 200);
    until("it is over", || in_flight() == 0);
}

#[test]
fn what_two_nodes_share_proves_nothing_of_one() {
    let nodes = ["a", "b"].map(Origin::answering);
    let bookend = Bookend::start(&site(&nodes.each_ref()));
    let mut client = Client::connect(bookend.address());
    for _ in 0..40 {
        assert_eq!(client.get("/").status, 200);
    }
    let headroom = &status(&bookend)["pools"][0]["headroom"];
    assert_eq!((&headroom["load"], &headroom["rest"]), (&4.0.into(), &2.0.into()), "{headroom}");
    assert_eq!((&headroom["spare"], &headroom["proof"]), (&(-2.0).into(), &"unproven".into()), "{headroom}");
    assert!(said(&bookend.command("status")).contains("unproven"), "{}", said(&bookend.command("status")));
    assert!(
        String::from_utf8(bookend.ask("/metrics"))
            .unwrap()
            .contains("bookend_pool_headroom_proven{pool=\"web\"} 0")
    );
}

#[test]
fn status_without_a_bookend_ends_with_1() {
    let output = program().args(["status", "--socket", "/nonexistent/admin.sock"]).output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert!(said(&output).contains("/nonexistent/admin.sock"), "{}", said(&output));
    let output = program().args(["status", "--nonsense"]).output().unwrap();
    assert_eq!(output.status.code(), Some(2));
}

#[test]
fn reload_waits_for_its_outcome() {
    let (old, new) = (Origin::answering("old"), Origin::answering("new"));
    let bookend = Bookend::start(&site(&[&old]));
    bookend.write_configuration(&site(&[&new]).to_yaml(&[bookend.address()]));
    let output = bookend.command("reload");
    assert_eq!(output.status.code(), Some(0), "{}", said(&output));
    assert!(said(&output).contains("generation 2"), "{}", said(&output));
    assert_eq!(fetch(bookend.address(), "/").text(), "new", "it was in force when the command ended");

    let broken = site(&[&new]).with_pool("helth_check: off").with_route("hots: x");
    bookend.write_configuration(&broken.to_yaml(&[bookend.address()]));
    let output = bookend.command("reload");
    assert_eq!(output.status.code(), Some(2));
    for part in ["bookend.yaml:", "helth_check", "did you mean `health_check`", "hots", "2 problems"] {
        assert!(said(&output).contains(part), "no {part} in\n{}", said(&output));
    }
    let output = bookend.command("status");
    assert_eq!(output.status.code(), Some(1), "a refused reload is not well");
    assert!(said(&output).contains("helth_check"), "{}", said(&output));
    let refused = &status(&bookend)["configuration"]["refused"];
    assert_eq!((&refused["superseded"], refused["problems"].as_array().unwrap().len()), (&false.into(), 2));

    bookend.write_configuration(&site(&[&new]).to_yaml(&[bookend.address()]));
    assert_eq!(bookend.command("reload").status.code(), Some(0));
    let output = bookend.command("status");
    assert_eq!(output.status.code(), Some(0), "it is mended: {}", said(&output));
    assert!(
        said(&output).contains("last refused reload") && said(&output).contains("mended since"),
        "{}",
        said(&output)
    );
    let refused = &status(&bookend)["configuration"]["refused"];
    assert_eq!((&refused["superseded"], refused["problems"].as_array().unwrap().len()), (&true.into(), 2));

    let taken = Port::free();
    let _taken = TcpListener::bind(taken.address()).unwrap();
    bookend.write_configuration(&site(&[&new]).to_yaml(&[taken.address()]));
    assert_eq!(bookend.command("reload").status.code(), Some(1), "the file is not at fault");
}

#[test]
fn commands_find_bookend_by_a_file_that_is_broken_by_now() {
    let (node, directory) = (Origin::answering("a"), TempDirectory::new());
    let state_dir = format!("state_dir: {}", directory.path().join("here").display());
    let bookend = Bookend::start(&site(&[&node]).with_top(&state_dir));
    bookend.write_configuration(&format!("{state_dir}\nlisteners: [ {{\n\tx: '"));
    let run = |command: &str| program().arg(command).arg("-c").arg(bookend.configuration()).output().unwrap();
    assert_eq!(run("status").status.code(), Some(0), "{}", said(&run("status")));
    assert_eq!(run("reload").status.code(), Some(2), "{}", said(&run("reload")));
}

#[test]
fn nothing_changes_over_tcp_without_the_token() {
    let (node, directory, port) = (Origin::answering("a"), TempDirectory::new(), Port::free());
    let bookend = Bookend::start(&with_token(site(&[&node]), &port, &directory));
    let address = port.address();
    let ask = |method, path, headers: &str| over_tcp(address, method, path, headers).0;
    assert_eq!(ask("GET", "/status", ""), 200);
    assert_eq!(ask("GET", "/status", "Host: localhost\r\n"), 200);
    assert_eq!(ask("GET", "/status", "Host: evil.example\r\n"), 403);
    assert_eq!(ask("GET", "/readyz", "Host: evil.example\r\n"), 200, "balancers ask by any name");
    assert_eq!(ask("POST", "/reload", ""), 401);
    assert_eq!(ask("POST", "/reload", "Authorization: Bearer something-else-entirely\r\n"), 401);
    assert_eq!(ask("POST", "/reload", &format!("{}Host: evil.example\r\n", authorization())), 403);
    let origin = format!("{}Origin: http://evil.example\r\n", authorization());
    assert_eq!(ask("POST", "/reload", &origin), 403);
    assert_eq!(ask("GET", "/reload", ""), 405);
    assert_eq!(ask("GET", "/nothing", ""), 404);
    assert_eq!(status(&bookend)["configuration"]["generation"], 1, "something was let through");
    assert_eq!(ask("POST", "/reload", &authorization()), 200);
    assert_eq!(status(&bookend)["configuration"]["generation"], 2);
}

#[test]
fn reload_reads_the_token_again() {
    let (node, directory, port) = (Origin::answering("a"), TempDirectory::new(), Port::free());
    let bookend = Bookend::start(&with_token(site(&[&node]), &port, &directory));
    let reload = |token: &str| {
        over_tcp(port.address(), "POST", "/reload", &format!("Authorization: Bearer {token}\r\n")).0
    };
    let file = directory.path().join("token");
    fs::write(&file, "another-token-altogether\n").unwrap();
    assert_eq!(reload("another-token-altogether"), 401, "nobody has told it");
    assert_eq!(bookend.command("reload").status.code(), Some(0));
    assert_eq!(over_tcp(port.address(), "POST", "/reload", &authorization()).0, 401, "it was taken back");
    assert_eq!(reload("another-token-altogether"), 200);

    fs::write(&file, "short\n").unwrap();
    let refused = bookend.command("reload");
    assert_eq!(refused.status.code(), Some(1), "{}", said(&refused));
    assert!(said(&refused).contains("admin.token_file"), "{}", said(&refused));
    let in_force = status(&bookend)["configuration"]["generation"].clone();
    assert_eq!(in_force, 3, "nothing has changed");
    assert_eq!(reload("another-token-altogether"), 409, "and the token before is good");
}

#[test]
fn reload_moves_the_address() {
    let (node, old, new) = (Origin::answering("a"), Port::free(), Port::free());
    let at =
        |address: &dyn std::fmt::Display| site(&[&node]).with_admin(&format!("{{ address: \"{address}\" }}"));
    let bookend = Bookend::start(&at(&old));
    let get = |port: &Port| over_tcp(port.address(), "GET", "/healthz", "").0;
    let refuses = |port: &Port| TcpStream::connect(port.address()).is_err();
    assert_eq!(get(&old), 200);
    assert_eq!(bookend.reload_site(&at(&old)), Reload::InForce);
    assert_eq!(get(&old), 200, "it stays where it is");

    assert_eq!(bookend.reload_site(&at(&new)), Reload::InForce);
    until("it is at the new address", || !refuses(&new));
    assert_eq!(get(&new), 200);
    until("the old address is closed", || refuses(&old));

    let taken = TcpListener::bind(old.address()).unwrap();
    assert_eq!(bookend.reload_site(&at(&old)), Reload::Refused);
    assert_eq!(get(&new), 200, "nothing has changed");
    drop(taken);
    assert_eq!(bookend.reload_site(&at(&"off").with_top("state_dir: /tmp")), Reload::InForce);
    until("it is closed", || refuses(&new));
    assert!(bookend.logs().contains("takes effect at the next start key=state_dir"), "{}", bookend.logs());
    assert_eq!(bookend.command("status").status.code(), Some(0), "the socket stays");
}

#[test]
fn nothing_changes_over_tcp_where_there_is_no_token() {
    let (node, port) = (Origin::answering("a"), Port::free());
    let _bookend = Bookend::start(&site(&[&node]).with_admin(&format!("{{ address: \"{port}\" }}")));
    assert_eq!(over_tcp(port.address(), "POST", "/reload", "").0, 403);
    assert_eq!(over_tcp(port.address(), "GET", "/metrics", "").0, 200);
}

#[test]
fn large_and_slow_requests_keep_nobody_off() {
    let (node, port) = (Origin::answering("a"), Port::free());
    let bookend = Bookend::start(&site(&[&node]).with_admin(&format!("{{ address: \"{port}\" }}")));
    let large = format!("X-Large: {}\r\n", "x".repeat(100_000));
    let (status, _) = over_tcp(port.address(), "GET", "/status", &large);
    assert!(matches!(status, 431 | 0), "{status}");
    let (status, _) = exchange(
        UnixStream::connect(bookend.socket()).unwrap(),
        "POST /reload HTTP/1.1\r\nHost: x\r\nContent-Length: 9999999\r\n\r\n",
    );
    assert_eq!(status, 413);
    let hanging: Vec<_> = (0..80)
        .map(|_| {
            let mut stream = TcpStream::connect(port.address()).unwrap();
            stream.write_all(b"GET /status HTTP/1.1\r\nHost: ").unwrap();
            stream
        })
        .collect();
    assert_eq!(bookend.command("status").status.code(), Some(0), "the socket has room of its own");
    let asked = Instant::now();
    assert_eq!(over_tcp(port.address(), "GET", "/healthz", "").0, 200, "and those who hang are cut off");
    assert!(
        asked.elapsed() < Duration::from_secs(3),
        "in the order in which they came, and not by their time"
    );
    let mut first = &hanging[0];
    first.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
    let mut rest = Vec::new();
    assert!(first.read_to_end(&mut rest).is_ok(), "it was not closed");
}

#[test]
fn socket_is_ours_alone_and_a_dead_one_is_replaced() {
    let (node, directory) = (Origin::answering("a"), TempDirectory::new());
    let socket = directory.path().join("a.sock");
    let site = site(&[&node]).with_admin(&format!("{{ address: off, socket: {} }}", socket.display()));
    let mut first = Bookend::start(&site);
    assert_eq!(fs::metadata(&socket).unwrap().mode() & 0o777, 0o600);

    let refused = directory.path().join("second.yaml");
    fs::write(&refused, site.to_yaml(&[Port::free().address()])).unwrap();
    let mut second = run_of(&refused).spawn().unwrap();
    let status = eventually("the second ended", || second.try_wait().unwrap());
    assert_eq!(status.code(), Some(1), "a socket that was asked for and is taken refuses the start");

    first.kill();
    assert!(socket.exists(), "nobody removed it");
    let _third = Bookend::start(&site);
    assert!(UnixStream::connect(&socket).is_ok());
}

#[test]
fn usual_places_that_are_taken_keep_nobody_from_starting() {
    // Somebody has it, be it us or not.
    let _taken = TcpListener::bind("127.0.0.1:7070");
    let (node, directory) = (Origin::answering("a"), TempDirectory::new());
    let state_dir = format!("state_dir: {}", directory.path().display());
    let usual = site(&[&node]).with_top(&state_dir).with_admin("{}");
    let (first, second) = (Bookend::start(&usual), Bookend::start(&usual));
    for bookend in [&first, &second] {
        assert_eq!(fetch(bookend.address(), "/").status, 200);
        assert!(bookend.logs().contains("not listened to place=127.0.0.1:7070"), "{}", bookend.logs());
    }
    let socket = directory.path().join("admin.sock").display().to_string();
    assert!(first.logs().contains(&format!("operators are listened to place={socket}")));
    assert!(second.logs().contains(&format!("operators are not listened to place={socket}")));
}

#[test]
fn address_that_was_asked_for_and_is_taken_refuses_the_start() {
    let (node, directory) = (Origin::answering("a"), TempDirectory::new());
    let site = site(&[&node]).with_admin(&format!("{{ address: \"{}\", socket: off }}", node.address()));
    let file = directory.path().join("bookend.yaml");
    fs::write(&file, site.to_yaml(&[Port::free().address()])).unwrap();
    let mut child = run_of(&file).spawn().unwrap();
    let status = eventually("it ended", || child.try_wait().unwrap());
    assert_eq!(status.code(), Some(1));
}
