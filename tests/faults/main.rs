//! No fault of a node reaches a client: every fault of the [`table`], under load, against what the design promises.
//!
//! Each row is a test: `cargo test --test faults` runs the short form of all, `cargo test --test faults killed` that of one.
//! `make faults` runs the long form, which judges latencies, too; `make faults-peers` puts bookend's peers beside it.
//!
//! This program is all processes of a row but the proxy: called as `node …` it is a node, so that `kill -9` and SIGSTOP
//! are real; called as `guard …` it sees to it that no proxy outlives the harness.
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

mod client;
mod clock;
mod comparison;
#[path = "../integration/support/directory.rs"]
mod directory;
mod document;
mod evidence;
mod front;
mod leaks;
mod losses;
mod node;
mod pace;
mod parked;
mod payload;
#[path = "../integration/support/port.rs"]
mod port;
mod report;
mod row;
mod run;
mod site;
mod table;
mod trial;
mod trouble;
mod verdict;
mod wire;

use std::process::ExitCode;

use libtest_mimic::Arguments;

use trial::Suite;

/// Rows at once where no latency is judged: they mostly wait, and two cores carry so many.
const AT_ONCE: usize = 8;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().collect();
    match arguments.get(1).map(String::as_str) {
        Some("node") => node::run(&arguments[2..]),
        Some("guard") => front::run_guard(&arguments[2..]),
        _ => {}
    }
    let mut arguments = Arguments::from_args();
    match std::env::var("BOOKEND_FAULTS").as_deref() {
        Ok("long") => {
            arguments.test_threads.get_or_insert(1);
            Suite::new(run::LONG).run(&arguments)
        }
        Ok("peers") => {
            arguments.test_threads.get_or_insert(AT_ONCE);
            comparison::run(&arguments)
        }
        _ => {
            arguments.test_threads.get_or_insert(AT_ONCE);
            Suite::new(run::SHORT).run(&arguments)
        }
    }
}
