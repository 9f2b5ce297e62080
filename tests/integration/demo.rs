//! `bookend demo`: it shows what it says, and leaves nothing behind.

use std::fs;
use std::io::{BufRead, BufReader};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::process::{Child, Output};

use rustix::process::{Pid, Signal, kill_process};

use super::support::{TempDirectory, eventually, program, until};

/// A running `bookend demo` that keeps its files in a directory of the test's; ended when dropped.
struct Demo {
    child: Option<Child>,
    directory: TempDirectory,
}

impl Demo {
    fn start(arguments: &[&str]) -> Self {
        let directory = TempDirectory::new();
        let mut command = program();
        command.arg("demo").args(arguments).env("TMPDIR", directory.path());
        Self { child: Some(command.spawn().unwrap()), directory }
    }

    /// Waits for its end.
    fn finish(mut self) -> (Output, TempDirectory) {
        let output = self.child.take().unwrap().wait_with_output().unwrap();
        // What is left is for the caller to find.
        (output, std::mem::replace(&mut self.directory, TempDirectory::new()))
    }

    fn pid(&self) -> u32 {
        self.child.as_ref().unwrap().id()
    }

    /// Waits until it has two nodes and bookend, and returns their ids.
    fn processes(&self) -> Vec<u32> {
        let demo = self.pid();
        eventually("the demo has three processes and serves", || {
            let others: Vec<_> = of(self.directory.path()).into_iter().filter(|&pid| pid != demo).collect();
            let is_up = fs::read_dir(self.directory.path())
                .unwrap()
                .any(|entry| entry.unwrap().path().join("state/admin.sock").exists());
            (others.len() == 3 && is_up).then_some(others)
        })
    }
}

impl Drop for Demo {
    fn drop(&mut self) {
        if let Some(child) = &mut self.child {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

/// The processes that keep their temporary files in this directory.
fn of(directory: &Path) -> Vec<u32> {
    let wanted = [b"TMPDIR=", directory.as_os_str().as_bytes()].concat();
    let processes = fs::read_dir("/proc").unwrap().filter_map(|entry| {
        let pid: u32 = entry.ok()?.file_name().to_str()?.parse().ok()?;
        let environment = fs::read(format!("/proc/{pid}/environ")).ok()?;
        environment.split(|&byte| byte == 0).any(|variable| variable == wanted).then_some(pid)
    });
    processes.collect()
}

fn is_node(pid: u32) -> bool {
    fs::read(format!("/proc/{pid}/cmdline"))
        .is_ok_and(|line| line.split(|&byte| byte == 0).any(|word| word == b"demo-node"))
}

fn send(pid: u32, signal: Signal) {
    kill_process(Pid::from_raw(i32::try_from(pid).unwrap()).unwrap(), signal).unwrap();
}

/// Nothing runs and no file is there any more.
#[track_caller]
fn assert_nothing_left(directory: &Path) {
    let processes = of(directory);
    assert!(processes.is_empty(), "{processes:?} still run");
    let files: Vec<_> = fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().path()).collect();
    assert!(files.is_empty(), "{files:?} are left");
}

/// All of it is there, one after the other.
#[track_caller]
fn assert_says_in_order(said: &str, wanted: &[&str]) {
    let mut rest = said;
    for text in wanted {
        let at = rest.find(text);
        rest = &rest[at.unwrap_or_else(|| panic!("{text:?} does not come where it should:\n{said}"))..];
    }
}

#[test]
fn demo_shows_a_kill_a_return_a_reload_and_no_failure() {
    let (output, directory) = Demo::start(&["killed", "--seconds", "6"]).finish();
    let said = String::from_utf8(output.stdout).unwrap();
    let complaints = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(0), "{said}{complaints}");
    let wanted = [
        "bookend: http://127.0.0.1:",
        "web-02 is killed: kill -9 ",
        "a retry on the other node saves the first request",
        "web-02 is started again",
        "web-02 serves again",
        "configuration reloaded: web-02 now has twice the weight",
        "overload: ",
        "overload over: ",
        "          0  seen to fail ",
        "What to try next",
        "  curl -i http://127.0.0.1:",
        "  wrk -t2 ",
    ];
    assert_says_in_order(&said, &wanted);
    assert!(said.contains(" saved, 0 failed"), "{said}");
    assert!(!said.contains('\x1b'), "what is no terminal gets plain lines: {said:?}");
    assert_nothing_left(directory.path());
}

#[test]
fn demo_tells_of_the_server_that_nobody_reconnected() {
    let (output, directory) = Demo::start(&["forgotten"]).finish();
    let said = String::from_utf8(output.stdout).unwrap();
    let complaints = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(0), "{said}{complaints}");
    // Lines are broken where they would be too long.
    let said = said.split_whitespace().collect::<Vec<_>>().join(" ");
    let wanted = [
        "bookend drain web/web-02 --for 72h --reason \"kernel test\"",
        "pool web is EXPOSED: only web-01 of 2 nodes can serve: web-02 is drained",
        "the day comes, and 140 requests a second",
        "too much for web-01: it gets ",
        "bookend knows what would help now: bookend undrain web/web-02",
        "nobody does it, so bookend takes web/web-02 back: ",
        "all is served again: ",
        " turned away: 503 and when to come again; 99 % within ",
        " 0 seen to fail in any other way",
        "# Incident ",
        "requests turned away ## Summary",
        "## Cause and resolution `web-02` was out of service: ",
        "for 3 days: “kernel test”.",
        "`bookend undrain web/web-02` would have brought it back sooner; at ",
        "## Measures",
        "What to try next",
    ];
    assert_says_in_order(&said, &wanted);
    assert_eq!(said.matches("so bookend takes web/web-02 back: ").count(), 1, "{said}");
    assert!(!said.contains("has ended, and not by our hand"), "{said}");
    assert_nothing_left(directory.path());
}

#[test]
fn clients_of_the_demo_see_failures_when_there_are_some() {
    let demo = Demo::start(&["killed", "--seconds", "6"]);
    // Both nodes at once, which nobody can make up for.
    for pid in demo.processes().into_iter().filter(|&pid| is_node(pid)) {
        send(pid, Signal::KILL);
    }
    let (output, directory) = demo.finish();
    let said = String::from_utf8(output.stdout).unwrap();
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(said.contains("has ended, and not by our hand"), "{said}");
    assert!(said.contains("requests failed: that is not what bookend promises"), "{said}");
    assert!(!said.contains("          0  seen to fail "), "{said}");
    assert_nothing_left(directory.path());
}

#[test]
fn demo_that_is_killed_leaves_no_process() {
    let mut demo = Demo::start(&[]);
    demo.processes();
    let child = demo.child.as_mut().unwrap();
    child.kill().unwrap();
    child.wait().unwrap();
    until("every process of the demo has ended", || of(demo.directory.path()).is_empty());
}

#[test]
fn demo_that_is_interrupted_leaves_nothing() {
    for signal in [Signal::INT, Signal::TERM, Signal::HUP] {
        let demo = Demo::start(&["--stay"]);
        demo.processes();
        send(demo.pid(), signal);
        let (output, directory) = demo.finish();
        let complaints = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(1), "{complaints}");
        assert_eq!(complaints, "ended before its time; so has everything that it started\n");
        assert_nothing_left(directory.path());
    }
}

#[test]
fn site_of_the_demo_stays_up_when_asked_to_until_interrupted() {
    let mut demo = Demo::start(&["--stay", "--seconds", "3"]);
    let said = demo.child.as_mut().unwrap().stdout.take().unwrap();
    let mut lines = BufReader::new(said).lines().map(Result::unwrap);
    let mut seen = Vec::new();
    let mut line_with = |text: &str| {
        let line = lines.by_ref().inspect(|line| seen.push(line.clone())).find(|line| line.contains(text));
        line.unwrap_or_else(|| panic!("no line has {text:?}: {seen:#?}"))
    };
    line_with("The site stays up until Ctrl-C");
    let curl = line_with("curl -i http://");
    let address = curl.split("http://").nth(1).unwrap().split('/').next().unwrap();
    let answer = super::support::fetch(address.parse().unwrap(), "/");
    assert_eq!(answer.status, 200);
    assert!(answer.text().starts_with("this is web-0"), "{answer:?}");
    for pid in demo.processes().into_iter().filter(|&pid| is_node(pid)).take(1) {
        send(pid, Signal::KILL);
    }
    line_with("has ended, and not by our hand");
    line_with("is started again");
    send(demo.pid(), Signal::INT);
    let (output, directory) = demo.finish();
    assert_eq!(output.status.code(), Some(0), "{seen:#?}");
    assert_nothing_left(directory.path());
}
