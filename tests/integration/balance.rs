//! Who gets how much.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use crate::support::{Bookend, Client, Origin, Port, Site, TempDirectory, eventually, fetch};

const QUICK_CHECKS: &str = "health_check: { interval: 100ms, timeout: 100ms, fall: 2, rise: 2 }";

/// The nodes' names, each also what it answers.
const NAMES: [&str; 4] = ["a", "b", "c", "d"];

/// `number` requests, one after the other on one connection: who answered.
fn ask(bookend: &Bookend, number: usize) -> Vec<String> {
    let mut client = Client::connect(bookend.address());
    (0..number)
        .map(|_| {
            let answer = client.get("/");
            assert_eq!(answer.status, 200);
            answer.text().to_owned()
        })
        .collect()
}

fn count(answers: &[String], name: &str) -> usize {
    answers.iter().filter(|answer| *answer == name).count()
}

#[test]
fn ten_thousand_requests_over_two_nodes_are_five_thousand_each() {
    let nodes = [Origin::answering("a"), Origin::answering("b")];
    let bookend = Bookend::start(&Site::of(&[&nodes[0], &nodes[1]]));
    thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| ask(&bookend, 2_500));
        }
    });
    assert_eq!((nodes[0].count(), nodes[1].count()), (5_000, 5_000));
}

#[test]
fn nodes_beside_a_dead_one_get_half_each() {
    let (a, b, mut dead) = (Origin::answering("a"), Origin::answering("b"), Origin::answering("c"));
    dead.stop();
    let bookend = Bookend::start(&Site::of(&[&a, &b, &dead]).with_pool(QUICK_CHECKS));
    bookend.wait_for_log("node is down pool=web node=web-03");
    thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| ask(&bookend, 500));
        }
    });
    assert_eq!((a.count(), b.count()), (1_000, 1_000));
}

#[test]
fn nodes_beside_a_dead_one_get_half_each_even_before_anyone_knows() {
    let (a, b, dead) = (Origin::answering("a"), Origin::answering("b"), Origin::absent());
    let bookend = Bookend::start(&Site::of(&[&a, &dead, &b]).with_pool("health_check: off"));
    ask(&bookend, 1_200);
    assert_eq!(a.count() + b.count(), 1_200);
    assert!(a.count().abs_diff(b.count()) <= 12, "{} and {}", a.count(), b.count());
}

#[test]
fn weights_are_kept_smoothly() {
    let (a, b) = (Origin::answering("a"), Origin::answering("b"));
    let site = Site::default().with_node(a.address(), "weight: 2").with_node(b.address(), "weight: 1");
    let answers = ask(&Bookend::start(&site), 300);
    assert_eq!((count(&answers, "a"), count(&answers, "b")), (200, 100));
    for three in answers.windows(3) {
        assert_eq!(count(three, "b"), 1, "not smooth: {three:?}");
    }
}

#[test]
fn four_nodes_take_turns() {
    let nodes = NAMES.map(Origin::answering);
    let answers = ask(&Bookend::start(&Site::of(&nodes.each_ref())), 40);
    for four in answers.chunks(4) {
        for name in NAMES {
            assert_eq!(count(four, name), 1, "not in turn: {four:?}");
        }
    }
}

#[test]
fn backup_serves_only_while_nobody_before_it_can() {
    let (mut a, backup) = (Origin::answering("a"), Origin::answering("backup"));
    let site = Site::default()
        .with_node(a.address(), "")
        .with_node(backup.address(), "tier: 1")
        .with_pool(QUICK_CHECKS);
    let bookend = Bookend::start(&site);
    assert_eq!(count(&ask(&bookend, 20), "a"), 20);
    a.stop();
    assert_eq!(count(&ask(&bookend, 20), "backup"), 20);
    bookend.wait_for_log("node is down pool=web node=web-01");
    assert_eq!(count(&ask(&bookend, 20), "backup"), 20);
    a.restart();
    bookend.wait_for_log("node is up pool=web node=web-01");
    assert_eq!(count(&ask(&bookend, 20), "a"), 20);
}

#[test]
fn node_may_be_a_unix_socket() {
    let directory = TempDirectory::new();
    let node = Origin::on_unix_socket(&directory.path().join("node.sock"), "socket");
    let bookend = Bookend::start(&Site::of(&[&node]));
    assert_eq!(fetch(bookend.address(), "/").text(), "socket");
    assert_eq!(node.only_request().headers.one("host"), Some("site.test"));
}

#[test]
fn dead_unix_socket_is_like_any_dead_node() {
    let directory = TempDirectory::new();
    let mut dead = Origin::on_unix_socket(&directory.path().join("dead.sock"), "dead");
    let node = Origin::answering("a");
    dead.stop();
    let bookend = Bookend::start(&Site::of(&[&dead, &node]).with_pool(QUICK_CHECKS));
    assert_eq!(count(&ask(&bookend, 10), "a"), 10);
    bookend.wait_for_log("node is down pool=web node=web-01");
    dead.restart();
    bookend.wait_for_log("node is up pool=web node=web-01");
    assert_eq!(count(&ask(&bookend, 1), "dead"), 1, "its trial");
    bookend.wait_for_log("node has returned pool=web node=web-01");
    assert_eq!(count(&ask(&bookend, 10), "dead"), 5);
}

#[test]
fn node_may_be_a_name() {
    let node = Origin::answering("named");
    let port = node.socket_address().port();
    let bookend = Bookend::start(&Site::default().with_node(format!("localhost:{port}"), ""));
    assert_eq!(count(&ask(&bookend, 10), "named"), 10);
}

#[test]
fn name_that_does_not_resolve_harms_nobody_else() {
    let node = Origin::answering("a");
    let site = Site::of(&[&node]).with_node("nowhere.invalid:80", "");
    let bookend = Bookend::start(&site);
    assert_eq!(count(&ask(&bookend, 10), "a"), 10);
}

#[test]
fn pools_do_not_share_their_turns() {
    let nodes = NAMES.map(Origin::answering);
    let port = Port::free();
    let [a, b, c, d] = nodes.each_ref().map(Origin::address);
    let yaml = format!(
        "listeners: [{{ address: \"{port}\" }}]\n\
         pools:\n  x: {{ nodes: [{{ address: \"{a}\" }}, {{ address: \"{b}\" }}] }}\n  \
         y: {{ nodes: [{{ address: \"{c}\" }}, {{ address: \"{d}\" }}] }}\n\
         routes:\n  - {{ pool: x, path: /x }}\n  - {{ pool: y, path: /y }}\n"
    );
    let bookend = Bookend::start_with(port, &yaml);
    let mut client = Client::connect(bookend.address());
    for target in ["/x", "/y", "/y", "/x", "/x", "/y", "/x", "/y"] {
        assert_eq!(client.get(target).status, 200);
    }
    assert_eq!(nodes.each_ref().map(Origin::count), [2, 2, 2, 2]);
}

#[test]
fn connections_to_nodes_are_kept_and_used_again() {
    let node = Origin::answering("a");
    let bookend = Bookend::start(&Site::of(&[&node]).with_pool("health_check: off"));
    ask(&bookend, 100);
    assert!(node.accepted() <= 3, "{} connections for 100 requests in a row", node.accepted());
}

#[test]
fn revived_node_gets_its_share_again() {
    let (a, mut b) = (Origin::answering("a"), Origin::answering("b"));
    let bookend = Bookend::start(&Site::of(&[&a, &b]).with_pool(QUICK_CHECKS));
    b.stop();
    bookend.wait_for_log("node is down pool=web node=web-02");
    b.restart();
    bookend.wait_for_log("node is up pool=web node=web-02");
    let answers = eventually("both take turns again", || {
        let answers = ask(&bookend, 20);
        (count(&answers, "b") == 10).then_some(answers)
    });
    assert_eq!(count(&answers, "a"), 10);
}

#[test]
fn requests_that_may_not_run_twice_use_young_connections_again() {
    let node = Origin::answering("a");
    let bookend = Bookend::start(&Site::of(&[&node]).with_pool("health_check: off"));
    let mut client = Client::connect(bookend.address());
    for _ in 0..100 {
        assert_eq!(client.request("POST", "/", "", b"an order").status, 200);
    }
    let young = node.accepted();
    assert!(young <= 3, "{young} connections for 100 requests in a row");
    // The one thing that only time can show.
    thread::sleep(Duration::from_millis(1_200));
    assert_eq!(client.request("POST", "/", "", b"an order").status, 200);
    assert_eq!(node.accepted(), young + 1, "one that has been idle for longer is not trusted");
}

#[test]
fn node_that_closes_connections_as_they_are_used_gets_new_ones_for_what_may_not_run_twice() {
    let uses = Arc::new(Mutex::new(HashMap::<thread::ThreadId, u32>::new()));
    let node = Origin::start(move |call| {
        // Each connection has a thread of its own.
        let mut uses = uses.lock().unwrap();
        let count = uses.entry(thread::current().id()).or_default();
        *count += 1;
        if *count > 1 { call.reset() } else { call.answer(200, "a") }
    });
    let bookend = Bookend::start(&Site::of(&[&node]).with_pool("health_check: off"));
    let mut client = Client::connect(bookend.address());
    assert_eq!(client.get("/").status, 200);
    assert_eq!(client.get("/").status, 200, "on a new connection, after one broke");
    for _ in 0..20 {
        assert_eq!(client.request("POST", "/", "", b"an order").status, 200);
    }
}
