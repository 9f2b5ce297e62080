use super::*;

const PLAIN: Abilities = Abilities { has_colour: false, has_bars: false };
const FULL: Abilities = Abilities { has_colour: true, has_bars: true };

fn picture() -> Picture {
    let mut tally = Tally::default();
    for _ in 0..1_234 {
        tally.answered("web-01", Duration::from_millis(4));
    }
    let node = |name: &str, pid, state, served, rates: &[f64]| Column {
        name: name.to_owned(),
        pid,
        state: Some(state),
        served,
        rates: rates.to_vec(),
    };
    Picture {
        story: Story::Killed,
        age: Duration::from_millis(5_900),
        end: End::After(Duration::from_secs(27)),
        redundancy: Some("EXPOSED".to_owned()),
        nodes: vec![
            node("web-01", Some(4_711), NodeState::Up, 1_000, &[150.0, 300.0]),
            node("web-02", None, NodeState::Down, 234, &[150.0, 0.0]),
        ],
        counted: 1_230,
        saved: 56,
        failed: 0,
        shed: 0,
        shed_rates: vec![0.0, 0.0],
        tally,
        events: vec![
            Event { at: Duration::ZERO, what: "load begins".to_owned() },
            Event { at: Duration::from_millis(4_100), what: "web-02 is killed".to_owned() },
        ],
    }
}

/// Without colours.
fn bare(line: &str) -> String {
    let mut pieces = line.split('\x1b');
    let first = pieces.next().unwrap_or_default().to_owned();
    pieces.fold(first, |text, piece| text + piece.split_once('m').unwrap().1)
}

#[test]
fn picture_tells_nodes_requests_and_events() {
    let bars = Abilities { has_colour: false, has_bars: true };
    let wanted = "\
bookend demo: a server dies                                 EXPOSED  5 of 27 s

  NODE    PID      BOOKEND SAYS  SERVED  A SECOND  LATELY
  web-01  4711     up             1,000       300  ▄█
  web-02  killed   down             234         0  ▄·

      1,234  requests as the clients count them; half in 4.0ms, 99 % in 4.0ms
         56  saved by a retry on another node
          0  seen to fail by a client

   0.0 s  load begins
   4.1 s  web-02 is killed";
    assert_eq!(picture().draw(bars, 23).join("\n"), wanted);
}

#[test]
fn clients_that_are_turned_away_are_told_apart_from_failures() {
    let mut picture = picture();
    picture.story = Story::Forgotten;
    picture.end = End::WhenTold;
    picture.tally.turned_away(Duration::from_millis(204));
    (picture.failed, picture.shed, picture.shed_rates) = (1, 1, vec![0.0, 75.0]);
    let wanted = "\
bookend demo: the server that nobody reconnected                  EXPOSED  5 s

  NODE    PID      BOOKEND SAYS  SERVED  A SECOND  LATELY
  web-01  4711     up             1,000       300  ██
  web-02  killed   down             234         0  █·
  503              turned away        1        75  ·▄

      1,235  requests as the clients count them; half in 4.0ms, 99 % in 4.0ms
         56  saved by a retry on another node
          1  turned away: 503 and when to come again; 99 % within 204ms
          0  seen to fail in any other way";
    let bars = Abilities { has_colour: false, has_bars: true };
    let drawn = picture.draw(bars, 23).join("\n");
    assert!(drawn.starts_with(wanted), "{drawn}");
    assert!(picture.progress().ends_with(", 56 saved, 1 turned away, 0 failed"), "{}", picture.progress());
}

#[test]
fn long_event_takes_several_lines() {
    let what = "a word or two ".repeat(10).trim_end().to_owned();
    let event = Event { at: Duration::from_secs(3), what };
    let lines = event.lines(PLAIN);
    assert!(lines[0].starts_with("   3.0 s  a word"), "{lines:?}");
    assert!(lines.len() == 2 && lines[1].starts_with("          "), "{lines:?}");
    assert!(lines.iter().all(|line| line.chars().count() <= 80), "{lines:?}");
}

#[test]
fn picture_fits_80_columns_however_large_the_numbers() {
    let mut picture = picture();
    picture.nodes[0].pid = Some(4_194_304);
    picture.nodes[0].served = 9_999_999;
    picture.nodes[0].state = Some(NodeState::PartlyDown);
    picture.nodes[0].rates = vec![99_999.0; Picture::COLUMNS];
    picture.tally.ended = 9_999_999;
    (picture.shed, picture.shed_rates) = (9_999_999, vec![99_999.0; Picture::COLUMNS]);
    picture.tally.turned_away = 9_999_999;
    for line in picture.draw(FULL, 23) {
        assert!(bare(&line).chars().count() <= 80, "{line:?}");
    }
}

#[test]
fn colour_does_not_change_what_is_said() {
    let plain = picture().draw(Abilities { has_colour: false, has_bars: true }, 23);
    let coloured: Vec<String> = picture().draw(FULL, 23).iter().map(|line| bare(line)).collect();
    assert_eq!(coloured, plain);
}

#[test]
fn low_terminal_shows_the_latest_events() {
    let mut picture = picture();
    picture.events = (0..50)
        .map(|second| Event { at: Duration::from_secs(second), what: format!("event {second}") })
        .collect();
    let lines = picture.draw(PLAIN, 14);
    assert_eq!(lines.len(), 14);
    assert!(lines[13].ends_with("event 49"), "{lines:?}");
    assert_eq!(picture.draw(PLAIN, 3).len(), 3);
}

#[test]
fn report_tells_every_event_and_the_first_failures() {
    let mut picture = picture();
    picture.tally.failed("GET /pages/7: 502 Bad Gateway".to_owned());
    let report = picture.report(0, PLAIN).join("\n");
    for wanted in ["  4.1 s  web-02 is killed", "          1  seen to fail", "GET /pages/7: 502 Bad Gateway"]
    {
        assert!(report.contains(wanted), "{wanted:?} is not in\n{report}");
    }
}

#[test]
fn report_repeats_no_event() {
    let report = picture().report(2, PLAIN).join("\n");
    assert!(!report.contains("web-02 is killed") && !report.contains("What happened"), "{report}");
    assert!(report.contains("          0  seen to fail by a client"), "{report}");
}

#[test]
fn failures_are_those_of_bookend_once_the_clients_are_others() {
    let mut picture = picture();
    picture.failed = 3;
    assert_eq!(picture.seen_failed(), 0);
    picture.shed = 1;
    picture.end = End::WhenInterrupted;
    assert_eq!((picture.seen_failed(), picture.seen_turned_away()), (2, 1));
    assert!(
        picture.draw(PLAIN, 23).iter().any(|line| line.ends_with("1,230  requests as bookend counts them"))
    );
}

#[test]
fn progress_is_one_line() {
    assert_eq!(picture().progress(), "   5.9 s  web-01 served 1,000, web-02 served 234, 56 saved, 0 failed");
}

#[test]
fn bars_show_nothing_as_nothing_and_little_as_little() {
    assert_eq!(bars(&[0.0, 0.1, 150.0, 300.0, 9_999.0], 300), "·▁▄██");
}
