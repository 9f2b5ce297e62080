//! The simulation: made-up time, servers that are made up, and the real line-up, load, limit and jury before them.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use bookend::config;
use bookend::model::{Tier, Weight};
use bookend::upstream::{
    Asker, Fault, Jury, Limit, Lineup, Load, Member, Node, Offers, PATIENCE, Patience, Place, Pulse, Slot,
    Tuning, Vigil,
};
use fastrand::Rng;

use crate::machine::{BACK_AFTER, Machine, Server};
use crate::outcome::{Outcome, Second};
use crate::traffic::{Rhythm, Source, exponential};

/// How long a request waits for a place, in microseconds: the overload line in a few words. Those that wait enter in the
/// order in which they came, until one has waited in vain; then the newest is first, until nobody waits.
const LONGEST_WAIT: u64 = 200_000;

const REVIEW: u64 = 50_000;
const SECOND: f64 = 1_000_000.0;

/// What changes at a moment.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Change {
    /// A server has another number of workers.
    Workers(usize, usize),
    /// Everything takes so much longer on all servers.
    Slowness(f64),
    /// Everything takes so much longer on one server.
    SlownessOf(usize, f64),
    /// On a server nothing moves for so many seconds.
    Stall(usize, f64),
    /// We ourselves do nothing for so many seconds.
    Freeze(f64),
    Kill(usize),
    Restart(usize),
}

/// All of it, before it runs.
#[derive(Clone, Debug)]
pub(crate) struct Site {
    pub(crate) machines: Vec<Machine>,
    pub(crate) sources: Vec<Source>,
    /// In seconds.
    pub(crate) script: Vec<(f64, Change)>,
    pub(crate) seconds: usize,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Event {
    Ask(usize),
    Finish { job: usize, attempt: u32 },
    Read(usize),
    Look(usize),
    GiveUp(usize),
    Script(usize),
    Die(usize),
    Back(usize),
    Review,
}

/// A request.
struct Job {
    source: usize,
    asked: u64,
    work: f64,
    server: usize,
    began: u64,
    slot: Option<Slot>,
    vigil: Option<Vigil>,
    tried: Offers,
    /// Servers that died with it.
    tries: u32,
    is_in_line: bool,
}

pub(crate) struct World {
    site: Site,
    now: u64,
    frozen_until: u64,
    events: BinaryHeap<Reverse<(u64, u64, Event)>>,
    number: u64,
    rng: Rng,
    servers: Vec<Server>,
    members: Vec<Arc<Member>>,
    lineup: Lineup,
    jury: Jury,
    jobs: Vec<Job>,
    line: VecDeque<usize>,
    is_newest_first: bool,
    outcome: Outcome,
}

impl World {
    /// Plays a site through.
    pub(crate) fn play(site: &Site, tuning: Tuning, seed: u64) -> Outcome {
        let mut world = Self::new(site.clone(), tuning, seed);
        world.begin();
        let end = site.seconds as u64 * 1_000_000;
        while let Some(Reverse((at, _, event))) = world.events.pop() {
            if at >= end {
                break;
            }
            world.now = at.max(world.frozen_until);
            world.happen(event);
        }
        world.outcome
    }

    fn new(site: Site, tuning: Tuning, seed: u64) -> Self {
        let pulse = Arc::new(Pulse::default());
        let members: Vec<_> = (0..site.machines.len())
            .map(|number| {
                let place = Place::Unix(number.to_string().into());
                let node = Node::new(place, &pulse).with_load(Load::new(Limit::new(tuning)));
                Arc::new(Member {
                    name: number.to_string(),
                    weight: Weight::ONE,
                    tier: Tier(0),
                    max_in_flight: None,
                    node: Arc::new(node),
                })
            })
            .collect();
        Self {
            now: 1,
            frozen_until: 0,
            events: BinaryHeap::new(),
            number: 0,
            rng: Rng::with_seed(seed),
            servers: site.machines.iter().copied().map(Server::new).collect(),
            lineup: Lineup::new(members.iter().cloned()),
            members,
            jury: Jury::new(Some(config::Ejection::default()), Duration::from_secs(10)),
            jobs: Vec::new(),
            line: VecDeque::new(),
            is_newest_first: false,
            outcome: Outcome::new(site.seconds, site.machines.len()),
            site,
        }
    }

    fn begin(&mut self) {
        for number in 0..self.site.script.len() {
            let at = (self.site.script[number].0 * SECOND) as u64;
            self.at(at, Event::Script(number));
        }
        for source in 0..self.site.sources.len() {
            match self.site.sources[source].rhythm {
                Rhythm::Open(_) => self.next_of_open(source),
                Rhythm::Bursts { every, .. } => self.at((every * SECOND) as u64, Event::Ask(source)),
                Rhythm::Closed { clients, ramp } => {
                    for _ in 0..clients {
                        let at = (self.rng.f64() * ramp * SECOND) as u64 + 1;
                        self.at(at, Event::Ask(source));
                    }
                }
            }
        }
        self.at(REVIEW, Event::Review);
    }

    fn at(&mut self, at: u64, event: Event) {
        self.number += 1;
        self.events.push(Reverse((at, self.number, event)));
    }

    /// Milliseconds of the clock that the logic sees.
    fn millis(&self) -> u64 {
        self.now / 1_000 + 1
    }

    fn second(&mut self) -> &mut Second {
        self.outcome.second(self.now)
    }

    fn happen(&mut self, event: Event) {
        match event {
            Event::Ask(source) => self.ask(source),
            Event::Finish { job, attempt } => self.finish(job, attempt),
            Event::Read(job) => {
                self.jobs[job].slot = None;
                self.let_in();
            }
            Event::Look(job) => {
                let now = self.millis();
                if let Some(vigil) = &mut self.jobs[job].vigil {
                    vigil.look(now);
                    self.at(self.now + REVIEW, Event::Look(job));
                }
            }
            Event::GiveUp(job) => {
                if std::mem::take(&mut self.jobs[job].is_in_line) {
                    self.is_newest_first = true;
                    self.second().shed += 1;
                    self.note_patience(job);
                    self.end(job);
                }
            }
            Event::Script(number) => self.change(self.site.script[number].1),
            Event::Die(server) if self.servers[server].is_dead => {}
            Event::Die(server) => {
                self.outcome.deaths += 1;
                self.die(server);
                self.at(self.now + BACK_AFTER, Event::Back(server));
            }
            Event::Back(server) => self.servers[server].is_dead = false,
            Event::Review => self.review(),
        }
    }

    fn ask(&mut self, source: usize) {
        match self.site.sources[source].rhythm {
            Rhythm::Open(_) => {
                self.arrive(source);
                self.next_of_open(source);
            }
            Rhythm::Bursts { every, size, within } => {
                let spacing = within * 1_000.0 / size as f64;
                let start = self.now;
                for number in 0..size {
                    self.now = start + (spacing * number as f64) as u64;
                    self.arrive_later(source);
                }
                self.now = start;
                self.at(start + (every * SECOND) as u64, Event::Ask(source));
            }
            Rhythm::Closed { .. } => self.arrive(source),
        }
    }

    fn next_of_open(&mut self, source: usize) {
        let Rhythm::Open(steps) = &self.site.sources[source].rhythm else { return };
        let mut at = self.now as f64 / SECOND;
        loop {
            let (rate, lasts) = Rhythm::rate(steps, at);
            let wait = if rate > 0.0 { exponential(&mut self.rng) / rate } else { f64::INFINITY };
            if wait <= lasts {
                at += wait;
                break;
            }
            if lasts.is_infinite() {
                return;
            }
            at += lasts;
        }
        self.at((at * SECOND) as u64, Event::Ask(source));
    }

    fn job(&mut self, source: usize) -> usize {
        let work = self.site.sources[source].work.draw(&mut self.rng);
        self.jobs.push(Job {
            source,
            asked: self.now,
            work,
            server: 0,
            began: 0,
            slot: None,
            vigil: None,
            tried: Offers::default(),
            tries: 0,
            is_in_line: false,
        });
        self.second().asked += 1;
        self.jobs.len() - 1
    }

    fn arrive(&mut self, source: usize) {
        let job = self.job(source);
        self.place(job);
    }

    /// One of a burst that is not here yet.
    fn arrive_later(&mut self, source: usize) {
        let mut one = self.site.sources[source].clone();
        one.rhythm = Rhythm::Closed { clients: 0, ramp: 0.0 };
        let number = self.site.sources.iter().position(|other| {
            matches!(other.rhythm, Rhythm::Closed { clients: 0, .. }) && other.reading == one.reading
        });
        let number = number.unwrap_or_else(|| {
            self.site.sources.push(one);
            self.site.sources.len() - 1
        });
        self.at(self.now, Event::Ask(number));
    }

    /// Finds a server for a job, or a place in the line.
    fn place(&mut self, job: usize) {
        if !self.line.is_empty() && self.jobs[job].tries == 0 || !self.try_servers(job) {
            self.jobs[job].is_in_line = true;
            self.outcome.waited += 1;
            self.line.push_back(job);
            self.at(self.now + LONGEST_WAIT, Event::GiveUp(job));
            self.let_in();
        }
    }

    /// Whether the job is at a server, or has failed at all of them; if not, they are full.
    fn try_servers(&mut self, job: usize) -> bool {
        let now = self.millis();
        loop {
            let offered = self.lineup.offer(&mut self.jobs[job].tried, Asker::Repeatable, now);
            let Some(server) = offered else {
                self.second().failed += 1;
                self.end(job);
                return true;
            };
            let Some(slot) = self.members[server].enter(now) else {
                self.jobs[job].tried = Offers::default();
                return false;
            };
            if self.servers[server].is_dead {
                drop(slot);
                self.accuse(server, now, Fault::Unreachable);
                continue;
            }
            self.enter(job, server, slot);
            return true;
        }
    }

    fn enter(&mut self, number: usize, server: usize, slot: Slot) {
        let (began, needs_worker) = (self.millis(), self.needs_worker(number));
        let job = &mut self.jobs[number];
        job.vigil = Some(Vigil::new(slot.node(), Patience::Endless, began, false));
        (job.server, job.began, job.slot) = (server, self.now, Some(slot));
        self.at(self.now + PATIENCE * 1_000, Event::Look(number));
        if self.servers[server].take(number, needs_worker) {
            self.work(number);
        }
        let inside = self.servers[server].inside.len();
        let second = self.second();
        second.inside[server] = second.inside[server].max(inside);
        if self.servers[server].is_overfull() {
            self.at(self.now, Event::Die(server));
        }
    }

    fn needs_worker(&self, job: usize) -> bool {
        self.site.sources[self.jobs[job].source].needs_worker
    }

    fn work(&mut self, number: usize) {
        let Job { server, work, tries: attempt, .. } = self.jobs[number];
        let time = self.servers[server].time(work);
        self.at(self.now + time, Event::Finish { job: number, attempt });
    }

    fn finish(&mut self, number: usize, attempt: u32) {
        let needs_worker = self.needs_worker(number);
        let Job { server, asked, began, source, tries, .. } = self.jobs[number];
        if tries != attempt {
            return;
        }
        let (from, until) = self.servers[server].stall;
        if (from..until).contains(&self.now) {
            self.at(self.now + until - from, Event::Finish { job: number, attempt });
            return;
        }
        if let Some(next) = self.servers[server].finish(number, needs_worker) {
            self.work(next);
        }
        let (now, waited) = (self.millis(), Duration::from_micros(self.now - began));
        let job = &mut self.jobs[number];
        job.vigil = None;
        if let Some(slot) = &mut job.slot {
            self.members[server].node.heard(now);
            slot.answered(Some(waited), now);
            let _ = self.jury.answered(slot, waited.as_millis() as u64, now);
        }
        let took = self.now - asked;
        if needs_worker {
            self.second().took.push(took as u32);
        }
        self.second().served += 1;
        self.note_patience(number);
        let reading = self.site.sources[source].reading;
        if reading > 0.0 {
            self.at(self.now + (reading * 1_000.0) as u64, Event::Read(number));
        } else {
            self.jobs[number].slot = None;
        }
        self.ask_again(number);
        self.let_in();
    }

    /// A request has its answer, whatever it is.
    fn note_patience(&mut self, job: usize) {
        if self.needs_worker(job) {
            let (asked, took) = (self.jobs[job].asked, self.now - self.jobs[job].asked);
            let second = self.outcome.second(asked);
            second.longest = second.longest.max(took);
        }
    }

    /// A request is over without an answer of a server.
    fn end(&mut self, job: usize) {
        self.jobs[job].slot = None;
        self.ask_again(job);
    }

    fn ask_again(&mut self, job: usize) {
        let source = self.jobs[job].source;
        if matches!(self.site.sources[source].rhythm, Rhythm::Closed { clients: 1.., .. }) {
            self.at(self.now + 50, Event::Ask(source));
        }
    }

    /// Lets in those that wait, for as long as there is room.
    fn let_in(&mut self) {
        loop {
            let next = if self.is_newest_first { self.line.back() } else { self.line.front() };
            let Some(&job) = next else {
                self.is_newest_first = false;
                return;
            };
            if self.jobs[job].is_in_line && !self.try_servers(job) {
                return;
            }
            self.jobs[job].is_in_line = false;
            if self.is_newest_first {
                self.line.pop_back()
            } else {
                self.line.pop_front()
            };
        }
    }

    fn accuse(&mut self, server: usize, since: u64, fault: Fault) {
        let at = (self.millis(), self.rng.f64());
        let _ = self.jury.failed(&self.members, &self.members[server], since, fault, at);
    }

    /// Everything in the server is lost, and asked for once more elsewhere.
    fn die(&mut self, server: usize) {
        for number in self.servers[server].die() {
            let job = &mut self.jobs[number];
            (job.slot, job.vigil) = (None, None);
            job.tries += 1;
            let since = job.began / 1_000 + 1;
            self.accuse(server, since, Fault::Confirmed);
            if self.jobs[number].tries < 3 {
                self.place(number);
            } else {
                self.second().failed += 1;
                self.end(number);
            }
        }
    }

    fn change(&mut self, change: Change) {
        match change {
            Change::Workers(server, workers) => self.servers[server].machine.workers = workers,
            Change::Slowness(slowness) => {
                self.servers.iter_mut().for_each(|server| server.slowness = slowness);
            }
            Change::SlownessOf(server, slowness) => self.servers[server].slowness = slowness,
            Change::Stall(server, seconds) => {
                self.servers[server].stall = (self.now, self.now + (seconds * SECOND) as u64);
            }
            Change::Freeze(seconds) => self.frozen_until = self.now + (seconds * SECOND) as u64,
            Change::Kill(server) => self.die(server),
            Change::Restart(server) => self.servers[server].is_dead = false,
        }
    }

    fn review(&mut self) {
        let now = self.millis();
        let _ = self.jury.review(&self.members, now, || 0.5);
        for (number, member) in self.members.iter().enumerate() {
            let limit = member.node.load().limit();
            self.outcome.note(self.now, number, limit.most(), limit.held());
        }
        self.let_in();
        self.at(self.now + REVIEW, Event::Review);
    }
}
