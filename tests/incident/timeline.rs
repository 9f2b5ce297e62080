//! A replay second by second, for whoever wants to know why.

use std::fmt::Write as _;
use std::time::Duration;

use crate::client::Record;
use crate::evidence::{Evidence, is_refused};

const STEP: Duration = Duration::from_millis(500);

/// For each half second: what arrived, what ended how, and what was under way at its end.
pub(crate) fn of(evidence: &Evidence) -> String {
    let phases = evidence.phases;
    let mut text = "from      arrived   served  refused   failed under way\n".to_owned();
    let starts = (0_u32..).map(|step| phases.began + STEP * step);
    for from in starts.take_while(|from| *from < phases.stopped) {
        let until = from + STEP;
        let ended = |record: &&Record| record.end.as_ref().is_some_and(|(at, _)| *at >= from && *at < until);
        let ended: Vec<&Record> = evidence.records.iter().filter(ended).collect();
        let served = ended.iter().filter(|record| record.is_served()).count();
        let refused = ended.iter().filter(|record| is_refused(record)).count();
        let is_under_way = |record: &&Record| {
            record.scheduled < until && record.end.as_ref().is_none_or(|(at, _)| *at >= until)
        };
        let under_way = evidence.records.iter().filter(is_under_way).count();
        let events = [(phases.out, "out"), (phases.back, "back")];
        let deaths = evidence.deaths.iter().map(|at| (*at, "a node died"));
        let now: Vec<&str> = events
            .into_iter()
            .chain(deaths)
            .filter(|(at, _)| *at >= from && *at < until)
            .map(|(_, what)| what)
            .collect();
        let arrived = evidence.scheduled(from, until).count();
        let failed = ended.len() - served - refused;
        let seconds = from.since(phases.began).as_secs_f64();
        let now = now.join(", ");
        writeln!(
            text,
            "{seconds:>5.1} s {arrived:>8} {served:>8} {refused:>8} {failed:>8} {under_way:>8}  {now}"
        )
        .unwrap();
    }
    text
}
