//! The main job: real load, a node killed and revived, the configuration reloaded, and nobody notices.

use crate::support::{Bookend, Load, Origin, Reload, Site, Wrk};

const QUICK_CHECKS: &str = "health_check: { interval: 200ms, timeout: 200ms, fall: 2, rise: 2 }";
const DOWN: &str = "node is down pool=web node=web-02";
const UP: &str = "node is up pool=web node=web-02";

#[test]
fn node_killed_and_revived_under_wrk_fails_no_request() {
    let (a, mut b) = (Origin::answering("a"), Origin::answering("b"));
    let site = Site::of(&[&a, &b]).with_pool(QUICK_CHECKS);
    let bookend = Bookend::start(&site);
    let mut wrk = Wrk::start(bookend.address(), 32, 6);
    while wrk.is_running() {
        let logs = bookend.logs();
        let seen = |text| logs.matches(text).count();
        b.stop();
        bookend.wait_for_more(DOWN, seen(DOWN));
        b.restart();
        bookend.wait_for_more(UP, seen(UP));
        assert_eq!(bookend.reload_site(&site), Reload::InForce);
    }
    let served = wrk.finish();
    assert!(served > 500, "only {served} requests were served");
}

#[test]
fn node_that_breaks_every_connection_now_and_then_fails_no_request() {
    let (a, b) = (Origin::answering("a"), Origin::answering("b"));
    let bookend = Bookend::start(&Site::of(&[&a, &b]).with_pool(QUICK_CHECKS));
    let load = Load::start(bookend.address(), 16);
    for _ in 0..20 {
        load.wait_for(50);
        b.close_connections();
    }
    load.finish();
}

#[test]
fn node_that_answers_500_to_everything_fails_no_request() {
    let (a, b) = (Origin::answering("a"), Origin::start(|call| call.answer(500, "out of memory")));
    let bookend = Bookend::start(&Site::of(&[&a, &b]).with_pool(QUICK_CHECKS));
    let load = Load::start(bookend.address(), 8);
    load.wait_for(500);
    let bodies = load.finish();
    assert_eq!(bodies.len(), 1, "{bodies:?}");
}
