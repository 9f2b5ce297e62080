//! The claims about time, which only the long form judges: how fast clients are answered, and how a node comes back.

use std::time::Duration;

use crate::client::Kind;
use crate::clock::Moment;
use crate::evidence::Evidence;
use crate::row::{Answered, Fault, Row};

const SAVED: [Kind; 5] = [Kind::Get, Kind::Head, Kind::Put, Kind::Delete, Kind::Keyed];
const READS: [Kind; 2] = [Kind::Get, Kind::Head];
const WRITES: [Kind; 3] = [Kind::Put, Kind::Delete, Kind::Keyed];

/// What a retry at once may cost.
const PROMPT: Duration = Duration::from_millis(50);
/// What silence may cost.
const SILENT_READ: Duration = Duration::from_millis(1_300);
const SILENT_WRITE: Duration = Duration::from_millis(2_500);
/// The default connect time-out and 100 ms.
const BLACK_HOLE: Duration = Duration::from_millis(1_100);

/// A node that is back has this part of its share, this long after it was healed.
const BACK: f64 = 0.9;
const BACK_WITHIN: Duration = Duration::from_secs(5);
/// In one second on its way back it has no more than its share, give or take what a second's count varies by itself.
const AT_MOST: f64 = 1.15;
const WINDOW: Duration = Duration::from_secs(1);
const STEP: Duration = Duration::from_millis(250);

/// The figures of a row.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Figures {
    /// The 99th percentile of what is saved, before and during the fault.
    pub(crate) before: Duration,
    pub(crate) during: Duration,
    pub(crate) slowest_read: Duration,
    pub(crate) slowest_write: Duration,
    /// When the nodes that the fault befell had their share again.
    pub(crate) back_after: Option<Duration>,
    /// The most that they had of their share in one second on the way.
    pub(crate) most_share: f64,
    /// How late the harness was.
    pub(crate) delay: Duration,
}

impl Figures {
    pub(crate) fn of(row: &Row, evidence: &Evidence) -> Self {
        let phases = evidence.phases;
        let during = |quantile, kinds: &[Kind]| evidence.latency(quantile, kinds, phases.broke, phases.due);
        let shares = shares(row, evidence);
        Self {
            before: evidence.latency(0.99, &SAVED, phases.began, phases.broke),
            during: during(0.99, &SAVED),
            slowest_read: during(1.0, &READS),
            slowest_write: during(1.0, &WRITES),
            back_after: shares.iter().find(|(_, share)| *share >= BACK).map(|(after, _)| *after),
            most_share: shares.iter().map(|(_, share)| *share).fold(0.0, f64::max),
            delay: evidence.delay(),
        }
    }
}

/// In what the figures are not as the row says; nothing, if all is well.
pub(crate) fn violations(row: &Row, figures: &Figures, evidence: &Evidence) -> Vec<String> {
    let mut found = Vec::new();
    let mut at_most = |what: &str, measured: Duration, most: Duration| {
        if measured > most {
            found.push(format!("{what} took {measured:.0?}; at most {most:.0?}"));
        }
    };
    match row.answered {
        Answered::Promptly => at_most("what is saved (p99)", figures.during, figures.before + PROMPT),
        Answered::DespiteSilence => {
            at_most("the slowest read", figures.slowest_read, SILENT_READ);
            at_most("the slowest write", figures.slowest_write, SILENT_WRITE);
        }
        Answered::DespiteBlackHole => {
            at_most("the slowest read", figures.slowest_read, BLACK_HOLE);
            at_most("the slowest write", figures.slowest_write, BLACK_HOLE);
        }
        Answered::DespiteBrownOut | Answered::WhileItLasts | Answered::Once => {}
    }
    if row.answered == Answered::DespiteSilence {
        found.extend(work_for_the_silent(row, evidence));
    }
    if comes_back(row) {
        found.extend(return_of_the_node(figures));
    }
    found
}

/// A node that is out for silence gets no work but one trial at a time, a second apart at the least.
///
/// Counted by when it was asked for: what a stopped node was sent it reads only when it goes on.
fn work_for_the_silent(row: &Row, evidence: &Evidence) -> Option<String> {
    let (from, until) = (evidence.phases.broke + SILENT_WRITE, evidence.phases.healed);
    let trials = until.since(from).as_secs() as usize + 1;
    let arrivals: usize = evidence.arrivals_of_new(from, until)[..row.befalls].iter().sum();
    (arrivals > trials).then(|| format!("a silent node had {arrivals} requests; at most {trials} trials"))
}

fn return_of_the_node(figures: &Figures) -> Vec<String> {
    let mut found = Vec::new();
    if figures.back_after.is_none_or(|after| after > BACK_WITHIN) {
        let after = figures.back_after.map_or("never".to_owned(), |after| format!("after {after:.1?}"));
        found.push(format!("the node had its share back {after}; at most {BACK_WITHIN:?}"));
    }
    if figures.most_share > AT_MOST {
        found.push(format!("on its way back the node had {:.2} of its share", figures.most_share));
    }
    found
}

/// Whether the fault takes nodes out that others stand in for.
pub(crate) fn comes_back(row: &Row) -> bool {
    let is_out = !matches!(row.fault, Fault::Url(_) | Fault::ResetOneEach | Fault::KillFor(_));
    is_out && row.befalls < row.nodes && !row.is_left_alone
}

/// The share of the nodes that the fault befell in each second after it was healed, with the end of that second.
fn shares(row: &Row, evidence: &Evidence) -> Vec<(Duration, f64)> {
    let phases = evidence.phases;
    let length = phases.stopped.since(phases.healed);
    let starts = (0_u32..).map(|step| STEP * step).take_while(|start| *start + WINDOW <= length);
    starts.map(|start| (start + WINDOW, share(row, evidence, phases.healed + start))).collect()
}

fn share(row: &Row, evidence: &Evidence, from: Moment) -> f64 {
    evidence.share_of_new(row.befalls, from, from + WINDOW)
}
