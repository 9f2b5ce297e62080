//! The site on show: two nodes and bookend in front of them, each a process of its own.

use std::fs;
use std::io;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use tokio::net::{TcpStream, UnixStream};

use super::DemoError;
use super::directory::Directory;
use super::node::Strength;
use super::port::Port;
use super::process::Process;
use crate::admin;
use crate::admin::status::Status;

/// Where the site is, if nobody else is there.
const SITE_PORT: u16 = 8080;
/// Where the first node is; the others follow.
const NODE_PORT: u16 = 9001;
/// The nodes, in the order of the file.
pub(super) const NODES: [&str; 2] = ["web-01", "web-02"];
/// How long a step may take before something must be wrong; long, because the machine may be busy.
pub(super) const PATIENCE: Duration = Duration::from_secs(60);
/// From one look to the next.
const LOOK: Duration = Duration::from_millis(20);

/// The processes and their files. All of them end, and all files go, when it is dropped.
#[derive(Debug)]
pub(super) struct Site {
    // The processes are dropped before the directory that they write to.
    bookend: Option<Process>,
    nodes: Vec<Node>,
    strength: Strength,
    front: Port,
    directory: Directory,
}

/// A node, whether its process lives or not.
#[derive(Debug)]
pub(super) struct Node {
    pub(super) name: &'static str,
    weight: u32,
    port: Port,
    process: Option<Process>,
    /// When its process was found to have ended without our doing.
    ended: Option<Instant>,
}

impl Site {
    /// Starts everything, with nodes that can do so much, and returns when bookend takes requests.
    pub(super) async fn start(strength: Strength) -> Result<Self, DemoError> {
        let directory = Directory::new().map_err(DemoError::system("making a directory"))?;
        let reserve = |wanted| Port::take(wanted).map_err(DemoError::system("looking for a free port"));
        let front = reserve(SITE_PORT)?;
        let mut nodes = Vec::new();
        let mut wanted = NODE_PORT;
        for name in NODES {
            let port = reserve(wanted)?;
            wanted = port.number().saturating_add(1);
            nodes.push(Node { name, weight: 1, port, process: None, ended: None });
        }
        let mut site = Self { bookend: None, nodes, strength, front, directory };
        for index in 0..NODES.len() {
            site.start_node(index).await?;
        }
        site.start_bookend().await?;
        Ok(site)
    }

    /// Where clients connect.
    pub(super) fn address(&self) -> SocketAddr {
        self.front.address()
    }

    pub(super) fn nodes(&self) -> &[Node] {
        &self.nodes
    }

    /// The configuration in use.
    pub(super) fn configuration(&self) -> PathBuf {
        self.directory.path().join("bookend.yaml")
    }

    /// The socket on which bookend's operators are answered.
    pub(super) fn socket(&self) -> PathBuf {
        self.directory.path().join("state/admin.sock")
    }

    /// Where everything is, and why it is not where it usually is.
    pub(super) fn introduction(&self) -> Vec<String> {
        let mut line = format!("bookend: http://{}", self.address());
        for node in &self.nodes {
            line.push_str(&format!("   {}: port {}", node.name, node.port.number()));
        }
        let mut lines = vec![line];
        if self.front.number() != SITE_PORT {
            lines.push(format!("(port {SITE_PORT} is taken, so it is {})", self.front.number()));
        }
        lines
    }

    /// Starts the process of a node, and returns when it accepts connections.
    pub(super) async fn start_node(&mut self, index: usize) -> Result<(), DemoError> {
        let log = self.directory.path().join("nodes.log");
        let Some(node) = self.nodes.get_mut(index) else { return Ok(()) };
        let mut arguments =
            vec!["demo-node".to_owned(), node.name.to_owned(), node.port.address().to_string()];
        arguments.extend(options(self.strength));
        (node.process, node.ended) = (None, None);
        let process = Process::start(&arguments, &log).map_err(DemoError::system("starting a node"))?;
        let process = node.process.insert(process);
        let began = crate::clock::now();
        while TcpStream::connect(node.port.address()).await.is_err() {
            if process.has_ended() || began + PATIENCE < crate::clock::now() {
                return Err(DemoError::Ended { who: node.name, log: tail(&log) });
            }
            tokio::time::sleep(LOOK).await;
        }
        Ok(())
    }

    /// Ends the process of a node as `kill -9` does, and returns which it was.
    pub(super) fn kill_node(&mut self, index: usize) -> Option<u32> {
        let node = self.nodes.get_mut(index)?;
        node.ended = None;
        // Dropping it is what kills it.
        node.process.take().map(|process| process.pid())
    }

    /// A node that somebody else ended so long ago.
    pub(super) fn dead_for(&self, time: Duration, now: Instant) -> Option<(usize, &'static str)> {
        let is_due = |ended: Instant| now.saturating_duration_since(ended) >= time;
        let mut nodes = self.nodes.iter().enumerate();
        nodes.find(|(_, node)| node.ended.is_some_and(is_due)).map(|(index, node)| (index, node.name))
    }

    /// Notes which processes have ended without our doing, and returns those nodes.
    pub(super) fn look_after(&mut self, now: Instant) -> Result<Vec<&'static str>, DemoError> {
        if self.bookend.as_mut().is_none_or(Process::has_ended) {
            return Err(DemoError::Ended { who: "bookend", log: tail(&self.log()) });
        }
        let mut gone = Vec::new();
        for node in &mut self.nodes {
            if node.process.as_mut().is_some_and(Process::has_ended) {
                node.process = None;
                node.ended = Some(now);
                gone.push(node.name);
            }
        }
        Ok(gone)
    }

    /// Writes the configuration anew, in which this node has another weight.
    pub(super) fn set_weight(&mut self, index: usize, weight: u32) -> Result<(), DemoError> {
        if let Some(node) = self.nodes.get_mut(index) {
            node.weight = weight;
        }
        self.write_configuration()
    }

    fn write_configuration(&self) -> Result<(), DemoError> {
        let mut text = format!(
            "# The smallest useful configuration, and where this bookend keeps its things.\n\
             state_dir: '{}'\nadmin: {{ address: off }}\nserver: {{ grace_period: 1s }}\n\n\
             listeners:\n  - address: {}\npools:\n  web:\n    nodes:\n",
            self.directory.path().join("state").display().to_string().replace('\'', "''"),
            self.address(),
        );
        for node in &self.nodes {
            let (address, name) = (node.port.address(), node.name);
            text.push_str(&format!("      - address: {address}\n        name: {name}\n"));
            if node.weight != 1 {
                text.push_str(&format!("        weight: {}\n", node.weight));
            }
        }
        text.push_str("routes:\n  - pool: web\n");
        // Whole at once, for whoever reads it meanwhile.
        let new = self.directory.path().join("new.yaml");
        let write = fs::write(&new, text).and_then(|()| fs::rename(&new, self.configuration()));
        write.map_err(DemoError::system("writing the configuration"))
    }

    async fn start_bookend(&mut self) -> Result<(), DemoError> {
        self.write_configuration()?;
        let file = self.configuration();
        let arguments = ["run".as_ref(), "--until-stdin-ends".as_ref(), "-c".as_ref(), file.as_os_str()];
        let start = Process::start(&arguments, &self.log());
        let mut process = start.map_err(DemoError::system("starting bookend"))?;
        let (socket, began) = (self.socket(), crate::clock::now());
        while !look(&socket).await.is_ok_and(|status| status.phase == "ready") {
            if process.has_ended() || began + PATIENCE < crate::clock::now() {
                return Err(DemoError::Ended { who: "bookend", log: tail(&self.log()) });
            }
            tokio::time::sleep(LOOK).await;
        }
        self.bookend = Some(process);
        Ok(())
    }

    fn log(&self) -> PathBuf {
        self.directory.path().join("bookend.log")
    }
}

impl Node {
    /// Its process, if it lives.
    pub(super) fn pid(&self) -> Option<u32> {
        self.process.as_ref().map(Process::pid)
    }
}

/// What a node can do, as the command that is one takes it.
fn options(strength: Strength) -> Vec<String> {
    let Strength { takes, workers, holds } = strength;
    let mut options = vec![format!("--takes={}", takes.as_millis())];
    options.extend(workers.map(|workers| format!("--workers={workers}")));
    options.extend(holds.map(|holds| format!("--holds={holds}")));
    options
}

/// Asks bookend how it is.
pub(super) async fn look(socket: &Path) -> io::Result<Status> {
    let answer = ask(socket, &http::Method::GET, "/status").await?;
    serde_json::from_slice(&answer.body).map_err(io::Error::other)
}

/// Asks bookend for something.
pub(super) async fn ask(socket: &Path, method: &http::Method, path: &str) -> io::Result<admin::Answer> {
    send(socket, method, path, Vec::new()).await
}

/// Sends bookend a request with a body of JSON.
pub(super) async fn send(
    socket: &Path,
    method: &http::Method,
    path: &str,
    body: Vec<u8>,
) -> io::Result<admin::Answer> {
    let asking = async {
        let stream = UnixStream::connect(socket).await?;
        admin::send(stream, method, path, body).await.map_err(io::Error::other)
    };
    tokio::time::timeout(PATIENCE, asking).await?
}

/// The end of a log, for a person to see what went wrong.
fn tail(log: &Path) -> String {
    let text = fs::read_to_string(log).unwrap_or_default();
    let lines: Vec<&str> = text.lines().collect();
    lines.get(lines.len().saturating_sub(10)..).unwrap_or_default().join("\n")
}
