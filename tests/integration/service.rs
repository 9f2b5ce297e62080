//! What systemd is told: a socket of the test's own stands for it.

use std::os::unix::net::UnixDatagram;
use std::path::PathBuf;

use rustix::process::Signal;

use crate::support::{Bookend, Gate, Next, Origin, Reload, Site, TempDirectory, eventually, until};

/// What stands for systemd.
struct Systemd {
    socket: UnixDatagram,
    path: PathBuf,
    _directory: TempDirectory,
}

impl Systemd {
    fn new() -> Self {
        let directory = TempDirectory::new();
        let path = directory.path().join("notify");
        let socket = UnixDatagram::bind(&path).unwrap();
        socket.set_nonblocking(true).unwrap();
        Self { socket, path, _directory: directory }
    }

    /// Runs with this socket, and more variables.
    fn start(&self, more: &[(&str, &str)], site: &Site) -> Bookend {
        let mut variables = vec![("NOTIFY_SOCKET", self.path.to_str().unwrap())];
        variables.extend(more);
        Bookend::start_with_variables(&variables, site)
    }

    /// The next message but for those of the watchdog, in lines.
    fn hears(&self) -> Vec<String> {
        eventually("systemd is told something", || {
            let message = self.receive()?;
            (message != ["WATCHDOG=1"]).then_some(message)
        })
    }

    fn receive(&self) -> Option<Vec<String>> {
        let mut message = [0; 4096];
        let length = self.socket.recv(&mut message).ok()?;
        Some(String::from_utf8_lossy(&message[..length]).lines().map(str::to_owned).collect())
    }
}

#[test]
fn service_is_ready_once_its_nodes_were_checked() {
    let (systemd, gate) = (Systemd::new(), Gate::default());
    let node = {
        let gate = gate.clone();
        Origin::start(move |call| {
            gate.pass();
            call.answer(200, "hello")
        })
    };
    let site = Site::of(&[&node]).with_pool("health_check: { type: http, path: /, timeout: 30s }");
    let _bookend = systemd.start(&[], &site);
    until("the node is asked how it is", || node.count() == 1);
    assert_eq!(systemd.receive(), None, "it said that it is ready before it knew how its node is");
    gate.open();
    assert_eq!(systemd.hears(), ["READY=1", "STATUS=generation 1 in force: listeners 1, pools 1"]);
}

#[test]
fn node_that_does_not_answer_its_check_keeps_no_service_from_being_ready() {
    let systemd = Systemd::new();
    let node = Origin::start(|call| {
        call.wait_for_the_end();
        Next::Close
    });
    let check = "health_check: { type: http, path: /, timeout: 30s, interval: 60s }";
    let _bookend = systemd.start(&[], &Site::of(&[&node]).with_pool(check));
    assert_eq!(systemd.hears()[0], "READY=1");
}

#[test]
fn reloads_and_the_end_are_told() {
    let (systemd, node) = (Systemd::new(), Origin::answering("hello"));
    let site = Site::of(&[&node]);
    let mut bookend = systemd.start(&[], &site);
    assert_eq!(systemd.hears()[0], "READY=1");

    assert_eq!(bookend.reload_site(&site), Reload::InForce);
    let reloading = systemd.hears();
    assert_eq!(reloading[0], "RELOADING=1");
    let since = reloading[1].strip_prefix("MONOTONIC_USEC=").unwrap();
    assert!(since.parse::<u64>().unwrap() > 0, "{since}");
    assert_eq!(systemd.hears(), ["READY=1", "STATUS=generation 2 in force: listeners 1, pools 1"]);

    assert_eq!(bookend.reload("listeners: 5\n"), Reload::Refused);
    assert_eq!(systemd.hears()[0], "RELOADING=1");
    let status = "STATUS=generation 2 in force: listeners 1, pools 1; the last reload was refused";
    assert_eq!(systemd.hears(), ["READY=1", status]);

    bookend.terminate();
    assert_eq!(systemd.hears()[0], "STOPPING=1");
    assert!(bookend.wait().success());
}

#[test]
fn successor_becomes_the_service() {
    let (systemd, node) = (Systemd::new(), Origin::answering("hello"));
    let site = Site::of(&[&node]).with_pool("health_check: { type: tcp, interval: 250ms }");
    let mut bookend = systemd.start(&[("WATCHDOG_USEC", "200000"), ("WATCHDOG_PID", "1")], &site);
    assert_eq!(systemd.hears()[0], "READY=1");
    bookend.signal(Signal::USR2);
    let told = systemd.hears();
    let process: u32 = told[0].strip_prefix("MAINPID=").unwrap().parse().unwrap();
    assert_ne!(process, bookend.process());
    assert_eq!(systemd.hears()[0], "READY=1");
    assert!(bookend.wait().success());
    // The watchdog was meant for another process before, and is for this one now.
    eventually("the watchdog hears it", || systemd.receive().filter(|message| message == &["WATCHDOG=1"]));
}

#[test]
fn watchdog_hears_of_a_process_that_lives_and_not_of_one_that_stands_still() {
    let (systemd, node) = (Systemd::new(), Origin::answering("hello"));
    let bookend = systemd.start(&[("WATCHDOG_USEC", "200000")], &Site::of(&[&node]));
    let is_alive = || systemd.receive().filter(|message| message == &["WATCHDOG=1"]);
    for _ in 0..3 {
        eventually("the watchdog hears something", is_alive);
    }
    bookend.signal(Signal::STOP);
    let stands_still = || {
        let stat = std::fs::read_to_string(format!("/proc/{}/stat", bookend.process())).unwrap();
        stat.rsplit(") ").next().unwrap().starts_with('T').then_some(())
    };
    eventually("it stands still", stands_still);
    while systemd.receive().is_some() {}
    std::thread::sleep(std::time::Duration::from_millis(500));
    assert_eq!(systemd.receive(), None, "a process that stands still said something");
    bookend.signal(Signal::CONT);
    eventually("the watchdog hears something again", is_alive);
}
