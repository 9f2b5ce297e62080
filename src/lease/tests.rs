use std::time::Duration;

use proptest::prelude::*;

use super::*;

const START: u64 = 1_700_000_000_000;
const MINUTE: u64 = 60_000;

fn target(text: &str) -> Target {
    text.parse().unwrap()
}

fn term(minutes: u64) -> Term {
    Duration::from_secs(minutes * 60).try_into().unwrap()
}

fn lease(minutes: u64) -> Lease {
    let reason = "kernel test".parse().unwrap();
    Lease::new(target("web/web-02"), "anna".to_owned(), reason, term(minutes), START)
}

fn leases(minutes: u64) -> Leases {
    let mut leases = Leases::default();
    leases.take(lease(minutes));
    leases
}

/// What a review of nodes says that are as they are told to be.
fn review(leases: &mut Leases, now: u64, sight: &Sight, back: &Return) -> Vec<&'static str> {
    let facts = leases.review(now, |_| sight.clone(), |_| back.clone());
    facts
        .iter()
        .map(|fact| match fact {
            Fact::Empty(_) => "empty",
            Fact::Reminder(_, 5) => "half",
            Fact::Reminder(..) => "nine tenths",
            Fact::Ended(_) => "ended",
            Fact::NotBack(..) => "not back",
            Fact::Back(_) => "back",
        })
        .collect()
}

fn at(leases: &mut Leases, minutes: u64) -> Vec<&'static str> {
    review(leases, START + minutes * MINUTE, &Sight::Busy(1), &Return::Back)
}

#[test]
fn lease_reminds_at_half_and_nine_tenths_and_ends() {
    let mut leases = leases(30);
    let told: Vec<_> = (0..=31).map(|minutes| at(&mut leases, minutes)).collect();
    let wanted = [(15, "half"), (27, "nine tenths"), (30, "ended"), (31, "back")];
    for (minutes, facts) in (0..).zip(&told) {
        let expected: Vec<_> =
            wanted.iter().filter(|(at, _)| *at == minutes).map(|(_, fact)| *fact).collect();
        assert_eq!(*facts, expected, "after {minutes} minutes");
    }
    assert!(leases.is_empty());
}

#[test]
fn reminder_that_is_late_replaces_those_before_it() {
    let mut leases = leases(30);
    assert_eq!(at(&mut leases, 28), ["nine tenths"]);
    assert_eq!(at(&mut leases, 29), [""; 0]);
    let mut leases = self::leases(30);
    assert_eq!(at(&mut leases, 40), ["ended"]);
}

#[test]
fn renewed_lease_reminds_again() {
    let mut leases = leases(30);
    assert_eq!(at(&mut leases, 15), ["half"]);
    let renewed = leases.renew(&target("web/web-02"), term(60), START + 20 * MINUTE).unwrap();
    assert_eq!((renewed.since, renewed.until), (START, START + 80 * MINUTE));
    assert_eq!(at(&mut leases, 49), [""; 0]);
    assert_eq!(at(&mut leases, 50), ["half"]);
    assert_eq!(at(&mut leases, 80), ["ended"]);
    assert!(leases.renew(&target("web/web-02"), term(60), START).is_none());
}

#[test]
fn node_is_empty_once_each_time() {
    let mut leases = leases(30);
    let mut look = |seconds: u64, sight| review(&mut leases, START + seconds * 1_000, &sight, &Return::Back);
    assert_eq!(look(1, Sight::Busy(2)), [""; 0]);
    assert_eq!(look(2, Sight::Empty), ["empty"]);
    assert_eq!(look(3, Sight::Empty), [""; 0]);
    assert_eq!(look(4, Sight::Busy(1)), [""; 0], "the last resort");
    assert_eq!(look(5, Sight::Empty), ["empty"]);
    assert_eq!(leases.of(&target("web/web-02")).unwrap().empty_since, Some(START + 5_000));
}

#[test]
fn node_that_does_not_come_back_is_told_again_and_again_until_it_does() {
    let mut leases = leases(1);
    let target = target("web/web-02");
    assert_eq!(leases.end(&target, START).unwrap().owner, "anna");
    let (missing, mut told) = (Return::Missing("refused".to_owned()), Vec::new());
    for seconds in 0..9 * 3_600 {
        let facts = review(&mut leases, START + seconds * 1_000, &Sight::Absent, &missing);
        told.extend(facts.iter().map(|fact| (seconds, *fact)));
    }
    let late = [10, 300, 3_600, 4 * 3_600, 8 * 3_600].map(|seconds| (seconds, "not back"));
    assert_eq!(told, late);
    let now = START + 9 * 3_600_000;
    assert_eq!(leases.missed().collect::<Vec<_>>(), [&target]);
    assert_eq!(review(&mut leases, now, &Sight::Empty, &Return::OnTrial), [""; 0]);
    assert_eq!(review(&mut leases, now, &Sight::Empty, &Return::Back), ["back"]);
    assert_eq!((leases.missed().count(), leases.is_empty()), (0, true));
}

#[test]
fn node_that_is_drained_again_is_no_longer_missed() {
    let mut leases = leases(1);
    let _ = leases.end(&target("web/web-02"), START);
    let missing = Return::Missing("refused".to_owned());
    assert_eq!(review(&mut leases, START + 10_000, &Sight::Empty, &missing), ["not back"]);
    leases.take(lease(30));
    assert_eq!(leases.missed().count(), 0);
}

#[test]
fn lease_that_is_read_has_the_time_it_had_left() {
    let restored = |now| {
        let (leases, over) = Leases::restored(vec![lease(30)], now);
        (leases.iter().next().map(|lease| lease.left(now)), over.len())
    };
    assert_eq!(restored(START + 10 * MINUTE), (Some(20 * MINUTE), 0));
    assert_eq!(restored(START + 30 * MINUTE), (None, 1));
    assert_eq!(
        restored(START - 500 * MINUTE),
        (Some(30 * MINUTE), 0),
        "a clock that went back gives no more"
    );
    assert_eq!(restored(0), (Some(30 * MINUTE), 0));
    assert_eq!(restored(u64::MAX), (None, 1));
}

#[test]
fn reminders_that_were_given_are_not_given_again_after_a_restart() {
    let kept = Lease { reminded: 1, ..lease(30) };
    let (mut leases, _) = Leases::restored(vec![kept], START + 16 * MINUTE);
    assert_eq!(at(&mut leases, 16), [""; 0]);
    assert_eq!(at(&mut leases, 27), ["nine tenths"]);
}

#[test]
fn what_people_write_is_understood_or_explained() {
    for good in ["web/web-02", "web/10.0.0.1:80", "a/unix:/run/x.sock"] {
        assert_eq!(target(good).to_string(), good);
    }
    for bad in
        ["", "web", "/", "web/", "/web-02", "we b/x", "-/x", "web/a\nb", &format!("web/{}", "x".repeat(999))]
    {
        assert!(bad.parse::<Target>().is_err(), "{bad:?}");
    }
    for (text, seconds) in
        [("30m", 1_800), ("1h 30m", 5_400), ("1s", 1), ("72h", 259_200), ("3days", 259_200)]
    {
        assert_eq!(text.parse::<Term>().map(Term::millis), Ok(seconds * 1_000), "{text}");
    }
    for bad in ["", "30", "x", "-1h", "1h1", "999ms", "72h 1s", "99999999999999999999h"] {
        assert!(bad.parse::<Term>().is_err(), "{bad:?}");
    }
    assert_eq!(" kernel test ".parse::<Reason>().unwrap().as_str(), "kernel test");
    for bad in ["", "  ", "a\nb", "a\u{1b}[31m", "a\u{202e}b", &"x".repeat(201)] {
        assert!(bad.parse::<Reason>().is_err(), "{bad:?}");
    }
}

proptest! {
    /// Whatever was written and whatever the clock did: nothing panics, no lease is longer than three days, and each ends.
    #[test]
    fn every_lease_ends(
        times in prop::array::uniform3(any::<u64>()),
        reminded in any::<u8>(),
        now in 0..u64::MAX / 2,
        by in any::<i64>(),
    ) {
        let [since, renewed, until] = times;
        let kept = Lease { since, renewed, until, reminded, ..lease(30) }.shifted(by);
        let (mut leases, over) = Leases::restored(vec![kept], now);
        for lease in leases.iter() {
            prop_assert!(lease.left(now) <= Term::LONGEST.millis() && lease.since <= now);
        }
        prop_assert_eq!(leases.iter().count() + over.len(), 1);
        let end = now + Term::LONGEST.millis();
        for time in [now, now + MINUTE, end] {
            let _ = review(&mut leases, time, &Sight::Empty, &Return::Back);
        }
        prop_assert_eq!(leases.iter().count(), 0);
    }
}

fn plight() -> Plight {
    Plight {
        requests: Requests { total: 100, failed: 40, shed: 40 },
        millis: 10_000,
        usual: Requests::default(),
    }
}

#[test]
fn node_that_was_drained_first_is_recalled_first() {
    let mut leases = Leases::default();
    let pool = "web".parse().unwrap();
    for (node, since, never_recall) in [
        ("web/web-01", 5, false),
        ("web/web-02", 1, true),
        ("web/web-03", 2, false),
        ("web/web-04", 3, false),
        ("api/a", 0, false),
    ] {
        leases.take(Lease { target: target(node), since: START + since, never_recall, ..lease(30) });
    }
    let mut recall = |now| {
        let may_come_back = |target: &Target| target.node != "web-03";
        leases.recall(&pool, (plight(), Vec::new()), may_come_back, now).map(|lease| lease.target.to_string())
    };
    assert_eq!(recall(START + MINUTE).as_deref(), Some("web/web-04"), "the checks of web-03 fail");
    assert_eq!(recall(START + 2 * MINUTE).as_deref(), Some("web/web-01"));
    assert_eq!(recall(START + 3 * MINUTE), None);
    let shown = |leases: &Leases, minutes: u64| leases.recalled(START + minutes * MINUTE).count();
    assert_eq!((leases.iter().count(), shown(&leases, 3)), (3, 2));
    assert_eq!((shown(&leases, 61), shown(&leases, 62)), (1, 0), "for an hour");
    leases.take(Lease { target: target("web/web-01"), ..lease(30) });
    assert_eq!(shown(&leases, 3), 1, "whoever drains it again knows");
    let facts = review(&mut leases, START + 4 * MINUTE, &Sight::Empty, &Return::Back);
    assert_eq!(facts.iter().filter(|fact| **fact == "back").count(), 1, "{facts:?}");
}
