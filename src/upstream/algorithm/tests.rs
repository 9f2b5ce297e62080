use std::collections::HashMap;
use std::num::NonZeroU32;

use fastrand::Rng;
use proptest::prelude::*;

use super::*;
use crate::config::{Ejection, HashKey};
use crate::model::{Tier, Weight};
use crate::upstream::{Asker, Lineup, Node, Offers, Place, Pulse, Slot, Why};

const NOW: u64 = 1_000;

fn member(number: u16, weight: i64) -> Arc<Member> {
    let place = Place::Tcp(([10, 0, 0, 1], 1000 + number).into());
    Arc::new(Member {
        name: number.to_string(),
        weight: Weight::try_from(weight).expect("a weight"),
        tier: Tier(0),
        max_in_flight: None,
        node: Arc::new(Node::new(place, &Arc::new(Pulse::default()))),
    })
}

fn lineup(balance: &Balance, weights: &[i64]) -> Lineup {
    Lineup::balanced((0..).zip(weights).map(|(number, &weight)| member(number, weight)), balance)
}

fn hashed(weights: &[i64]) -> Lineup {
    lineup(&Balance::Hash(HashKey::Path), weights)
}

fn offers(key: Option<u64>, seed: u64) -> Offers {
    Offers::with(Clue { key, rng: Rng::with_seed(seed) })
}

fn take(lineup: &Lineup, key: Option<u64>, seed: u64) -> usize {
    lineup.offer(&mut offers(key, seed), Asker::Unrepeatable, NOW).expect("a member")
}

/// Every member in the order in which one request is offered them.
fn order(lineup: &Lineup, key: Option<u64>, seed: u64) -> Vec<usize> {
    let mut offers = offers(key, seed);
    std::iter::from_fn(|| lineup.offer(&mut offers, Asker::Unrepeatable, NOW)).collect()
}

fn enter(lineup: &Lineup, number: usize, times: usize) -> Vec<Slot> {
    (0..times).map(|_| lineup.members()[number].enter(NOW).expect("room")).collect()
}

fn counts(picks: impl Iterator<Item = usize>) -> HashMap<usize, u32> {
    picks.fold(HashMap::new(), |mut counts, number| {
        *counts.entry(number).or_default() += 1;
        counts
    })
}

fn key_of(number: u64) -> Option<u64> {
    Some(key(&[&number.to_le_bytes()]))
}

/// Every algorithm, with a key for those that want one.
fn all() -> impl Strategy<Value = (Balance, Option<u64>)> {
    prop_oneof![
        Just((Balance::RoundRobin, None)),
        Just((Balance::LeastLoaded, None)),
        Just((Balance::PowerOfTwo, None)),
        Just((Balance::Random, None)),
        Just((Balance::First, None)),
        any::<Option<u64>>().prop_map(|key| (Balance::Hash(HashKey::Path), key)),
    ]
}

proptest! {
    /// Whatever the algorithm, a request is offered every member once, and those that can serve before those that are full.
    #[test]
    fn every_member_is_offered_once_and_full_ones_last(
        (balance, key) in all(),
        weights in prop::collection::vec(1i64..100, 1..12),
        full in prop::collection::vec(any::<bool>(), 12),
        loads in prop::collection::vec(0usize..6, 12),
        seed: u64,
    ) {
        let members = (0..).zip(&weights).map(|(number, &weight)| {
            let member = Arc::into_inner(member(number, weight)).expect("nobody else has it");
            let load = u32::try_from(loads[usize::from(number)].max(1)).expect("few");
            Arc::new(Member { max_in_flight: NonZeroU32::new(load).filter(|_| full[usize::from(number)]), ..member })
        });
        let lineup = Lineup::balanced(members, &balance);
        let _slots: Vec<_> = (0..weights.len())
            .flat_map(|number| enter(&lineup, number, loads[number].max(usize::from(full[number]))))
            .collect();
        let order = order(&lineup, key, seed);
        let mut sorted = order.clone();
        sorted.sort_unstable();
        prop_assert_eq!(sorted, (0..weights.len()).collect::<Vec<_>>());
        prop_assert!(order.windows(2).all(|pair| full[pair[0]] <= full[pair[1]]), "{order:?}");
    }

    /// What was offered and refused leaves no trace in whose turn it is.
    #[test]
    fn refused_offers_leave_no_trace((balance, key) in all(), weights in prop::collection::vec(1i64..5, 1..6), seed: u64) {
        let (lineup, twin) = (lineup(&balance, &weights), lineup(&balance, &weights));
        order(&lineup, key, seed);
        for seed in 0..20 {
            prop_assert_eq!(take(&lineup, key, seed), take(&twin, key, seed));
        }
    }

    /// Least loaded never gives a request to a member that has more to do for its weight than another.
    #[test]
    fn least_loaded_picks_nobody_with_more_than_another(
        members in prop::collection::vec((1i64..10, 0usize..10), 1..10),
    ) {
        let weights: Vec<_> = members.iter().map(|(weight, _)| *weight).collect();
        let lineup = lineup(&Balance::LeastLoaded, &weights);
        let _slots: Vec<_> = members.iter().enumerate().flat_map(|(number, (_, load))| enter(&lineup, number, *load)).collect();
        let winner = members[take(&lineup, None, 0)];
        for (weight, load) in members {
            let [own, other] = [winner, (weight, load)].map(|(weight, load)| (i64::try_from(load).expect("few"), weight));
            prop_assert!(own.0 * other.1 <= other.0 * own.1, "{own:?} {other:?}");
        }
    }

    /// Nobody has more than a quarter above its part, beside the few that mean nothing; whatever the keys.
    #[test]
    fn one_hot_key_drowns_nobody(weights in prop::collection::vec(1i64..10, 2..10), requests in 1usize..400) {
        let lineup = hashed(&weights);
        let mut slots = Vec::new();
        for _ in 0..requests {
            let number = take(&lineup, key_of(7), 0);
            slots.extend(enter(&lineup, number, 1));
        }
        let total: i64 = weights.iter().sum();
        for (number, weight) in weights.iter().enumerate() {
            let load = i64::from(lineup.members()[number].node.load().in_flight());
            let part = (i64::try_from(requests).expect("few") * weight * 5 + total * 4 - 1) / (total * 4);
            prop_assert!(load <= part.max(4), "{load} of {requests} at weight {weight} of {total}");
        }
    }

    /// When a member leaves, only its keys move.
    #[test]
    fn only_the_keys_of_a_member_that_leaves_move(weights in prop::collection::vec(1i64..10, 2..10), leaves in any::<prop::sample::Index>()) {
        let gone = leaves.index(weights.len());
        let before = hashed(&weights);
        let rest: Vec<_> = before.members().iter().enumerate().filter(|(number, _)| *number != gone).map(|(_, member)| Arc::clone(member)).collect();
        let after = Lineup::balanced(rest, &Balance::Hash(HashKey::Path));
        for number in 0..200 {
            let (from, to) = (&before.members()[take(&before, key_of(number), 0)], &after.members()[take(&after, key_of(number), 0)]);
            prop_assert!(from.name == to.name || from.name == gone.to_string(), "{} to {}", from.name, to.name);
        }
    }
}

#[test]
fn keys_are_spread_by_weight() {
    let lineup = hashed(&[1, 1, 2]);
    let counts = counts((0..40_000).map(|number| take(&lineup, key_of(number), 0)));
    for (number, wanted) in [(0, 10_000), (1, 10_000), (2, 20_000)] {
        assert!(counts[&number].abs_diff(wanted) < 500, "{counts:?}");
    }
}

/// As written down once: another version of bookend, on whatever machine, gives the same.
#[test]
fn keys_stay_where_they_are_for_ever() {
    let lineup = hashed(&[1; 8]);
    let places: Vec<_> = (0..16).map(|number| take(&lineup, key_of(number), 0)).collect();
    assert_eq!(key(&[b"a user"]), KEY_OF_A_USER);
    assert_eq!(places, PLACES);
}

const KEY_OF_A_USER: u64 = 6_735_884_431_627_092_107;
const PLACES: [usize; 16] = [2, 2, 1, 4, 0, 4, 0, 6, 2, 1, 0, 7, 2, 4, 4, 0];

#[test]
fn order_of_the_members_does_not_matter_to_keys() {
    let lineup = hashed(&[1, 3, 2, 1]);
    let reversed = Lineup::balanced(lineup.members().iter().rev().cloned(), &Balance::Hash(HashKey::Path));
    for number in 0..100 {
        assert_eq!(take(&reversed, key_of(number), 0), 3 - take(&lineup, key_of(number), 0));
    }
}

#[test]
fn key_of_a_member_that_is_full_goes_to_the_next_and_comes_back() {
    let lineup = hashed(&[1, 1, 1]);
    let order = order(&lineup, key_of(1), 0);
    let slots = enter(&lineup, order[0], 5);
    assert_eq!(take(&lineup, key_of(1), 0), order[1]);
    drop(slots);
    assert_eq!(take(&lineup, key_of(1), 0), order[0]);
}

#[test]
fn requests_without_a_key_take_turns() {
    let lineup = hashed(&[1, 1, 1]);
    let turns: Vec<_> = (0..6).map(|_| take(&lineup, None, 0)).collect();
    assert_eq!(turns, [0, 1, 2, 0, 1, 2]);
}

#[test]
fn random_is_by_weight() {
    let lineup = lineup(&Balance::Random, &[1, 3]);
    let counts = counts((0..40_000).map(|seed| take(&lineup, None, seed)));
    assert!(counts[&0].abs_diff(10_000) < 500, "{counts:?}");
}

/// What the first refuses is spread over the others, and not all for its neighbour.
#[test]
fn random_draws_anew_for_the_next() {
    let lineup = lineup(&Balance::Random, &[1, 1, 1]);
    let seconds = (0..30_000).map(|seed| order(&lineup, None, seed)).filter(|order| order[0] == 0);
    let counts = counts(seconds.map(|order| order[1]));
    assert!(counts[&1].abs_diff(counts[&2]) < 500, "{counts:?}");
}

#[test]
fn first_is_first_until_it_cannot() {
    let lineup = lineup(&Balance::First, &[1, 9, 9]);
    assert_eq!(order(&lineup, None, 0), [0, 1, 2]);
    assert_eq!(take(&lineup, None, 0), 0);
    lineup.members()[0].node.rest(NOW + 1);
    assert_eq!(take(&lineup, None, 0), 1);
}

#[test]
fn least_loaded_takes_turns_while_all_are_idle() {
    let lineup = lineup(&Balance::LeastLoaded, &[1, 1, 1]);
    let turns: Vec<_> = (0..6).map(|_| take(&lineup, None, 0)).collect();
    assert_eq!(turns, [0, 1, 2, 0, 1, 2]);
}

#[test]
fn slower_node_gets_less_of_two() {
    let lineup = lineup(&Balance::PowerOfTwo, &[1, 1]);
    lineup.members()[0].node.latency().answered(20_000, 1, NOW);
    lineup.members()[1].node.latency().answered(1_000, 1, NOW);
    assert_eq!(take(&lineup, None, 1), 1);
    let _slots = enter(&lineup, 1, 18);
    assert_eq!(take(&lineup, None, 1), 1);
    let _more = enter(&lineup, 1, 2);
    assert_eq!(take(&lineup, None, 1), 0);
}

/// Sixteen at once that are answered in 6 ms, as usual there, are no reason to wait for 100 ms elsewhere.
#[test]
fn slow_node_gets_nothing_while_the_other_answers_as_many_as_fast_as_ever() {
    let lineup = lineup(&Balance::PowerOfTwo, &[1, 1]);
    let [slow, fast] = lineup.members() else { panic!("two members") };
    slow.node.latency().answered(100_000, 1, NOW);
    (0..200).for_each(|_| fast.node.latency().answered(6_000, 16, NOW));
    let _usual = enter(&lineup, 1, 20);
    assert!((0..100).all(|seed| take(&lineup, None, seed) == 1), "the product is higher, the wait is not");
    let _burst = enter(&lineup, 1, 300);
    assert!((0..100).all(|seed| take(&lineup, None, seed) == 0), "twenty times as many as usual will wait");
}

#[test]
fn nodes_that_are_as_fast_share_by_weight_and_load() {
    let lineup = lineup(&Balance::PowerOfTwo, &[1, 4]);
    for (member, usual) in lineup.members().iter().zip([15, 60]) {
        (0..200).for_each(|_| member.node.latency().answered(1_000, usual, NOW));
    }
    let _usual = (enter(&lineup, 0, 15), enter(&lineup, 1, 60));
    let mut slots = Vec::new();
    let counts = counts((0..100).map(|seed| {
        let number = take(&lineup, None, seed);
        slots.extend(enter(&lineup, number, 1));
        number
    }));
    assert!((15..=25).contains(&counts[&0]), "{counts:?}");
}

#[test]
fn node_that_fails_at_once_is_no_favourite() {
    let lineup = lineup(&Balance::PowerOfTwo, &[1, 1]);
    lineup.members()[0].node.latency().failed(300, NOW);
    lineup.members()[1].node.latency().answered(5_000, 1, NOW);
    assert!((0..100).all(|seed| take(&lineup, None, seed) == 1));
}

#[test]
fn node_of_which_nothing_is_known_gets_one_request_until_it_answers() {
    let lineup = lineup(&Balance::PowerOfTwo, &[1, 1]);
    lineup.members()[1].node.latency().answered(5_000, 1, NOW);
    let slots = enter(&lineup, 0, 1);
    let _load = enter(&lineup, 1, 50);
    assert!((0..100).all(|seed| take(&lineup, None, seed) == 1), "it has one");
    drop(slots);
    assert!((0..100).all(|seed| take(&lineup, None, seed) == 0), "it has none");
}

#[test]
fn nodes_of_which_nothing_is_known_share_by_load() {
    let lineup = lineup(&Balance::PowerOfTwo, &[1, 1]);
    let mut slots = Vec::new();
    for seed in 0..100 {
        let number = take(&lineup, None, seed);
        slots.extend(enter(&lineup, number, 1));
    }
    let loads = [0, 1].map(|number| lineup.members()[number].node.load().in_flight());
    assert_eq!(loads, [50, 50]);
}

#[test]
fn heavier_nodes_are_drawn_more_often_among_many() {
    let lineup = lineup(&Balance::PowerOfTwo, &[1, 1, 1, 1, 4, 4]);
    lineup.members().iter().for_each(|member| member.node.latency().answered(1_000, 1, NOW));
    let counts = counts((0..10_000).map(|seed| take(&lineup, None, seed)));
    let light: u32 = (0..4).map(|number| counts.get(&number).copied().unwrap_or_default()).sum();
    assert!(light < 2_000, "{counts:?}");
}

/// A node that comes back gets a part of what it would get, whatever the algorithm.
#[test]
fn returning_node_gets_its_share_and_not_all_at_once() {
    let algorithms = [
        (Balance::RoundRobin, 0.12),
        (Balance::Random, 0.12),
        (Balance::PowerOfTwo, 0.12),
        (Balance::LeastLoaded, 0.12),
        (Balance::First, 0.15),
        (Balance::Hash(HashKey::Path), 0.12),
    ];
    for (balance, most) in algorithms {
        let lineup = lineup(&balance, &[1, 1]);
        let [back, other] = lineup.members() else { panic!("two members") };
        back.node.change(|traffic| {
            traffic.standing.eject(Why::Silent, &Ejection::default(), 0, 0.5);
            traffic.standing.let_in(100_000, NOW);
        });
        for member in [back, other] {
            member.node.latency().answered(1_000, 1, NOW);
        }
        let mut taken = 0;
        for number in 0..2_000 {
            taken += u32::from(take(&lineup, key_of(number), number) == 0);
        }
        let share = f64::from(taken) / 2_000.0;
        assert!(share <= most, "{balance:?}: {share}");
    }
}
