//! A fault on its way: how it begins, goes on and ends.

use std::time::Duration;

use rustix::process::Signal;

use crate::client::Load;
use crate::clock::{self, Moment};
use crate::node::{Behaviour, Place};
use crate::row::{Fault, Row};
use crate::site::{Server, Site};

/// How long a node that was started again answers 503.
const UNREADY: Duration = Duration::from_secs(2);
/// Half of a third of a second.
const FLAP: Duration = Duration::from_millis(167);
const BETWEEN_RELOADS: Duration = Duration::from_millis(100);

/// The fault of a row, while it lasts.
pub(crate) struct Trouble<'a> {
    row: &'a Row,
    site: &'a mut Site,
    load: &'a Load,
    began: Moment,
    /// How often something was done while it lasts.
    steps: u32,
    doors_shut: Vec<(Moment, Moment)>,
}

impl<'a> Trouble<'a> {
    /// What comes before the fault because it must be under way by then.
    pub(crate) fn prepare(row: &Row, load: &Load) {
        load.also_ask(row.beside, row.speaks);
    }

    /// The fault befalls its nodes.
    pub(crate) fn begin(row: &'a Row, site: &'a mut Site, load: &'a Load) -> Self {
        let mut trouble = Self { row, site, load, began: clock::now(), steps: 0, doors_shut: Vec::new() };
        match row.fault {
            Fault::Behave(behaviour) => trouble.behave(behaviour),
            Fault::Kill | Fault::KillFor(_) | Fault::KillBesideReloads => trouble.each(Server::kill),
            Fault::RestartUnready => trouble.each(|node| {
                node.kill();
                node.start_again(Behaviour::Answers(503));
            }),
            Fault::Stop => trouble.each(|node| node.signal(Signal::STOP)),
            Fault::Url(Place::Crash) => load.also_ask(&[Place::Crash], row.speaks),
            Fault::Url(Place::Poison) => load.also_ask(&[Place::Poison], row.speaks),
            Fault::Url(_) => load.also_ask(&[Place::Report], row.speaks),
            Fault::Flap | Fault::ResetOneEach => {}
        }
        trouble
    }

    /// Does what the fault does again and again; called every few milliseconds.
    pub(crate) fn go_on(&mut self) {
        let (lasted, well) = (clock::now().since(self.began), self.row.well);
        match self.row.fault {
            Fault::KillFor(limit) if lasted >= limit && self.steps == 0 => {
                self.steps = 1;
                self.each(|node| node.start_again(well));
            }
            Fault::RestartUnready if lasted >= UNREADY && self.steps == 0 => {
                self.steps = 1;
                self.each(|node| node.behave(well));
            }
            Fault::Flap if lasted >= FLAP * self.steps => {
                let is_down = self.steps.is_multiple_of(2);
                self.steps += 1;
                self.behave(if is_down { Behaviour::Refuses } else { well });
            }
            Fault::KillBesideReloads if lasted >= BETWEEN_RELOADS * self.steps => {
                self.steps += 1;
                self.site.front.reload();
            }
            Fault::ResetOneEach => self.reset_the_next(),
            Fault::Url(Place::Crash) => self.start_what_crashed(),
            _ => {}
        }
    }

    /// All is well again when this returns; it says when nodes ceased to accept connections.
    pub(crate) fn end(mut self) -> Vec<(Moment, Moment)> {
        self.load.also_ask(&[], self.row.speaks);
        let well = self.row.well;
        match self.row.fault {
            Fault::Behave(_) | Fault::Flap => self.each(|node| node.behave(well)),
            Fault::Kill | Fault::KillBesideReloads => self.each(|node| node.start_again(well)),
            Fault::Stop => self.each(|node| node.signal(Signal::CONT)),
            Fault::Url(Place::Crash) => self.start_what_crashed(),
            Fault::Url(_) | Fault::ResetOneEach | Fault::KillFor(_) | Fault::RestartUnready => {}
        }
        self.doors_shut
    }

    fn behave(&mut self, behaviour: Behaviour) {
        let before = clock::now();
        self.each(|node| node.behave(behaviour));
        if !behaviour.accepts() {
            self.doors_shut.push((before, clock::now()));
        }
    }

    /// The next node is armed when the last has had its request.
    fn reset_the_next(&mut self) {
        let armed = usize::try_from(self.steps).unwrap();
        let is_done = armed == 0 || {
            let since = self.began;
            self.site.nodes[armed - 1].diary().iter().any(|entry| entry.at > since)
        };
        if armed < self.row.befalls && is_done {
            self.began = clock::now();
            self.site.nodes[armed].behave(Behaviour::ResetsOnce);
            self.steps += 1;
        }
    }

    fn start_what_crashed(&mut self) {
        for node in &mut self.site.nodes {
            if node.has_crashed() {
                node.start_again(self.row.well);
            }
        }
    }

    fn each(&mut self, act: impl FnMut(&mut Server)) {
        self.site.nodes[..self.row.befalls].iter_mut().for_each(act);
    }
}
