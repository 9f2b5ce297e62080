//! Pools that may lose a node, and those that may not: what is said of them, when, and until when.

use std::fs;
use std::process::Output;
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::support::{Bookend, Origin, Reload, Site, until};

fn site(nodes: &[&Origin]) -> Site {
    Site::of(nodes).with_pool("health_check: { interval: 50ms, fall: 2, rise: 1 }")
}

fn status(bookend: &Bookend) -> Value {
    serde_json::from_slice(&bookend.ask("/status")).unwrap()
}

fn state(bookend: &Bookend) -> String {
    status(bookend)["pools"][0]["redundancy"]["state"].as_str().unwrap_or_default().to_owned()
}

fn alarms(bookend: &Bookend) -> Vec<String> {
    let status = status(bookend);
    let kinds = status["alarms"].as_array().unwrap().iter();
    kinds.map(|alarm| alarm["kind"].as_str().unwrap().to_owned()).collect()
}

/// What a command said, and how it ended.
fn command(bookend: &Bookend, line: &str) -> (Option<i32>, String) {
    let Output { status, stdout, stderr } = bookend.command(line);
    (status.code(), [stdout, stderr].map(|text| String::from_utf8_lossy(&text).into_owned()).concat())
}

#[test]
fn drain_of_the_second_node_exposes_the_first_within_a_second() {
    let (a, b) = (Origin::answering("a"), Origin::answering("b"));
    let bookend = Bookend::start(&site(&[&a, &b]));
    until("it is protected", || state(&bookend) == "protected");
    let (code, said) = command(&bookend, "status");
    assert!(code == Some(0) && said.contains("PROTECTED"), "{said}");
    assert_eq!(bookend.metric("bookend_pool_redundancy{pool=\"web\",state=\"protected\"}"), 1);

    let (code, said) = command(&bookend, "drain web/web-02 --for 60s --reason test");
    let drained = Instant::now();
    assert_eq!(code, Some(0), "{said}");
    bookend.wait_for_log("alarm kind=exposed pool=web");
    assert!(drained.elapsed() < Duration::from_secs(1), "after {:?}", drained.elapsed());
    let (code, said) = command(&bookend, "status");
    assert_eq!(code, Some(1), "{said}");
    for part in
        ["EXPOSED for", "only web-01 of 2 nodes can serve: web-02 is drained", "`bookend undrain web/web-02`"]
    {
        assert!(said.contains(part), "no {part:?} in\n{said}");
    }

    assert_eq!(command(&bookend, "undrain web/web-02").0, Some(0));
    until("it is protected again", || state(&bookend) == "protected");
    bookend.wait_for_log("redundancy pool=web state=protected");
    until("the alarm is over", || alarms(&bookend).is_empty());
    bookend.wait_for_log("alarm is over kind=exposed pool=web");
}

#[test]
fn pool_is_exposed_by_a_failure_and_down_by_the_next() {
    let (mut a, mut b) = (Origin::answering("a"), Origin::answering("b"));
    let bookend = Bookend::start(&site(&[&a, &b]));
    until("it is protected", || state(&bookend) == "protected");
    b.stop();
    until("it is exposed", || state(&bookend) == "exposed");
    a.stop();
    until("it is down", || state(&bookend) == "down");
    bookend.wait_for_log("alarm kind=down pool=web");
    let (code, said) = command(&bookend, "status");
    assert!(code == Some(1) && said.contains("no node of 2 can serve"), "{said}");
}

#[test]
fn node_that_was_taken_out_of_the_file_is_missed() {
    let (a, b) = (Origin::answering("a"), Origin::answering("b"));
    let expecting = |nodes: &[&Origin]| site(nodes).with_pool("expect_nodes: 2");
    let bookend = Bookend::start(&expecting(&[&a, &b]));
    until("it is protected", || state(&bookend) == "protected");
    assert_eq!(bookend.reload_site(&expecting(&[&a])), Reload::InForce);
    until("both are told", || alarms(&bookend) == ["exposed", "missing"]);
    let said = command(&bookend, "status").1;
    assert!(said.contains("only web-01 of 2 expected nodes can serve: the configuration has 1"), "{said}");
}

#[test]
fn pool_of_one_node_is_exposed_unless_it_is_meant() {
    let node = Origin::answering("a");
    let bookend = Bookend::start(&site(&[&node]).with_pool("# expect_nodes is left out"));
    until("the alarm rings", || alarms(&bookend) == ["exposed"]);
    assert!(command(&bookend, "status").1.contains("web-01 is its only node"));
    assert_eq!(bookend.reload_site(&site(&[&node]).with_pool("expect_nodes: 1")), Reload::InForce);
    until("the alarm is over", || alarms(&bookend).is_empty());
    let (code, said) = command(&bookend, "status");
    assert!(code == Some(0) && said.contains("EXPOSED"), "{said}");
}

#[test]
fn silence_has_an_owner_a_reason_and_an_end() {
    let (a, b) = (Origin::answering("a"), Origin::answering("b"));
    let mut bookend = Bookend::start(&site(&[&a, &b]).with_pool("expect_nodes: 3"));
    until("the alarm rings", || alarms(&bookend) == ["missing"]);
    assert_eq!(command(&bookend, "status").0, Some(1));
    for (line, problem) in [
        ("silence web", "--reason"),
        ("silence wbe --reason x", "there is no pool"),
        ("silence web --for 80h --reason x", "72h"),
        ("unsilence web", "not silenced"),
    ] {
        let (code, said) = command(&bookend, line);
        assert!(code != Some(0) && said.contains(problem), "{line}: {said}");
    }
    assert_eq!(command(&bookend, "silence web --for 2s --reason third-comes-tomorrow").0, Some(0));
    let (code, said) = command(&bookend, "status");
    assert_eq!(code, Some(0), "{said}");
    assert!(
        said.contains("alarms of pool web are silenced by") && said.contains("third-comes-tomorrow"),
        "{said}"
    );
    bookend.wait_for_log("alarm lasts kind=missing pool=web");
    assert_eq!(command(&bookend, "status").0, Some(1), "the silence is over");
    assert_eq!(command(&bookend, "silence web --for 1h --reason x").0, Some(0));
    assert_eq!(command(&bookend, "unsilence web").0, Some(0));
    assert_eq!(command(&bookend, "status").0, Some(1), "it was ended");

    assert_eq!(command(&bookend, "silence web --for 1h --reason it-outlives-us").0, Some(0));
    let file = bookend.state().join("events-1.log");
    until("it is written down", || fs::read_to_string(&file).unwrap().contains("it-outlives-us"));
    bookend.kill();
    bookend.start_again();
    until("the alarm rings", || alarms(&bookend) == ["missing"]);
    let (code, said) = command(&bookend, "status");
    assert!(code == Some(0) && said.contains("it-outlives-us"), "{said}");
}
