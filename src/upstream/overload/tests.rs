use std::collections::VecDeque;
use std::net::{IpAddr, Ipv4Addr};
use std::num::NonZeroU32;
use std::time::Duration;

use proptest::prelude::*;

use super::*;
use crate::model::{ClientNetwork, Tier, Weight};
use crate::upstream::{Member, Node, Place, Pulse, Resort, Slot, Thresholds, Transition, offer_room};

const TARGET: u64 = 200;

fn client(number: u32) -> ClientNetwork {
    ClientNetwork::of(IpAddr::V4(Ipv4Addr::from_bits(number)))
}

fn newcomer(of: u32) -> Waiting {
    Waiting::new(client(of), Rank::Newcomer, [])
}

fn fail_over(of: u32, excluded: &[NodeKey]) -> Waiting {
    Waiting::new(client(of), Rank::FailOver, excluded.iter().copied())
}

fn called(place: &InLine) -> Option<Called> {
    match place.poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(called) => Some(called),
        Poll::Pending => None,
    }
}

/// Nodes of one pool, each with this many places.
struct Site {
    line: Arc<OverloadLine>,
    members: Vec<Arc<Member>>,
}

impl Site {
    fn new(places: &[u32]) -> Self {
        let (line, pulse) = (Arc::new(OverloadLine::default()), Arc::new(Pulse::default()));
        let member = |&most| {
            let node = Node::new(Place::Unix("/a".into()), &pulse).with_line(Arc::clone(&line));
            Arc::new(Member {
                name: "node".to_owned(),
                weight: Weight::ONE,
                tier: Tier(0),
                max_in_flight: NonZeroU32::new(most),
                node: Arc::new(node),
            })
        };
        Self { members: places.iter().map(member).collect(), line }
    }

    fn key(&self, node: usize) -> NodeKey {
        self.members[node].node.key()
    }

    fn join(&self, waiting: Waiting) -> InLine {
        self.line.join(waiting, 100_000, 1).expect("room in the line")
    }

    /// The numbers of those in `places` that have a turn after so many places at the first node became free, in the order
    /// in which the turns came.
    fn turns(&self, places: &[InLine], count: usize) -> Vec<usize> {
        let mut turns = Vec::new();
        for _ in 0..count {
            self.line.freed(self.key(0));
            let new = (0..places.len()).find(|number| !turns.contains(number) && places[*number].has_turn());
            turns.extend(new);
        }
        turns
    }
}

#[test]
fn first_come_first_served_while_nobody_is_lost() {
    let site = Site::new(&[1]);
    let places: Vec<_> = (0..4).map(|number| site.join(newcomer(number))).collect();
    assert_eq!(site.turns(&places, 5), [0, 1, 2, 3]);
}

#[test]
fn newest_go_first_for_a_while_once_one_is_lost() {
    let site = Site::new(&[1]);
    let join = |number, now| site.line.join(newcomer(number), 100, now).expect("room in the line");
    let lost = site.join(newcomer(9));
    let mut places: Vec<_> = (0..3).map(|number| site.join(newcomer(number))).collect();
    assert!(lost.is_in_vain(TARGET));
    assert_eq!(called(&lost), Some(Called::Shed));
    assert_eq!(site.turns(&places, 2), [2, 1]);
    places.drain(1..).for_each(|place| place.used(site.key(0)));
    places.push(join(4, TARGET + NEWEST_FIRST_FOR - 1));
    assert_eq!(site.turns(&places, 1), [1]);
    places.remove(1).used(site.key(0));
    places.extend([5, 6, 7].map(|number| join(number, TARGET + NEWEST_FIRST_FOR)));
    assert_eq!(site.turns(&places, 1), [0]);
    places.remove(0).used(site.key(0));
    // The oldest go first, until one is lost that came since.
    assert!(places.remove(0).is_in_vain(2 * TARGET + NEWEST_FIRST_FOR));
    places.extend([8, 9].map(|number| join(number, 2 * TARGET + NEWEST_FIRST_FOR)));
    assert_eq!(site.turns(&places, 1), [3]);
}

#[test]
fn those_who_were_passed_over_before_do_not_count() {
    let site = Site::new(&[1]);
    let join = |number, now| site.line.join(newcomer(number), 100, now).expect("room in the line");
    let [lost, passed_over] = [1, 2].map(|number| join(number, 1));
    assert!(lost.is_in_vain(TARGET));
    let places = [3, 4].map(|number| join(number, TARGET + NEWEST_FIRST_FOR));
    assert!(passed_over.is_in_vain(TARGET + NEWEST_FIRST_FOR));
    assert_eq!(site.turns(&places, 1), [0]);
}

/// Clients that each ask again as soon as they are answered or turned away, at nodes that answer at a steady pace.
struct Crowd {
    world: World,
    asked: u32,
}

impl Crowd {
    /// Goes on until `until` with so many clients, and returns how many requests were served and shed meanwhile.
    fn go_on(&mut self, clients: usize, takes: u64, until: u64) -> (usize, usize) {
        let (mut served, shed) = (0, self.world.shed);
        while self.world.now < until {
            let now = self.world.now;
            let is_done =
                |request: &Request| request.slot.as_ref().is_some_and(|slot| now - slot.since() >= takes);
            while let Some(number) = self.world.requests.iter().position(is_done) {
                drop(self.world.requests.swap_remove(number));
                served += 1;
                self.world.settle();
            }
            self.world.settle();
            while self.world.requests.len() < clients {
                self.asked += 1;
                self.world.step(&Event::Arrive(self.asked % 1_000));
            }
            self.world.now += 1;
        }
        (served, self.world.shed - shed)
    }
}

#[test]
fn crowd_that_can_be_served_in_time_is_once_the_overload_is_over() {
    // 400 requests a second; 200 clients would have to wait for half a second, 60 for 130 ms.
    let site = Site::new(&[8]);
    let world = World { site, requests: Vec::new(), longest: 10_000, now: 1, shed: 0 };
    let mut crowd = Crowd { world, asked: 0 };
    let (served, shed) = crowd.go_on(200, 20, 5_000);
    assert!(served > 1_900 && shed > 2_000, "{served} and {shed}");
    crowd.go_on(60, 20, 5_000 + NEWEST_FIRST_FOR + 500);
    let (served, shed) = crowd.go_on(60, 20, 15_000);
    assert_eq!(shed, 0);
    assert!(served > 2_800, "{served}");
}

#[test]
fn empty_line_begins_anew() {
    let site = Site::new(&[1]);
    let lost = site.join(newcomer(1));
    assert!(lost.is_in_vain(TARGET) && site.line.is_idle());
    let places: Vec<_> = (0..2).map(|number| site.join(newcomer(number))).collect();
    assert_eq!(site.turns(&places, 1), [0]);
}

#[test]
fn fail_overs_go_before_newcomers() {
    let site = Site::new(&[1, 1]);
    let places = [site.join(newcomer(1)), site.join(newcomer(2)), site.join(fail_over(3, &[site.key(1)]))];
    assert_eq!(site.turns(&places, 3), [2, 0, 1]);
}

#[test]
fn place_goes_to_one_who_can_use_it() {
    let site = Site::new(&[1, 1]);
    let places = [
        site.join(fail_over(1, &[site.key(0)])),
        site.join(newcomer(2)),
        site.join(fail_over(3, &[site.key(1)])),
    ];
    assert_eq!(site.turns(&places, 3), [2, 1]);
    assert_eq!(called(&places[0]), None);
    site.line.freed(site.key(1));
    assert!(places[0].has_turn());
}

#[test]
fn places_that_are_of_no_use_to_those_who_wait_are_for_whoever_comes() {
    let site = Site::new(&[1, 1]);
    let keeps = || [0, 1].map(|node| site.line.keeps(site.key(node)));
    let place = site.join(fail_over(1, &[site.key(1)]));
    assert_eq!((keeps(), site.line.keeps_all()), ([true, false], false));
    site.line.freed(site.key(0));
    assert!(place.has_turn());
    assert_eq!(keeps(), [true, false], "the turn is not used yet");
    place.used(site.key(0));
    assert_eq!(keeps(), [false, false]);
    let _any = site.join(newcomer(2));
    assert_eq!((keeps(), site.line.keeps_all()), ([true, true], true));
}

#[test]
fn session_waits_for_its_own_node_and_keeps_nobody_from_others() {
    let site = Site::new(&[1, 1]);
    let own = site.join(Waiting::only(client(1), site.key(0)));
    assert_eq!([0, 1].map(|node| site.line.keeps(site.key(node))), [true, false]);
    assert!(!site.line.keeps_all());
    site.line.freed(site.key(1));
    assert!(!own.has_turn(), "the place of another node is for others");
    site.line.freed(site.key(0));
    assert!(own.has_turn());
    own.missed(|_| true);
    assert_eq!(called(&own), None);
    site.line.freed(site.key(0));
    own.used(site.key(0));
    assert!(site.line.is_idle());
}

#[test]
fn sessions_and_newcomers_take_turns_at_a_node() {
    let site = Site::new(&[1, 1]);
    let places = [
        site.join(Waiting::only(client(1), site.key(0))),
        site.join(newcomer(2)),
        site.join(newcomer(3)),
        site.join(Waiting::only(client(4), site.key(0))),
        site.join(Waiting::only(client(5), site.key(1))),
        site.join(fail_over(6, &[site.key(1)])),
    ];
    assert_eq!(site.turns(&places, 9), [5, 0, 1, 3, 2]);
    assert_eq!(site.line.len(), 1);
}

#[test]
fn session_that_waits_in_vain_is_no_loss() {
    let site = Site::new(&[1, 1]);
    let own = site.join(Waiting::only(client(1), site.key(0)));
    let places = [site.join(newcomer(2)), site.join(newcomer(3))];
    assert!(own.is_in_vain(TARGET));
    assert!(!site.line.lost_within(TARGET, TARGET));
    assert_eq!(site.turns(&places, 2), [0, 1], "the oldest still go first");
    let own = site.join(Waiting::only(client(1), site.key(0)));
    site.line.freed(site.key(0));
    assert!(!own.is_in_vain(TARGET), "its turn has just come");
}

#[test]
fn nobody_makes_room_for_one_that_could_go_elsewhere() {
    let site = Site::new(&[1, 1]);
    let join = |waiting| site.line.join(waiting, 2, 1);
    let _two = [join(newcomer(1)), join(newcomer(1))];
    assert!(join(Waiting::only(client(2), site.key(0))).is_none());
    assert!(!site.line.lost_within(TARGET, TARGET));
    assert!(join(newcomer(2)).is_some());
}

#[test]
fn sessions_are_released_from_one_node_alone() {
    let site = Site::new(&[1, 1]);
    let own = [0, 0, 1].map(|node| site.join(Waiting::only(client(1), site.key(node))));
    let any = site.join(newcomer(2));
    assert_eq!(site.line.only_for().as_slice(), [site.key(0), site.key(1)]);
    site.line.release(site.key(0));
    let all = [&own[0], &own[1], &own[2], &any];
    assert_eq!(all.map(called), [Some(Called::Shed), Some(Called::Shed), None, None]);
    assert_eq!(site.line.len(), 2);
    site.line.freed(site.key(0));
    assert!(any.has_turn());
}

#[test]
fn flood_of_one_client_delays_the_others_by_one_turn_a_round() {
    let site = Site::new(&[1]);
    for is_late in [false, true] {
        let lost = site.join(newcomer(0));
        let flood: Vec<_> = (0..10_000).map(|_| site.join(newcomer(0))).collect();
        if is_late {
            assert!(lost.is_in_vain(TARGET));
        }
        drop(lost);
        let others: Vec<_> = (1..=100).map(|number| site.join(newcomer(number))).collect();
        for _ in 0..101 {
            site.line.freed(site.key(0));
        }
        assert!(others.iter().all(InLine::has_turn), "late: {is_late}");
        assert_eq!(flood.iter().filter(|place| place.has_turn()).count(), 1, "late: {is_late}");
    }
}

#[test]
fn client_that_comes_again_waits_for_the_round_to_end() {
    let site = Site::new(&[1]);
    let lost = site.join(newcomer(9));
    let others = [site.join(newcomer(1)), site.join(newcomer(2))];
    assert!(lost.is_in_vain(TARGET));
    let again = site.join(newcomer(3));
    site.line.freed(site.key(0));
    assert!(again.has_turn(), "the newest goes first");
    again.used(site.key(0));
    let again = site.join(newcomer(3));
    assert_eq!(site.turns(&others, 2), [1, 0]);
    assert!(!again.has_turn());
}

#[test]
fn full_line_makes_room_for_those_who_have_less_in_it() {
    let site = Site::new(&[1]);
    let join = |waiting| site.line.join(waiting, 4, 1);
    let flood: Vec<_> = (0..4).map(|_| join(newcomer(0)).expect("room")).collect();
    assert!(join(newcomer(0)).is_none());
    let one = join(newcomer(1)).expect("room is made");
    assert_eq!(flood.iter().map(called).collect::<Vec<_>>(), [None, None, None, Some(Called::Shed)]);
    let two = join(newcomer(1)).expect("room is made");
    assert!(join(newcomer(1)).is_none(), "as many as the other");
    assert_eq!([&one, &two].map(called), [None, None]);
    let saved: Vec<_> = (0..4).map(|_| join(fail_over(5, &[])).expect("newcomers make room")).collect();
    assert_eq!(site.line.len(), 4);
    assert!(join(fail_over(5, &[])).is_none() && join(newcomer(6)).is_none());
    assert!(join(fail_over(6, &[])).is_some(), "of its own kind it has less");
    assert_eq!(saved.iter().filter(|place| called(place).is_none()).count(), 3);
    assert!(site.line.lost_within(10, 11) && !site.line.lost_within(10, 12));
}

#[test]
fn turn_that_is_not_used_goes_to_the_next() {
    let site = Site::new(&[1]);
    let [first, second, third] = [1, 2, 3].map(|number| site.join(newcomer(number)));
    site.line.freed(site.key(0));
    assert!(first.has_turn());
    drop(first);
    assert!(second.has_turn());
    second.missed(|_| true);
    assert_eq!((called(&second), called(&third)), (None, None), "nobody finds what it did not find");
    site.line.freed(site.key(0));
    assert!(second.has_turn(), "it kept its place");
    second.missed(|_| false);
    assert!(third.has_turn() && !second.has_turn());
    drop(third);
    site.line.freed(site.key(0));
    assert!(!second.has_turn(), "these places are not for it");
}

#[test]
fn turn_that_was_used_elsewhere_is_for_the_next() {
    let site = Site::new(&[1, 1]);
    let [first, second, third] = [1, 2, 3].map(|number| site.join(newcomer(number)));
    site.line.freed(site.key(0));
    first.used(site.key(1));
    assert!(second.has_turn());
    second.used(site.key(0));
    assert!(!third.has_turn());
}

#[test]
fn place_that_becomes_free_meanwhile_is_not_lost() {
    let site = Site::new(&[1]);
    let first = site.join(newcomer(1));
    site.line.freed(site.key(0));
    // Another one took the place, and gave it back before the first one said so.
    site.line.freed(site.key(0));
    first.missed(|_| true);
    assert!(first.has_turn());
    first.used(site.key(0));
    assert!(site.line.is_idle());
}

#[test]
fn as_many_go_on_as_there_is_room_for() {
    let site = Site::new(&[2, 1]);
    let places: Vec<_> = (0..9).map(|number| site.join(newcomer(number))).collect();
    for _ in 0..3 {
        offer_room(&site.members, &site.line, 1);
    }
    assert_eq!(places.iter().filter(|place| place.has_turn()).count(), 3, "those who have a turn count");
    assert_eq!(site.line.len(), 6);
}

#[test]
fn nobody_waits_for_a_drained_node_unless_something_speaks_against_all() {
    let site = Site::new(&[1, 1]);
    let [well, drained] = [0, 1].map(|number| &site.members[number]);
    drained.node.drain(Resort::Last, 1);
    let _slot = well.enter(1).expect("it has room");
    let place = site.join(newcomer(1));
    offer_room(&site.members, &site.line, 1);
    assert!(!place.has_turn(), "it is to wait for the node that is well");
    let down = well.node.checked(Some("refused"), Thresholds { fall: 1, rise: 1 }, (2, 2));
    assert_eq!(down, Some(Transition::Down));
    offer_room(&site.members, &site.line, 3);
    assert!(place.has_turn());
    place.used(drained.node.key());
    assert!(site.line.is_idle());
}

#[test]
fn limit_that_is_raised_lets_all_go_on_that_it_has_room_for() {
    let site = Site::new(&[0]);
    let (node, limit) = (&site.members[0].node, site.members[0].node.load().limit());
    let enter = |now| site.members[0].enter(now);
    site.members[0].bound();
    for now in (1_000..3_000).step_by(20) {
        let mut slot = enter(now).expect("no limit yet");
        slot.answered(Some(Duration::from_millis(20)), now + 20);
    }
    limit.fell(3_000);
    let mut slots: VecDeque<_> = std::iter::from_fn(|| enter(3_000)).collect();
    let before = limit.most().expect("it comes back under a limit");
    assert_eq!(slots.len() as u32, before);
    let mut places: VecDeque<_> = (0..100).map(|number| site.join(newcomer(number))).collect();
    let mut most_at_once = 0;
    for now in 3_001..3_040 {
        let mut slot = slots.pop_front().expect("one is at it");
        slot.answered(Some(Duration::from_millis(1)), now);
        let called = places.iter().take_while(|place| place.has_turn()).count();
        for place in places.drain(..called) {
            slots.push_back(enter(now).expect("its turn is of use"));
            place.used(site.key(0));
        }
        assert!(!site.members[0].has_room(), "{} of {:?} at it", node.load().waiting(), limit.most());
        most_at_once = most_at_once.max(called);
    }
    assert!(limit.most() > Some(before) && most_at_once > 1, "{:?}, {most_at_once} at once", limit.most());
}

#[test]
fn a_turn_wakes_and_so_does_the_end() {
    struct Flag(AtomicUsize);
    impl std::task::Wake for Flag {
        fn wake(self: Arc<Self>) {
            self.0.fetch_add(1, Ordering::Relaxed);
        }
    }
    let site = Site::new(&[1]);
    let flag = Arc::new(Flag(AtomicUsize::new(0)));
    let waker = Waker::from(Arc::clone(&flag));
    let places: Vec<_> = (0..3).map(|_| site.line.join(newcomer(1), 3, 1).expect("room")).collect();
    assert!(places.iter().all(|place| place.poll(&mut Context::from_waker(&waker)).is_pending()));
    site.line.freed(site.key(0));
    let _other = site.line.join(newcomer(2), 2, 1).expect("room is made");
    assert_eq!(flag.0.load(Ordering::Relaxed), 2);
}

#[test]
fn ten_thousand_wait_cheaply() {
    for clients in [1, 10_000] {
        let site = Site::new(&[1]);
        let began = std::time::Instant::now();
        let mut places: VecDeque<_> =
            (0..10_000).map(|number| site.join(newcomer(number % clients))).collect();
        for number in 0..20_000 {
            site.line.freed(site.key(0));
            let place = places.pop_front().expect("one waits");
            assert!(place.has_turn());
            place.used(site.key(0));
            places.push_back(site.join(newcomer(number % clients)));
        }
        assert!(began.elapsed() < std::time::Duration::from_secs(20), "{:?}", began.elapsed());
    }
}

/// What can happen. Numbers that are too large are taken modulo what there is.
#[derive(Clone, Debug)]
enum Event {
    Arrive(u32),
    /// One of a session that is at a node.
    Return(u32, usize),
    Answer(usize),
    Fail(usize),
    Leave(usize),
    Pass(u64),
}

fn events() -> impl Strategy<Value = Event> {
    prop_oneof![
        5 => (0u32..5).prop_map(Event::Arrive),
        3 => (0u32..5, 0usize..4).prop_map(|(client, node)| Event::Return(client, node)),
        4 => (0usize..64).prop_map(Event::Answer),
        2 => (0usize..64).prop_map(Event::Fail),
        1 => (0usize..64).prop_map(Event::Leave),
        3 => (0u64..80).prop_map(Event::Pass),
    ]
}

struct Request {
    client: u32,
    /// The node of its session, until it moves.
    own: Option<usize>,
    tried: Vec<usize>,
    slot: Option<Slot>,
    place: Option<InLine>,
    until: u64,
}

struct World {
    site: Site,
    requests: Vec<Request>,
    longest: usize,
    now: u64,
    shed: usize,
}

impl World {
    /// What `proxy` does for a request that has no place.
    fn begin(&mut self, mut request: Request) {
        let has_turn = request.place.as_ref().is_some_and(InLine::has_turn);
        let untried = (0..self.site.members.len()).filter(|node| !request.tried.contains(node));
        let is_left = |node: &usize| has_turn || !self.site.line.keeps(self.site.key(*node));
        let left = untried.clone().filter(is_left);
        let wanted = left.clone().filter(|node| request.own.is_none_or(|own| own == *node));
        let slots = { wanted }.find_map(|node| Some((node, self.site.members[node].enter(self.now)?)));
        if let Some((node, slot)) = slots {
            request.tried.push(node);
            request.slot = Some(slot);
            let key = self.site.key(node);
            request.place.take().into_iter().for_each(|place| place.used(key));
            return self.requests.push(request);
        }
        if let Some(place) = &request.place {
            let wanted = untried.filter(|node| request.own.is_none_or(|own| own == *node));
            let keys: Vec<_> = wanted.map(|node| self.site.key(node)).collect();
            place.missed(|node| keys.contains(&node));
            return self.requests.push(request);
        }
        let rank = if request.tried.is_empty() { Rank::Newcomer } else { Rank::FailOver };
        let tried: Vec<_> = request.tried.iter().map(|&node| self.site.key(node)).collect();
        // Where nobody else has room either it takes whatever there is.
        request.own = request.own.filter(|_| { left }.any(|node| self.site.members[node].has_room()));
        request.until = self.now + TARGET;
        let waiting = match request.own {
            Some(own) => Waiting::only(client(request.client), self.site.key(own)),
            None => Waiting::new(client(request.client), rank, tried),
        };
        request.place = self.site.line.join(waiting, self.longest, self.now);
        match (&request.place, request.own) {
            (Some(_), _) => self.requests.push(request),
            (None, Some(_)) => self.begin(Request { own: None, ..request }),
            (None, None) => self.shed += 1,
        }
        offer_room(&self.site.members, &self.site.line, self.now);
    }

    /// Everyone who was called or whose time is over does something about it, until nothing changes.
    fn settle(&mut self) {
        loop {
            let now = self.now;
            let is_due = |request: &Request| {
                let place = request.place.as_ref()?;
                (called(place).is_some() || now >= request.until).then_some(())
            };
            let Some(number) = self.requests.iter().position(|request| is_due(request).is_some()) else {
                return;
            };
            let request = self.requests.swap_remove(number);
            let place = request.place.as_ref().expect("it waits");
            match called(place) {
                Some(Called::Turn) => self.begin(request),
                Some(Called::Shed) => self.dismissed(request),
                None => {
                    assert!(place.is_in_vain(now));
                    self.dismissed(request);
                }
            }
        }
    }

    /// One waits no longer: it moves, or is shed.
    fn dismissed(&mut self, request: Request) {
        match request.own {
            Some(_) => self.begin(Request { own: None, place: None, ..request }),
            None => self.shed += 1,
        }
    }

    /// A request that is nowhere yet.
    fn arrive(&mut self, client: u32, own: Option<usize>) {
        self.begin(Request { client, own, tried: Vec::new(), slot: None, place: None, until: 0 });
    }

    fn step(&mut self, event: &Event) {
        let at_nodes: Vec<_> =
            (0..self.requests.len()).filter(|n| self.requests[*n].slot.is_some()).collect();
        let pick = |which: usize| at_nodes.get(which % at_nodes.len().max(1)).copied();
        match *event {
            Event::Arrive(client) => self.arrive(client, None),
            Event::Return(client, node) => self.arrive(client, Some(node % self.site.members.len())),
            Event::Answer(which) => drop(pick(which).map(|number| self.requests.swap_remove(number))),
            Event::Fail(which) => {
                if let Some(number) = pick(which) {
                    let mut request = self.requests.swap_remove(number);
                    request.slot = None;
                    if request.tried.len() < self.site.members.len() {
                        self.begin(request);
                    }
                }
            }
            Event::Leave(_) if self.requests.is_empty() => {}
            Event::Leave(which) => drop(self.requests.swap_remove(which % self.requests.len())),
            Event::Pass(millis) => self.now += millis,
        }
    }

    fn check(&self) {
        let waiting = self.requests.iter().filter(|request| request.place.is_some()).count();
        assert_eq!(self.site.line.len(), waiting);
        assert!(waiting <= self.longest, "the line is bounded");
        for (number, member) in self.site.members.iter().enumerate() {
            let key = member.node.key();
            let at_it =
                self.requests.iter().filter(|r| r.slot.as_ref().is_some_and(|s| s.node().key() == key));
            assert_eq!(member.node.load().in_flight() as usize, at_it.count(), "places taken and given back");
            let is_of_use = |r: &Request| r.own.is_none_or(|own| own == number) && !r.tried.contains(&number);
            let waits_for_it = |r: &Request| r.place.is_some() && is_of_use(r);
            assert!(!member.has_room() || !self.requests.iter().any(waits_for_it), "nobody is left behind");
        }
        assert!(
            self.requests.iter().all(|r| r.place.is_none() || self.now < r.until),
            "nobody waits too long"
        );
    }
}

proptest! {
    /// Whoever waits has had at most one turn less than anyone else, and each client's own go in order.
    #[test]
    fn turns_are_fair_and_in_order(clients in prop::collection::vec(0u32..6, 1..60), is_late in any::<bool>()) {
        let site = Site::new(&[1]);
        let lost = site.join(newcomer(9));
        let mut waiting: Vec<_> =
            clients.iter().enumerate().map(|(number, &of)| (number, of, site.join(newcomer(of)))).collect();
        if is_late {
            prop_assert!(lost.is_in_vain(TARGET));
        }
        drop(lost);
        let mut had = [0usize; 6];
        while !waiting.is_empty() {
            site.line.freed(site.key(0));
            let called: Vec<_> = (0..waiting.len()).filter(|place| waiting[*place].2.has_turn()).collect();
            prop_assert_eq!(called.len(), 1, "a place is for one");
            let (number, of, place) = waiting.remove(called[0]);
            let is_next = |(other, its, _): &(usize, u32, InLine)| *its != of || (*other > number) != is_late;
            prop_assert!(waiting.iter().all(is_next), "{} of client {}", number, of);
            had[of as usize] += 1;
            for (_, its, _) in &waiting {
                prop_assert!(had.iter().all(|turns| *turns <= had[*its as usize] + 1), "{:?}", had);
            }
            place.used(site.key(0));
        }
        prop_assert!(site.line.is_idle());
    }

    #[test]
    fn line_serves_whoever_it_can(
        places in prop::collection::vec(1u32..4, 1..4),
        longest in 1usize..8,
        events in prop::collection::vec(events(), 1..150),
    ) {
        let site = Site::new(&places);
        let mut world = World { site, requests: Vec::new(), longest, now: 1, shed: 0 };
        for event in &events {
            world.step(event);
            world.settle();
            world.check();
        }
        world.requests.clear();
        prop_assert!(world.site.line.is_idle());
        prop_assert!(world.site.members.iter().all(|member| member.node.load().in_flight() == 0));
    }
}
