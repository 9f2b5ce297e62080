//! The access log: a line for every request, whatever became of it, and none lost or doubled by rotation.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Stdio;

use rustix::process::Signal;
use serde_json::Value;

use crate::support::{
    Bookend, Client, Gate, Load, Origin, Port, Reload, Site, TempDirectory, eventually, fetch, run_of, until,
};

/// The files of one test.
struct Logs(TempDirectory);

impl Logs {
    fn new() -> Self {
        Self(TempDirectory::new())
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    /// The key of a configuration that logs to a file of this name.
    fn key(&self, name: &str, format: &str) -> String {
        format!("access_log: {{ path: {}, format: {format} }}", self.path(name).display())
    }

    /// The whole lines of a file, once there are so many.
    #[track_caller]
    fn wait_for(&self, name: &str, lines: usize) -> Vec<String> {
        eventually(&format!("{name} has {lines} lines"), || {
            let read = lines_of(&self.path(name));
            (read.len() >= lines).then_some(read)
        })
    }

    #[track_caller]
    fn wait_for_json(&self, name: &str, lines: usize) -> Vec<Value> {
        self.wait_for(name, lines).iter().map(|line| json(line)).collect()
    }
}

/// The lines of a file that have an end; none if there is no file.
fn lines_of(path: &Path) -> Vec<String> {
    let text = fs::read_to_string(path).unwrap_or_default();
    text.split_inclusive('\n').filter_map(|line| line.strip_suffix('\n')).map(str::to_owned).collect()
}

fn json(line: &str) -> Value {
    serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}"))
}

/// A site of two nodes of which the second is not there, so that every other request is saved.
fn with_broken_node(node: &Origin, absent: &Origin) -> Site {
    Site::of(&[node, absent]).with_pool("health_check: off")
}

#[test]
fn json_tells_of_served_saved_and_refused_requests() {
    let (logs, node, absent) = (Logs::new(), Origin::answering("hello"), Origin::absent());
    let site = with_broken_node(&node, &absent).with_top(&logs.key("json", "json"));
    let site = site.with_route("path: /only").with_listener("limits: { body: 4 }");
    let bookend = Bookend::start(&site);
    let headers = "X-Request-Id: one\r\nUser-Agent: tests \"1\"\r\nReferer: http://site.test/\r\n";
    let mut client = Client::connect(bookend.address());
    for _ in 0..2 {
        assert_eq!(client.request("GET", "/only?a=b", headers, b"").status, 200);
    }
    assert_eq!(client.get("/other").status, 404);
    assert_eq!(Client::connect(bookend.address()).request("POST", "/only", "", b"large").status, 413);
    let lines = logs.wait_for_json("json", 4);
    let outcome = |line: &Value| line["outcome"].as_str().unwrap().to_owned();
    let outcomes: BTreeSet<_> = lines.iter().map(outcome).collect();
    assert_eq!(outcomes.into_iter().collect::<Vec<_>>(), ["refused", "saved_not_sent", "served"]);
    for line in lines.iter().filter(|line| line["outcome"] != "refused") {
        let shared = [
            ("client", "127.0.0.1"),
            ("method", "GET"),
            ("host", "site.test"),
            ("path", "/only?a=b"),
            ("protocol", "HTTP/1.1"),
            ("referer", "http://site.test/"),
            ("user_agent", "tests \"1\""),
            ("id", "one"),
            ("route", "route-1"),
            ("pool", "web"),
            ("node", "web-01"),
        ];
        for (key, value) in shared {
            assert_eq!(line[key], value, "{key} in {line}");
        }
        let (attempts, nodes) = match line["outcome"].as_str() {
            Some("served") => (1, "web-01"),
            _ => (2, "web-02:not_sent,web-01"),
        };
        assert_eq!((line["attempts"].as_u64(), line["nodes"].as_str()), (Some(attempts), Some(nodes)));
        assert_eq!((line["status"].as_u64(), line["bytes"].as_u64()), (Some(200), Some(5)));
        let (took, first_byte) = (line["took_ms"].as_f64().unwrap(), line["first_byte_ms"].as_f64().unwrap());
        assert!(0.0 < first_byte && first_byte <= took, "{line}");
    }
    let mut refused: Vec<_> = lines.iter().filter(|line| line["outcome"] == "refused").collect();
    refused.sort_by_key(|line| line["status"].as_u64());
    let statuses: Vec<_> = refused.iter().map(|line| line["status"].as_u64().unwrap()).collect();
    assert_eq!(statuses, [404, 413]);
    assert_eq!((&refused[0]["node"], &refused[0]["first_byte_ms"]), (&Value::from("none"), &Value::Null));
    assert!(refused[0]["bytes"].as_u64() > Some(0), "{}", refused[0]);
}

#[test]
fn combined_is_what_analysers_read() {
    let (logs, node, absent) = (Logs::new(), Origin::answering("hello"), Origin::absent());
    let site = with_broken_node(&node, &absent).with_top(&logs.key("combined", "combined"));
    let bookend = Bookend::start(&site.with_route("path: /only"));
    let mut client = Client::connect(bookend.address());
    for _ in 0..2 {
        client.request("GET", "/only?a=b", "User-Agent: a \"b\"\r\n", b"");
    }
    client.request("GET", "/other", "Referer: http://x/\r\n", b"");
    let lines = logs.wait_for("combined", 3);
    for line in &lines {
        assert!(line.starts_with("127.0.0.1 - - ["), "{line}");
        let time = line.split(['[', ']']).nth(1).unwrap();
        assert!(time.len() == 26 && time.ends_with(" +0000"), "{time}");
    }
    let after_time = |line: &str| line.split_once("] ").unwrap().1.to_owned();
    let served = r#""GET /only?a=b HTTP/1.1" 200 5 "-" "a \x22b\x22""#;
    assert_eq!([after_time(&lines[0]), after_time(&lines[1])], [served, served]);
    let refused = after_time(&lines[2]);
    assert!(refused.starts_with(r#""GET /other HTTP/1.1" 404 "#), "{refused}");
    assert!(refused.ends_with(r#" "http://x/" "-""#), "{refused}");
}

#[test]
fn client_that_leaves_has_a_line() {
    let (logs, node) = (Logs::new(), Origin::answering("hello"));
    let bookend = Bookend::start(&Site::of(&[&node]).with_top(&logs.key("json", "json")));
    let mut client = Client::connect(bookend.address());
    client.send("POST /upload HTTP/1.1\r\nHost: site.test\r\nContent-Length: 10\r\n\r\nhello");
    until("the node has its head", || node.count() == 1);
    drop(client);
    let line = &logs.wait_for_json("json", 1)[0];
    let told = (line["outcome"].as_str(), line["status"].as_u64(), line["path"].as_str());
    assert_eq!(told, (Some("client_gone"), Some(0), Some("/upload")));
}

#[test]
fn requests_that_cannot_be_read_have_a_line_and_are_counted() {
    let (logs, node) = (Logs::new(), Origin::answering("hello"));
    let site = Site::of(&[&node]).with_top(&logs.key("json", "json"));
    let site = site.with_listener("limits: { head: 8KiB }").with_listener("timeouts: { head: 1s }");
    let bookend = Bookend::start(&site);
    let huge = format!("GET / HTTP/1.1\r\nHost: site.test\r\nX-Huge: {}", "x".repeat(10_000));
    let cases = [
        (400, "GET / HTTP/1.1\r\nno colon\r\n\r\n"),
        (405, "CONNECT site.test:443 HTTP/1.1\r\nHost: site.test\r\n\r\n"),
        (408, "GET / HTTP/1.1\r\nHost: "),
        (431, &huge),
    ];
    for (number, (status, head)) in cases.into_iter().enumerate() {
        let mut client = Client::connect(bookend.address());
        client.send(head);
        let answer = client.read_answer("GET");
        assert_eq!(answer.status, status, "{head:.40}");
        let lines = logs.wait_for_json("json", number + 1);
        let line = &lines[number];
        let told = (lines.len(), line["status"].as_u64(), line["outcome"].as_str());
        assert_eq!(told, (number + 1, Some(status.into()), Some("refused")), "{lines:?}");
        assert_eq!(line["id"].as_str(), answer.header("x-request-id"));
        assert_eq!(line["bytes"].as_u64(), Some(answer.body.len() as u64));
        assert_eq!((&line["client"], &line["path"]), (&"127.0.0.1".into(), &Value::Null));
    }
    let status = bookend.command("status --json");
    let status: Value = serde_json::from_slice(&status.stdout).unwrap();
    assert_eq!(status["requests"]["outcomes"]["refused"], 4, "{status}");
}

#[test]
fn request_that_the_stop_cuts_has_a_line() {
    let (gate, logs) = (Gate::default(), Logs::new());
    let closed = gate.clone();
    let node = Origin::start(move |call| {
        if call.target() == "/begun" {
            call.write("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nfirst");
        }
        closed.pass();
        call.answer(200, "late")
    });
    let site = Site::of(&[&node]).with_top("server: { grace_period: 300ms }");
    let mut bookend = Bookend::start(&site.with_top(&logs.key("json", "json")));
    let mut clients = ["/silent", "/begun", "/upload"].map(|path| {
        let mut client = Client::connect(bookend.address());
        let length = if path == "/upload" { "Content-Length: 9\r\n" } else { "" };
        client.send(format!("POST {path} HTTP/1.1\r\nHost: site.test\r\n{length}\r\n"));
        client
    });
    until("the node has them", || node.count() == 3);
    assert_eq!(clients[1].read_head().status, 200);
    bookend.terminate();
    assert!(bookend.wait().success());
    gate.open();
    let mut lines = logs.wait_for_json("json", 3);
    lines.sort_by_key(|line| line["path"].to_string());
    let told = |line: &Value| {
        let text = |key: &str| line[key].as_str().unwrap().to_owned();
        (text("path"), text("outcome"), line["status"].as_u64().unwrap(), text("nodes"))
    };
    let wanted = [("/begun", 200), ("/silent", 0), ("/upload", 0)];
    let wanted = wanted.map(|(path, status)| (path.into(), "cut".into(), status, "web-01".into()));
    assert_eq!(lines.iter().map(told).collect::<Vec<_>>(), wanted);
    let logged = bookend.logs();
    assert!(logged.contains("connections_cut=3"), "{logged}");
    assert!(logged.contains("outcome=cut") && logged.contains("grace period"), "{logged}");
}

#[test]
fn client_behind_a_trusted_proxy_is_the_one_that_is_told() {
    let (logs, node) = (Logs::new(), Origin::answering("hello"));
    let site = Site::of(&[&node]).with_top(&logs.key("json", "json"));
    let bookend = Bookend::start(&site.with_listener("trusted_proxies: [127.0.0.1]"));
    let mut client = Client::connect(bookend.address());
    client.request("GET", "/", "X-Forwarded-For: 198.51.100.1, 192.0.2.7\r\n", b"");
    assert_eq!(logs.wait_for_json("json", 1)[0]["client"], "192.0.2.7");
}

#[test]
fn nothing_that_a_client_sends_forges_a_line() {
    let (logs, node) = (Logs::new(), Origin::answering("hello"));
    let site = Site::of(&[&node]).with_route("path: /only").with_top(&logs.key("json", "json"));
    let bookend = Bookend::start(&site);
    let mut client = Client::connect(bookend.address());
    client.send(
        b"GET /%C3%A9%22{} HTTP/1.1\r\nHost: site.test\r\nUser-Agent: \xff\xc2\x9b2J\t\"}{\"status\":200\r\n\r\n",
    );
    assert_eq!(client.read_answer("GET").status, 404);
    let lines = logs.wait_for_json("json", 1);
    assert_eq!((lines.len(), lines[0]["path"].as_str()), (1, Some("/%C3%A9%22{}")));
    assert_eq!(lines[0]["user_agent"], "\u{fffd}\u{9b}2J\t\"}{\"status\":200");
}

#[test]
fn rotation_under_load_loses_and_doubles_no_line() {
    let (logs, node) = (Logs::new(), Origin::answering("a"));
    let mut bookend = Bookend::start(&Site::of(&[&node]).with_top(&logs.key("access", "json")));
    let load = Load::start(bookend.address(), 16);
    let rotations = 5;
    for number in 0..rotations {
        load.wait_for(200);
        fs::rename(logs.path("access"), logs.path(&number.to_string())).unwrap();
        bookend.signal(Signal::USR1);
        until("there is a new file", || logs.path("access").exists());
    }
    load.wait_for(200);
    let served: u64 = load.finish().values().sum();
    bookend.terminate();
    assert!(bookend.wait().success());
    let names = (0..rotations).map(|number| number.to_string()).chain(["access".to_owned()]);
    let files: Vec<_> = names.map(|name| lines_of(&logs.path(&name))).collect();
    assert!(files.iter().all(|lines| !lines.is_empty()), "a file is empty");
    let id = |line: &String| json(line)["id"].as_str().unwrap().to_owned();
    let ids: Vec<_> = files.iter().flatten().map(id).collect();
    assert_eq!(ids.len() as u64, served, "lines and requests");
    assert_eq!(ids.iter().collect::<BTreeSet<_>>().len(), ids.len(), "a line is there twice");
    assert_eq!(bookend.logs().matches("access log reopened").count(), rotations);
}

#[test]
fn lines_after_a_rotation_are_in_the_new_file() {
    let (logs, node) = (Logs::new(), Origin::answering("a"));
    let bookend = Bookend::start(&Site::of(&[&node]).with_top(&logs.key("access", "combined")));
    fetch(bookend.address(), "/before");
    fs::rename(logs.path("access"), logs.path("old")).unwrap();
    bookend.signal(Signal::USR1);
    bookend.wait_for_log("access log reopened");
    assert!(logs.wait_for("old", 1)[0].contains("/before"));
    until("the new file takes lines", || {
        fetch(bookend.address(), "/after");
        !lines_of(&logs.path("access")).is_empty()
    });
}

#[test]
fn reopen_waits_for_the_outcome_and_tells_it() {
    let (logs, node) = (Logs::new(), Origin::answering("a"));
    fs::create_dir(logs.path("in")).unwrap();
    let bookend = Bookend::start(&Site::of(&[&node]).with_top(&logs.key("in/access", "json")));
    fs::rename(logs.path("in/access"), logs.path("old")).unwrap();
    let done = bookend.command("reopen");
    assert_eq!(done.status.code(), Some(0), "{done:?}");
    assert!(String::from_utf8_lossy(&done.stdout).contains("in/access"), "{done:?}");
    assert!(logs.path("in/access").exists());

    fs::rename(logs.path("in"), logs.path("moved")).unwrap();
    let failed = bookend.command("reopen");
    assert_eq!(failed.status.code(), Some(1), "{failed:?}");
    assert!(String::from_utf8_lossy(&failed.stderr).contains("in/access"), "{failed:?}");
}

#[test]
fn rotation_that_fails_keeps_the_old_file_and_says_so() {
    let (logs, node) = (Logs::new(), Origin::answering("a"));
    fs::create_dir(logs.path("in")).unwrap();
    let bookend = Bookend::start(&Site::of(&[&node]).with_top(&logs.key("in/access", "json")));
    fs::rename(logs.path("in"), logs.path("moved")).unwrap();
    bookend.signal(Signal::USR1);
    bookend.wait_for_log("access log not reopened, the old file stays in use");
    fetch(bookend.address(), "/");
    logs.wait_for("moved/access", 1);
}

#[test]
fn everything_is_written_at_the_end() {
    let (logs, node) = (Logs::new(), Origin::answering("a"));
    let mut bookend = Bookend::start(&Site::of(&[&node]).with_top(&logs.key("access", "combined")));
    let mut client = Client::connect(bookend.address());
    for _ in 0..100 {
        assert_eq!(client.get("/").status, 200);
    }
    bookend.terminate();
    assert!(bookend.wait().success());
    assert_eq!(lines_of(&logs.path("access")).len(), 100);
}

#[test]
fn without_the_key_nothing_is_written() {
    let node = Origin::answering("a");
    let bookend = Bookend::start(&Site::of(&[&node]));
    fetch(bookend.address(), "/");
    bookend.signal(Signal::USR1);
    assert_eq!(fetch(bookend.address(), "/").status, 200);
    assert!(!bookend.logs().contains("access log"), "{}", bookend.logs());
}

#[test]
fn reload_turns_it_on_and_off_and_changes_file_and_format() {
    let (logs, node) = (Logs::new(), Origin::answering("a"));
    let site = Site::of(&[&node]);
    let bookend = Bookend::start(&site);
    let reload = |key: &str| {
        assert_eq!(bookend.reload_site(&site.clone().with_top(key)), Reload::InForce);
        fetch(bookend.address(), "/");
    };
    reload(&logs.key("one", "json"));
    assert!(logs.wait_for("one", 1)[0].starts_with('{'));
    reload(&logs.key("one", "combined"));
    assert!(logs.wait_for("one", 2)[1].starts_with("127.0.0.1 "));
    reload(&logs.key("two", "combined"));
    logs.wait_for("two", 1);
    reload("access_log: off");
    reload(&logs.key("one", "json"));
    logs.wait_for("one", 3);
    assert_eq!(lines_of(&logs.path("two")).len(), 1);
}

#[test]
fn file_that_cannot_be_opened_refuses_start_and_reload() {
    let (logs, node) = (Logs::new(), Origin::answering("a"));
    let site = Site::of(&[&node]);
    let broken = site.clone().with_top(&logs.key("missing/access", "json"));

    let (port, file) = (Port::free(), logs.path("bookend.yaml"));
    fs::write(&file, broken.to_yaml(&[port.address()])).unwrap();
    let output = run_of(&file).output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(said.contains("opening the access log") && said.contains("missing/access"), "{said}");

    let bookend = Bookend::start(&site.clone().with_top(&logs.key("good", "json")));
    assert_eq!(bookend.reload_site(&broken), Reload::Refused);
    bookend.wait_for_log("missing/access: No such file");
    fetch(bookend.address(), "/");
    logs.wait_for("good", 1);
}

#[test]
fn standard_output_can_take_the_lines() {
    let (node, port, directory) = (Origin::answering("a"), Port::free(), TempDirectory::new());
    let site = Site::of(&[&node]).with_top("access_log: { path: stdout }");
    let file = directory.path().join("bookend.yaml");
    fs::write(&file, site.to_yaml(&[port.address()])).unwrap();
    let child = run_of(&file).stderr(Stdio::null()).spawn().unwrap();
    until("it answers", || Client::try_connect(port.address()).is_ok());
    assert_eq!(fetch(port.address(), "/told").status, 200);
    let pid = rustix::process::Pid::from_raw(i32::try_from(child.id()).unwrap()).unwrap();
    rustix::process::kill_process(pid, Signal::TERM).unwrap();
    let output = child.wait_with_output().unwrap();
    let said = String::from_utf8(output.stdout).unwrap();
    assert_eq!(json(said.trim_end())["path"], "/told");
}
