//! Nodes that fall and come back, as active checks see it.

use crate::support::{Bookend, Call, Next, Origin, Site, fetch, until};

const TCP: &str = "health_check: { interval: 100ms, timeout: 100ms, fall: 3, rise: 2 }";
const HTTP: &str = "health_check: { type: http, path: /healthz, host: check.test, interval: 100ms, timeout: 100ms, fall: 2, rise: 2 }";

/// A node whose health is 200 or not, and whose every other answer is `name`.
fn with_health(status: u16, name: &'static str) -> impl Fn(&mut Call<'_>) -> Next + Send + Sync {
    move |call| match call.target() {
        "/healthz" => call.answer(status, ""),
        _ => call.answer(200, name),
    }
}

fn served(node: &Origin) -> usize {
    node.received().iter().filter(|request| !request.first_line.contains("/healthz")).count()
}

#[test]
fn dead_node_is_out_and_comes_back_by_itself() {
    let (a, mut b) = (Origin::answering("a"), Origin::answering("b"));
    let bookend = Bookend::start(&Site::of(&[&a, &b]).with_pool(TCP));
    b.stop();
    bookend.wait_for_log("node is down pool=web node=web-02");
    assert_eq!(fetch(bookend.address(), "/").text(), "a");
    b.restart();
    bookend.wait_for_log("node is up pool=web node=web-02");
    until("it serves", || fetch(bookend.address(), "/").text() == "b");
}

#[test]
fn site_stays_up_through_any_order_of_falls() {
    let (mut a, mut b) = (Origin::answering("a"), Origin::answering("b"));
    let bookend = Bookend::start(&Site::of(&[&a, &b]).with_pool(TCP));
    a.stop();
    bookend.wait_for_log("node is down pool=web node=web-01");
    assert_eq!(fetch(bookend.address(), "/").text(), "b");
    a.restart();
    b.stop();
    for _ in 0..10 {
        assert_eq!(fetch(bookend.address(), "/").text(), "a");
    }
}

#[test]
fn nodes_that_all_fail_their_checks_are_tried_all_the_same() {
    let node = Origin::start(with_health(500, "a"));
    let bookend = Bookend::start(&Site::of(&[&node]).with_pool(HTTP));
    bookend.wait_for_log("node is down pool=web node=web-01");
    assert_eq!(fetch(bookend.address(), "/").text(), "a");
}

#[test]
fn check_by_status_takes_a_node_out_and_back() {
    let (a, b) = (Origin::start(with_health(200, "a")), Origin::start(with_health(200, "b")));
    let bookend = Bookend::start(&Site::of(&[&a, &b]).with_pool(HTTP));
    b.now_does(with_health(500, "b"));
    bookend.wait_for_log("node is down pool=web node=web-02");
    let before = served(&b);
    for _ in 0..10 {
        assert_eq!(fetch(bookend.address(), "/").text(), "a");
    }
    assert_eq!(served(&b), before);
    b.now_does(with_health(200, "b"));
    bookend.wait_for_log("node is up pool=web node=web-02");
    until("it serves", || fetch(bookend.address(), "/").text() == "b");
}

#[test]
fn check_by_status_asks_for_its_path_and_host() {
    let node = Origin::start(with_health(200, "a"));
    let _bookend = Bookend::start(&Site::of(&[&node]).with_pool(HTTP));
    until("a check comes", || node.count() > 0);
    let check = &node.received()[0];
    assert_eq!(check.first_line, "GET /healthz HTTP/1.1");
    assert_eq!(check.headers.one("host"), Some("check.test"));
}

#[test]
fn node_that_accepts_and_says_nothing_fails_a_check_by_status() {
    let silent = Origin::start(|call| {
        call.read(1);
        Next::Close
    });
    let other = Origin::start(with_health(200, "other"));
    let bookend = Bookend::start(&Site::of(&[&silent, &other]).with_pool(HTTP));
    bookend.wait_for_log("node is down pool=web node=web-01");
}

#[test]
fn checks_can_be_switched_off() {
    const DOWN: &str = "node is down pool=web node=web-01";
    let (mut watched, mut alone) = (Origin::answering("a"), Origin::answering("b"));
    alone.stop();
    let without = Bookend::start(&Site::of(&[&alone]).with_pool("health_check: off"));
    watched.stop();
    let with = Bookend::start(&Site::of(&[&watched]));
    // Twice, so that the other one would have been found as well that was there before.
    with.wait_for_log(DOWN);
    watched.restart();
    with.wait_for_log("node is up pool=web node=web-01");
    watched.stop();
    with.wait_for_more(DOWN, 1);
    assert!(!without.logs().contains(DOWN), "it was checked");
}
