//! A pool through its life, with made-up time: requests that last, checks, reloads, and a line of those who wait.

use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context, Waker};
use std::time::Duration;

use proptest::prelude::*;

use super::*;
use crate::config;
use crate::model::{Tier, Weight};

const NODES: usize = 4;
const ONCE: Thresholds = Thresholds { fall: 1, rise: 1 };
const LONGEST_LINE: usize = 20;
const RELEASED_BY_EACH: usize = 2;

/// What a configuration makes of the nodes that it has.
struct Generation {
    jury: Jury,
    lineup: Lineup,
}

/// A request at a node; it keeps the generation it began with.
struct Attempt {
    generation: Rc<Generation>,
    member: Arc<Member>,
    slot: Slot,
}

struct World {
    pulse: Arc<Pulse>,
    /// They outlive every generation.
    nodes: Vec<Arc<Node>>,
    parking: Arc<Parking>,
    generation: Rc<Generation>,
    attempts: Vec<Attempt>,
    vigils: Vec<Vigil>,
    tickets: Vec<Ticket>,
    now: u64,
}

/// The weight of each node; 0 is one that the configuration does not have.
type Weights = [u8; NODES];

/// What can happen. Numbers that are too large are taken modulo what there is.
#[derive(Clone, Debug)]
enum Event {
    Begin(Asker),
    Answer(usize),
    Fail(usize, Fault),
    Abandon(usize),
    Check(usize, bool),
    Heard(usize),
    Wait(usize, Patience),
    LeaveVigils,
    Rest(usize),
    Park,
    LeaveLine(usize),
    Reload(Weights),
    Pass(u64),
}

fn weights() -> impl Strategy<Value = Weights> {
    prop::array::uniform4(0u8..4)
        .prop_filter("a pool has a node", |weights| weights.iter().any(|&weight| weight > 0))
}

fn events() -> impl Strategy<Value = Event> {
    let which = 0usize..64;
    let asker = prop::sample::select(vec![Asker::Repeatable, Asker::Unrepeatable]);
    let faults = vec![Fault::Unreachable, Fault::Confirmed, Fault::Unconfirmed, Fault::Cut];
    let fault = prop::sample::select(faults);
    let patience =
        prop::sample::select(vec![Patience::UntilSuspect, Patience::UntilEjected, Patience::Endless]);
    prop_oneof![
        8 => asker.prop_map(Event::Begin),
        4 => which.clone().prop_map(Event::Answer),
        6 => (which.clone(), fault).prop_map(|(which, fault)| Event::Fail(which, fault)),
        1 => which.clone().prop_map(Event::Abandon),
        2 => (which.clone(), any::<bool>()).prop_map(|(which, passed)| Event::Check(which, passed)),
        1 => which.clone().prop_map(Event::Heard),
        2 => (which.clone(), patience).prop_map(|(which, patience)| Event::Wait(which, patience)),
        1 => Just(Event::LeaveVigils),
        1 => which.clone().prop_map(Event::Rest),
        2 => Just(Event::Park),
        1 => which.prop_map(Event::LeaveLine),
        1 => weights().prop_map(Event::Reload),
        4 => (0u64..3_000).prop_map(Event::Pass),
    ]
}

impl Generation {
    fn new(nodes: &[Arc<Node>], weights: &Weights) -> Rc<Self> {
        let member = |(number, (node, &weight)): (usize, (&Arc<Node>, &u8))| {
            let weight = Weight::try_from(i64::from(weight)).ok()?;
            Some(Arc::new(Member {
                name: number.to_string(),
                weight,
                tier: Tier(0),
                max_in_flight: None,
                node: Arc::clone(node),
            }))
        };
        let members = nodes.iter().zip(weights).enumerate().filter_map(member);
        let jury = Jury::new(Some(config::Ejection::default()), Duration::from_secs(2));
        Rc::new(Self { jury, lineup: Lineup::new(members) })
    }

    /// A suspect is not out: it is the first that is used when the others are gone.
    fn has_one_in(&self, now: u64) -> bool {
        let is_in = |member: &Arc<Member>| {
            matches!(member.node.availability(now), Availability::Available | Availability::Suspect)
        };
        self.lineup.members().iter().any(is_in)
    }

    /// Nor is one out that only waits for a request to try it, after its checks passed again.
    fn has_one_left(&self, now: u64) -> bool {
        let is_spare =
            |member: &Arc<Member>| matches!(member.node.stay(), Stay::Out { why: Why::Checks, .. });
        self.has_one_in(now) || self.lineup.members().iter().any(is_spare)
    }
}

impl World {
    fn new(weights: &Weights) -> Self {
        let pulse = Arc::new(Pulse::default());
        let node = |port| Arc::new(Node::new(Place::Tcp(([127, 0, 0, 1], port).into()), &pulse));
        let nodes: Vec<_> = (1..=NODES as u16).map(node).collect();
        Self {
            pulse,
            generation: Generation::new(&nodes, weights),
            nodes,
            parking: Arc::default(),
            attempts: Vec::new(),
            vigils: Vec::new(),
            tickets: Vec::new(),
            now: 100_000,
        }
    }

    fn happen(&mut self, event: &Event) {
        match *event {
            Event::Begin(asker) => drop(self.begin(asker)),
            Event::Answer(which) => self.answer(which),
            Event::Fail(which, fault) => self.fail(which, fault),
            Event::Abandon(which) => drop(self.end(which)),
            Event::Check(which, passed) => self.check(which % NODES, passed),
            Event::Heard(which) => self.nodes[which % NODES].heard(self.now),
            Event::Wait(which, patience) => {
                let mut vigil = Vigil::new(&self.nodes[which % NODES], patience, self.now, false);
                vigil.look(self.now);
                self.vigils.push(vigil);
            }
            Event::LeaveVigils => self.vigils.clear(),
            Event::Rest(which) => self.nodes[which % NODES].rest(self.now + 500),
            Event::Park => self.tickets.extend(self.parking.join(LONGEST_LINE)),
            Event::LeaveLine(_) if self.tickets.is_empty() => {}
            Event::LeaveLine(which) => drop(self.tickets.remove(which % self.tickets.len())),
            Event::Reload(ref weights) => self.reload(weights),
            Event::Pass(millis) => self.pass(millis),
        }
    }

    /// A request goes to the node that is offered, if that has room; returns its number in the line-up.
    fn begin(&mut self, asker: Asker) -> usize {
        let number = self.generation.lineup.offer(&mut Offers::default(), asker, self.now).expect("a member");
        let generation = Rc::clone(&self.generation);
        let member = Arc::clone(&generation.lineup.members()[number]);
        let has_room = member.has_room();
        let slot = member.enter(self.now);
        assert_eq!(slot.is_some(), has_room, "who is promised a place gets it");
        self.attempts.extend(slot.map(|slot| Attempt { generation, member, slot }));
        number
    }

    fn end(&mut self, which: usize) -> Option<Attempt> {
        let which = which.checked_rem(self.attempts.len())?;
        Some(self.attempts.swap_remove(which))
    }

    /// A node answers, and lets some of those go who wait.
    fn answer(&mut self, which: usize) {
        let Some(mut attempt) = self.end(which) else { return };
        attempt.member.node.heard(self.now);
        let _ = attempt.generation.jury.answered(&mut attempt.slot, 1, self.now);
        attempt.member.node.completed();
        self.parking.release(RELEASED_BY_EACH);
    }

    /// A node fails, which never takes out the last one that the request could have gone to.
    fn fail(&mut self, which: usize, fault: Fault) {
        let Some(Attempt { generation, member, slot }) = self.end(which) else { return };
        let had_one_in = generation.has_one_in(self.now);
        let members = generation.lineup.members();
        let _ = generation.jury.failed(members, &member, slot.since(), fault, (self.now, 0.5));
        assert!(!had_one_in || generation.has_one_left(self.now), "the last was taken out");
    }

    fn check(&self, number: usize, passed: bool) {
        let failure = (!passed).then_some("refused");
        let _ = self.nodes[number].checked(failure, ONCE, (self.now, self.now));
    }

    /// Another configuration: the nodes that both have stand as they stood, and nobody leaves the line.
    fn reload(&mut self, weights: &Weights) {
        let stands = |world: &Self| -> Vec<_> {
            world
                .nodes
                .iter()
                .map(|node| (node.availability(world.now), node.stay(), node.load().in_flight()))
                .collect()
        };
        let (before, waiting) = (stands(self), self.parking.len());
        self.generation = Generation::new(&self.nodes, weights);
        self.pulse.stir();
        assert_eq!((stands(self), self.parking.len()), (before, waiting));
    }

    /// What the jury sees at nodes that do not stir: nothing that it would have to change.
    fn assert_rest(&self) {
        let stands = || -> Vec<_> {
            let limit = |node: &Node| (node.load().limit().held(), node.load().limit().most());
            self.nodes
                .iter()
                .map(|node| (node.availability(self.now), node.stay(), node.take_ping(), limit(node)))
                .collect()
        };
        let before = stands();
        let verdicts = self.generation.jury.review(self.generation.lineup.members(), self.now, || 0.5);
        assert!(verdicts.is_empty(), "nobody stirred: {verdicts:?}");
        assert_eq!(stands(), before, "nobody stirred");
        assert!(!self.pulse.take_unrest(), "a node that is at rest stirs");
    }

    /// Lets time pass as the real thing does: with a look every 50 ms at nodes that stir.
    fn pass(&mut self, millis: u64) {
        let end = self.now + millis;
        while self.now < end {
            self.now = (self.now + 50).min(end);
            let had_one_in = self.generation.has_one_in(self.now);
            if self.pulse.take_unrest() {
                self.nodes.iter().for_each(|node| _ = node.take_ping());
                let _ = self.generation.jury.review(self.generation.lineup.members(), self.now, || 0.5);
            } else {
                self.assert_rest();
            }
            assert!(!had_one_in || self.generation.has_one_left(self.now), "the last was taken out");
        }
    }

    /// What holds at every moment.
    fn assert_sound(&self) {
        for node in &self.nodes {
            let held: Vec<_> =
                self.attempts.iter().filter(|attempt| Arc::ptr_eq(attempt.slot.node(), node)).collect();
            assert_eq!(node.load().in_flight() as usize, held.len(), "slots taken are slots freed");
            // One that takes longer than three seconds keeps no other off.
            let is_young = |slot: &Slot| self.now - slot.since() <= 3_000;
            let trials = held.iter().filter(|attempt| attempt.slot.is_trial() && is_young(&attempt.slot));
            assert!(trials.count() <= 1, "one trial at a time");
        }
        let mut offers = Offers::default();
        let offered: Vec<_> =
            std::iter::from_fn(|| self.generation.lineup.offer(&mut offers, Asker::Repeatable, self.now))
                .collect();
        assert_eq!(offered.len(), self.generation.lineup.members().len(), "everybody is offered once");
        self.assert_line();
    }

    /// Those who wait came after those who were let go, and none is forgotten.
    fn assert_line(&self) {
        let mut cx = Context::from_waker(Waker::noop());
        let is_free: Vec<_> = self.tickets.iter().map(|ticket| ticket.poll(&mut cx).is_ready()).collect();
        assert!(is_free.is_sorted_by(|before, after| before >= after), "out of turn: {is_free:?}");
        assert_eq!(self.parking.len(), is_free.iter().filter(|&&is_free| !is_free).count());
    }

    /// All is well again: checks pass, requests are answered.
    fn recover(&mut self) {
        self.vigils.clear();
        self.attempts.clear();
        for _ in 0..100 {
            (0..NODES).for_each(|number| self.check(number, true));
            self.begin(Asker::Repeatable);
            self.answer(0);
            self.pass(100);
        }
    }

    /// Over whole rounds everybody gets what its weight says.
    fn assert_shares(&mut self, weights: &Weights) {
        const ROUNDS: usize = 3;
        let weights: Vec<_> =
            weights.iter().map(|&weight| usize::from(weight)).filter(|&weight| weight > 0).collect();
        let mut counts = vec![0; weights.len()];
        for _ in 0..ROUNDS * weights.iter().sum::<usize>() {
            counts[self.begin(Asker::Unrepeatable)] += 1;
            // A node that was out may not be given many at once.
            self.attempts.clear();
        }
        assert_eq!(counts, weights.iter().map(|weight| ROUNDS * weight).collect::<Vec<_>>());
    }
}

proptest! {
    /// Whatever happens: traffic never takes out the last available node, slots taken are slots freed, everybody is
    /// offered a node, a reload changes nothing about the nodes that stay, and the line moves in order. And when all is
    /// well again every node is back, nobody is left in the line, and shares follow the weights.
    #[test]
    fn a_pool_stays_sound(
        first in weights(),
        events in prop::collection::vec(events(), 1..200),
        last in weights(),
    ) {
        let mut world = World::new(&first);
        for event in &events {
            world.happen(event);
            world.assert_sound();
        }
        world.reload(&[1; NODES]);
        world.recover();
        for node in &world.nodes {
            prop_assert_eq!((node.stay(), node.availability(world.now)), (Stay::In, Availability::Available));
            prop_assert!(node.checks().health == Health::default());
        }
        prop_assert!(world.parking.is_empty());
        world.reload(&last);
        world.assert_shares(&last);
        world.assert_sound();
    }
}
