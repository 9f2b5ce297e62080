use std::collections::HashMap;
use std::num::NonZeroU32;

use proptest::prelude::*;

use super::*;
use crate::model::Weight;
use crate::upstream::{Node, Place, Pulse, Resort, Thresholds};

const ONCE: Thresholds = Thresholds { fall: 1, rise: 1 };

fn member(number: u16, weight: i64, tier: u8) -> Arc<Member> {
    let place = Place::Tcp(([127, 0, 0, 1], 1000 + number).into());
    Arc::new(Member {
        name: number.to_string(),
        weight: Weight::try_from(weight).expect("a weight"),
        tier: Tier(tier),
        max_in_flight: None,
        node: Arc::new(Node::new(place, &Arc::new(Pulse::default()))),
    })
}

fn lineup(weights: &[i64]) -> Lineup {
    Lineup::new((0..).zip(weights).map(|(number, &weight)| member(number, weight, 0)))
}

fn take(lineup: &Lineup) -> usize {
    lineup.offer(&mut Offers::default(), Asker::Unrepeatable, 1).expect("a member")
}

fn set_down(lineup: &Lineup, number: usize) {
    assert!(lineup.members()[number].node.checked(Some("refused"), ONCE, (1, 1)).is_some());
}

/// Takes the first member that is not among the `refusing`, as a request does that tries one after the other.
fn take_past(lineup: &Lineup, refusing: &[usize]) -> Option<usize> {
    let mut offers = Offers::default();
    loop {
        let number = lineup.offer(&mut offers, Asker::Unrepeatable, 1)?;
        if !refusing.contains(&number) {
            return Some(number);
        }
    }
}

#[test]
fn equal_members_take_turns() {
    let lineup = lineup(&[1, 1, 1]);
    let turns: Vec<_> = (0..7).map(|_| take(&lineup)).collect();
    assert_eq!(turns, [0, 1, 2, 0, 1, 2, 0]);
}

#[test]
fn two_to_one_is_smooth() {
    let lineup = lineup(&[2, 1]);
    let turns: Vec<_> = (0..6).map(|_| take(&lineup)).collect();
    assert_eq!(turns, [0, 1, 0, 0, 1, 0]);
}

#[test]
fn a_member_whose_checks_fail_leaves_its_share_to_the_others_evenly() {
    let lineup = lineup(&[1, 1, 1]);
    set_down(&lineup, 1);
    let mut counts = [0u32; 3];
    for _ in 0..10_000 {
        counts[take(&lineup)] += 1;
    }
    assert_eq!(counts, [5_000, 0, 5_000]);
}

#[test]
fn a_member_that_refuses_leaves_its_share_to_the_others_evenly() {
    let lineup = lineup(&[1, 1, 1]);
    let mut counts = [0u32; 3];
    for _ in 0..9_000 {
        counts[take_past(&lineup, &[2]).expect("a member")] += 1;
    }
    assert!(counts[0].abs_diff(counts[1]) <= 1, "{counts:?}");
}

#[test]
fn backups_serve_only_while_no_tier_before_them_can() {
    let lineup = Lineup::new([member(0, 1, 0), member(1, 1, 1), member(2, 1, 2)]);
    assert_eq!(take(&lineup), 0);
    set_down(&lineup, 0);
    assert_eq!(take(&lineup), 1);
    set_down(&lineup, 1);
    assert_eq!(take(&lineup), 2);
    assert!(lineup.members()[0].node.checked(None, ONCE, (1, 1)).is_some());
    assert_eq!(take(&lineup), 2);
    assert_eq!(lineup.offer(&mut Offers::default(), Asker::Repeatable, 1), Some(0), "its trial");
}

#[test]
fn when_every_check_fails_all_serve_in_tier_order() {
    let lineup = Lineup::new([member(0, 1, 0), member(1, 1, 0), member(2, 1, 1)]);
    for number in 0..3 {
        set_down(&lineup, number);
    }
    let mut offers = Offers::default();
    let order: Vec<_> = std::iter::from_fn(|| lineup.offer(&mut offers, Asker::Unrepeatable, 1)).collect();
    assert_eq!(order, [0, 1, 2]);
}

#[test]
fn a_resting_member_gets_work_only_when_no_other_can() {
    let lineup = lineup(&[1, 1]);
    lineup.members()[0].node.rest(10);
    assert_eq!(take(&lineup), 1);
    assert_eq!(take(&lineup), 1);
    assert_eq!(take_past(&lineup, &[1]), Some(0));
    assert_eq!(lineup.offer(&mut Offers::default(), Asker::Unrepeatable, 10), Some(0));
}

#[test]
fn a_drained_member_is_the_last_resort() {
    let lineup = Lineup::new([member(0, 1, 0), member(1, 1, 0), member(2, 1, 1)]);
    lineup.members()[0].node.drain(Resort::Last, 1);
    set_down(&lineup, 1);
    assert_eq!((take(&lineup), take(&lineup)), (2, 2));
    let mut offers = Offers::default();
    let order: Vec<_> = std::iter::from_fn(|| lineup.offer(&mut offers, Asker::Repeatable, 1)).collect();
    assert_eq!(order, [2, 1, 0]);
}

#[test]
fn a_barred_member_is_no_resort() {
    let lineup = lineup(&[1, 1]);
    lineup.members()[0].node.drain(Resort::Never, 1);
    set_down(&lineup, 1);
    let mut offers = Offers::default();
    let order: Vec<_> = std::iter::from_fn(|| lineup.offer(&mut offers, Asker::Repeatable, 1)).collect();
    assert_eq!(order, [1]);
    lineup.members()[0].node.drain(Resort::Last, 1);
    assert_eq!(take_past(&lineup, &[1]), Some(0));
}

#[test]
fn no_members_no_offer() {
    assert_eq!(Lineup::new([]).offer(&mut Offers::default(), Asker::Unrepeatable, 1), None);
}

proptest! {
    /// Over whole rounds every member gets exactly its weight, and never more than one turn ahead within a round.
    #[test]
    fn shares_follow_weights(weights in prop::collection::vec(1i64..20, 1..8), rounds in 1usize..5) {
        let lineup = lineup(&weights);
        let total: i64 = weights.iter().sum();
        let mut counts = vec![0i64; weights.len()];
        for turn in 1..=total * i64::try_from(rounds).expect("few") {
            counts[take(&lineup)] += 1;
            for (count, weight) in counts.iter().zip(&weights) {
                #[expect(clippy::cast_precision_loss, reason = "small numbers")]
                let fair = (turn * weight) as f64 / total as f64;
                #[expect(clippy::cast_precision_loss, reason = "small numbers")]
                let ahead = *count as f64 - fair;
                prop_assert!(ahead.abs() <= weights.len() as f64, "{counts:?} at {turn}");
            }
        }
        for (count, weight) in counts.iter().zip(&weights) {
            prop_assert_eq!(*count, weight * i64::try_from(rounds).expect("few"));
        }
    }

    /// Every member is offered exactly once, available ones first, and offers that are refused leave no trace.
    #[test]
    fn offers_are_complete_and_leave_no_trace(
        weights in prop::collection::vec(1i64..5, 1..6),
        down in prop::collection::vec(any::<bool>(), 6),
    ) {
        let lineup = lineup(&weights);
        let twin = self::lineup(&weights);
        for number in (0..weights.len()).filter(|&number| down[number]) {
            set_down(&lineup, number);
            set_down(&twin, number);
        }
        let mut offers = Offers::default();
        let order: Vec<_> = std::iter::from_fn(|| lineup.offer(&mut offers, Asker::Unrepeatable, 1)).collect();
        let mut seen: HashMap<usize, usize> = HashMap::new();
        for number in &order {
            *seen.entry(*number).or_default() += 1;
        }
        prop_assert_eq!(seen.len(), weights.len());
        prop_assert!(order.windows(2).all(|pair| down[pair[0]] <= down[pair[1]]), "{order:?}");
        for _ in 0..20 {
            prop_assert_eq!(take(&lineup), take(&twin));
        }
    }
}

#[test]
fn what_a_full_member_cannot_take_goes_to_a_backup_and_to_none_that_fails() {
    let full = |number, tier| {
        let member = Arc::into_inner(member(number, 1, tier)).expect("nobody else has it");
        Arc::new(Member { max_in_flight: NonZeroU32::new(1), ..member })
    };
    let lineup = Lineup::new([full(0, 0), full(1, 1), member(2, 1, 2)]);
    set_down(&lineup, 2);
    let _slots: Vec<_> = [0, 1]
        .map(|number| {
            assert_eq!(take(&lineup), number);
            lineup.members()[number].enter(1).expect("room")
        })
        .into();
    let member = &lineup.members()[take(&lineup)];
    assert!(!member.has_room() && member.enter(1).is_none(), "{}", member.name);
}
