use super::*;
use crate::incident::{Account, Summary, post_mortem};

/// 2026-11-22 14:00:00.
const BEGIN: u64 = 1_795_356_000_000;

const MINUTE: u64 = 60_000;

/// An event so many seconds after [`BEGIN`].
fn at(seconds: u64, node: Option<&str>, what: What) -> Event {
    Event { at: BEGIN + seconds * 1_000, pool: Some("web".into()), node: node.map(str::to_owned), what }
}

fn of_all(seconds: u64, what: What) -> Event {
    Event { pool: None, ..at(seconds, None, what) }
}

fn redundancy(seconds: u64, state: &str) -> Event {
    let why = if state == "protected" { "" } else { "web-01 alone is left" };
    at(seconds, None, What::Redundancy { state: state.into(), why: why.into() })
}

fn traffic(seconds: u64, total: u64, failed: u64, shed: u64) -> Event {
    at(seconds, None, What::Traffic { total, saved: 2, failed, shed })
}

fn drained(seconds: u64, minutes: u64) -> Event {
    let until = BEGIN + seconds * 1_000 + minutes * MINUTE;
    let (by, reason) = ("anna".into(), "kernel test".into());
    at(seconds, Some("web-02"), What::Drained { by, reason, until, forced: false })
}

fn down(seconds: u64, node: &str) -> Event {
    at(seconds, Some(node), What::Down { why: "connection refused".into() })
}

fn up(seconds: u64, node: &str) -> Event {
    at(seconds, Some(node), What::Up)
}

fn started(seconds: u64) -> Event {
    of_all(seconds, What::Started { version: "1".into() })
}

/// A drain that nobody ends, and a crowd that one node cannot carry.
fn forgotten() -> Vec<Event> {
    vec![
        started(0),
        drained(100, 60),
        redundancy(101, "exposed"),
        traffic(1_990, 100, 0, 0),
        at(2_000, Some("web-01"), What::Limited { most: 20 }),
        traffic(2_005, 1_000, 300, 300),
        traffic(2_010, 1_000, 300, 300),
        at(
            2_011,
            Some("web-02"),
            What::Recalled { by: "anna".into(), reason: "kernel test".into(), why: "30 % shed".into() },
        ),
        redundancy(2_012, "protected"),
        at(2_015, Some("web-01"), What::Unlimited),
        traffic(2_016, 500, 20, 20),
    ]
}

/// All turns of these events, and of the time after them.
fn told(events: &[Event]) -> (History, Vec<Turn>) {
    let mut history = History::default();
    let mut turns: Vec<Turn> = events.iter().flat_map(|event| history.take(event)).collect();
    let end = events.last().map_or(0, |event| event.at) + 10 * MINUTE;
    turns.extend(history.pass(end));
    (history, turns)
}

fn stages(turns: &[Turn]) -> Vec<(&str, Stage)> {
    turns.iter().map(|turn| (turn.id.as_str(), turn.stage)).collect()
}

#[test]
fn forgotten_drain_is_the_cause_and_ends_with_it() {
    let (history, turns) = told(&forgotten());
    assert_eq!(stages(&turns), [("2026-11-22-1", Stage::Begins), ("2026-11-22-1", Stage::Ends)]);
    let incident = history.find("last").unwrap();
    assert_eq!((incident.began, incident.ended), (BEGIN + 101_000, Some(BEGIN + 2_016_000)));
    let summary = Summary::of(incident, 0);
    assert_eq!((summary.what.as_str(), summary.help, summary.open), ("requests turned away", None, false));
    assert_eq!(summary.nodes, ["web-01", "web-02"]);
    let counts = summary.requests;
    assert_eq!((counts.total, counts.failed, counts.shed, counts.saved), (2_600, 620, 620, 8));
    let wanted = "web-02 was out of service: anna had taken it out at 2026-11-22 14:01:40 UTC for 1 hour: “kernel test”.";
    assert!(summary.cause.starts_with(wanted), "{}", summary.cause);
    let text = post_mortem(incident, 0);
    assert!(text.contains("`bookend undrain web/web-02` would have brought it back sooner; at "), "{text}");
    for part in [
        "# Incident 2026-11-22-1: requests turned away\n",
        "From 2026-11-22 14:01:41 to 14:33:36 UTC (31 minutes 55 seconds) the pool `web` had more to do than its nodes could carry.",
        "Of 2,600 requests in that time 620 failed (23.8 %).",
        "- 14:01:40 anna took `web-02` out for 1 hour: “kernel test”.\n",
        "- 14:33:31 bookend took back `web-02`, which anna had taken out, because it was needed: 30 % shed.\n",
        "It was over at 2026-11-22 14:33:36 UTC.",
    ] {
        assert!(text.contains(part), "no {part} in\n{text}");
    }
}

#[test]
fn while_it_lasts_it_says_what_would_help() {
    let events = forgotten();
    let (history, _) = told(&events[..7]);
    let incident = history.find("2026-11-22-1").unwrap();
    let summary = Summary::of(incident, BEGIN + 3_701_000);
    assert_eq!((summary.open, summary.seconds), (true, 3_600));
    assert_eq!(summary.help.as_deref(), Some("bookend undrain web/web-02"));
    let text = post_mortem(incident, BEGIN + 3_701_000);
    assert!(text.contains("What would help now: `bookend undrain web/web-02`"), "{text}");
    assert_eq!(history.open().count(), 1);
}

#[test]
fn same_events_make_the_same_incidents_wherever_a_process_ends() {
    let mut all = forgotten();
    all.extend([down(4_000, "web-01"), redundancy(4_001, "exposed"), up(4_010, "web-01")]);
    all.extend([redundancy(4_011, "protected"), drained(90_000, 30), redundancy(90_001, "exposed")]);
    let live = {
        let mut history = History::default();
        let mut now = BEGIN;
        for event in &all {
            // Whoever is there sees time pass.
            now = now.max(event.at.saturating_sub(300_000));
            while now < event.at {
                now = event.at.min(now + 1_000);
                let _ = history.pass(now);
            }
            let _ = history.take(event);
        }
        history
    };
    for cut in 0..all.len() {
        let mut before = History::default();
        all[..cut].iter().for_each(|event| drop(before.take(event)));
        let mut after = History::default();
        all.iter().for_each(|event| drop(after.take(event)));
        let (live, after): (Vec<_>, Vec<_>) = (live.iter().collect(), after.iter().collect());
        assert_eq!(live, after);
        assert!(
            before.iter().zip(&live).all(|(old, new)| (&old.id, old.began) == (&new.id, new.began)),
            "{cut}"
        );
    }
    let ids: Vec<_> = live.iter().map(|incident| incident.id.as_str()).collect();
    assert_eq!(ids, ["2026-11-22-1", "2026-11-22-2", "2026-11-23-1"]);
}

#[test]
fn node_that_dies_and_returns_is_one_incident() {
    let events = [
        started(0),
        down(60, "web-02"),
        redundancy(60, "exposed"),
        traffic(65, 50, 0, 0),
        up(120, "web-02"),
        redundancy(121, "protected"),
    ];
    let (history, turns) = told(&events);
    assert_eq!(turns.len(), 2, "{turns:?}");
    let incident = history.find("last").unwrap();
    assert_eq!((incident.began, incident.ended), (BEGIN + 60_000, Some(BEGIN + 121_000)));
    let summary = Summary::of(incident, 0);
    assert_eq!(summary.cause, "web-02 failed: its checks no longer passed (connection refused).");
    assert_eq!((summary.what.as_str(), summary.affected().as_str()), ("node failed", "none, 2 saved"));
    let account = Account::of(incident, 0);
    assert_eq!(account.timeline.first().unwrap().at, "2026-11-22T14:01:00Z");
    assert_eq!(account.timeline.len(), 4);
}

#[test]
fn what_comes_again_soon_is_the_same_incident() {
    let mut events = Vec::new();
    for round in 0..5 {
        let begin = 100 + round * 200;
        events.extend([down(begin, "web-01"), up(begin + 20, "web-01")]);
    }
    let (history, turns) = told(&events);
    assert_eq!(history.iter().count(), 1);
    assert_eq!(turns.iter().filter(|turn| turn.stage == Stage::Ends).count(), 5);
    assert_eq!(history.find("last").unwrap().returned, 4);
    let (history, _) = told(&events[..9]);
    let help = Summary::of(history.find("last").unwrap(), 0).help.unwrap();
    assert!(help.starts_with("bookend drain web/web-01 --for 30m"), "{help}");
}

#[test]
fn crowd_without_a_drain_is_an_overload_and_a_single_failure_is_nothing() {
    let (history, turns) = told(&[traffic(5, 1_000, 2, 0), traffic(10, 1, 1, 0)]);
    assert!(turns.is_empty() && history.iter().count() == 0);
    let (history, turns) = told(&[traffic(5, 1_000, 10, 10), traffic(10, 1_000, 0, 0)]);
    assert_eq!(turns.len(), 2);
    let cause = Summary::of(history.find("last").unwrap(), 0).cause;
    assert!(cause.starts_with("More requests came than the nodes"), "{cause}");
}

#[test]
fn drained_node_may_be_down_without_an_incident() {
    let (history, _) = told(&[drained(0, 30), down(10, "web-02"), up(600, "web-02")]);
    assert_eq!(history.iter().count(), 0);
    let ended = at(1_800, Some("web-02"), What::LeaseEnded { by: "anna".into(), reason: "x".into() });
    let (history, _) = told(&[drained(0, 30), down(10, "web-02"), ended]);
    assert_eq!(history.open().count(), 1, "nobody keeps it out any more, and it is down");
}

#[test]
fn reload_that_removed_a_node_is_the_cause() {
    let changes = vec!["pools.web: node web-02 was removed".to_owned()];
    let reload =
        of_all(0, What::Reloaded { generation: 7, by: None, changes, removed: vec!["web/web-02".into()] });
    let (history, _) = told(&[down(0, "web-02"), reload, redundancy(30, "exposed")]);
    let incident = history.find("last").unwrap();
    assert_eq!(incident.ended, None);
    let (history, _) = told(&[of_all(0, reload_of("web-02")), redundancy(30, "exposed")]);
    let summary = Summary::of(history.find("last").unwrap(), 0);
    let wanted =
        "A configuration that came into force at 14:00:00 UTC had changed the pool: node web-02 was removed.";
    assert_eq!((summary.cause.as_str(), summary.help.as_deref()), (wanted, Some("bookend reload")));
}

fn reload_of(node: &str) -> What {
    let changes = vec![format!("pools.web: node {node} was removed")];
    What::Reloaded { generation: 7, by: None, changes, removed: vec![format!("web/{node}")] }
}

#[test]
fn node_that_is_no_longer_there_keeps_no_incident_open() {
    let (history, _) = told(&[down(0, "web-02"), of_all(60, reload_of("web-02"))]);
    assert_eq!(history.open().count(), 0);
}

#[test]
fn restart_forgets_how_nodes_were_and_not_what_people_asked_for() {
    let (history, _) = told(&[drained(0, 60), redundancy(1, "exposed"), down(5, "web-01"), started(100)]);
    assert_eq!(history.open().count(), 0, "what is still wrong is said again");
    let (history, _) =
        told(&[drained(0, 60), redundancy(1, "exposed"), started(100), redundancy(101, "exposed")]);
    let summary = Summary::of(history.find("last").unwrap(), 0);
    assert_eq!((summary.open, summary.help.as_deref()), (true, Some("bookend undrain web/web-02")));
    assert_eq!(history.iter().count(), 1);
}

#[test]
fn incident_keeps_its_name_when_older_events_are_gone() {
    let name = |id: &str| at(2, None, What::Incident { id: id.into(), stage: Stage::Begins });
    let (history, _) = told(&[
        redundancy(1, "exposed"),
        name("2026-11-22-9"),
        redundancy(9, "protected"),
        redundancy(4_000, "exposed"),
    ]);
    let ids: Vec<_> = history.iter().map(|incident| incident.id.as_str()).collect();
    assert_eq!(ids, ["2026-11-22-9", "2026-11-22-10"]);
}

#[test]
fn memory_is_bounded() {
    let mut history = History::default();
    for round in 0..1_100 {
        for step in 0..50 {
            let _ = history.take(&down(round * 1_000 + step, "web-01"));
        }
        let _ = history.take(&up(round * 1_000 + 60, "web-01"));
    }
    assert_eq!(history.iter().count(), MOST);
    let events: usize =
        history.iter().map(|incident| incident.events().0.len() + incident.events().2.count()).sum();
    assert!(events < MOST * 41 + MOST_IN_FULL * 51, "{events}");
    let mut history = History::default();
    (0..10_000).for_each(|second| drop(history.take(&down(second, "web-01"))));
    let account = Account::of(history.find("last").unwrap(), 0);
    assert_eq!((account.timeline.len(), account.left_out), (400, 9_600));
}

#[test]
fn names_and_reasons_stay_text() {
    let odd = "x\n\n# Fired\n[y](http://z) | <b>";
    let by = at(
        0,
        Some("a`b"),
        What::Drained { by: odd.into(), reason: odd.into(), until: u64::MAX, forced: true },
    );
    let (history, _) = told(&[by, redundancy(1, "exposed")]);
    let text = post_mortem(history.find("last").unwrap(), BEGIN);
    let headings: Vec<_> = text.lines().filter(|line| line.starts_with('#')).collect();
    assert_eq!(headings.len(), 6, "{text}");
    assert!(!text.contains("[y]") && !text.contains("http://") && !text.contains("<b>"), "{text}");
}

#[test]
fn clock_that_was_set_back_keeps_no_incident_open_and_none_ends_before_it_began() {
    let mut history = History::default();
    let _ = history.take(&down(90_000, "web-01"));
    let turns: Vec<_> = [up(100, "web-01"), up(200, "web-01")].iter().flat_map(|e| history.take(e)).collect();
    assert_eq!(stages(&turns), [("2026-11-23-1", Stage::Ends)]);
    let incident = history.find("last").unwrap();
    assert_eq!((incident.ended, incident.length(0)), (Some(incident.began), 0));
}
