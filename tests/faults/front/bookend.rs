//! bookend as it comes.

use std::fmt::Write as _;
use std::fs;
use std::net::SocketAddr;
use std::path::Path;
use std::process::Command;

use super::{Check, Terms};

pub(super) fn command(listener: SocketAddr, terms: Terms, nodes: &[SocketAddr], directory: &Path) -> Command {
    let file = directory.join("bookend.yaml");
    fs::write(&file, configuration(listener, terms, nodes)).unwrap();
    let mut command = super::guarded(Path::new(env!("CARGO_BIN_EXE_bookend")));
    command.args(["run", "-c"]).arg(file);
    command.env("STATE_DIRECTORY", directory.join("state")).env("RUST_LOG", "info");
    command
}

/// The smallest useful file. Only what would collide with other rows is said, and what is
/// spoken and checked where the row is about it.
fn configuration(listener: SocketAddr, terms: Terms, nodes: &[SocketAddr]) -> String {
    let mut yaml = format!("admin: {{ address: off }}\nlisteners:\n  - address: {listener}\n");
    if terms.http2 {
        yaml.push_str("    http2: true\n");
    }
    yaml.push_str("pools:\n  web:\n");
    match terms.check {
        Check::Tcp => {}
        Check::Http => yaml.push_str("    health_check: { type: http, path: /health }\n"),
        Check::H2c => yaml.push_str("    protocol: http2\n"),
    }
    yaml.push_str("    nodes:\n");
    for (number, address) in nodes.iter().enumerate() {
        writeln!(yaml, "      - {{ address: \"{address}\", name: node-{} }}", number + 1).unwrap();
    }
    yaml.push_str("routes:\n  - pool: web\n");
    yaml
}

/// The command with which a person takes a node out, and forgets it.
pub(super) fn drain(node: &str, directory: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_bookend"));
    command.args(["drain", &format!("web/{node}"), "--for", "72h", "--reason", "kernel test", "-c"]);
    command.arg(directory.join("bookend.yaml")).env("STATE_DIRECTORY", directory.join("state"));
    command
}

/// What bookend wrote down of the last incident; empty if there was none.
#[allow(dead_code, reason = "the incident shows it")]
pub(super) fn post_mortem(directory: &Path) -> String {
    let mut command = Command::new(env!("CARGO_BIN_EXE_bookend"));
    command.args(["incidents", "show", "last", "-c"]).arg(directory.join("bookend.yaml"));
    let output = command.env("STATE_DIRECTORY", directory.join("state")).output().unwrap();
    String::from_utf8(output.stdout).unwrap()
}
