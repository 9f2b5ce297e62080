use std::collections::VecDeque;
use std::sync::Arc;

use proptest::prelude::*;

use super::*;
use crate::model::{Tier, Weight};
use crate::upstream::{Jury, Member, Node, Patience, Place, Pulse, Slot, Verdicts, Vigil};

fn member() -> Arc<Member> {
    let node = Arc::new(Node::new(Place::Unix("/a".into()), &Arc::<Pulse>::default()));
    Arc::new(Member { name: "a".into(), weight: Weight::ONE, tier: Tier(0), max_in_flight: None, node })
}

/// A node with workers that take 20 ms each, in steps of a millisecond.
struct Site {
    member: Arc<Member>,
    now: u64,
    workers: usize,
    /// When each of those at work is done, and those that wait, with when they came.
    busy: Vec<(u64, u64, Slot)>,
    queue: VecDeque<(u64, Slot)>,
    refused: u32,
}

const WORK: u64 = 20;

impl Site {
    fn new(workers: usize) -> Self {
        let (busy, queue) = (Vec::new(), VecDeque::new());
        Self { member: member(), now: 1_000, workers, busy, queue, refused: 0 }
    }

    fn limit(&self) -> &Limit {
        self.member.node.load().limit()
    }

    /// A millisecond in which so many come.
    fn pass(&mut self, come: u32) {
        self.now += 1;
        let now = self.now;
        let (done, busy) = std::mem::take(&mut self.busy).into_iter().partition(|(end, ..)| *end <= now);
        self.busy = busy;
        for (_, since, mut slot) in done {
            slot.answered(Some(Duration::from_millis(now - since)), now);
        }
        for _ in 0..come {
            match self.member.enter(now) {
                Some(slot) => self.queue.push_back((now, slot)),
                None => self.refused += 1,
            }
        }
        while self.busy.len() < self.workers
            && let Some((since, slot)) = self.queue.pop_front()
        {
            self.busy.push((now + WORK, since, slot));
        }
    }

    /// So many milliseconds in which one comes every `every`.
    fn run(&mut self, millis: u64, every: u64) {
        for number in 0..millis {
            self.pass(u32::from(number % every == 0));
        }
    }

    fn overload(&mut self) {
        self.run(2_000, 2);
        for _ in 0..2_000 {
            self.pass(1 + u32::from(self.now.is_multiple_of(3)));
        }
    }
}

#[test]
fn overload_is_held_near_what_the_workers_can_do() {
    let mut site = Site::new(16);
    site.run(2_000, 2);
    assert_eq!((site.limit().most(), site.refused), (None, 0));
    site.overload();
    let most = site.limit().held().expect("it is held");
    assert!((16..=60).contains(&most), "{most}");
    assert!(site.refused > 100, "{}", site.refused);
    let shown = site.limit().shown().capacity.expect("it was at its limit");
    assert!((700.0..900.0).contains(&shown), "{shown}");
}

#[test]
fn limit_that_nobody_reaches_is_lifted_and_both_are_told_once() {
    let mut site = Site::new(16);
    site.overload();
    let told = site.limit().review(site.now);
    let load = site.member.node.load();
    assert!(matches!(told, Some(Transition::Limited(_))), "{told:?} {load:?}");
    assert_eq!(site.limit().review(site.now), None);
    site.run(11_000, 2);
    assert_eq!(site.limit().review(site.now), Some(Transition::Unlimited));
    assert_eq!((site.limit().review(site.now), site.limit().most()), (None, None));
}

#[test]
fn limited_node_stirs_until_people_know_that_it_is_so_no_longer() {
    let mut site = Site::new(16);
    let (jury, members) = (Jury::new(None, Duration::ZERO), [Arc::clone(&site.member)]);
    let look = |now| {
        let stirs = members[0].node.silence().pulse().take_unrest();
        let verdicts = if stirs { jury.review(&members, now, || 0.5) } else { Verdicts::new() };
        verdicts.into_iter().map(|(_, transition)| transition).next()
    };
    site.overload();
    assert!(matches!(look(site.now), Some(Transition::Limited(_))));
    let told: Vec<_> = (0..220)
        .filter_map(|_| {
            site.run(50, 2);
            look(site.now)
        })
        .collect();
    assert_eq!(told, [Transition::Unlimited]);
    assert!(!members[0].node.silence().pulse().take_unrest(), "there is nothing more to tell");
}

#[test]
fn burst_on_a_healthy_node_is_held_back_by_nothing() {
    let mut site = Site::new(16);
    site.run(2_000, 3);
    site.pass(200);
    site.run(2_000, 3);
    assert_eq!((site.refused, site.limit().held()), (0, None));
}

#[test]
fn long_polls_that_are_answered_now_and_then_make_a_node_no_slower() {
    let member = member();
    let (node, load) = (&member.node, member.node.load());
    let mut now = 1_000;
    let answer = |now: &mut u64, millis: u64| {
        let mut slot = member.enter(*now).expect("a place");
        *now += millis;
        slot.answered(Some(Duration::from_millis(millis)), *now);
        node.answered(*now);
    };
    (0..1_500).for_each(|_| answer(&mut now, 20));
    // For a moment it is not at ease, so that nobody lingers.
    (0..10).for_each(|_| answer(&mut now, 300));
    let poll = |now: u64| {
        let slot = member.enter(now).expect("a place");
        (now, Vigil::new(node, Patience::Endless, now, false), slot)
    };
    let mut polls: VecDeque<_> = (0..6).map(|_| poll(now)).collect();
    // Of six answers one comes after six seconds, and the others at once.
    for _ in 0..12 {
        (0..5).for_each(|_| answer(&mut now, 5));
        now += 975;
        polls.iter_mut().for_each(|(_, vigil, _)| assert!(!vigil.look(now)));
        let (since, vigil, mut slot) = polls.pop_front().expect("one is at it");
        drop(vigil);
        slot.answered(Some(Duration::from_millis(now - since)), now);
        polls.push_back(poll(now));
    }
    assert_eq!((load.in_flight(), load.waiting()), (6, 1), "all but the last have waited for long");
}

#[test]
fn node_that_fell_in_full_flight_comes_back_under_less_than_it_fell_with() {
    let mut site = Site::new(16);
    site.run(3_000, 3);
    site.pass(100);
    site.run(30, 3);
    let peak = site.member.node.load().waiting();
    site.limit().fell(site.now);
    let held = site.limit().held().expect("it is held");
    assert!(held < peak, "{held} of {peak}");
}

#[test]
fn node_that_fell_in_the_middle_of_little_comes_back_wary() {
    let mut site = Site::new(16);
    site.run(3_000, 3);
    site.limit().fell(site.now);
    assert_eq!(site.limit().held(), None);
    assert!(site.limit().most().is_some_and(|most| (8..=20).contains(&most)), "{:?}", site.limit().most());
    site.run(3_000, 3);
    assert_eq!((site.limit().most(), site.refused), (None, 0));
}

#[test]
fn long_poll_lingers_while_the_node_answers_others() {
    let mut site = Site::new(16);
    site.run(2_000, 3);
    let mut poll = site.member.enter(site.now).expect("there is room");
    let mut vigil = Vigil::new(&site.member.node, Patience::Endless, site.now, false);
    let before = site.member.node.load().waiting();
    site.member.node.answered(site.now + 1_000);
    let _ = vigil.look(site.now + 999);
    assert_eq!(site.member.node.load().waiting(), before, "too early");
    let _ = vigil.look(site.now + 1_000);
    assert_eq!(site.member.node.load().waiting(), before - 1);
    let _ = vigil.look(site.now + 1_050);
    drop(vigil);
    poll.answered(Some(Duration::from_secs(5)), site.now + 5_000);
    assert_eq!(site.member.node.load().waiting(), before - 1);
}

#[test]
fn nothing_lingers_at_a_node_that_answers_nobody() {
    let mut site = Site::new(16);
    site.run(2_000, 3);
    let _poll = site.member.enter(site.now).expect("there is room");
    let mut vigil = Vigil::new(&site.member.node, Patience::Endless, site.now, false);
    let before = site.member.node.load().waiting();
    let _ = vigil.look(site.now + 5_000);
    assert_eq!(site.member.node.load().waiting(), before);
}

/// What may happen at a node: attempts begin, are answered after so many milliseconds, fail, or are left; the node falls.
#[derive(Clone, Debug)]
enum Event {
    Begin(u8),
    Answer(u8, u32),
    Fail(u8),
    Leave(u8),
    Fall,
    Review,
    Pass(u64),
}

fn events() -> impl Strategy<Value = Event> {
    prop_oneof![
        6 => (1u8..40).prop_map(Event::Begin),
        8 => (1u8..40, 0u32..5_000).prop_map(|(count, millis)| Event::Answer(count, millis)),
        2 => (1u8..20).prop_map(Event::Fail),
        1 => (1u8..20).prop_map(Event::Leave),
        1 => Just(Event::Fall),
        2 => Just(Event::Review),
        6 => (1u64..400).prop_map(Event::Pass),
    ]
}

proptest! {
    #[test]
    fn whatever_happens_the_limit_is_at_least_four_and_every_place_is_given_back(
        events in prop::collection::vec(events(), 1..400)
    ) {
        let member = member();
        let load = member.node.load();
        let mut slots: VecDeque<Slot> = VecDeque::new();
        let mut now = 1;
        for event in events {
            match event {
                Event::Begin(count) => slots.extend((0..count).filter_map(|_| member.enter(now))),
                Event::Answer(count, millis) => {
                    let taken = slots.len().min(count.into());
                    for mut slot in slots.drain(..taken) {
                        slot.answered(Some(Duration::from_millis(millis.into())), now);
                    }
                }
                Event::Fail(count) => {
                    let taken = slots.len().min(count.into());
                    slots.drain(..taken).for_each(|slot| { drop(slot); load.failed(now); });
                }
                Event::Leave(count) => drop(slots.drain(..slots.len().min(count.into()))),
                Event::Fall => load.limit().fell(now),
                Event::Review => drop(load.limit().review(now)),
                Event::Pass(millis) => now += millis,
            }
            let most = load.limit().most();
            prop_assert!(most.is_none_or(|most| most >= 4), "{most:?}");
            prop_assert_eq!(load.waiting() as usize, slots.len());
            prop_assert!(load.limit().held().is_none_or(|held| Some(held) == most));
        }
        slots.clear();
        prop_assert_eq!((load.waiting(), load.in_flight()), (0, 0));
    }

    #[test]
    fn without_more_and_more_to_do_nobody_is_held_back(
        workers in 4usize..64, clients in 1u32..400, work in 1u64..100
    ) {
        // As many clients as there are, who ask again once they are answered, all from the first moment on.
        let member = member();
        let mut now = 1;
        let mut line: VecDeque<(u64, Slot)> =
            (0..clients).map(|_| (now, member.enter(now).expect("there is room"))).collect();
        for _ in 0..200 {
            now += work;
            let done = line.len().min(workers);
            for (since, mut slot) in line.drain(..done).collect::<Vec<_>>() {
                slot.answered(Some(Duration::from_millis(now - since)), now);
                drop(slot);
                let next = member.enter(now);
                prop_assert!(next.is_some(), "held at {:?}", member.node.load().limit().most());
                line.extend(next.map(|slot| (now, slot)));
            }
        }
    }
}
