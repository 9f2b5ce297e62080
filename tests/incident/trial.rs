//! Each row in front of each proxy, as a test of its own.

use std::process::ExitCode;
use std::sync::{Arc, Mutex};

use libtest_mimic::{Arguments, Completion, Failed, Trial};

use crate::evidence::{Evidence, Story};
use crate::figures::Figures;
use crate::front::{Peer, Proxy};
use crate::report::{self, Line};
use crate::row::Row;
use crate::run::{self, Form};
use crate::table::TABLE;
use crate::timeline;

/// How often a row is run before it is left at that it cannot be judged.
const RUNS: u32 = 2;

/// What stands in front of the nodes.
pub(crate) fn bookend() -> Vec<Proxy> {
    vec![Proxy::Bookend]
}

/// bookend and its peers, as Debian has them.
pub(crate) fn everybody() -> Vec<Proxy> {
    std::iter::once(Proxy::Bookend).chain(Peer::DEBIAN.iter().map(Proxy::Peer)).collect()
}

/// Runs the rows that the arguments choose and the form has, and says what became of them.
pub(crate) fn run(mut arguments: Arguments, form: Form, proxies: &[Proxy]) -> ExitCode {
    arguments.test_threads.get_or_insert(form.at_once);
    let lines = Arc::new(Mutex::new(Vec::new()));
    let rows: Vec<Row> = match Row::from_environment() {
        Some(row) => vec![row],
        None => TABLE.iter().copied().filter(|row| is_chosen(row, &form, proxies)).collect(),
    };
    let mut trials = Vec::new();
    for (place, row) in rows.into_iter().enumerate() {
        for (column, proxy) in proxies.iter().copied().enumerate() {
            let lines = Arc::clone(&lines);
            let name = match proxies.len() {
                1 => row.name.to_owned(),
                _ => format!("{}::{}", report::name(proxy), row.name),
            };
            let judge = move || judge((place, column), &row, form, proxy, &lines);
            trials.push(Trial::ignorable_test(name, judge));
        }
    }
    let conclusion = libtest_mimic::run(&arguments, trials);
    let lines = std::mem::take(&mut *lines.lock().unwrap());
    report::publish(&form, proxies, lines);
    conclusion.exit_code()
}

fn is_chosen(row: &Row, form: &Form, proxies: &[Proxy]) -> bool {
    match proxies.len() {
        1 => form.is_long || row.is_short,
        _ => row.is_compared,
    }
}

/// The seed of what arrives: the same every time, unless told otherwise.
fn seed() -> u64 {
    std::env::var("BOOKEND_INCIDENT_SEED").ok().and_then(|seed| seed.parse().ok()).unwrap_or(5)
}

/// Replays the row. What a peer does is a finding, not a failed test.
fn judge(
    place: (usize, usize),
    row: &Row,
    form: Form,
    proxy: Proxy,
    lines: &Mutex<Vec<Line>>,
) -> Result<Completion, Failed> {
    let Finding { evidence, figures, violations, is_void } = find(row, &form, proxy);
    if std::env::var_os("BOOKEND_INCIDENT_TIMELINE").is_some() {
        println!("{}\n{}", timeline::of(&evidence), evidence.last_words);
    }
    if let Some(story) = evidence.story.as_ref().filter(|_| row.name == "forgotten") {
        report::publish_post_mortem(&form, &story.post_mortem);
    }
    let verdict = match (is_void, violations.is_empty(), row.awaits) {
        (true, ..) if figures.lacks_descriptors() => "void: the harness ran out of descriptors".to_owned(),
        (true, ..) => format!("void: the harness was {:.0?} late", figures.delay.0),
        (_, true, _) => "as promised".to_owned(),
        (_, false, Some(logic)) if proxy == Proxy::Bookend => {
            format!("not yet ({logic}): {}", violations.join("; "))
        }
        (_, false, _) => violations.join("; "),
    };
    lines.lock().unwrap().push(Line::new(place, row, proxy, &figures, &verdict));
    match (is_void, violations.is_empty()) {
        (true, _) => Ok(Completion::ignored_with(verdict)),
        (_, true) => Ok(Completion::Completed),
        (_, false) if row.awaits.is_some() || proxy != Proxy::Bookend => {
            Ok(Completion::ignored_with(verdict))
        }
        (_, false) => Err(complaint(&violations, &figures, &evidence).into()),
    }
}

/// What a row came to.
struct Finding {
    evidence: Evidence,
    figures: Figures,
    violations: Vec<String>,
    /// The harness itself had too little of the machine, or of descriptors, to tell.
    is_void: bool,
}

/// Replays the row, again if it can be that only the machine was too busy.
fn find(row: &Row, form: &Form, proxy: Proxy) -> Finding {
    let mut runs = 0;
    loop {
        runs += 1;
        let evidence = run::run(row, form, proxy, seed());
        let figures = Figures::of(row, &evidence);
        let mut violations = figures.violations(row);
        violations.extend(evidence.story.iter().flat_map(Story::gaps));
        if !evidence.survived {
            violations.push("the proxy itself ended".to_owned());
        }
        let is_starved = figures.delay.0 > form.starved || figures.lacks_descriptors();
        let is_void = is_starved && evidence.survived && !violations.is_empty();
        if !is_void || runs == RUNS {
            return Finding { evidence, figures, violations, is_void };
        }
    }
}

fn complaint(violations: &[String], figures: &Figures, evidence: &Evidence) -> String {
    format!(
        "BOOKEND_INCIDENT_SEED={}\n  {}\n{figures:?}\n{}\nthe proxy said last:\n{}",
        seed(),
        violations.join("\n  "),
        timeline::of(evidence),
        evidence.last_words
    )
}
