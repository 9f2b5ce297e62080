//! A row, run: all is well, the fault under load, all is well again.

use std::thread;
use std::time::{Duration, Instant};

use crate::client::{Load, Mix};
use crate::clock::{self, Moment};
use crate::evidence::{Evidence, NodeStory, Phases};
use crate::front::Proxy;
use crate::node::Event;
use crate::row::{Answered, Row};
use crate::site::{Server, Site};
use crate::trouble::Trouble;

/// How long anything may take that happens sooner or later; long, because the machine may be busy.
pub(crate) const PATIENCE: Duration = Duration::from_secs(25);
const TICK: Duration = Duration::from_millis(10);
/// So many requests make sure that a node is in use.
const IN_USE: usize = 5;

/// How long the phases are, and how much is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Form {
    pub(crate) healthy: Duration,
    pub(crate) fault: Duration,
    pub(crate) healed: Duration,
    pub(crate) per_second: u32,
    /// If the harness was later than this with one request in a hundred, what it saw means nothing.
    pub(crate) starved: Duration,
    /// Whether latencies and shares are judged, too.
    pub(crate) is_long: bool,
}

/// For every `make test`: correctness only, many rows at once.
pub(crate) const SHORT: Form = Form {
    healthy: Duration::from_millis(1_000),
    fault: Duration::from_millis(2_500),
    healed: Duration::from_millis(1_000),
    per_second: 40,
    starved: Duration::from_millis(250),
    is_long: false,
};

/// For `make faults`: one row at a time.
pub(crate) const LONG: Form = Form {
    healthy: Duration::from_secs(5),
    fault: Duration::from_secs(10),
    healed: Duration::from_secs(8),
    per_second: 100,
    starved: Duration::from_millis(20),
    is_long: true,
};

/// Runs the row and returns all that was seen.
pub(crate) fn run(row: &Row, form: &Form, proxy: Proxy, seed: u64) -> Evidence {
    let mut site = Site::start(proxy, row.terms(), row.nodes, row.well);
    let per_second = row.per_second.unwrap_or(form.per_second);
    let mix = Mix::new(per_second, row.speaks, row.answers, row.largest, seed).within(row.deadline);
    let load = Load::start(site.front.address(), mix);
    Trouble::prepare(row, &load);
    let began = clock::now();
    let all = row.nodes;
    wait(form.healthy, || are_in_use(&site.nodes[..all], began), || {});

    let broke = clock::now();
    let mut trouble = Trouble::begin(row, &mut site, &load);
    let lasts = form.fault.max(row.lasts);
    let due = broke + lasts;
    let is_answered = || row.answered == Answered::Once || answered(&load, broke, due);
    wait(lasts, is_answered, || trouble.go_on());
    let doors_shut = trouble.end();

    let healed = clock::now();
    wait(form.healed, || are_in_use(&site.nodes[..all], healed), || {});
    let stopped = clock::now();
    let records = load.finish();
    let survived = site.front.is_running();
    Evidence {
        phases: Phases { began, broke, due, healed, stopped },
        doors_shut,
        records,
        nodes: site.nodes.iter().map(|node| NodeStory::new(&node.name, node.diary())).collect(),
        survived,
        last_words: site.front.last_words(),
    }
}

/// Returns after `least`, and when `holds`, or when nobody would wait any longer.
fn wait(least: Duration, mut holds: impl FnMut() -> bool, mut meanwhile: impl FnMut()) {
    let start = Instant::now();
    while start.elapsed() < least || (!holds() && start.elapsed() < least + PATIENCE) {
        meanwhile();
        thread::sleep(TICK);
    }
}

fn are_in_use(nodes: &[Server], since: Moment) -> bool {
    nodes.iter().all(|node| {
        let diary = node.diary();
        let arrivals = diary.iter().filter(|entry| entry.event == Event::Arrived && entry.at > since);
        arrivals.count() >= IN_USE
    })
}

/// Whether everything that is saved and was asked for between these moments has its answer.
fn answered(load: &Load, from: Moment, until: Moment) -> bool {
    load.is_through(until, |record| record.kind.is_repeatable() && record.scheduled >= from)
}
