//! A row, run: both nodes serve, one is out, both are back.

use std::collections::BTreeMap;
use std::thread;
use std::time::Duration;

use crate::client::Load;
use crate::clock::{self, Moment};
use crate::evidence::{Evidence, Phases, Story};
use crate::front::{Front, Proxy, Terms};
use crate::node::{Behaviour, Event, Works};
use crate::row::{Meanwhile, Outage, Row};
use crate::site::{Server, Site};
use crate::traffic::{Rate, Traffic};

/// How long a node that died takes to come back.
const RESTART: Duration = Duration::from_secs(5);
const TICK: Duration = Duration::from_millis(10);
/// Between two steps of what makes it worse.
const EACH: Duration = Duration::from_millis(100);

/// How long the phases are, and how busy the machine may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Form {
    pub(crate) before: Duration,
    pub(crate) out: Duration,
    pub(crate) after: Duration,
    /// If the harness was later than this with one request in a hundred, what it saw means nothing.
    pub(crate) starved: Duration,
    /// Rows at once.
    pub(crate) at_once: usize,
    pub(crate) is_long: bool,
}

/// For every `make test`.
pub(crate) const SHORT: Form = Form {
    before: Duration::from_secs(3),
    out: Duration::from_secs(7),
    after: Duration::from_millis(6_500),
    starved: Duration::from_millis(50),
    at_once: 4,
    is_long: false,
};

/// For `make incident` and `make incident-peers`.
pub(crate) const LONG: Form = Form {
    before: Duration::from_secs(5),
    out: Duration::from_secs(20),
    after: Duration::from_secs(8),
    starved: Duration::from_millis(20),
    at_once: 1,
    is_long: true,
};

/// Replays the row and returns all that was seen.
pub(crate) fn run(row: &Row, form: &Form, proxy: Proxy, seed: u64) -> Evidence {
    let well = Behaviour::Works(row.works());
    let mut site = Site::start(proxy, Terms::USUAL, 2, well);
    let mut ward = Ward::new(site.nodes.len());
    let rate = Rate::new(row.arrives_otherwise());
    if row.outage == Outage::FromTheStart {
        site.nodes[1].kill();
        rate.set(row.arrives());
    }
    let load = Load::start(site.front.address(), Traffic::new(row, rate.clone(), seed));
    let began = clock::now();
    if row.outage != Outage::FromTheStart {
        ward.watch(&mut site.nodes, well, form.before, |_, _| {});
    }

    let out = clock::now();
    if row.outage == Outage::Later {
        site.nodes[1].kill();
        ward.forget(1);
    }
    if row.outage == Outage::Forgotten {
        site.front.take_out(&site.nodes[1].name, site.nodes[1].address());
    }
    let killed = clock::now();
    rate.set(row.arrives());
    let front = &site.front;
    let mut worse = Worse { row, all: form.out, steps: 0 };
    ward.watch(&mut site.nodes, well, form.out, |node, lasts| worse.go_on(node, front, lasts));

    rate.set(row.arrives_otherwise());
    let back = clock::now();
    if row.meanwhile == Meanwhile::NodeGrowsSlow && !ward.has(0) {
        site.nodes[0].behave(well);
    }
    if matches!(row.outage, Outage::Later | Outage::FromTheStart) {
        site.nodes[1].start_again(well);
    }
    ward.watch(&mut site.nodes, well, form.after, |_, _| {});
    let stopped = clock::now();
    let records = load.finish();
    Evidence {
        phases: Phases { began, out, killed, back, stopped },
        records,
        may_leave: row.meanwhile == Meanwhile::ClientsLeave,
        deaths: ward.deaths,
        executions: executions(&site.nodes),
        survived: site.front.is_running(),
        story: (row.outage == Outage::Forgotten).then(|| Story::of(&site.front)).flatten(),
        last_words: site.front.last_words(),
    }
}

/// What makes it worse while one node is out.
struct Worse<'a> {
    row: &'a Row,
    /// How long that is.
    all: Duration,
    steps: u32,
}

impl Worse<'_> {
    /// Called every few milliseconds, with the node that is left.
    fn go_on(&mut self, node: &mut Server, front: &Front, lasts: Duration) {
        if lasts < EACH * self.steps {
            return;
        }
        self.steps += 1;
        match self.row.meanwhile {
            Meanwhile::Nothing | Meanwhile::ClientsLeave | Meanwhile::NodesSay503 => {}
            Meanwhile::Reloads => front.reload(),
            Meanwhile::NodeGrowsSlow => {
                let works = self.row.works();
                let takes = works.takes.div_f64(self.row.speed(lasts, self.all));
                node.behave(Behaviour::Works(Works { takes, ..works }));
            }
        }
    }
}

/// How often both nodes together executed each request.
fn executions(nodes: &[Server]) -> BTreeMap<u64, usize> {
    let mut times = BTreeMap::new();
    for entry in nodes.iter().flat_map(Server::diary).filter(|entry| entry.event == Event::Executed) {
        *times.entry(entry.id).or_default() += 1;
    }
    times
}

/// Where nodes lie that died of memory, until they are started again.
struct Ward {
    deaths: Vec<Moment>,
    since: Vec<Option<Moment>>,
}

impl Ward {
    fn new(nodes: usize) -> Self {
        Self { deaths: Vec::new(), since: vec![None; nodes] }
    }

    /// Whether this one is dead.
    fn has(&self, node: usize) -> bool {
        self.since[node].is_some()
    }

    /// Looks after the nodes for so long, and does `meanwhile` with the first while it lives.
    fn watch(
        &mut self,
        nodes: &mut [Server],
        well: Behaviour,
        length: Duration,
        mut meanwhile: impl FnMut(&mut Server, Duration),
    ) {
        let start = clock::now();
        while clock::now().since(start) < length {
            for (node, since) in nodes.iter_mut().zip(&mut self.since) {
                let now = clock::now();
                match since {
                    None if node.has_crashed() => {
                        self.deaths.push(now);
                        *since = Some(now);
                    }
                    Some(died) if now.since(*died) >= RESTART => {
                        node.start_again(well);
                        *since = None;
                    }
                    _ => {}
                }
            }
            if !self.has(0) {
                meanwhile(&mut nodes[0], clock::now().since(start));
            }
            thread::sleep(TICK);
        }
    }

    /// Leaves this one as it is: it is out for another reason.
    fn forget(&mut self, node: usize) {
        self.since[node] = None;
    }
}
