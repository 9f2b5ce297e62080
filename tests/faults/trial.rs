//! Each row as a test of its own, in front of bookend.

use std::process::ExitCode;
use std::sync::{Arc, Mutex};

use libtest_mimic::{Arguments, Completion, Failed, Trial};

use crate::evidence::Evidence;
use crate::front::Proxy;
use crate::pace::{self, Figures};
use crate::parked;
use crate::report::{self, Line};
use crate::row::Row;
use crate::run::{self, Form};
use crate::table::{PARKED_AWAITS, TABLE};
use crate::verdict;

/// How often a row is run before it is left at that it cannot be judged.
const RUNS: u32 = 2;

/// All rows in one form.
pub(crate) struct Suite {
    form: Form,
    summary: Arc<Mutex<Summary>>,
}

/// What is said when all rows are through.
#[derive(Default)]
struct Summary {
    /// What became of rows that await logic.
    remarks: Vec<String>,
    lines: Vec<Line>,
}

impl Suite {
    pub(crate) fn new(form: Form) -> Self {
        Self { form, summary: Arc::default() }
    }

    /// Runs what the arguments choose, and says what became of it.
    pub(crate) fn run(self, arguments: &Arguments) -> ExitCode {
        let form = self.form;
        let rows = TABLE.iter().enumerate().map(|(place, row)| {
            let summary = Arc::clone(&self.summary);
            Trial::ignorable_test(row.name, move || judge(place, row, form, &summary))
        });
        let parked = Trial::ignorable_test("parked_leave_with_their_clients", move || judge_parked(form));
        let conclusion = libtest_mimic::run(arguments, rows.chain([parked]).collect());
        let summary = std::mem::take(&mut *self.summary.lock().unwrap());
        for remark in summary.remarks {
            println!("{remark}");
        }
        if form.is_long {
            report::publish("make faults", &report::table(summary.lines));
        }
        conclusion.exit_code()
    }
}

/// The seed of the mix of requests: the same every time, unless told otherwise.
pub(crate) fn seed() -> u64 {
    std::env::var("BOOKEND_FAULTS_SEED").ok().and_then(|seed| seed.parse().ok()).unwrap_or(4)
}

/// Runs the row. One that awaits logic does not fail, nor does it pass unnoticed.
fn judge(place: usize, row: &Row, form: Form, summary: &Mutex<Summary>) -> Result<Completion, Failed> {
    let Finding { evidence, figures, violations, is_void } = find(row, &form);
    let verdict = match (is_void, violations.is_empty(), row.awaits) {
        (true, ..) => format!("void: the harness was {:.0?} late", figures.delay),
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
        (false, None) => Err(complaint(&violations, &evidence).into()),
    }
}

/// What a row came to.
struct Finding {
    evidence: Evidence,
    figures: Figures,
    violations: Vec<String>,
    /// The harness itself had too little of the machine to tell.
    is_void: bool,
}

/// Runs the row, again if it can be that only the machine was too busy.
fn find(row: &Row, form: &Form) -> Finding {
    let mut runs = 0;
    loop {
        runs += 1;
        let evidence = run::run(row, form, Proxy::Bookend, seed());
        let figures = Figures::of(row, &evidence);
        let mut violations = verdict::violations(row, form, &evidence);
        if form.is_long {
            violations.extend(pace::violations(row, &figures, &evidence));
        }
        let is_starved = figures.delay > form.starved;
        let is_void = is_starved && (form.is_long || !violations.is_empty());
        if !is_void || runs == RUNS {
            return Finding { evidence, figures, violations, is_void };
        }
    }
}

/// Lets requests wait for nodes that are not there: many in the short form, very many in the long one.
fn judge_parked(form: Form) -> Result<Completion, Failed> {
    let violations = parked::run(if form.is_long { 10_000 } else { 500 });
    match (violations.is_empty(), PARKED_AWAITS) {
        (true, _) => Ok(Completion::Completed),
        (false, Some(logic)) => {
            Ok(Completion::ignored_with(format!("not yet: {logic}: {}", violations.join("; "))))
        }
        (false, None) => Err(violations.join("\n").into()),
    }
}

fn complaint(violations: &[String], evidence: &Evidence) -> String {
    let list = violations.join("\n  ");
    format!("BOOKEND_FAULTS_SEED={}\n  {list}\nthe proxy said last:\n{}", seed(), evidence.last_words)
}
