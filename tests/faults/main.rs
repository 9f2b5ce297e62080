//! No fault of a node reaches a client: every fault of the [`table`], under load, against what the design promises.
//!
//! Each row is a test: `cargo test --test faults` runs the short form of all, `cargo test --test faults killed` that of one.
//! `make faults` runs the long form.
//!
//! This program is all processes of a row but the proxy: called as `node …` it is a node, so that `kill -9` and SIGSTOP
//! are real.
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
#[path = "../integration/support/directory.rs"]
mod directory;
mod evidence;
mod front;
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
mod trouble;
mod verdict;
mod wire;

use std::process::ExitCode;
use std::sync::{Arc, Mutex};

use libtest_mimic::{Arguments, Completion, Failed, Trial};

use evidence::Evidence;
use front::Proxy;
use pace::Figures;
use report::Line;
use row::Row;
use run::Form;

/// Rows at once in the short form: they mostly wait, and two cores carry so many.
const AT_ONCE: usize = 8;

/// What is said when all rows are through.
#[derive(Default)]
struct Summary {
    /// What became of rows that await logic.
    remarks: Vec<String>,
    lines: Vec<Line>,
}

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().collect();
    if arguments.get(1).is_some_and(|word| word == "node") {
        node::run(&arguments[2..]);
    }
    let form = if variable("BOOKEND_FAULTS").as_deref() == Some("long") { run::LONG } else { run::SHORT };
    let mut arguments = Arguments::from_args();
    arguments.test_threads.get_or_insert(if form.is_long { 1 } else { AT_ONCE });
    let summary = Arc::new(Mutex::new(Summary::default()));
    let trials = table::TABLE.iter().enumerate().map(|(place, row)| {
        let summary = Arc::clone(&summary);
        Trial::ignorable_test(row.name, move || judge(place, row, form, &summary))
    });
    let parked = Trial::ignorable_test("parked_leave_with_their_clients", move || judge_parked(form));
    let conclusion = libtest_mimic::run(&arguments, trials.chain([parked]).collect());
    let summary = std::mem::take(&mut *summary.lock().unwrap());
    for remark in summary.remarks {
        println!("{remark}");
    }
    if form.is_long {
        println!("\n{}", report::table(summary.lines));
    }
    conclusion.exit_code()
}

/// Runs the row. One that awaits logic does not fail, nor does it pass unnoticed.
fn judge(place: usize, row: &Row, form: Form, summary: &Mutex<Summary>) -> Result<Completion, Failed> {
    let seed = variable("BOOKEND_FAULTS_SEED").and_then(|seed| seed.parse().ok()).unwrap_or(4);
    let evidence = run::run(row, &form, Proxy::Bookend, seed);
    let figures = Figures::of(row, &evidence);
    let mut violations = verdict::violations(row, &form, &evidence);
    if form.is_long {
        violations.extend(pace::violations(row, &figures, &evidence));
    }
    let is_void = form.is_long && figures.is_void();
    let verdict = match (is_void, violations.is_empty(), row.awaits) {
        (true, ..) => format!("void: the harness was {:?} late", figures.delay),
        (_, true, _) => "as promised".to_owned(),
        (_, false, None) => violations.join("; "),
        (_, false, Some(logic)) => format!("not yet ({logic}): {}", violations.join("; ")),
    };
    let mut summary = summary.lock().unwrap();
    summary.lines.push(Line::new(place, row, &evidence, &figures, &verdict));
    if let Some(logic) = row.awaits.filter(|_| !is_void) {
        summary.remarks.push(match violations.is_empty() {
            true => format!("{} passed this time, though it awaits {logic}", row.name),
            false => format!("{}: {verdict}", row.name),
        });
    }
    match (violations.is_empty(), row.awaits) {
        _ if is_void => Ok(Completion::ignored_with(verdict)),
        (true, _) => Ok(Completion::Completed),
        (false, Some(logic)) => Ok(Completion::ignored_with(format!("not yet: {logic}"))),
        (false, None) => Err(complaint(seed, &violations, &evidence).into()),
    }
}

/// Lets requests wait for nodes that are not there: many in the short form, very many in the long one.
fn judge_parked(form: Form) -> Result<Completion, Failed> {
    let violations = parked::run(if form.is_long { 10_000 } else { 500 });
    match (violations.is_empty(), parked::AWAITS) {
        (true, _) => Ok(Completion::Completed),
        (false, Some(logic)) => {
            Ok(Completion::ignored_with(format!("not yet: {logic}: {}", violations.join("; "))))
        }
        (false, None) => Err(violations.join("\n").into()),
    }
}

fn complaint(seed: u64, violations: &[String], evidence: &Evidence) -> String {
    let list = violations.join("\n  ");
    format!("BOOKEND_FAULTS_SEED={seed}\n  {list}\nthe proxy said last:\n{}", evidence.last_words)
}

fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok()
}
