//! Everything that there is to see, kept up to date by those who do it.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use parking_lot::Mutex;

use super::picture::{Column, End, Event, Picture};
use super::site::{NODES, Site, look};
use super::story::Story;
use super::tally::Tally;
use crate::admin::status::{self, NodeState, Recall, Status};
use crate::clock;

/// How often bookend is asked how it is.
const INTERVAL: Duration = Duration::from_millis(200);
/// Events that are remembered; the first ones stay.
const MOST_EVENTS: usize = 1_000;

/// What happened and what is so, from the moment when the load began.
#[derive(Debug)]
pub(super) struct Scene {
    began: Instant,
    story: Story,
    end: Mutex<End>,
    /// What the clients saw.
    pub(super) tally: Arc<Mutex<Tally>>,
    events: Mutex<Vec<Event>>,
    pids: Mutex<Vec<Option<u32>>>,
    seen: Mutex<Seen>,
}

/// What bookend said of itself.
#[derive(Debug, Default)]
struct Seen {
    status: Option<Status>,
    /// For each node, requests that it served when a column began, and at last those that none did because all were full;
    /// column after column.
    marks: Vec<Vec<u64>>,
    /// When each column began.
    times: Vec<Instant>,
}

impl Scene {
    /// A scene of this story that begins now.
    pub(super) fn new(site: &Site, story: Story, end: End) -> Self {
        let scene = Self {
            began: clock::now(),
            story,
            end: Mutex::new(end),
            tally: Arc::default(),
            events: Mutex::default(),
            pids: Mutex::default(),
            seen: Mutex::default(),
        };
        scene.show_processes(site);
        scene
    }

    /// How long it has been going on.
    pub(super) fn age(&self) -> Duration {
        clock::now().saturating_duration_since(self.began)
    }

    /// From here on it goes on until somebody interrupts it.
    pub(super) fn open_end(&self) {
        *self.end.lock() = End::WhenInterrupted;
    }

    /// Something happened.
    pub(super) fn tell(&self, what: impl Into<String>) {
        let at = self.age();
        let mut events = self.events.lock();
        if events.len() < MOST_EVENTS {
            events.push(Event { at, what: what.into() });
        }
    }

    /// Which processes there are now.
    pub(super) fn show_processes(&self, site: &Site) {
        *self.pids.lock() = site.nodes().iter().map(|node| node.pid()).collect();
    }

    /// Requests that bookend has seen the end of.
    pub(super) fn counted(&self) -> u64 {
        self.seen.lock().status.as_ref().map_or(0, |status| status.requests.total)
    }

    /// Finds out who was turned away because every node was full, now that bookend has counted all of them.
    pub(super) fn excuse(&self) {
        let reasons = self.seen.lock().status.as_ref().map_or(0, shed);
        self.tally.lock().excuse(reasons);
    }

    /// What bookend said of itself last.
    pub(super) fn status(&self) -> Option<Status> {
        self.seen.lock().status.clone()
    }

    /// All of it as it is now.
    pub(super) fn picture(&self) -> Picture {
        let (seen, pids) = (self.seen.lock(), self.pids.lock());
        let column = |(index, name): (usize, &&str)| {
            let node = seen.node(name);
            Column {
                name: (*name).to_owned(),
                pid: pids.get(index).copied().flatten(),
                state: node.map(|node| node.state),
                served: node.map_or(0, |node| node.requests.total - node.requests.failed),
                rates: seen.rates(index),
            }
        };
        let requests = seen.status.as_ref().map(|status| status.requests.clone()).unwrap_or_default();
        Picture {
            age: self.age(),
            story: self.story,
            end: *self.end.lock(),
            redundancy: seen.status.as_ref().and_then(redundancy),
            nodes: NODES.iter().enumerate().map(column).collect(),
            counted: requests.total,
            saved: requests.saved,
            failed: requests.failed,
            shed: seen.status.as_ref().map_or(0, shed),
            shed_rates: seen.rates(NODES.len()),
            tally: self.tally.lock().clone(),
            events: self.events.lock().clone(),
        }
    }

    /// Notes what bookend says of itself, and tells what is new.
    fn see(&self, status: Status, column: Duration) {
        let mut seen = self.seen.lock();
        let news = seen.status.as_ref().map(|before| news(before, &status)).unwrap_or_default();
        let now = clock::now();
        if seen.times.last().is_none_or(|&last| now.saturating_duration_since(last) >= column) {
            let served = NODES.iter().map(|name| served(&status, name)).chain([shed(&status)]).collect();
            seen.marks.push(served);
            seen.times.push(now);
            if seen.times.len() > Picture::COLUMNS + 1 {
                seen.marks.remove(0);
                seen.times.remove(0);
            }
        }
        seen.status = Some(status);
        drop(seen);
        for what in news {
            self.tell(what);
        }
    }
}

impl Seen {
    fn node(&self, name: &str) -> Option<&status::Node> {
        self.status.as_ref().and_then(|status| node(status, name))
    }

    /// Requests a second of one node, column after column.
    fn rates(&self, index: usize) -> Vec<f64> {
        let served = |marks: &Vec<u64>| marks.get(index).copied().unwrap_or_default();
        let counts = self.marks.windows(2).map(|pair| match pair {
            [from, to] => served(to).saturating_sub(served(from)),
            _ => 0,
        });
        let spans = self.times.windows(2).map(|pair| match pair {
            [from, to] => to.saturating_duration_since(*from).as_secs_f64(),
            _ => 1.0,
        });
        counts.zip(spans).map(|(count, span)| count as f64 / span.max(0.001)).collect()
    }
}

/// Asks bookend again and again how it is, until dropped. `column` is the time that one column of a picture shows.
pub(super) async fn watch(scene: Arc<Scene>, socket: PathBuf, column: Duration) {
    loop {
        // If it does not answer, the picture stays as it was; whether it lives is looked after elsewhere.
        if let Ok(status) = look(&socket).await {
            scene.see(status, column);
        }
        tokio::time::sleep(INTERVAL).await;
    }
}

/// What changed from one look to the next.
fn news(before: &Status, now: &Status) -> Vec<String> {
    let mut news = Vec::new();
    if before.requests.saved == 0 && now.requests.saved > 0 {
        news.push("a retry on the other node saves the first request; no client notices".to_owned());
    }
    let is_known =
        |recall: &Recall| before.recalls.iter().any(|old| (&old.node, &old.at) == (&recall.node, &recall.at));
    for recall in now.recalls.iter().filter(|recall| !is_known(recall)) {
        news.push(format!("nobody does it, so bookend takes {} back: {}", recall.node, recall.why));
    }
    for name in NODES {
        let (Some(old), Some(new)) = (node(before, name), node(now, name)) else { continue };
        if old.state == new.state {
            continue;
        }
        let why = new.why.as_deref().map(|why| format!(" ({})", short(why))).unwrap_or_default();
        news.push(match new.state {
            NodeState::Up => format!("bookend finds that {name} is up again"),
            // Whoever does that says so.
            NodeState::Drained => continue,
            state => format!("bookend finds that {name} is {}{why}", state.as_str()),
        });
    }
    news
}

/// The reason without the system's number for it.
fn short(why: &str) -> String {
    why.split(" (os error").next().unwrap_or(why).to_lowercase()
}

fn node<'a>(status: &'a Status, name: &str) -> Option<&'a status::Node> {
    status.pools.iter().flat_map(|pool| &pool.nodes).find(|node| node.name == name)
}

/// Requests that were turned away because every node was full.
fn shed(status: &Status) -> u64 {
    status.pools.iter().map(|pool| pool.shed).sum()
}

/// Whether the site, which has one pool, may lose a node.
fn redundancy(status: &Status) -> Option<String> {
    let pool = status.pools.first()?;
    pool.redundancy.as_ref().map(|redundancy| redundancy.state.to_uppercase())
}

fn served(status: &Status, name: &str) -> u64 {
    node(status, name).map_or(0, |node| node.requests.total)
}
