//! A server as the simulation sees it: workers that take their time, and a line before them.

use std::collections::VecDeque;

/// How a server is made. Times are in microseconds.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Machine {
    /// Requests that it works on at once.
    pub(crate) workers: usize,
    /// How it slows down when there is too much in it.
    pub(crate) thrashes: Thrashes,
    /// With more than this it dies, and needs [`BACK_AFTER`].
    pub(crate) dies: Option<usize>,
}

/// How a server slows down when there is too much in it.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Thrashes {
    Never,
    /// With more requests than this in it, every one takes longer by the factor.
    Over(usize, f64),
    /// With so many in it each takes twice as long, and from half of that on it gets slower in proportion.
    By(usize),
}

/// How long a dead server needs to come back.
pub(crate) const BACK_AFTER: u64 = 5_000_000;

/// A server at work.
#[derive(Debug)]
pub(crate) struct Server {
    pub(crate) machine: Machine,
    /// How much longer than usual everything takes.
    pub(crate) slowness: f64,
    /// From when to when nothing moves.
    pub(crate) stall: (u64, u64),
    pub(crate) is_dead: bool,
    /// The jobs in it, at work or not.
    pub(crate) inside: Vec<usize>,
    busy: usize,
    queue: VecDeque<usize>,
}

impl Server {
    pub(crate) fn new(machine: Machine) -> Self {
        Self {
            machine,
            slowness: 1.0,
            stall: (0, 0),
            is_dead: false,
            inside: Vec::new(),
            busy: 0,
            queue: VecDeque::new(),
        }
    }

    /// Takes a job in; `true` if a worker begins it at once. One that needs no worker always begins.
    pub(crate) fn take(&mut self, job: usize, needs_worker: bool) -> bool {
        self.inside.push(job);
        let begins = !needs_worker || self.busy < self.machine.workers;
        match (begins, needs_worker) {
            (true, true) => self.busy += 1,
            (true, false) => {}
            (false, _) => self.queue.push_back(job),
        }
        begins
    }

    /// A job is done; the next one that begins.
    pub(crate) fn finish(&mut self, job: usize, needed_worker: bool) -> Option<usize> {
        if let Some(at) = self.inside.iter().position(|&other| other == job) {
            self.inside.swap_remove(at);
        }
        if !needed_worker {
            return None;
        }
        self.busy -= 1;
        if self.busy >= self.machine.workers {
            return None;
        }
        let next = self.queue.pop_front()?;
        self.busy += 1;
        Some(next)
    }

    /// How long work takes that begins now.
    pub(crate) fn time(&self, work: f64) -> u64 {
        let inside = self.inside.len();
        let thrashing = match self.machine.thrashes {
            Thrashes::Over(over, factor) if inside > over => factor,
            Thrashes::By(at) => {
                let half = at as f64 / 2.0;
                1.0 + (inside as f64 - half).max(0.0) / half
            }
            Thrashes::Never | Thrashes::Over(..) => 1.0,
        };
        (work * self.slowness * thrashing).max(1.0) as u64
    }

    pub(crate) fn is_overfull(&self) -> bool {
        self.machine.dies.is_some_and(|most| self.inside.len() > most)
    }

    /// Dies with everything in it.
    pub(crate) fn die(&mut self) -> Vec<usize> {
        (self.is_dead, self.busy) = (true, 0);
        self.queue.clear();
        std::mem::take(&mut self.inside)
    }
}
