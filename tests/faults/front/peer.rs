//! bookend's peers, as they come and tuned; their configurations are the files in `tests/faults/peers`.

use std::fs;
use std::io::{Read, Write};
use std::net::SocketAddr;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::guarded;

/// A peer in one of its configurations.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Peer {
    /// The program and how it is configured, as in `nginx_tuned`.
    pub(crate) name: &'static str,
    program: &'static str,
    home: Home,
    /// The arguments; `DIRECTORY` and `CONFIG` stand for paths.
    arguments: &'static [&'static str],
    /// The configuration, and the name that it gets in the directory of the row.
    file: &'static str,
    version: &'static [&'static str],
    /// Whether SIGHUP has it read its configuration again.
    pub(crate) reloads: bool,
}

/// Where a program comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Home {
    /// A Python wheel, which has it newer than a distribution does.
    Wheel,
    /// The system's own package.
    System,
}

const NGINX: Peer = Peer {
    name: "nginx",
    program: "nginx",
    home: Home::Wheel,
    arguments: &["-e", "stderr", "-p", "DIRECTORY", "-c", "CONFIG"],
    file: "nginx.conf",
    version: &["-v"],
    reloads: true,
};
const HAPROXY: Peer = Peer {
    name: "haproxy",
    program: "haproxy",
    home: Home::Wheel,
    arguments: &["-db", "-f", "CONFIG"],
    file: "haproxy.cfg",
    version: &["-v"],
    reloads: false,
};
const ENVOY: Peer = Peer {
    name: "envoy",
    program: "envoy",
    home: Home::Wheel,
    arguments: &["--disable-hot-restart", "--concurrency", "2", "--log-level", "warn", "-c", "CONFIG"],
    file: "envoy.yaml",
    version: &["--version"],
    reloads: false,
};
const TRAEFIK: Peer = Peer {
    name: "traefik",
    program: "traefik",
    home: Home::Wheel,
    arguments: &[
        "--global.checknewversion=false",
        "--global.sendanonymoususage=false",
        "--entrypoints.web.address=LISTENER",
        "--providers.file.filename=CONFIG",
    ],
    file: "traefik-default.yaml",
    version: &["version"],
    reloads: false,
};
const CADDY: Peer = Peer {
    name: "caddy",
    program: "caddy",
    home: Home::Wheel,
    arguments: &["run", "--adapter", "caddyfile", "--config", "CONFIG"],
    file: "Caddyfile",
    version: &["version"],
    reloads: false,
};

/// All of them, each as it comes and tuned.
pub(crate) const PEERS: [Peer; 10] = [
    NGINX,
    Peer { name: "nginx_tuned", file: "nginx-tuned.conf", ..NGINX },
    HAPROXY,
    Peer { name: "haproxy_tuned", file: "haproxy-tuned.cfg", ..HAPROXY },
    ENVOY,
    Peer { name: "envoy_tuned", file: "envoy-tuned.yaml", ..ENVOY },
    TRAEFIK,
    Peer { name: "traefik_tuned", file: "traefik-tuned.yaml", ..TRAEFIK },
    CADDY,
    Peer { name: "caddy_tuned", file: "Caddyfile-tuned", ..CADDY },
];

impl Peer {
    /// Those that Debian has: as it has them, and one told more.
    #[allow(dead_code, reason = "the incident stands in front of these")]
    pub(crate) const DEBIAN: [Self; 4] = [
        Self { file: "nginx-debian.conf", home: Home::System, ..NGINX },
        Self { file: "haproxy-debian.cfg", home: Home::System, ..HAPROXY },
        Self { name: "haproxy_checked", file: "haproxy-checked.cfg", home: Home::System, ..HAPROXY },
        Self { name: "haproxy_told", file: "haproxy-told.cfg", home: Home::System, ..HAPROXY },
    ];

    pub(super) fn command(&self, listener: SocketAddr, nodes: &[SocketAddr], directory: &Path) -> Command {
        let written = fs::read_to_string(configurations().join(self.file)).unwrap();
        let file = directory.join(self.file);
        let place = directory.to_str().unwrap();
        fs::write(&file, filled_in(&written, listener, nodes, place)).unwrap();
        let mut command = guarded(&self.binary());
        for argument in self.arguments {
            let argument = argument.replace("CONFIG", file.to_str().unwrap()).replace("DIRECTORY", place);
            command.arg(argument.replace("LISTENER", &listener.to_string()));
        }
        // Where Caddy keeps what it would keep at home.
        command.env("HOME", directory).env("XDG_DATA_HOME", directory).env("XDG_CONFIG_HOME", directory);
        command
    }

    /// Takes a node out in its own way: nginx by `down` in the file, which it has to read again (then this is `true`),
    /// HAProxy by a word at its socket.
    #[allow(dead_code, reason = "the incident does this")]
    pub(super) fn take_out(&self, node: &str, address: SocketAddr, directory: &Path) -> bool {
        if self.program == "nginx" {
            let file = directory.join(self.file);
            let (serves, is_out) = (format!("server {address};"), format!("server {address} down;"));
            let text = fs::read_to_string(&file).unwrap();
            assert!(text.contains(&serves), "{text}");
            fs::write(&file, text.replace(&serves, &is_out)).unwrap();
            return true;
        }
        let mut socket = UnixStream::connect(directory.join("haproxy.sock")).unwrap();
        writeln!(socket, "set server web/{node} state maint").unwrap();
        let mut answer = String::new();
        socket.read_to_string(&mut answer).unwrap();
        assert_eq!(answer.trim(), "");
        false
    }

    /// What it says of its version.
    pub(crate) fn version(&self) -> String {
        let output = Command::new(self.binary()).args(self.version).output().unwrap();
        let said = [output.stdout, output.stderr].concat();
        let said = String::from_utf8_lossy(&said);
        let number = said.split(['/', ' ', '\n', '-']).find(|word| {
            let digits = word.trim_start_matches('v');
            digits.starts_with(|c: char| c.is_ascii_digit()) && digits.contains('.')
        });
        format!("{} {}", self.program, number.unwrap_or("of unknown version").trim_start_matches('v'))
    }

    fn binary(&self) -> PathBuf {
        let wheels = Path::new(env!("CARGO_MANIFEST_DIR")).join(".venv/faults");
        let found = match self.home {
            Home::Wheel => program_below(&wheels, self.program),
            Home::System => {
                SYSTEM.iter().map(|place| Path::new(place).join(self.program)).find(|path| path.exists())
            }
        };
        found
            .unwrap_or_else(|| panic!("there is no {}: make faults-peers, make incident-peers", self.program))
    }
}

/// Where Debian puts servers.
const SYSTEM: [&str; 3] = ["/usr/sbin", "/usr/local/sbin", "/usr/bin"];

/// Where the configurations stand.
fn configurations() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/faults/peers")
}

/// The configuration with the addresses of a row: a line with a node in it is there once for each node.
fn filled_in(written: &str, listener: SocketAddr, nodes: &[SocketAddr], directory: &str) -> String {
    let mut text = String::new();
    for line in written.lines() {
        let is_of_node = line.contains("NODE_PORT");
        for (number, node) in nodes.iter().enumerate().take(if is_of_node { nodes.len() } else { 1 }) {
            let line = line.replace("NODE_PORT", &node.port().to_string());
            let line = line.replace("NODE_NAME", &format!("node-{}", number + 1));
            let line = line.replace("FRONT_PORT", &listener.port().to_string());
            text.push_str(&line.replace("DIRECTORY", directory));
            text.push('\n');
        }
    }
    text
}

/// The program of this name, as large as a program is: wheels put scripts of the same name beside it.
fn program_below(directory: &Path, name: &str) -> Option<PathBuf> {
    let mut to_visit = vec![directory.to_owned()];
    while let Some(directory) = to_visit.pop() {
        for entry in fs::read_dir(directory).ok()?.flatten() {
            let (path, about) = (entry.path(), entry.metadata().ok()?);
            if about.is_dir() {
                to_visit.push(path);
            } else if entry.file_name() == name && about.len() > 1 << 20 {
                return Some(path);
            }
        }
    }
    None
}
