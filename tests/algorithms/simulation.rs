//! Requests, nodes and the real line-up, in made-up time.
//!
//! Requests arrive by themselves (an open loop, Poisson), as those of many people do, and wait for nobody. A node has
//! workers and a queue without a bound. Time is in microseconds, and chance comes from one seed, so that a run can be had
//! again.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, VecDeque};
use std::sync::Arc;

use bookend::config::Balance;
use bookend::model::{Tier, Weight};
use bookend::upstream::{Asker, Clue, Lineup, Member, Node, Offers, Place, Pulse, Slot};
use fastrand::Rng;

/// What is tried.
pub(crate) struct Scenario {
    pub(crate) name: &'static str,
    /// In words, for the table.
    pub(crate) what: &'static str,
    /// How long a request takes a worker in microseconds, by chance.
    pub(crate) cost: fn(&mut Rng) -> f64,
    /// How many times slower the first node is than the others.
    pub(crate) slower: f64,
    /// How many of a hundred requests have the one key that everybody has; the others have one of ten thousand.
    pub(crate) hot: u64,
}

/// What came of it.
pub(crate) struct Result {
    /// From arrival to answer in microseconds, in order.
    latencies: Vec<u64>,
    /// Requests of each node, and those that found no place.
    pub(crate) shares: Vec<usize>,
    pub(crate) refused: usize,
    /// The most requests at a node over the mean of all, looked at by every request that arrived.
    pub(crate) peak: f64,
}

pub(crate) const NODES: usize = 4;

/// Each node has four workers, for requests of 20 ms: it can carry 200 a second.
const WORKERS: usize = 4;
pub(crate) const MEAN_COST: f64 = 20_000.0;

/// Two thirds of what four nodes can carry.
const PER_SECOND: f64 = 200.0 * 4.0 * 2.0 / 3.0;

/// What comes before is not counted.
const WARM_UP: u64 = 5_000_000;

struct Machine {
    member: Arc<Member>,
    idle: usize,
    line: VecDeque<Job>,
    slowness: f64,
}

struct Job {
    arrived: u64,
    cost: f64,
    slot: Slot,
}

enum Event {
    Arrival,
    Done { node: usize, job: Job },
}

/// Events by time; of two at once the one that was planned first.
#[derive(Default)]
struct Plan {
    order: BinaryHeap<Reverse<(u64, usize)>>,
    events: Vec<Option<Event>>,
}

impl Plan {
    fn add(&mut self, at: u64, event: Event) {
        self.order.push(Reverse((at, self.events.len())));
        self.events.push(Some(event));
    }

    fn next(&mut self) -> Option<(u64, Event)> {
        let Reverse((at, number)) = self.order.pop()?;
        Some((at, self.events[number].take()?))
    }
}

impl Result {
    /// So many of a hundred requests took no longer than this, in milliseconds.
    pub(crate) fn percentile(&self, percent: usize) -> f64 {
        let index = (self.latencies.len() * percent / 100).min(self.latencies.len() - 1);
        self.latencies[index] as f64 / 1_000.0
    }

    /// The share of a node in percent.
    pub(crate) fn share(&self, node: usize) -> f64 {
        100.0 * self.shares[node] as f64 / self.shares.iter().sum::<usize>() as f64
    }
}

/// Runs `seconds` of a scenario under an algorithm, on nodes that take `most` requests at once.
pub(crate) fn run(scenario: &Scenario, balance: &Balance, most: Option<u32>, seconds: u64) -> Result {
    let mut rng = Rng::with_seed(7);
    let mut machines: Vec<Machine> = (0..NODES).map(|number| Machine::new(number, most, scenario)).collect();
    let lineup = Lineup::balanced(machines.iter().map(|machine| Arc::clone(&machine.member)), balance);
    let mut plan = Plan::default();
    let end = WARM_UP + seconds * 1_000_000;
    let mut result = Result { latencies: Vec::new(), shares: vec![0; NODES], refused: 0, peak: 0.0 };
    let (mut looks, mut peaks) = (0.0, 0.0);
    plan.add(0, Event::Arrival);
    while let Some((now, event)) = plan.next() {
        match event {
            Event::Arrival => {
                if now < end {
                    plan.add(now + micros(exponential(1e6 / PER_SECOND, &mut rng)), Event::Arrival);
                }
                let is_counted = (WARM_UP..end).contains(&now);
                if is_counted {
                    looks += 1.0;
                    peaks += peak(&machines);
                }
                match choose(&lineup, scenario, now, &mut rng) {
                    Some((node, slot)) => {
                        result.shares[node] += usize::from(is_counted);
                        let cost = (scenario.cost)(&mut rng);
                        machines[node].take(node, Job { arrived: now, cost, slot }, now, &mut plan);
                    }
                    None => result.refused += usize::from(is_counted),
                }
            }
            Event::Done { node, job } => {
                let took = now - job.arrived;
                let node_of_it = job.slot.node();
                node_of_it.latency().answered(took, node_of_it.load().in_flight(), millis(now));
                if (WARM_UP..end).contains(&job.arrived) {
                    result.latencies.push(took);
                }
                drop(job);
                machines[node].finish(node, now, &mut plan);
            }
        }
    }
    result.latencies.sort_unstable();
    result.peak = peaks / looks;
    result
}

fn choose(lineup: &Lineup, scenario: &Scenario, now: u64, rng: &mut Rng) -> Option<(usize, Slot)> {
    let user = if rng.u64(..100) < scenario.hot { 0 } else { rng.u64(1..10_000) };
    let key = Some(bookend::upstream::key(&[&user.to_le_bytes()]));
    let mut offers = Offers::with(Clue { key, rng: Rng::with_seed(rng.u64(..)) });
    let node = lineup.offer(&mut offers, Asker::Repeatable, millis(now))?;
    Some((node, lineup.members()[node].enter(millis(now))?))
}

impl Machine {
    fn new(number: usize, most: Option<u32>, scenario: &Scenario) -> Self {
        let port = 8_001 + u16::try_from(number).unwrap();
        let member = Member {
            name: format!("web-{number}"),
            weight: Weight::ONE,
            tier: Tier(0),
            max_in_flight: most.and_then(std::num::NonZeroU32::new),
            node: Arc::new(Node::new(Place::Tcp(([10, 0, 0, 1], port).into()), &Arc::new(Pulse::default()))),
        };
        let slowness = if number == 0 { scenario.slower } else { 1.0 };
        Self { member: Arc::new(member), idle: WORKERS, line: VecDeque::new(), slowness }
    }

    fn take(&mut self, node: usize, job: Job, now: u64, plan: &mut Plan) {
        if self.idle == 0 {
            return self.line.push_back(job);
        }
        self.idle -= 1;
        plan.add(now + micros(job.cost * self.slowness), Event::Done { node, job });
    }

    fn finish(&mut self, node: usize, now: u64, plan: &mut Plan) {
        self.idle += 1;
        if let Some(job) = self.line.pop_front() {
            self.take(node, job, now, plan);
        }
    }
}

/// The most requests at one node over the mean of all.
fn peak(machines: &[Machine]) -> f64 {
    let loads: Vec<_> =
        machines.iter().map(|machine| f64::from(machine.member.node.load().in_flight())).collect();
    let (most, all) = (loads.iter().copied().fold(0.0, f64::max), loads.iter().sum::<f64>());
    if all == 0.0 { 1.0 } else { most * NODES as f64 / all }
}

/// A time by chance with this mean.
pub(crate) fn exponential(mean: f64, rng: &mut Rng) -> f64 {
    -mean * (1.0 - rng.f64()).ln()
}

fn micros(time: f64) -> u64 {
    time as u64
}

/// The clock of the line-up, which is never 0.
fn millis(now: u64) -> u64 {
    now / 1_000 + 1
}
