//! What was seen of a row, and the figures in it.

use std::time::Duration;

use crate::client::{Kind, Record};
use crate::clock::Moment;
use crate::node::{Entry, Event, Place};

/// All that was seen.
pub(crate) struct Evidence {
    pub(crate) phases: Phases,
    pub(crate) records: Vec<Record>,
    pub(crate) nodes: Vec<NodeStory>,
    /// When nodes ceased to accept connections: before and after they were told.
    pub(crate) doors_shut: Vec<(Moment, Moment)>,
    /// Whether the proxy still runs.
    pub(crate) survived: bool,
    /// The end of its log.
    pub(crate) last_words: String,
}

/// When what began.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Phases {
    pub(crate) began: Moment,
    /// The fault befell the nodes.
    pub(crate) broke: Moment,
    /// What was asked for between `broke` and here is answered while the fault lasts.
    pub(crate) due: Moment,
    pub(crate) healed: Moment,
    pub(crate) stopped: Moment,
}

/// What one node did.
pub(crate) struct NodeStory {
    pub(crate) name: String,
    pub(crate) entries: Vec<Entry>,
}

impl NodeStory {
    pub(crate) fn new(name: &str, entries: Vec<Entry>) -> Self {
        Self { name: name.to_owned(), entries }
    }

    /// Requests that arrived in `from..until`.
    pub(crate) fn arrivals(&self, from: Moment, until: Moment) -> usize {
        let is_one = |entry: &&Entry| entry.event == Event::Arrived && entry.at >= from && entry.at < until;
        self.entries.iter().filter(is_one).count()
    }

    fn count(&self, event: Event, id: u64) -> usize {
        self.entries.iter().filter(|entry| entry.event == event && entry.id == id).count()
    }
}

impl Evidence {
    /// At how many nodes it arrived.
    pub(crate) fn nodes_reached(&self, id: u64) -> usize {
        self.nodes.iter().filter(|node| node.count(Event::Arrived, id) > 0).count()
    }

    /// Requests that arrived at any node in `from..until`.
    pub(crate) fn arrivals(&self, from: Moment, until: Moment) -> usize {
        self.nodes.iter().map(|node| node.arrivals(from, until)).sum()
    }

    /// Records that were scheduled in `from..until`.
    pub(crate) fn scheduled(&self, from: Moment, until: Moment) -> impl Iterator<Item = &Record> {
        self.records.iter().filter(move |record| record.scheduled >= from && record.scheduled < until)
    }

    /// How much of its fair share each of the first `nodes` had on average of what was asked for in `from..until`.
    pub(crate) fn share_of_new(&self, nodes: usize, from: Moment, until: Moment) -> f64 {
        let arrivals = self.arrivals_of_new(from, until);
        let (theirs, all): (usize, usize) = (arrivals[..nodes].iter().sum(), arrivals.iter().sum());
        theirs as f64 * self.nodes.len() as f64 / (all * nodes).max(1) as f64
    }

    /// Arrivals at each node, whenever they were, of what was asked for in `from..until`.
    pub(crate) fn arrivals_of_new(&self, from: Moment, until: Moment) -> Vec<usize> {
        let is_new = |entry: &&Entry| {
            let scheduled = self.records[usize::try_from(entry.id).unwrap()].scheduled;
            entry.event == Event::Arrived && scheduled >= from && scheduled < until
        };
        self.nodes.iter().map(|node| node.entries.iter().filter(is_new).count()).collect()
    }

    /// Attempts at all nodes for each request while the fault lasted.
    pub(crate) fn attempts_each(&self) -> f64 {
        let (from, until) = (self.phases.broke, self.phases.healed);
        self.arrivals(from, until) as f64 / (self.scheduled(from, until).count().max(1)) as f64
    }

    /// This quantile of the latencies of what was scheduled in `from..until`, is of these kinds and was served.
    pub(crate) fn latency(&self, quantile: f64, kinds: &[Kind], from: Moment, until: Moment) -> Duration {
        // Long polls and streams take as long as they take.
        let is_prompt = |one: &&Record| !matches!(one.place, Place::LongPoll | Place::Events);
        let served = self.scheduled(from, until).filter(is_prompt);
        let served = served.filter(|one| one.is_served() && kinds.contains(&one.kind));
        quantile_of(served.filter_map(Record::latency).collect(), quantile)
    }

    /// How late the harness itself was, at the 99th percentile.
    pub(crate) fn delay(&self) -> Duration {
        quantile_of(self.records.iter().map(|record| record.delay).collect(), 0.99)
    }
}

/// The smallest value that this part of the values does not exceed; zero if there is none.
fn quantile_of(mut values: Vec<Duration>, quantile: f64) -> Duration {
    values.sort_unstable();
    let rank = (values.len() as f64 * quantile).ceil() as usize;
    values.get(rank.saturating_sub(1)).copied().unwrap_or_default()
}
