//! What stands in front of the nodes: bookend, or one of its peers.

mod bookend;
mod guard;
mod peer;

use std::fs::{self, File};
use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};

pub(crate) use guard::run as run_guard;
pub(crate) use peer::{PEERS, Peer};

use crate::port::Port;
use crate::site::OURSELVES;

/// How long a start may take on a busy machine.
const PATIENCE: Duration = Duration::from_secs(30);

/// The programs that can stand there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Proxy {
    Bookend,
    Peer(&'static Peer),
}

/// How bookend checks the nodes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Check {
    /// As it does by default: by a connection.
    Tcp,
    /// By a page, `/health`.
    Http,
    /// As it does by default where HTTP/2 is spoken with them, without TLS: by a ping.
    H2c,
}

/// What is said of a site beside where it is; peers have it as their files do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Terms {
    pub(crate) check: Check,
    /// Whether clients may begin with HTTP/2.
    pub(crate) http2: bool,
}

impl Terms {
    /// As it comes.
    pub(crate) const USUAL: Self = Self { check: Check::Tcp, http2: false };
}

/// A running proxy; killed when dropped.
pub(crate) struct Front {
    guard: Child,
    pid: u32,
    port: Port,
    log: PathBuf,
    proxy: Proxy,
    directory: PathBuf,
}

impl Front {
    /// Starts it in front of these nodes, and returns when it serves requests.
    pub(crate) fn start(proxy: Proxy, terms: Terms, nodes: &[SocketAddr], directory: &Path) -> Self {
        let port = Port::free();
        let log = directory.join("proxy.log");
        let mut command = match proxy {
            Proxy::Bookend => bookend::command(port.address(), terms, nodes, directory),
            Proxy::Peer(peer) => peer.command(port.address(), nodes, directory),
        };
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(File::create(&log).unwrap());
        let mut guard = command.spawn().unwrap();
        let mut line = String::new();
        BufReader::new(guard.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let pid = line.trim().parse().expect("the program can be started");
        let directory = directory.to_owned();
        let mut front = Self { guard, pid, port, log, proxy, directory };
        front.wait_until_it_serves();
        front
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.port.address()
    }

    pub(crate) fn pid(&self) -> u32 {
        self.pid
    }

    /// Has it read its configuration again.
    pub(crate) fn reload(&self) {
        let pid = Pid::from_raw(i32::try_from(self.pid).unwrap()).unwrap();
        kill_process(pid, Signal::HUP).unwrap();
    }

    /// Takes a node out, as a person does who then forgets it.
    #[allow(dead_code, reason = "the incident does this")]
    pub(crate) fn take_out(&self, node: &str, address: SocketAddr) {
        match self.proxy {
            Proxy::Bookend => {
                let output = bookend::drain(node, &self.directory).output().unwrap();
                assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
            }
            Proxy::Peer(peer) => {
                if peer.take_out(node, address, &self.directory) {
                    self.reload();
                }
            }
        }
    }

    /// What bookend wrote down of the last incident; `None` for others.
    #[allow(dead_code, reason = "the incident does this")]
    pub(crate) fn post_mortem(&self) -> Option<String> {
        (self.proxy == Proxy::Bookend).then(|| bookend::post_mortem(&self.directory))
    }

    /// All that it has logged.
    #[allow(dead_code, reason = "the incident does this")]
    pub(crate) fn log(&self) -> String {
        String::from_utf8_lossy(&fs::read(&self.log).unwrap_or_default()).into_owned()
    }

    /// Whether it still runs.
    pub(crate) fn is_running(&mut self) -> bool {
        self.guard.try_wait().unwrap().is_none()
    }

    /// The last lines that it has logged.
    pub(crate) fn last_words(&self) -> String {
        let log = fs::read(&self.log).unwrap_or_default();
        let log = String::from_utf8_lossy(&log);
        let lines: Vec<&str> = log.lines().collect();
        lines[lines.len().saturating_sub(20)..].join("\n")
    }

    fn wait_until_it_serves(&mut self) {
        let deadline = Instant::now() + PATIENCE;
        while !serves(self.address()).unwrap_or(false) {
            let runs = self.is_running() && Instant::now() < deadline;
            assert!(runs, "the proxy did not start:\n{}", self.last_words());
            thread::sleep(Duration::from_millis(20));
        }
    }
}

/// Whether a node's answer comes through: some proxies accept connections before they know where to send requests.
fn serves(site: SocketAddr) -> io::Result<bool> {
    let mut stream = TcpStream::connect(site)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.write_all(b"GET /health HTTP/1.1\r\nHost: site.test\r\nConnection: close\r\n\r\n")?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    Ok(answer.starts_with("HTTP/1.1 200"))
}

impl Drop for Front {
    fn drop(&mut self) {
        // The guard kills the proxy and ends with it.
        drop(self.guard.stdin.take());
        let _ = self.guard.wait();
    }
}

/// The command that runs a program under guard.
fn guarded(program: &Path) -> Command {
    let mut command = Command::new(OURSELVES);
    command.arg("guard").arg(program);
    command
}
