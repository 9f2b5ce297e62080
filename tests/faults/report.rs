//! The long form's figures as a table in Markdown.

use std::fmt::Write as _;
use std::time::Duration;

use crate::client::{Kind, Record};
use crate::document;
use crate::evidence::Evidence;
use crate::pace::{self, Figures};
use crate::row::Row;

const HEAD: &str = "| fault | requests | failed | p99 before | p99 during | slowest read | slowest write | attempts | back after | verdict |\n\
                    | --- | ---: | --- | ---: | ---: | ---: | ---: | ---: | ---: | --- |\n";

/// One line of the table.
#[derive(Clone, Debug)]
pub(crate) struct Line {
    /// Where in the table of faults it stands.
    pub(crate) place: usize,
    text: String,
}

impl Line {
    pub(crate) fn new(
        place: usize,
        row: &Row,
        evidence: &Evidence,
        figures: &Figures,
        verdict: &str,
    ) -> Self {
        let back = match figures.back_after {
            _ if !pace::comes_back(row) => "-".to_owned(),
            Some(after) => format!("{:.1} s", after.as_secs_f64()),
            None => "never".to_owned(),
        };
        let text = format!(
            "| {} | {} | {} | {} | {} | {} | {} | {:.2} | {back} | {verdict} |",
            row.name.replace('_', " "),
            evidence.records.len(),
            failed(&evidence.records),
            millis(figures.before),
            millis(figures.during),
            millis(figures.slowest_read),
            millis(figures.slowest_write),
            evidence.attempts_each(),
        );
        Self { place, text }
    }
}

/// The table with these lines, in the order of the faults.
pub(crate) fn table(mut lines: Vec<Line>) -> String {
    lines.sort_by_key(|line| line.place);
    let mut text = HEAD.to_owned();
    for line in lines {
        writeln!(text, "{}", line.text).unwrap();
    }
    text
}

/// Prints what this command found and, where `BOOKEND_FAULTS_WRITE` is set, puts it into `docs/faults.md`.
pub(crate) fn publish(command: &str, found: &str) {
    document::publish("faults.md", "BOOKEND_FAULTS_WRITE", command, found);
}

/// How many requests were not served, by kind.
fn failed(records: &[Record]) -> String {
    let mut text = String::new();
    for kind in Kind::ALL {
        let count = records.iter().filter(|record| record.kind == kind && !record.is_served()).count();
        if count > 0 {
            let comma = if text.is_empty() { "" } else { ", " };
            write!(text, "{comma}{count} {}", kind.name()).unwrap();
        }
    }
    if text.is_empty() { "0".to_owned() } else { text }
}

fn millis(duration: Duration) -> String {
    format!("{} ms", duration.as_millis())
}
