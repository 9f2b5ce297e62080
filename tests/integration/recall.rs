//! Drained nodes come back before their time where the others are not enough.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;
use std::time::Duration;

use serde_json::Value;

use crate::drain::{done, is_drained, node, over_socket, refused};
use crate::guard::Crowd;
use crate::support::{Bookend, Client, Origin, Site, fetch, until};

/// A node that takes 100 ms for each request.
fn slow(body: &'static str) -> Origin {
    Origin::start(move |call| {
        thread::sleep(Duration::from_millis(100));
        call.answer(200, body)
    })
}

/// Two nodes of which each has room for two requests, so that four clients are too many for one.
fn nodes(a: &Origin, b: &Origin) -> Site {
    let site =
        [a, b].iter().fold(Site::default(), |site, node| site.with_node(node.address(), "max_in_flight: 2"));
    site.with_pool("queue: { target: 30ms, max_wait: 200ms }")
        .with_pool("health_check: { interval: 50ms, fall: 2, rise: 1 }")
        .with_pool("slow_start: 200ms")
}

/// The same, where a node is recalled after a second.
fn site(a: &Origin, b: &Origin) -> Site {
    nodes(a, b).with_pool("recall: { for: 1s }")
}

fn status(bookend: &Bookend) -> Value {
    serde_json::from_slice(&bookend.ask("/status")).unwrap()
}

fn shed(bookend: &Bookend) -> u64 {
    status(bookend)["pools"][0]["shed"].as_u64().unwrap()
}

/// Waits for so many that it takes more than the time in which a node would be recalled.
fn until_shed(bookend: &Bookend, more: u64) {
    let before = shed(bookend);
    until(&format!("{more} more requests are turned away"), || shed(bookend) >= before + more);
}

#[test]
fn node_is_taken_back_when_the_others_are_not_enough() {
    let (a, b) = (slow("a"), slow("b"));
    let bookend = Bookend::start(&site(&a, &b));
    done(&bookend, "drain web/web-02 --for 1h --reason test");
    let crowd = Crowd::start(bookend.address(), 4);
    bookend.wait_for_log("node is recalled, the others are not enough pool=web node=web-02 drained_by=");
    bookend.wait_for_log("node is back after its lease pool=web node=web-02");
    until("all is served", || {
        (0..10).all(|_| {
            let before = shed(&bookend);
            thread::sleep(Duration::from_millis(50));
            shed(&bookend) == before
        })
    });
    let text = refused(&bookend, "drain web/web-02 --reason again");
    assert!(text.contains("without web-02 "), "{text}");
    drop(crowd);
    assert!(b.count() > 0 && node(&bookend, 1)["lease"].is_null());
    assert_eq!(bookend.metric("bookend_recalls_total{pool=\"web\"}"), 1);
    let text = refused(&bookend, "status");
    for part in [
        "web/web-02 was recalled at 20",
        " requests failed in ",
        "of them turned away; drained by ",
        "s: test",
    ] {
        assert!(text.contains(part), "no {part} in\n{text}");
    }
    assert_eq!(status(&bookend)["recalls"][0]["node"], "web/web-02");
    done(&bookend, "drain web/web-02 --force --reason again");
    assert_eq!(
        status(&bookend)["recalls"],
        Value::Array(Vec::new()),
        "it is drained, and no longer recalled"
    );
}

#[test]
fn node_that_is_not_to_be_recalled_stays_and_gets_nothing() {
    let (mut a, b) = (slow("a"), slow("b"));
    let mut bookend = Bookend::start(&site(&a, &b));
    let text = done(&bookend, "drain web/web-02 --for 1h --never-recall --reason test");
    assert!(text.contains("it is not taken back before that"), "{text}");
    let crowd = Crowd::start(bookend.address(), 4);
    until_shed(&bookend, 150);
    drop(crowd);
    let seen = node(&bookend, 1);
    assert_eq!((&seen["state"], &seen["lease"]["never_recall"]), (&"drained".into(), &true.into()));
    assert!(seen["why"].as_str().unwrap().contains(", not to be recalled: test"), "{seen}");
    a.stop();
    for _ in 0..4 {
        assert!(fetch(bookend.address(), "/").status >= 500);
    }
    bookend.kill();
    bookend.start_again();
    assert!(fetch(bookend.address(), "/").status >= 500);
    assert_eq!(node(&bookend, 1)["lease"]["never_recall"], true);
    assert_eq!((b.count(), bookend.metric("bookend_recalls_total{pool=\"web\"}")), (0, 0));
    done(&bookend, "undrain web/web-02");
    until("it is let in", || fetch(bookend.address(), "/").text() == "b");
    let (status, problem) =
        over_socket(&bookend, "/undrain", r#"{"node": "web/web-02", "never_recall": true}"#);
    assert_eq!((status, &problem["detail"]), (400, &"`never_recall`: this is for /drain".into()));
}

#[test]
fn node_whose_checks_fail_is_not_taken_back_before_they_pass() {
    let (a, mut b) = (slow("a"), slow("b"));
    let bookend = Bookend::start(&site(&a, &b));
    done(&bookend, "drain web/web-02 --for 1h --reason test");
    b.stop();
    bookend.wait_for_log("node is down pool=web node=web-02");
    let crowd = Crowd::start(bookend.address(), 4);
    until_shed(&bookend, 150);
    assert!(is_drained(&bookend, 1) && !bookend.logs().contains("node is recalled"));
    b.restart();
    bookend.wait_for_log("node is recalled, the others are not enough pool=web node=web-02");
    drop(crowd);
}

#[test]
fn recall_can_be_switched_off() {
    let (a, b) = (slow("a"), slow("b"));
    let bookend = Bookend::start(&nodes(&a, &b).with_pool("recall: off"));
    done(&bookend, "drain web/web-02 --for 1h --reason test");
    let crowd = Crowd::start(bookend.address(), 4);
    until_shed(&bookend, 150);
    drop(crowd);
    assert!(is_drained(&bookend, 1));
}

/// A node that takes 10 ms for each request, and fails every fifth; every second when it is `worse`.
fn faulty(worse: &Arc<AtomicBool>) -> Origin {
    let (worse, count) = (Arc::clone(worse), AtomicU64::new(0));
    Origin::start(move |call| {
        thread::sleep(Duration::from_millis(10));
        let every = if worse.load(Ordering::Relaxed) { 2 } else { 5 };
        let is_bad = count.fetch_add(1, Ordering::Relaxed) % every == 0;
        call.answer(if is_bad { 500 } else { 200 }, "done")
    })
}

#[test]
fn site_that_always_fails_some_keeps_its_drain_until_it_fails_more() {
    let worse = Arc::default();
    let (a, b) = (faulty(&worse), faulty(&worse));
    let site = Site::of(&[&a, &b])
        .with_pool("health_check: { interval: 50ms, fall: 2, rise: 1 }")
        .with_pool("recall: { for: 1s }");
    let mut bookend = Bookend::start(&site);
    // Failures of what may have run are for the client to see.
    let post = |bookend: &Bookend| Client::connect(bookend.address()).request("POST", "/", "", b"").status;
    until("it is known what is usual", || {
        post(&bookend);
        status(&bookend)["pools"][0]["requests"]["total"].as_u64().unwrap() >= 50
    });
    done(&bookend, "drain web/web-02 --for 1h --reason test");
    let (served, before) = (a.count(), b.count());
    for _ in 0..50 {
        post(&bookend);
    }
    bookend.kill();
    bookend.start_again();
    // At least two seconds, and so a second of which a fifth failed, as nobody would know who had not written it down.
    for _ in 0..200 {
        post(&bookend);
    }
    assert_eq!((a.count() - served, b.count() - before), (250, 0), "{}", bookend.logs());
    assert!(is_drained(&bookend, 1) && !bookend.logs().contains("node is recalled"));
    worse.store(true, Ordering::Relaxed);
    until("it is recalled", || {
        post(&bookend);
        bookend.logs().contains("node is recalled, the others are not enough pool=web node=web-02")
    });
    assert!(bookend.logs().contains("; before the drain it was "), "{}", bookend.logs());
}
