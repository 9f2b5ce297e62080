//! Sockets that systemd passes: those of listeners are adopted, others are reported.

use std::fs::{self, File};
use std::net::{SocketAddr, TcpListener};
use std::os::unix::net::UnixListener;
use std::path::Path;
use std::process::{Child, Command, Stdio};

use rustix::process::{Pid, Signal, kill_process};

use crate::support::{Client, Origin, PROGRAM, Site, TempDirectory, eventually, until};

/// A bookend that was given two sockets, as systemd would give them; killed when dropped.
struct Started {
    child: Child,
    directory: TempDirectory,
}

impl Started {
    /// Runs this configuration with these sockets.
    fn with(yaml: &str, tcp: &TcpListener, unix: &UnixListener) -> Self {
        let directory = TempDirectory::new();
        let file = directory.path().join("bookend.yaml");
        fs::write(&file, yaml).unwrap();
        // The process id is known before the program is: the shell becomes it.
        let script = "exec 3<&0 4<&1 </dev/null >/dev/null; \
                      LISTEN_PID=$$ LISTEN_FDS=2 LISTEN_FDNAMES=web:spare exec \"$0\" run -c \"$1\"";
        let child = Command::new("sh")
            .args(["-c", script, PROGRAM])
            .arg(&file)
            .env("RUST_LOG", "info")
            .env("STATE_DIRECTORY", directory.path().join("state"))
            .stdin(Stdio::from(std::os::fd::OwnedFd::from(tcp.try_clone().unwrap())))
            .stdout(Stdio::from(std::os::fd::OwnedFd::from(unix.try_clone().unwrap())))
            .stderr(File::create(directory.path().join("log")).unwrap())
            .spawn()
            .unwrap();
        Self { child, directory }
    }

    fn log(&self) -> String {
        fs::read_to_string(self.directory.path().join("log")).unwrap()
    }

    #[track_caller]
    fn wait_for_log(&self, text: &str) {
        until(&format!("the log says {text:?}"), || self.log().contains(text));
    }

    fn reload(&self, yaml: &str, generation: u32) {
        fs::write(self.directory.path().join("bookend.yaml"), yaml).unwrap();
        self.signal(Signal::HUP);
        self.wait_for_log(&format!("configuration in force generation={generation}"));
    }

    fn signal(&self, signal: Signal) {
        let pid = i32::try_from(self.child.id()).unwrap();
        kill_process(Pid::from_raw(pid).unwrap(), signal).unwrap();
    }
}

impl Drop for Started {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn sockets(directory: &Path) -> (TcpListener, UnixListener) {
    (TcpListener::bind("127.0.0.1:0").unwrap(), UnixListener::bind(directory.join("web.sock")).unwrap())
}

/// The configuration that listens at the TCP socket alone, and at both.
fn sites(node: &Origin, tcp: SocketAddr, path: &Path) -> (String, String) {
    let one = Site::of(&[node]).to_yaml(&[tcp]);
    let listeners = format!("listeners:\n  - address: unix:{}", path.join("web.sock").display());
    let both = one.replace("listeners:", &listeners);
    (one, both)
}

#[test]
fn sockets_that_systemd_passed_are_adopted_and_stay() {
    let (directory, node) = (TempDirectory::new(), Origin::answering("hello"));
    let (tcp, unix) = sockets(directory.path());
    let address = tcp.local_addr().unwrap();
    let (one, both) = sites(&node, address, directory.path());
    let mut started = Started::with(&both, &tcp, &unix);
    assert_eq!(Client::connect(address).get("/").text(), "hello");
    let path = directory.path().join("web.sock");
    assert_eq!(Client::connect_to_path(&path).get("/").text(), "hello");
    assert!(!started.log().contains("was passed"), "{}", started.log());

    started.reload(&one, 2);
    assert!(path.exists(), "a reload removed the file of a socket that is systemd's");
    started.reload(&both, 3);
    assert_eq!(Client::connect_to_path(&path).get("/").text(), "hello");

    started.signal(Signal::TERM);
    assert!(eventually("bookend ended", || started.child.try_wait().unwrap()).success());
    assert!(path.exists(), "the end removed the file of a socket that is systemd's");
}

#[test]
fn socket_that_no_listener_wants_is_reported() {
    let (directory, node) = (TempDirectory::new(), Origin::answering("hello"));
    let (tcp, unix) = sockets(directory.path());
    let address = tcp.local_addr().unwrap();
    let (one, _) = sites(&node, address, directory.path());
    let started = Started::with(&one, &tcp, &unix);
    let path = directory.path().join("web.sock");
    let wanted = format!("no listener wants what was passed name=\"spare\" socket=unix:{}", path.display());
    started.wait_for_log(&wanted);
    assert_eq!(Client::connect(address).get("/").text(), "hello");
}

#[test]
fn sockets_of_another_process_are_not_touched() {
    let node = Origin::answering("hello");
    let site = Site::of(&[&node]);
    let variables = [("LISTEN_FDS", "2"), ("LISTEN_PID", "1")];
    let bookend = crate::support::Bookend::start_with_variables(&variables, &site);
    assert_eq!(Client::connect(bookend.address()).get("/").text(), "hello");
}
