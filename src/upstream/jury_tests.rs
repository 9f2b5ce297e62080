use super::*;
use crate::model::{Tier, Weight};
use crate::upstream::{Asker, Lineup, Offers, Patience, Place, Pulse, Thresholds, Vigil};

const NO_CHANCE: f64 = 0.5;
const ONCE: Thresholds = Thresholds { fall: 1, rise: 1 };

/// A pool with made-up time.
struct Site {
    pulse: Arc<Pulse>,
    jury: Jury,
    lineup: Lineup,
    now: u64,
}

impl Site {
    fn new(count: u16) -> Self {
        let pulse = Arc::new(Pulse::default());
        let member = |number: u16| {
            let place = Place::Tcp(([127, 0, 0, 1], number).into());
            let node = Arc::new(Node::new(place, &pulse));
            Arc::new(Member {
                name: number.to_string(),
                weight: Weight::ONE,
                tier: Tier(0),
                max_in_flight: None,
                node,
            })
        };
        let jury = Jury::new(Some(config::Ejection::default()), Duration::from_secs(2));
        Self { lineup: Lineup::new((0..count).map(member)), pulse, jury, now: 100_000 }
    }

    fn member(&self, number: usize) -> Arc<Member> {
        Arc::clone(&self.lineup.members()[number])
    }

    fn enter(&self, number: usize) -> Slot {
        self.member(number).enter(self.now).expect("room")
    }

    fn fail(&self, number: usize, fault: Fault) -> Verdicts {
        let since = self.enter(number).since();
        self.jury.failed(self.lineup.members(), &self.member(number), since, fault, (self.now, NO_CHANCE))
    }

    fn answer(&self, number: usize) -> Option<Transition> {
        self.member(number).node.heard(self.now);
        self.jury.answered(&mut self.enter(number), 1, self.now)
    }

    /// Looks at the nodes if they stir.
    fn review(&self) -> Verdicts {
        if !self.pulse.take_unrest() {
            return Verdicts::new();
        }
        self.jury.review(self.lineup.members(), self.now, || NO_CHANCE)
    }

    /// Lets time pass as the real thing does: with a look at the nodes every 50 ms.
    fn pass(&mut self, millis: u64) -> Vec<Transition> {
        let mut seen = Vec::new();
        let end = self.now + millis;
        while self.now < end {
            self.now = (self.now + 50).min(end);
            seen.extend(self.review().into_iter().map(|(_, transition)| transition));
        }
        seen
    }

    fn take(&self, asker: Asker) -> usize {
        self.lineup.offer(&mut Offers::default(), asker, self.now).expect("a member")
    }

    fn stands(&self, number: usize) -> Availability {
        self.member(number).node.availability(self.now)
    }

    fn eject(&self, number: usize) {
        let last = (0..3).map(|_| self.fail(number, Fault::Confirmed)).last().expect("three");
        assert_eq!(last[0].1, Transition::Ejected(Why::Failing(3)));
    }
}

#[test]
fn three_failures_in_a_row_take_a_node_out() {
    let site = Site::new(2);
    assert!(site.fail(0, Fault::Confirmed).is_empty());
    assert_eq!(site.answer(0), None);
    assert!(site.fail(0, Fault::Confirmed).is_empty());
    assert!(site.fail(0, Fault::Confirmed).is_empty());
    assert_eq!(site.stands(0), Availability::Available);
    assert_eq!(site.fail(0, Fault::Unreachable)[0].1, Transition::Ejected(Why::Failing(3)));
    assert_eq!(site.stands(0), Availability::Ejected);
    for _ in 0..10 {
        assert_eq!(site.take(Asker::Repeatable), 1);
    }
}

#[test]
fn the_last_available_node_stays() {
    let site = Site::new(2);
    (0..3).for_each(|_| drop(site.fail(0, Fault::Unreachable)));
    for _ in 0..20 {
        assert!(site.fail(1, Fault::Confirmed).is_empty());
    }
    assert_eq!((site.stands(0), site.stands(1)), (Availability::Ejected, Availability::Available));
}

#[test]
fn when_the_last_fails_like_the_others_they_are_let_in_again() {
    let site = Site::new(2);
    site.eject(0);
    (0..2).for_each(|_| drop(site.fail(1, Fault::Confirmed)));
    let verdicts = site.fail(1, Fault::Confirmed);
    assert_eq!(verdicts[0].1, Transition::Returned);
    assert_eq!((site.stands(0), site.stands(1)), (Availability::Available, Availability::Available));
}

#[test]
fn what_fails_on_every_node_takes_none_out() {
    let site = Site::new(2);
    for _ in 0..50 {
        assert!(site.fail(0, Fault::Unconfirmed).is_empty());
        assert!(site.fail(1, Fault::Unconfirmed).is_empty());
    }
}

#[test]
fn what_fails_on_one_node_only_takes_it_out_although_nothing_is_repeated() {
    let site = Site::new(2);
    for _ in 0..2 {
        assert!(site.fail(0, Fault::Unconfirmed).is_empty());
        assert_eq!(site.answer(1), None);
    }
    assert_eq!(site.fail(0, Fault::Unconfirmed)[0].1, Transition::Ejected(Why::Failing(3)));
}

#[test]
fn a_node_that_fails_most_of_its_requests_is_out_if_the_others_do_clearly_better() {
    for (others_fail, is_out) in [(false, true), (true, false)] {
        let site = Site::new(3);
        let mut seen = Verdicts::new();
        for round in 0..30 {
            let _ = site.answer(0);
            seen.extend(site.fail(0, Fault::Confirmed));
            seen.extend(site.fail(0, Fault::Confirmed));
            for other in [1, 2] {
                let _ = site.answer(other);
                if others_fail && round % 2 == 0 {
                    seen.extend(site.fail(other, Fault::Confirmed));
                }
            }
        }
        assert_eq!(
            seen.iter().any(|(_, seen)| matches!(seen, Transition::Ejected(Why::Flaky { .. }))),
            is_out
        );
    }
}

#[test]
fn answers_that_break_off_take_a_node_out() {
    let site = Site::new(2);
    for _ in 0..2 {
        assert_eq!(site.answer(0), None);
        assert!(site.fail(0, Fault::Cut).is_empty());
    }
    assert_eq!(site.answer(0), None);
    assert_eq!(site.fail(0, Fault::Cut)[0].1, Transition::Ejected(Why::Failing(3)));
}

#[test]
fn a_trial_is_one_request_that_can_be_repeated() {
    let mut site = Site::new(2);
    site.eject(0);
    site.pass(999);
    assert_eq!(site.take(Asker::Repeatable), 1);
    site.pass(1);
    assert_eq!(site.take(Asker::Unrepeatable), 1);
    assert_eq!(site.take(Asker::Repeatable), 0);
    let trial = site.enter(0);
    assert!(trial.is_trial());
    assert_eq!(site.take(Asker::Repeatable), 1);
    drop(trial);
    assert_eq!(site.take(Asker::Repeatable), 0);
}

#[test]
fn a_pool_with_nothing_but_post_returns_as_well() {
    let mut site = Site::new(2);
    site.eject(0);
    site.pass(2_999);
    assert_eq!(site.take(Asker::Unrepeatable), 1);
    site.pass(1);
    assert_eq!(site.take(Asker::Unrepeatable), 0);
}

#[test]
fn a_trial_that_fails_takes_the_node_out_for_longer() {
    let mut site = Site::new(2);
    site.eject(0);
    site.pass(1_000);
    assert!(site.fail(0, Fault::Confirmed).is_empty(), "it was out before");
    site.pass(1_999);
    assert_eq!(site.take(Asker::Repeatable), 1);
    site.pass(1);
    assert_eq!(site.take(Asker::Repeatable), 0);
}

#[test]
fn a_trial_that_succeeds_lets_the_node_in_step_by_step() {
    let mut site = Site::new(2);
    site.eject(0);
    site.pass(1_000);
    assert_eq!(site.answer(0), Some(Transition::Returning));
    let mut last = 0;
    for _ in 0..10 {
        let turns = (0..256).filter(|_| site.take(Asker::Repeatable) == 0).count();
        assert!(turns >= last && turns <= 129, "{turns} after {last}");
        last = turns;
        assert_eq!(site.stands(0), Availability::Available);
        let seen = site.pass(100);
        assert!(seen.is_empty() || last > 100, "{seen:?}");
    }
    let turns = (0..256).filter(|_| site.take(Asker::Repeatable) == 0).count();
    assert_eq!(turns, 128);
}

#[test]
fn an_answer_to_a_request_from_before_lets_no_node_in() {
    let mut site = Site::new(2);
    let mut early = site.enter(0);
    site.pass(50);
    site.eject(0);
    assert_eq!(site.jury.answered(&mut early, 1, site.now), None);
    assert_eq!(site.stands(0), Availability::Ejected);
}

#[test]
fn a_node_whose_checks_pass_again_is_on_trial() {
    let mut site = Site::new(2);
    let node = Arc::clone(&site.member(0).node);
    assert_eq!(node.checked(Some("refused"), ONCE, (site.now, site.now)), Some(Transition::Down));
    assert_eq!(site.stands(0), Availability::CheckFailed);
    site.pass(5_000);
    assert_eq!(node.checked(None, ONCE, (site.now, site.now)), Some(Transition::Up));
    assert_eq!(site.stands(0), Availability::Ejected);
    assert_eq!(site.take(Asker::Repeatable), 0);
    assert_eq!(site.answer(0), Some(Transition::Returning));
    assert!(site.member(0).node.share(site.now) < crate::upstream::Share::FULL);
}

fn wait(site: &Site, number: usize, patience: Patience) -> Vigil {
    let mut vigil = Vigil::new(&site.member(number).node, patience, site.now, false);
    assert!(!vigil.look(site.now));
    vigil
}

#[test]
fn three_that_wait_in_vain_make_a_node_suspect_and_then_ejected() {
    let mut site = Site::new(2);
    let _ = (site.answer(0), site.answer(1));
    site.pass(1_000);
    let _ = site.answer(1);
    let mut get = wait(&site, 0, Patience::UntilSuspect);
    let mut put = wait(&site, 0, Patience::UntilEjected);
    assert!(site.pass(50).is_empty());
    let mut post = wait(&site, 0, Patience::Endless);
    assert_eq!(site.pass(50), [Transition::Suspect]);
    assert_eq!((get.look(site.now), put.look(site.now), post.look(site.now)), (true, false, false));
    assert_eq!(site.take(Asker::Unrepeatable), 1);
    assert_eq!(site.pass(1_000), [Transition::Ejected(Why::Silent)]);
    assert_eq!((put.look(site.now), post.look(site.now)), (true, false));
}

#[test]
fn one_byte_ends_a_suspicion_and_begins_the_trial_of_a_node_that_was_silent() {
    let mut site = Site::new(2);
    let _ = (site.answer(0), site.answer(1));
    site.pass(1_000);
    let _ = site.answer(1);
    let slow: Vec<_> = (0..3).map(|_| wait(&site, 0, Patience::Endless)).collect();
    assert_eq!(site.pass(50), [Transition::Suspect]);
    site.member(0).node.heard(site.now);
    assert_eq!(site.stands(0), Availability::Available);
    site.pass(1_000);
    let _ = site.answer(1);
    assert!(site.pass(50).is_empty(), "those from before it was heard may be slow");
    let vigils: Vec<_> = (0..3).map(|_| wait(&site, 0, Patience::Endless)).collect();
    assert_eq!(site.pass(1_050), [Transition::Suspect, Transition::Ejected(Why::Silent)]);
    site.member(0).node.heard(site.now);
    assert_eq!(site.take(Asker::Repeatable), 0, "its trial");
    drop((slow, vigils));
}

#[test]
fn the_end_of_the_traffic_is_no_silence_but_worth_a_ping() {
    let mut site = Site::new(2);
    let _ = site.answer(0);
    site.pass(100);
    let _ = site.answer(1);
    let vigils: Vec<_> = (0..3).map(|_| wait(&site, 0, Patience::UntilSuspect)).collect();
    let node = |number| site.member(number).node.clone();
    let (silent, other) = (node(0), node(1));
    assert!(site.pass(900).is_empty());
    assert_eq!((silent.take_ping(), silent.take_ping(), other.take_ping()), (true, false, false));
    silent.gave_a_sign(1, site.now);
    other.gave_a_sign(1, site.now);
    assert!(site.pass(2_000).is_empty(), "it lives");
    drop(vigils);
    let vigils: Vec<_> = (0..3).map(|_| wait(&site, 0, Patience::UntilSuspect)).collect();
    assert!(site.pass(50).is_empty());
    assert!(silent.take_ping());
    other.gave_a_sign(1, site.now);
    assert_eq!(site.pass(50), [Transition::Suspect], "and now it does not");
    drop(vigils);
}

#[test]
fn slow_answers_are_left_to_finish_when_no_other_node_is_quicker() {
    let mut site = Site::new(2);
    let vigils: Vec<_> =
        [0, 0, 0, 0, 1, 1, 1].map(|number| wait(&site, number, Patience::UntilSuspect)).into();
    for _ in 0..10 {
        // Answers come, but each took ten seconds.
        site.member(1).node.heard(site.now);
        assert_eq!(site.jury.answered(&mut site.enter(1), 10_000, site.now), None);
        assert!(site.pass(1_000).is_empty());
    }
    drop(vigils);
}

#[test]
fn a_failed_check_makes_one_witness_enough() {
    let mut site = Site::new(2);
    let _ = site.answer(0);
    site.pass(1_000);
    let mut get = wait(&site, 0, Patience::UntilSuspect);
    assert!(site.pass(500).is_empty());
    let thresholds = Thresholds { fall: 3, rise: 1 };
    assert_eq!(site.member(0).node.checked(Some("no answer"), thresholds, (site.now, site.now)), None);
    assert_eq!(site.pass(50), [Transition::Suspect]);
    assert!(get.look(site.now));
}

#[test]
fn a_node_on_trial_is_given_up_by_one_that_waits() {
    let mut site = Site::new(2);
    site.eject(0);
    site.pass(1_000);
    let trial = site.enter(0);
    site.pass(1_000);
    let _ = site.answer(1);
    let mut vigil = wait(&site, 0, Patience::UntilSuspect);
    assert!(site.pass(50).is_empty(), "it was out before");
    assert!(vigil.look(site.now));
    drop((trial, vigil));
    site.pass(1_900);
    assert_eq!(site.take(Asker::Repeatable), 1, "out for longer");
}

#[test]
fn those_that_wait_at_a_node_that_is_out_already_learn_that_it_is_silent() {
    let mut site = Site::new(2);
    let _ = site.answer(0);
    let mut get = wait(&site, 0, Patience::UntilSuspect);
    let mut put = wait(&site, 0, Patience::UntilEjected);
    let mut post = wait(&site, 0, Patience::Endless);
    let last = (0..3).map(|_| site.fail(0, Fault::Unreachable)).last().expect("three");
    assert_eq!(last[0].1, Transition::Ejected(Why::Unreachable(3)));
    site.pass(900);
    let _ = site.answer(1);
    assert!(!get.look(site.now), "that nobody gets in says nothing of those inside");
    assert!(site.pass(100).is_empty(), "it was out before");
    assert_eq!((get.look(site.now), put.look(site.now)), (true, false));
    assert!(site.pass(1_000).is_empty(), "it was out before");
    assert_eq!((put.look(site.now), post.look(site.now)), (true, false));
    site.member(0).node.heard(site.now);
    assert_eq!(site.take(Asker::Repeatable), 0, "its trial");
}

#[test]
fn with_ejection_off_nobody_is_taken_out() {
    let site = Site { jury: Jury::new(None, Duration::ZERO), ..Site::new(2) };
    for _ in 0..100 {
        assert!(site.fail(0, Fault::Confirmed).is_empty());
    }
    assert_eq!(site.stands(0), Availability::Available);
}
