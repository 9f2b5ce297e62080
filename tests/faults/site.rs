//! The site of a row: its nodes, each a process, and what stands in front of them.

use std::io::{BufRead, BufReader, Write};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use rustix::process::{Pid, Signal, kill_process};

use crate::directory::TempDirectory;
use crate::front::{Front, Proxy, Terms};
use crate::node::{self, Behaviour, Entry};
use crate::port::Port;

/// This program, even if it was built anew meanwhile.
pub(crate) const OURSELVES: &str = "/proc/self/exe";

/// Nodes and the proxy in front of them, on ports of their own.
pub(crate) struct Site {
    pub(crate) nodes: Vec<Server>,
    pub(crate) front: Front,
    // Last, so that it goes when everybody has left it.
    _directory: TempDirectory,
}

impl Site {
    /// Starts so many nodes and the proxy, and returns when it serves requests.
    pub(crate) fn start(proxy: Proxy, terms: Terms, nodes: usize, well: Behaviour) -> Self {
        let directory = TempDirectory::new();
        let nodes: Vec<Server> =
            (1..=nodes).map(|number| Server::start(number, directory.path(), well)).collect();
        let addresses: Vec<SocketAddr> = nodes.iter().map(Server::address).collect();
        let front = Front::start(proxy, terms, &addresses, directory.path());
        Self { nodes, front, _directory: directory }
    }
}

/// A node's process, or the place where one was.
pub(crate) struct Server {
    pub(crate) name: String,
    port: Port,
    diary: PathBuf,
    process: Option<Process>,
}

struct Process {
    child: Child,
    commands: ChildStdin,
    replies: BufReader<ChildStdout>,
}

impl Server {
    fn start(number: usize, directory: &Path, well: Behaviour) -> Self {
        let name = format!("node-{number}");
        let diary = directory.join(format!("{name}.diary"));
        let mut server = Self { name, port: Port::free(), diary, process: None };
        server.start_again(well);
        server
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.port.address()
    }

    /// Starts the process anew, and returns when it listens.
    pub(crate) fn start_again(&mut self, behaviour: Behaviour) {
        let mut child = Command::new(OURSELVES)
            .arg("node")
            .args([&self.name, &self.address().to_string()])
            .arg(&self.diary)
            .arg(serde_json::to_string(&behaviour).unwrap())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let commands = child.stdin.take().unwrap();
        let replies = BufReader::new(child.stdout.take().unwrap());
        let mut process = Process { child, commands, replies };
        process.wait_for_reply();
        self.process = Some(process);
    }

    /// Tells it how to behave, and returns when it does.
    pub(crate) fn behave(&mut self, behaviour: Behaviour) {
        let process = self.process.as_mut().unwrap();
        writeln!(process.commands, "{}", serde_json::to_string(&behaviour).unwrap()).unwrap();
        process.wait_for_reply();
    }

    /// `kill -9`.
    pub(crate) fn kill(&mut self) {
        self.process = None;
    }

    /// Whether it has ended by itself.
    pub(crate) fn has_crashed(&mut self) -> bool {
        self.process.as_mut().is_some_and(|process| process.child.try_wait().unwrap().is_some())
    }

    /// Sends SIGSTOP or SIGCONT.
    pub(crate) fn signal(&self, signal: Signal) {
        self.process.as_ref().unwrap().signal(signal);
    }

    /// Everything that it did so far.
    pub(crate) fn diary(&self) -> Vec<Entry> {
        node::read_diary(&self.diary)
    }
}

impl Process {
    fn wait_for_reply(&mut self) {
        let mut line = String::new();
        self.replies.read_line(&mut line).unwrap();
        assert_eq!(line, "done\n", "the node did not do what it was told");
    }

    fn signal(&self, signal: Signal) {
        let pid = i32::try_from(self.child.id()).unwrap();
        kill_process(Pid::from_raw(pid).unwrap(), signal).unwrap();
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
