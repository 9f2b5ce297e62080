//! What stands in front of the nodes: bookend as it comes.

use std::fmt::Write as _;
use std::fs::{self, File};
use std::net::{SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};

use crate::port::Port;
use crate::row::Check;

/// How long a start may take on a busy machine.
const PATIENCE: Duration = Duration::from_secs(30);

/// The programs that can stand there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Proxy {
    Bookend,
}

/// A running proxy; killed when dropped.
pub(crate) struct Front {
    child: Child,
    port: Port,
    log: PathBuf,
}

impl Front {
    /// Starts it in front of these nodes, and returns when it accepts connections.
    pub(crate) fn start(proxy: Proxy, check: Check, nodes: &[SocketAddr], directory: &Path) -> Self {
        let port = Port::free();
        let log = directory.join("proxy.log");
        let mut command = match proxy {
            Proxy::Bookend => bookend(&configuration(port.address(), check, nodes), directory),
        };
        let output = File::create(&log).unwrap();
        command.stdin(Stdio::null()).stdout(output.try_clone().unwrap()).stderr(output);
        let mut front = Self { child: command.spawn().unwrap(), port, log };
        front.wait_until_it_accepts();
        front
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.port.address()
    }

    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Reads its configuration again.
    pub(crate) fn reload(&self) {
        let pid = i32::try_from(self.child.id()).unwrap();
        kill_process(Pid::from_raw(pid).unwrap(), Signal::HUP).unwrap();
    }

    /// Whether it still runs.
    pub(crate) fn is_running(&mut self) -> bool {
        self.child.try_wait().unwrap().is_none()
    }

    /// The last lines that it has logged.
    pub(crate) fn last_words(&self) -> String {
        let log = fs::read(&self.log).unwrap_or_default();
        let log = String::from_utf8_lossy(&log);
        let lines: Vec<&str> = log.lines().collect();
        lines[lines.len().saturating_sub(20)..].join("\n")
    }

    fn wait_until_it_accepts(&mut self) {
        let deadline = Instant::now() + PATIENCE;
        while TcpStream::connect(self.address()).is_err() {
            let runs = self.is_running() && Instant::now() < deadline;
            assert!(runs, "the proxy did not start:\n{}", self.last_words());
            thread::sleep(Duration::from_millis(20));
        }
    }
}

impl Drop for Front {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn bookend(configuration: &str, directory: &Path) -> Command {
    let file = directory.join("bookend.yaml");
    fs::write(&file, configuration).unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_bookend"));
    command
        .args(["run", "-c"])
        .arg(file)
        .env("STATE_DIRECTORY", directory.join("state"))
        .env("RUST_LOG", "info");
    command
}

/// The smallest useful file. Only what would collide with other rows is said, and the check where the row is about it.
fn configuration(listener: SocketAddr, check: Check, nodes: &[SocketAddr]) -> String {
    let mut yaml =
        format!("admin: {{ address: off }}\nlisteners:\n  - address: {listener}\npools:\n  web:\n");
    if check == Check::Http {
        yaml.push_str("    health_check: { type: http, path: /health }\n");
    }
    yaml.push_str("    nodes:\n");
    for (number, address) in nodes.iter().enumerate() {
        writeln!(yaml, "      - {{ address: \"{address}\", name: node-{} }}", number + 1).unwrap();
    }
    yaml.push_str("routes:\n  - pool: web\n");
    yaml
}
