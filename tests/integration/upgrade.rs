//! Upgrades: a new process takes over from the one that runs, and nobody sees it; one that fails changes nothing.

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::process::Output;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use rustix::process::{Pid, Signal, kill_process};
use tokio_rustls::rustls::{HandshakeKind, version};

use crate::support::{
    Authority, Bookend, Client, Load, Origin, PROGRAM, Port, Reload, Site, TempDirectory, fetch, until,
};

/// Nodes that are checked often, so that a new process knows soon how they are.
const CHECK: &str = "health_check: { type: tcp, interval: 250ms }";

fn said(output: &Output) -> String {
    let (stdout, stderr) = (&output.stdout, &output.stderr);
    format!("{}{}", String::from_utf8_lossy(stdout), String::from_utf8_lossy(stderr))
}

/// Upgrades, and returns the process that takes the requests.
#[track_caller]
fn upgrade(bookend: &Bookend) -> u32 {
    let output = bookend.command("upgrade");
    assert!(output.status.success(), "{}", said(&output));
    let said = said(&output);
    let process = said.strip_prefix("process ").and_then(|rest| rest.split(' ').next());
    process.and_then(|process| process.parse().ok()).unwrap_or_else(|| panic!("{said}"))
}

/// Upgrades in vain, and returns why.
#[track_caller]
fn upgrade_in_vain(bookend: &Bookend) -> String {
    let output = bookend.command("upgrade");
    assert_eq!(output.status.code(), Some(1), "{}", said(&output));
    said(&output)
}

fn is_running(process: u32) -> bool {
    // One that has ended and was not waited for yet has no command line.
    fs::read(format!("/proc/{process}/cmdline")).is_ok_and(|line| !line.is_empty())
}

#[test]
fn ten_upgrades_in_a_row_drop_no_request() {
    let nodes = [Origin::answering("a"), Origin::answering("b"), Origin::answering("c")];
    let directory = TempDirectory::new();
    let pid_file = directory.path().join("bookend.pid");
    let site = Site::of(&[&nodes[0], &nodes[1], &nodes[2]]).with_pool(CHECK);
    let mut bookend =
        Bookend::start(&site.with_top(&format!("server: {{ pid_file: {} }}", pid_file.display())));
    assert!(bookend.command("drain web/web-03 --for 1h --reason test").status.success());
    let before = nodes[2].count();

    let loads = [Load::start(bookend.address(), 4), Load::start_anew(bookend.address(), 2)];
    let mut process = bookend.process();
    for _ in 0..10 {
        let next = upgrade(&bookend);
        assert_ne!(next, process);
        for load in &loads {
            load.wait_for(10);
        }
        process = next;
    }
    for load in loads {
        load.finish();
    }
    assert!(bookend.wait().success(), "the first one did not end well");
    assert_eq!(fs::read_to_string(&pid_file).unwrap().trim(), process.to_string());

    let status = said(&bookend.command("status"));
    assert!(status.contains("drained"), "the lease is gone: {status}");
    assert_eq!(nodes[2].count(), before, "the drained node got requests");
    assert!(bookend.command("undrain web/web-03").status.success());
    let log = bookend.logs();
    assert_eq!(log.matches("handed over").count(), 10, "{log}");
    assert!(!log.contains("upgrade failed") && !log.contains("not kept"), "{log}");
}

#[test]
fn three_upgrades_in_a_row_end_no_session_of_tls() {
    let (authority, node) = (Authority::new(), Origin::answering("hello"));
    let files = authority.server("site", &["site.test"]);
    let tls = format!("tls: {{ certificates: [{}] }}", files.entry());
    let bookend = Bookend::start(&Site::of(&[&node]).with_pool(CHECK).with_listener(&tls));
    let (address, whole) = (bookend.address(), Arc::new(AtomicUsize::new(0)));
    // Each with sessions of its own.
    let client = |version| {
        let (settings, whole) = (authority.client_of(version), Arc::clone(&whole));
        move || {
            let client = Client::try_connect_by_tls(address, &settings, "site.test")?;
            let is_whole = client.tls().handshake_kind() != Some(HandshakeKind::Resumed);
            whole.fetch_add(usize::from(is_whole), Ordering::Relaxed);
            Ok(client)
        }
    };
    let versions = [&version::TLS12, &version::TLS13];
    let loads = [
        Load::start_by(versions.map(client), ""),
        Load::start_by([versions, versions].concat().into_iter().map(client), "Connection: close\r\n"),
    ];
    for _ in 0..3 {
        loads.iter().for_each(|load| load.wait_for(20));
        upgrade(&bookend);
    }
    loads.iter().for_each(|load| load.wait_for(20));
    for load in loads {
        load.finish();
    }
    assert_eq!(whole.load(Ordering::Relaxed), 6, "a client had to begin anew");
}

#[test]
fn request_under_way_is_finished_by_the_old_process() {
    let gate = crate::support::Gate::default();
    let node = {
        let gate = gate.clone();
        Origin::start(move |call| {
            if call.target() == "/slow" {
                gate.pass();
            }
            call.answer(200, "hello")
        })
    };
    let mut bookend = Bookend::start(&Site::of(&[&node]).with_pool(CHECK));
    let mut client = Client::connect(bookend.address());
    client.send("GET /slow HTTP/1.1\r\nHost: site.test\r\n\r\n");
    until("the node has the request", || node.count() == 1);
    upgrade(&bookend);
    assert_eq!(fetch(bookend.address(), "/").text(), "hello");
    gate.open();
    let answer = client.read_answer("GET");
    assert_eq!((answer.text(), answer.closes()), ("hello", true));
    assert!(bookend.wait().success());
}

#[test]
fn what_is_known_of_nodes_goes_along() {
    let (here, gone) = (Origin::answering("hello"), Origin::absent());
    let bookend = Bookend::start(&Site::of(&[&here, &gone]).with_pool(CHECK));
    bookend.wait_for_log("node is down pool=web node=web-02");
    upgrade(&bookend);
    let status = said(&bookend.command("status"));
    assert!(status.contains("down for"), "{status}");
    assert_eq!(bookend.logs().matches("node is down").count(), 1, "people were told twice");
}

#[test]
fn sigusr2_upgrades_and_sockets_with_files_stay() {
    let (directory, port, node) = (TempDirectory::new(), Port::free(), Origin::answering("hello"));
    let (kept, left_out) = (directory.path().join("kept.sock"), directory.path().join("left_out.sock"));
    let site = Site::of(&[&node]).with_pool(CHECK).to_yaml(&[port.address()]);
    let with = |paths: &[&PathBuf]| {
        let lines = paths.iter().map(|path| format!("\n  - address: unix:{}", path.display()));
        site.replace("listeners:", &format!("listeners:{}", lines.collect::<String>()))
    };
    let mut bookend = Bookend::start_with(port, &with(&[&kept, &left_out]));
    bookend.write_configuration(&with(&[&kept]));
    bookend.signal(Signal::USR2);
    assert!(bookend.wait().success());
    assert_eq!(Client::connect_to_path(&kept).get("/").text(), "hello");
    assert!(!left_out.exists(), "a socket that the new configuration does not have stayed behind");
    assert!(bookend.socket().exists(), "the operators' socket is gone");
    assert_eq!(fetch(bookend.address(), "/").text(), "hello");

    let process = upgrade(&bookend);
    assert_eq!(Client::connect_to_path(&kept).get("/").text(), "hello");
    kill_process(Pid::from_raw(process.try_into().unwrap()).unwrap(), Signal::TERM).unwrap();
    until("it has ended", || !is_running(process));
    assert!(!kept.exists() && !bookend.socket().exists(), "the last one left its sockets behind");
}

/// A bookend whose program can be replaced.
struct Replaceable {
    bookend: Bookend,
    program: PathBuf,
    site: Site,
    nodes: [Origin; 2],
    _directory: TempDirectory,
}

impl Replaceable {
    fn start() -> Self {
        let nodes = [Origin::answering("hello"), Origin::answering("hello")];
        let (directory, port) = (TempDirectory::new(), Port::free());
        let program = directory.path().join("bookend");
        symlink(PROGRAM, &program).unwrap();
        let site = Site::of(&[&nodes[0], &nodes[1]]).with_pool(CHECK);
        let yaml = site.to_yaml(&[port.address()]);
        let bookend = Bookend::start_program(&program, port, &yaml);
        Self { bookend, program, site, nodes, _directory: directory }
    }

    fn replace(&self, with: impl FnOnce(&Path)) {
        // It may be gone already.
        let _ = fs::remove_file(&self.program);
        with(&self.program);
    }

    /// Whether all is as it was: requests, what operators ask for, what is written down, and another upgrade.
    #[track_caller]
    fn goes_on(&self) {
        assert!(is_running(self.bookend.process()));
        assert_eq!(fetch(self.bookend.address(), "/").text(), "hello");
        let output = self.bookend.command("drain web/web-02 --for 1h --reason after-the-upgrade");
        assert!(output.status.success(), "{}", said(&output));
        let events = self.bookend.state().join("events-1.log");
        until("events are written down", || {
            fs::read_to_string(&events).unwrap().contains("after-the-upgrade")
        });
        let leases = fs::read_to_string(self.bookend.state().join("leases.json")).unwrap();
        assert!(leases.contains("web-02"), "the lease was not written: {leases}");
        assert!(self.bookend.command("undrain web/web-02").status.success());
        self.replace(|program| symlink(PROGRAM, program).unwrap());
        self.bookend.write_configuration(&self.site.to_yaml(&[self.bookend.address()]));
        upgrade(&self.bookend);
        assert_eq!(fetch(self.bookend.address(), "/").text(), "hello");
    }
}

#[test]
fn program_that_fails_at_once_changes_nothing() {
    let started = Replaceable::start();
    started.replace(|program| {
        fs::write(program, "#!/bin/sh\nexit 1\n").unwrap();
        fs::set_permissions(program, PermissionsExt::from_mode(0o755)).unwrap();
    });
    let why = upgrade_in_vain(&started.bookend);
    assert!(why.contains("the new bookend failed"), "{why}");
    started.goes_on();
}

#[test]
fn program_that_is_not_there_changes_nothing() {
    let started = Replaceable::start();
    started.replace(|_| {});
    let why = upgrade_in_vain(&started.bookend);
    assert!(why.contains("starting it: No such file"), "{why}");
    started.goes_on();
}

#[test]
fn configuration_with_a_problem_changes_nothing() {
    let started = Replaceable::start();
    started.bookend.write_configuration("listeners: 5\n");
    let why = upgrade_in_vain(&started.bookend);
    assert!(why.contains("reading the configuration") && why.contains("bookend.yaml:1:"), "{why}");
    started.goes_on();
}

#[test]
fn new_process_that_fails_half_way_changes_nothing() {
    let started = Replaceable::start();
    // What a node listens on nobody else can.
    let taken = &started.nodes[1];
    let addresses = [started.bookend.address(), taken.socket_address()];
    started.bookend.write_configuration(&started.site.to_yaml(&addresses));
    let why = upgrade_in_vain(&started.bookend);
    assert!(why.contains(&format!("listening on {}", taken.address())), "{why}");
    assert!(!started.bookend.logs().contains("another bookend uses"), "{}", started.bookend.logs());
    assert_eq!(started.bookend.reload_site(&started.site), Reload::InForce);
    started.goes_on();
}
