//! Each algorithm, as its users see it.

use std::collections::HashMap;
use std::net::{IpAddr, SocketAddr};
use std::thread;
use std::time::Duration;

use crate::support::{Bookend, Client, Gate, Origin, Site, until};

const NAMES: [&str; 3] = ["a", "b", "c"];

fn start(balance: &str, nodes: &[&Origin]) -> Bookend {
    let balance = format!("balance: {balance}");
    Bookend::start(&Site::of(nodes).with_pool("health_check: off").with_pool(&balance))
}

/// Who answers `GET target` with these headers.
fn ask(address: SocketAddr, target: &str, headers: &str) -> String {
    let answer = Client::connect(address).request("GET", target, headers, b"");
    assert_eq!(answer.status, 200);
    answer.text().to_owned()
}

/// Who answers a request for each of `count` users.
fn ask_for_users(bookend: &Bookend, count: usize) -> Vec<String> {
    (0..count).map(|user| ask(bookend.address(), "/", &format!("X-User: {user}\r\n"))).collect()
}

fn counts(answers: &[String]) -> HashMap<&str, usize> {
    answers.iter().fold(HashMap::new(), |mut counts, answer| {
        *counts.entry(answer.as_str()).or_default() += 1;
        counts
    })
}

/// A node that holds every answer to `/held` back until the gate opens, and answers everything else at once.
fn holding(gate: &Gate, name: &'static str) -> Origin {
    let gate = gate.clone();
    Origin::start(move |call| {
        if call.target() == "/held" {
            gate.pass();
        }
        call.answer(200, name)
    })
}

/// Begins requests that are held, one after the other, so that each finds those before it in flight.
fn hold(bookend: &Bookend, nodes: &[&Origin], count: usize) -> Vec<Client> {
    let arrived = || nodes.iter().map(|node| node.count()).sum::<usize>();
    let before = arrived();
    (1..=count)
        .map(|number| {
            let mut client = Client::connect(bookend.address());
            client.send("GET /held HTTP/1.1\r\nHost: site.test\r\n\r\n");
            until("the request is at a node", || arrived() == before + number);
            client
        })
        .collect()
}

#[test]
fn least_loaded_gives_the_next_request_to_the_node_that_has_finished_most() {
    let gate = Gate::default();
    let (held, a, b) = (holding(&gate, "a"), Origin::answering("b"), Origin::answering("c"));
    let bookend = start("least_loaded", &[&held, &a, &b]);
    let held_by_it = hold(&bookend, &[&held, &a, &b], 6);
    // The other two answer at once, so the first has one and all others go past it.
    assert_eq!((held.count(), a.count() + b.count()), (1, 5));
    let answers: Vec<_> = (0..20).map(|_| ask(bookend.address(), "/", "")).collect();
    let counts = counts(&answers);
    let of = |name| counts.get(name).copied().unwrap_or_default();
    // A client has its answer a moment before its place is free, and the next may be as quick: then it is another's turn.
    assert!(of("b") + of("c") == 20 && of("b").min(of("c")) >= 5, "{counts:?}");
    gate.open();
    drop(held_by_it);
}

#[test]
fn power_of_two_leaves_a_slow_node_to_itself() {
    let slow = Origin::start(|call| {
        thread::sleep(Duration::from_millis(60));
        call.answer(200, "slow")
    });
    let fast = Origin::start(|call| {
        thread::sleep(Duration::from_millis(3));
        call.answer(200, "fast")
    });
    let bookend = start("power_of_two", &[&slow, &fast]);
    thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| (0..50).for_each(|_| drop(ask(bookend.address(), "/", ""))));
        }
    });
    assert_eq!(slow.count() + fast.count(), 200);
    assert!(
        (1..40).contains(&slow.count()),
        "{} of 200 went to the node that is twenty times slower",
        slow.count()
    );
}

#[test]
fn power_of_two_takes_a_node_that_fails_at_once_for_no_fast_one() {
    let (failing, good) = (
        Origin::start(|call| call.answer(500, "no")),
        Origin::start(|call| {
            thread::sleep(Duration::from_millis(5));
            call.answer(200, "good")
        }),
    );
    let site = Site::of(&[&failing, &good]).with_pool("health_check: off").with_pool("ejection: off");
    let bookend = Bookend::start(&site.with_pool("balance: power_of_two"));
    for _ in 0..100 {
        assert_eq!(ask(bookend.address(), "/", ""), "good");
    }
    assert!(failing.count() <= 10, "{} of 100 requests were sent to fail first", failing.count());
}

#[test]
fn hash_keeps_a_user_on_a_node_whatever_bookend_serves_it() {
    let nodes = NAMES.map(Origin::answering);
    let [a, b, c] = &nodes;
    let bookend = start("{ hash: { header: X-User } }", &[a, b, c]);
    let answers = ask_for_users(&bookend, 60);
    assert!(counts(&answers).values().all(|&count| count >= 8), "{:?}", counts(&answers));
    assert_eq!(ask_for_users(&bookend, 60), answers);
    // Another one, with the nodes in another order, under other names, and as the first is after a restart.
    let other = start("{ hash: { header: X-User } }", &[c, a, b]);
    assert_eq!(ask_for_users(&other, 60), answers);
}

#[test]
fn only_the_users_of_a_node_that_dies_move_and_they_come_back() {
    let mut nodes = NAMES.map(Origin::answering);
    let site = Site::of(&nodes.each_ref()).with_pool("health_check: off").with_pool("slow_start: 0s");
    let bookend = Bookend::start(&site.with_pool("balance: { hash: { header: X-User } }"));
    let before = ask_for_users(&bookend, 60);
    nodes[1].stop();
    let meanwhile = ask_for_users(&bookend, 60);
    for (before, now) in before.iter().zip(&meanwhile) {
        assert!(if before == "b" { now != "b" } else { now == before }, "{before} to {now}");
    }
    let moved: Vec<_> = before
        .iter()
        .zip(&meanwhile)
        .filter(|(before, _)| *before == "b")
        .map(|(_, now)| now.clone())
        .collect();
    assert_eq!(counts(&moved).len(), 2, "they are shared by the others");
    nodes[1].restart();
    until("everybody is back", || ask_for_users(&bookend, 60) == before);
}

#[test]
fn hash_takes_client_path_and_cookie_for_keys() {
    let nodes = NAMES.map(Origin::answering);
    let nodes = nodes.each_ref();
    let by_path = start("{ hash: path }", &nodes);
    let of_paths: Vec<_> = (0..30).map(|page| ask(by_path.address(), &format!("/{page}"), "")).collect();
    assert_eq!(counts(&of_paths).len(), 3);
    for (page, answer) in of_paths.iter().enumerate() {
        assert_eq!(ask(by_path.address(), &format!("/{page}?again=1"), ""), *answer);
    }

    let by_cookie = start("{ hash: { cookie: basket } }", &nodes);
    let cookie = |value: usize| format!("Cookie: other={}; basket={value}; z=1\r\n", value * 7);
    let of_baskets: Vec<_> = (0..30).map(|value| ask(by_cookie.address(), "/", &cookie(value))).collect();
    assert_eq!(counts(&of_baskets).len(), 3);
    for (value, answer) in of_baskets.iter().enumerate() {
        assert_eq!(ask(by_cookie.address(), "/x", &format!("Cookie: basket={value}\r\n")), *answer);
    }

    let by_client = start("{ hash: client_address }", &nodes);
    let of_client = |last: u8| {
        let from = IpAddr::from([127, 0, 0, last]);
        Client::connect_from(from, by_client.address()).get("/").text().to_owned()
    };
    let of_clients: Vec<_> = (1..30).map(of_client).collect();
    assert_eq!(counts(&of_clients).len(), 3);
    assert_eq!((1..30).map(of_client).collect::<Vec<_>>(), of_clients);
}

#[test]
fn client_behind_a_trusted_proxy_is_who_the_proxy_says() {
    let nodes = NAMES.map(Origin::answering);
    let site = Site::of(&nodes.each_ref())
        .with_pool("health_check: off")
        .with_pool("balance: { hash: client_address }");
    let trusting = Bookend::start(&site.clone().with_listener("trusted_proxies: [127.0.0.1/32]"));
    let wary = Bookend::start(&site);
    let behind = |bookend: &Bookend| -> Vec<String> {
        (1..30)
            .map(|last| ask(bookend.address(), "/", &format!("X-Forwarded-For: 10.9.8.{last}\r\n")))
            .collect()
    };
    assert_eq!(counts(&behind(&trusting)).len(), 3);
    assert_eq!(behind(&trusting), behind(&trusting));
    assert_eq!(counts(&behind(&wary)).len(), 1, "a client that nobody trusts has one address");
}

#[test]
fn requests_without_the_key_take_turns() {
    let nodes = NAMES.map(Origin::answering);
    let bookend = start("{ hash: { header: X-User } }", &nodes.each_ref());
    let answers: Vec<_> = (0..30).map(|_| ask(bookend.address(), "/", "")).collect();
    assert!(counts(&answers).values().all(|&count| count == 10), "{answers:?}");
}

#[test]
fn one_hot_key_is_served_by_as_many_nodes_as_it_takes() {
    let gate = Gate::default();
    let nodes = NAMES.map(|name| holding(&gate, name));
    let nodes = nodes.each_ref();
    let bookend = start("{ hash: path }", &nodes);
    let held = hold(&bookend, &nodes, 60);
    let most = nodes.iter().map(|node| node.count()).max().unwrap();
    assert!((20..=25).contains(&most), "one of three nodes has {most} of 60 requests for one page");
    gate.open();
    drop(held);
}

#[test]
fn random_is_even_over_many() {
    let nodes = NAMES.map(Origin::answering);
    let bookend = start("random", &nodes.each_ref());
    let mut client = Client::connect(bookend.address());
    (0..900).for_each(|_| assert_eq!(client.get("/").status, 200));
    for node in &nodes {
        // Five standard deviations.
        assert!(node.count().abs_diff(300) < 71, "{}", node.count());
    }
}

#[test]
fn first_is_the_first_of_the_file_and_the_next_only_when_it_is_full_or_gone() {
    let gate = Gate::default();
    let mut nodes = [holding(&gate, "a"), Origin::answering("b"), Origin::answering("c")];
    // The addresses are in no order; the file decides.
    nodes.sort_by_key(|node| std::cmp::Reverse(node.socket_address().port()));
    let [one, two, three] = &mut nodes;
    one.now_does({
        let gate = gate.clone();
        move |call| {
            if call.target() == "/held" {
                gate.pass();
            }
            call.answer(200, "one")
        }
    });
    two.now_does(|call| call.answer(200, "two"));
    three.now_does(|call| call.answer(200, "three"));
    let site = Site::default()
        .with_node(one.address(), "max_in_flight: 2")
        .with_node(two.address(), "")
        .with_node(three.address(), "weight: 50");
    let bookend = Bookend::start(&site.with_pool("health_check: off").with_pool("balance: first"));
    for _ in 0..10 {
        assert_eq!(ask(bookend.address(), "/", ""), "one");
    }
    let held = hold(&bookend, &[one, two, three], 2);
    assert_eq!(ask(bookend.address(), "/", ""), "two", "the first is full");
    gate.open();
    drop(held);
    until("the first has room", || ask(bookend.address(), "/", "") == "one");
    one.stop();
    for _ in 0..10 {
        assert_eq!(ask(bookend.address(), "/", ""), "two", "the first is gone");
    }
}

#[test]
fn reload_to_another_algorithm_is_in_force_at_once() {
    let nodes = NAMES.map(Origin::answering);
    let site = Site::of(&nodes.each_ref()).with_pool("health_check: off");
    let bookend = Bookend::start(&site);
    let turns: Vec<_> = (0..6).map(|_| ask(bookend.address(), "/", "")).collect();
    assert_eq!(counts(&turns).len(), 3);
    bookend.reload_site(&site.with_pool("balance: first"));
    let first: Vec<_> = (0..6).map(|_| ask(bookend.address(), "/", "")).collect();
    assert_eq!(counts(&first), HashMap::from([("a", 6)]));
}
