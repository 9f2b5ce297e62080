//! What became of the requests of each pool since that was last told.

use std::collections::{HashMap, HashSet};

use crate::incident::What;
use crate::observe::{Tally, is_saved};
use crate::retry::Outcome;

/// How often it is looked at, in milliseconds.
const INTERVAL: u64 = 5_000;

/// How often it is told of a pool while an incident lasts and nothing fails.
const SELDOM: u64 = 60_000;

/// Requests of a pool.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Sums {
    total: u64,
    saved: u64,
    failed: u64,
    shed: u64,
}

/// What was last told.
#[derive(Debug, Default)]
pub(super) struct Traffic {
    looked: u64,
    /// When it was last told, and what there was until then.
    told: HashMap<String, (u64, Sums)>,
}

impl Traffic {
    /// Whether it is time to look again.
    pub(super) fn is_due(&self, now: u64) -> bool {
        now.saturating_sub(self.looked) >= INTERVAL
    }

    /// What there is to tell of each pool, where those with an incident are `open`; all of it if it is the last time.
    pub(super) fn look(
        &mut self,
        tally: &Tally,
        open: &HashSet<String>,
        is_last: bool,
        now: u64,
    ) -> Vec<(String, What)> {
        self.looked = now;
        let mut news = Vec::new();
        for (pool, sums) in by_pool(tally) {
            let (at, before) = *self.told.entry(pool.clone()).or_insert((now, Sums::default()));
            let more = sums.since(before);
            let is_open = open.contains(&pool);
            let is_due = is_last || more.has_trouble() || now.saturating_sub(at) >= SELDOM;
            let is_news = more.total > 0 && if is_open { is_due } else { more.failed > 0 };
            if is_news {
                let Sums { total, saved, failed, shed } = more;
                news.push((pool.clone(), What::Traffic { total, saved, failed, shed }));
            }
            if is_news || !is_open {
                self.told.insert(pool, (now, sums));
            }
        }
        news
    }
}

impl Sums {
    fn since(self, before: Self) -> Self {
        Self {
            total: self.total.saturating_sub(before.total),
            saved: self.saved.saturating_sub(before.saved),
            failed: self.failed.saturating_sub(before.failed),
            shed: self.shed.saturating_sub(before.shed),
        }
    }

    fn has_trouble(self) -> bool {
        self.saved > 0 || self.failed > 0
    }
}

/// All requests so far. Those that no route took are nobody's.
fn by_pool(tally: &Tally) -> HashMap<String, Sums> {
    let mut pools: HashMap<String, Sums> = HashMap::new();
    for ((pool, _), node) in tally.nodes.iter().filter(|((pool, _), _)| pool != "none") {
        let sums = pools.entry(pool.clone()).or_default();
        for (outcome, count) in &node.outcomes {
            sums.total += count;
            sums.saved += if is_saved(outcome) { *count } else { 0 };
            sums.failed += if Outcome::is_failure(outcome) { *count } else { 0 };
            sums.shed += if outcome == "shed" { *count } else { 0 };
        }
    }
    pools
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::observe::NodeTally;

    fn tally(served: u64, shed: u64) -> Tally {
        let outcomes = [("served".to_owned(), served), ("shed".to_owned(), shed)].into();
        let node = NodeTally { outcomes, ..NodeTally::default() };
        Tally { nodes: [(("web".to_owned(), "a".to_owned()), node)].into(), ..Tally::default() }
    }

    fn said(traffic: &mut Traffic, tally: &Tally, is_open: bool, now: u64) -> Option<(u64, u64)> {
        let open = if is_open { HashSet::from(["web".to_owned()]) } else { HashSet::new() };
        let news = traffic.look(tally, &open, false, now);
        news.into_iter().next().map(|(_, what)| match what {
            What::Traffic { total, shed, .. } => (total, shed),
            other => panic!("{other:?}"),
        })
    }

    #[test]
    fn first_seconds_of_an_incident_count_and_quiet_ones_are_told_together() {
        let mut traffic = Traffic::default();
        assert_eq!(said(&mut traffic, &tally(100, 0), false, 5_000), None);
        assert!(!traffic.is_due(9_999) && traffic.is_due(10_000));
        assert_eq!(said(&mut traffic, &tally(150, 20), true, 10_000), Some((70, 20)));
        assert_eq!(said(&mut traffic, &tally(160, 20), true, 15_000), None);
        assert_eq!(said(&mut traffic, &tally(170, 21), true, 20_000), Some((21, 1)));
        assert_eq!(said(&mut traffic, &tally(180, 21), true, 79_999), None);
        assert_eq!(said(&mut traffic, &tally(190, 21), true, 80_000), Some((20, 0)));
        assert_eq!(said(&mut traffic, &tally(190, 21), true, 200_000), None);
    }

    #[test]
    fn failures_are_told_without_an_incident_too() {
        let mut traffic = Traffic::default();
        assert_eq!(said(&mut traffic, &tally(100, 7), false, 5_000), Some((107, 7)));
        assert_eq!(said(&mut traffic, &tally(200, 7), false, 10_000), None);
        assert_eq!(said(&mut traffic, &tally(300, 8), false, 15_000), Some((101, 1)));
    }
}
