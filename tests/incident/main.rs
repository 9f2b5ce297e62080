//! The incident, replayed: one of two servers is out, and more arrives than the other can carry.
//!
//! Each row of the [`table`] is a test: `cargo test --test incident` runs the short form, which has the rows that go slowly
//! enough to run beside each other. `make incident` runs all of them, one after the other; `make incident-peers` puts
//! bookend's peers beside it. The nodes, the clients and what starts the proxies are those of the faults.
#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::print_stderr,
    clippy::print_stdout,
    clippy::string_slice,
    clippy::unwrap_used,
    reason = "a test fails by panicking"
)]

#[allow(dead_code, unused_imports, reason = "the faults use the rest")]
#[path = "../faults/client/mod.rs"]
mod client;
#[allow(dead_code, reason = "the faults use the rest")]
#[path = "../faults/clock.rs"]
mod clock;
#[path = "../integration/support/directory.rs"]
mod directory;
#[path = "../faults/document.rs"]
mod document;
mod evidence;
mod figures;
#[allow(dead_code, unused_imports, reason = "the faults use the rest")]
#[path = "../faults/front/mod.rs"]
mod front;
#[allow(dead_code, reason = "the faults use the rest")]
#[path = "../faults/node/mod.rs"]
mod node;
#[path = "../faults/payload.rs"]
mod payload;
#[path = "../integration/support/port.rs"]
mod port;
mod report;
mod row;
mod run;
#[allow(dead_code, reason = "the faults use the rest")]
#[path = "../faults/site.rs"]
mod site;
mod table;
mod timeline;
mod traffic;
mod trial;
#[path = "../faults/wire.rs"]
mod wire;

use std::process::ExitCode;

use libtest_mimic::Arguments;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().collect();
    match arguments.get(1).map(String::as_str) {
        Some("node") => node::run(&arguments[2..]),
        Some("guard") => front::run_guard(&arguments[2..]),
        _ => {}
    }
    raise_descriptors();
    let arguments = Arguments::from_args();
    match std::env::var("BOOKEND_INCIDENT").as_deref() {
        Ok("long") => trial::run(arguments, run::LONG, &trial::bookend()),
        Ok("peers") => trial::run(arguments, run::LONG, &trial::everybody()),
        _ => trial::run(arguments, run::SHORT, &trial::bookend()),
    }
}

/// Where nobody turns clients away they wait by the ten thousand; the nodes and the proxy inherit this.
fn raise_descriptors() {
    const WANTED: u64 = 200_000;
    let most = getrlimit(Resource::Nofile).maximum;
    let all = most.unwrap_or(WANTED).max(WANTED);
    // More than the system gives us is for root only; without, the largest rows in front of peers are what they are.
    if setrlimit(Resource::Nofile, Rlimit { current: Some(all), maximum: Some(all) }).is_err() {
        let _ = setrlimit(Resource::Nofile, Rlimit { current: most, maximum: most });
    }
}
