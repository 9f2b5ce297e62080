//! Nodes that are full: who waits for a place, in which order, and who is told at once that there is none.

use std::io::Write;
use std::net::{IpAddr, SocketAddr};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use rustix::process::Signal;

use crate::support::{Answer, Bookend, Client, Load, Origin, Reload, Site, eventually, fetch, until};

/// Long enough that nobody is shed by accident, and as long as it may be.
const PATIENT: &str = "queue: { target: 10s }";

/// The longest that a request may take that finds no place.
const SOON: Duration = Duration::from_millis(300);

/// Lets answers through one by one.
#[derive(Clone, Default)]
struct Turnstile(Arc<(Mutex<usize>, Condvar)>);

impl Turnstile {
    fn let_through(&self, count: usize) {
        let mut free = self.0.0.lock().unwrap();
        *free = free.saturating_add(count);
        self.0.1.notify_all();
    }

    fn pass(&self) {
        let (free, changed) = &*self.0;
        let mut free = changed.wait_while(free.lock().unwrap(), |free| *free == 0).unwrap();
        *free -= 1;
    }
}

/// A node that sends every body back, once the turnstile lets it.
fn held_node() -> (Origin, Turnstile) {
    let turnstile = Turnstile::default();
    let ours = turnstile.clone();
    let node = Origin::start(move |call| {
        let body = call.body();
        ours.pass();
        call.answer(200, body)
    });
    (node, turnstile)
}

fn site(node: &Origin, most: u32) -> Site {
    Site::default().with_node(node.address(), &format!("max_in_flight: {most}"))
}

/// A number of the pool, as `bookend status` has it.
fn status(bookend: &Bookend, key: &str) -> u64 {
    let status: serde_json::Value = serde_json::from_slice(&bookend.ask("/status")).unwrap();
    status["pools"][0][key].as_u64().unwrap()
}

fn until_in_line(bookend: &Bookend, count: u64) {
    until(&format!("{count} wait for a place"), || status(bookend, "in_line") == count);
}

/// An exchange in a thread of its own.
fn ask(address: SocketAddr, target: &str) -> JoinHandle<Answer> {
    let target = target.to_owned();
    thread::spawn(move || fetch(address, &target))
}

/// A request that is at the node.
fn occupy(bookend: &Bookend, node: &Origin) -> JoinHandle<Answer> {
    let before = node.count();
    let asked = ask(bookend.address(), "/first");
    until("it is at the node", || node.count() == before + 1);
    asked
}

fn targets(node: &Origin) -> Vec<String> {
    let target = |line: &str| line.split(' ').nth(1).unwrap().to_owned();
    node.received().iter().map(|request| target(&request.first_line)).collect()
}

#[track_caller]
fn assert_is_shed(answer: &Answer) {
    assert_eq!(answer.status, 503, "{answer:?}");
    let seconds: u64 = answer.header("retry-after").unwrap().parse().unwrap();
    assert!((1..=3).contains(&seconds), "{seconds}");
}

#[test]
fn excess_is_told_by_a_process_that_got_no_time_for_longer_than_its_wait() {
    let (node, turnstile) = held_node();
    let site = site(&node, 1).with_pool("queue: { target: 1s }");
    let bookend = Bookend::start(&site);
    let served = occupy(&bookend, &node);
    let asked: Vec<_> = (0..10).map(|_| ask(bookend.address(), "/")).collect();
    // Some may have waited long enough on a machine that is slow.
    until("all have come", || status(&bookend, "in_line") + status(&bookend, "shed") == 10);
    bookend.signal(Signal::STOP);
    thread::sleep(Duration::from_millis(2_500));
    bookend.signal(Signal::CONT);
    for answer in asked {
        assert_is_shed(&answer.join().unwrap());
    }
    turnstile.let_through(1);
    assert_eq!(served.join().unwrap().status, 200);
}

#[test]
fn excess_is_told_within_300_ms() {
    for most in [1, 2, 8] {
        let (node, turnstile) = held_node();
        let bookend = Bookend::start(&site(&node, most));
        let served: Vec<_> = (0..most).map(|_| occupy(&bookend, &node)).collect();
        // All of them in time, unless the machine was busy with something else.
        eventually("the excess is told in time", || {
            let one = |_| {
                let address = bookend.address();
                thread::spawn(move || (Instant::now(), fetch(address, "/"), Instant::now()))
            };
            let asked: Vec<_> = (0..5).map(one).collect();
            let mut took: Vec<_> = Vec::new();
            for (began, answer, ended) in asked.into_iter().map(|asked| asked.join().unwrap()) {
                assert_is_shed(&answer);
                took.push(ended - began);
            }
            assert!(took.iter().all(|took| *took >= Duration::from_millis(190)), "{took:?}");
            took.iter().all(|took| *took <= SOON).then_some(())
        });
        assert_eq!(node.count(), usize::try_from(most).unwrap(), "the node got no more than it may");
        turnstile.let_through(8);
        assert!(served.into_iter().all(|asked| asked.join().unwrap().status == 200));
        let shed = status(&bookend, "shed");
        assert!(shed >= 5 && shed.is_multiple_of(5), "{shed}");
        assert_eq!(bookend.metric("bookend_pool_wait_seconds_count{end=\"shed\",pool=\"web\"}"), shed);
        let outcome = "bookend_requests_total{class=\"5xx\",node=\"none\",outcome=\"shed\",pool=\"web\",route=\"route-1\"}";
        assert_eq!(bookend.metric(outcome), shed);
        let said = bookend.command("status");
        let is_told = String::from_utf8_lossy(&said.stdout)
            .contains("pool web has more to do than its nodes can carry");
        assert!(is_told && !said.status.success(), "{said:?}");
        bookend.wait_for_log("outcome=shed attempts=0 nodes= cause=\"every node is full\"");
    }
}

#[test]
fn places_go_to_those_who_came_first() {
    let (node, turnstile) = held_node();
    let bookend = Bookend::start(&site(&node, 1).with_pool(PATIENT));
    let mut asked = vec![occupy(&bookend, &node)];
    for number in 1..=4 {
        asked.push(ask(bookend.address(), &format!("/{number}")));
        until_in_line(&bookend, number);
    }
    for served in 2..=5 {
        turnstile.let_through(1);
        until("the next one is at the node", || node.count() == served);
    }
    turnstile.let_through(1);
    assert!(asked.into_iter().all(|asked| asked.join().unwrap().status == 200));
    assert_eq!(targets(&node), ["/first", "/1", "/2", "/3", "/4"]);
    assert_eq!((status(&bookend, "in_line"), status(&bookend, "shed")), (0, 0));
    assert_eq!(bookend.metric("bookend_pool_wait_seconds_count{end=\"turn\",pool=\"web\"}"), 4);
}

/// One client with many requests, another with one; `connect` is given the client's number.
fn flood(
    site: &Site,
    node: &Origin,
    turnstile: &Turnstile,
    connect: impl Fn(SocketAddr, u8) -> Client,
    headers: &str,
) {
    let bookend = Bookend::start(site);
    let first = occupy(&bookend, node);
    let mut clients = Vec::new();
    for (number, target) in (0..50).map(|_| (2, "/flood")).chain([(3, "/other")]) {
        let mut client = connect(bookend.address(), number);
        let headers = headers.replace("N", &number.to_string());
        client.send(format!("GET {target} HTTP/1.1\r\nHost: a.test\r\n{headers}\r\n"));
        clients.push(client);
        until_in_line(&bookend, clients.len() as u64);
    }
    turnstile.let_through(2);
    until("two more are at the node", || node.count() == 3);
    assert_eq!(targets(node)[1..], ["/flood", "/other"]);
    turnstile.let_through(1);
    assert_eq!(clients.pop().unwrap().read_answer("GET").status, 200);
    turnstile.let_through(100);
    assert_eq!(first.join().unwrap().status, 200);
}

#[test]
fn flood_of_one_client_makes_nobody_else_wait() {
    let (node, turnstile) = held_node();
    let connect = |address, number| Client::connect_from(IpAddr::from([127, 0, 0, number]), address);
    flood(&site(&node, 1).with_pool(PATIENT), &node, &turnstile, connect, "");
}

#[test]
fn clients_behind_a_trusted_proxy_are_told_apart() {
    let (node, turnstile) = held_node();
    let site = site(&node, 1).with_pool(PATIENT).with_listener("trusted_proxies: [127.0.0.1]");
    flood(
        &site,
        &node,
        &turnstile,
        |address, _| Client::connect(address),
        "X-Forwarded-For: 2001:db8:0:N::1\r\n",
    );
}

#[test]
fn full_line_makes_room_for_another_client() {
    let (node, turnstile) = held_node();
    let bookend = Bookend::start(&site(&node, 1).with_pool("queue: { target: 10s, max_length: 3 }"));
    let first = occupy(&bookend, &node);
    let mut flood: Vec<_> = (0..3).map(|_| Client::connect(bookend.address())).collect();
    for (client, count) in flood.iter_mut().zip(1..) {
        client.send("GET /flood HTTP/1.1\r\nHost: a.test\r\n\r\n");
        until_in_line(&bookend, count);
    }
    assert_is_shed(&fetch(bookend.address(), "/"));
    let mut other = Client::connect_from(IpAddr::from([127, 0, 0, 2]), bookend.address());
    other.send("GET /other HTTP/1.1\r\nHost: a.test\r\n\r\n");
    assert_is_shed(&flood[2].read_answer("GET"));
    turnstile.let_through(9);
    assert_eq!(other.read_answer("GET").status, 200);
    assert_eq!(first.join().unwrap().status, 200);
}

#[test]
fn who_leaves_leaves_the_line_of_the_full() {
    let (node, turnstile) = held_node();
    let bookend = Bookend::start(&site(&node, 1).with_pool(PATIENT));
    let first = occupy(&bookend, &node);
    let mut clients: Vec<_> = (0..3).map(|_| Client::connect(bookend.address())).collect();
    clients[0].send("GET / HTTP/1.1\r\nHost: a.test\r\n\r\n");
    clients[1].send("POST / HTTP/1.1\r\nHost: a.test\r\nContent-Length: 5\r\n\r\nhello");
    clients[2].send("POST / HTTP/1.1\r\nHost: a.test\r\nContent-Length: 5\r\n\r\nhel");
    until_in_line(&bookend, 3);
    let last = ask(bookend.address(), "/last");
    until_in_line(&bookend, 4);
    drop(clients);
    until_in_line(&bookend, 1);
    turnstile.let_through(2);
    assert_eq!((first.join().unwrap().status, last.join().unwrap().status), (200, 200));
    assert_eq!(targets(&node), ["/first", "/last"]);
    assert_eq!(bookend.metric("bookend_pool_wait_seconds_count{end=\"left\",pool=\"web\"}"), 3);
}

/// Two nodes with one place each; the first fails what it is asked for as `/fails`.
fn failing_and_held() -> ([Origin; 2], [Turnstile; 2], Site) {
    let turnstiles = <[Turnstile; 2]>::default();
    let nodes = turnstiles.clone().map(|turnstile| {
        Origin::start(move |call| {
            call.body();
            turnstile.pass();
            let status = if call.target() == "/fails" { 500 } else { 200 };
            call.answer(status, "")
        })
    });
    let site = nodes.iter().fold(Site::default(), |s, node| s.with_node(node.address(), "max_in_flight: 1"));
    (nodes, turnstiles, site)
}

#[test]
fn fail_overs_go_before_newcomers() {
    let (nodes, turnstiles, site) = failing_and_held();
    let bookend = Bookend::start(&site.with_pool(PATIENT));
    let mut asked = vec![ask(bookend.address(), "/fails")];
    until("it is at the first node", || nodes[0].count() == 1);
    asked.push(ask(bookend.address(), "/other"));
    until("the other is at the second node", || nodes[1].count() == 1);
    for count in 1..=3 {
        asked.push(ask(bookend.address(), "/new"));
        until_in_line(&bookend, count);
    }
    turnstiles[0].let_through(1);
    until("the place at the first node goes to a newcomer", || nodes[0].count() == 2);
    until_in_line(&bookend, 3);
    turnstiles[1].let_through(1);
    until("the place at the second node is taken", || nodes[1].count() == 2);
    assert_eq!(targets(&nodes[1])[1], "/fails");
    turnstiles.iter().for_each(|turnstile| turnstile.let_through(9));
    let statuses: Vec<_> = asked.into_iter().map(|asked| asked.join().unwrap().status).collect();
    assert_eq!(statuses, [500, 200, 200, 200, 200]);
}

#[test]
fn answer_that_was_set_aside_goes_to_a_client_whose_fail_over_finds_no_place() {
    let (nodes, turnstiles, site) = failing_and_held();
    let bookend = Bookend::start(&site);
    let asked = ask(bookend.address(), "/fails");
    until("it is at the first node", || nodes[0].count() == 1);
    let other = ask(bookend.address(), "/other");
    until("the other is at the second node", || nodes[1].count() == 1);
    turnstiles[0].let_through(1);
    assert_eq!(asked.join().unwrap().status, 500);
    turnstiles[1].let_through(1);
    assert_eq!(other.join().unwrap().status, 200);
    assert_eq!(status(&bookend, "shed"), 1);
}

#[test]
fn bodies_that_wait_are_sent_whole_afterwards() {
    let (node, turnstile) = held_node();
    let bookend = Bookend::start(&site(&node, 1).with_pool(PATIENT));
    let first = occupy(&bookend, &node);
    let large = vec![b'x'; 100_000];
    let exchange = |method: &'static str, headers: &str, body: &[u8], pieces: &[&[u8]]| {
        let mut client = Client::connect(bookend.address());
        client.send(format!("{method} / HTTP/1.1\r\nHost: a.test\r\n{headers}\r\n"));
        pieces.iter().for_each(|piece| client.send(piece));
        (client, method, body.to_vec())
    };
    let mut asked = vec![
        exchange("POST", "Content-Length: 5\r\n", b"small", &[b"small"]),
        exchange("PUT", "Content-Length: 100000\r\n", &large, &[&large]),
        exchange("POST", "Content-Length: 100000\r\n", &large, &[&large[..70_000], &large[70_000..]]),
        exchange(
            "POST",
            "Transfer-Encoding: chunked\r\n",
            b"chunked",
            &[b"3\r\nchu\r\n", b"4\r\nnked\r\n0\r\n\r\n"],
        ),
        exchange("POST", "Content-Length: 0\r\n", b"", &[]),
    ];
    let mut half = exchange("POST", "Content-Length: 9\r\n", b"half half", &[b"half "]);
    until_in_line(&bookend, 6);
    turnstile.let_through(1);
    assert_eq!(first.join().unwrap().status, 200);
    half.0.send("half");
    asked.push(half);
    turnstile.let_through(6);
    for (mut client, method, body) in asked {
        let answer = client.read_answer(method);
        assert!(answer.status == 200 && answer.body == body, "{method} of {} bytes", body.len());
        turnstile.let_through(1);
        assert_eq!(client.get("/").status, 200, "the connection goes on");
    }
}

#[test]
fn connection_goes_on_after_a_503() {
    let (node, turnstile) = held_node();
    let bookend = Bookend::start(&site(&node, 1));
    let first = occupy(&bookend, &node);
    let mut clients: Vec<_> = (0..4).map(|_| Client::connect(bookend.address())).collect();
    let answers = [
        clients[0].get("/"),
        clients[1].request("POST", "/", "", b"an order"),
        clients[2].request("HEAD", "/", "", b""),
        clients[3].request("PUT", "/", "", &[b'x'; 100_000]),
    ];
    answers.iter().for_each(assert_is_shed);
    assert_eq!(answers.each_ref().map(Answer::closes), [false, false, false, true]);
    assert!(answers[2].body.is_empty());
    turnstile.let_through(4);
    assert_eq!(first.join().unwrap().status, 200);
    for client in &mut clients[..3] {
        assert_eq!(client.get("/").status, 200);
    }
    // What the client sends ahead while its request waits is its next request.
    let first = occupy(&bookend, &node);
    let mut ahead = Client::connect(bookend.address());
    ahead.send("GET / HTTP/1.1\r\nHost: a.test\r\n\r\nGET / HTTP/1.1\r\nHost: a.test\r\n\r\n");
    assert_is_shed(&ahead.read_answer("GET"));
    turnstile.let_through(2);
    assert_eq!((first.join().unwrap().status, ahead.read_answer("GET").status), (200, 200));
}

#[test]
fn old_clients_wait_and_are_told_as_well() {
    let (node, turnstile) = held_node();
    let bookend = Bookend::start(&site(&node, 1));
    let first = occupy(&bookend, &node);
    let mut old = Client::connect(bookend.address());
    old.send("GET / HTTP/1.0\r\n\r\n");
    assert_is_shed(&old.read_answer("GET"));
    assert!(old.is_closed_within(Duration::from_secs(5)));
    let mut expecting = Client::connect(bookend.address());
    expecting.send("POST / HTTP/1.1\r\nHost: a.test\r\nContent-Length: 5\r\nExpect: 100-continue\r\n\r\n");
    let head = expecting.read_head();
    assert_is_shed(&head);
    assert!(head.closes());
    turnstile.let_through(1);
    assert_eq!(first.join().unwrap().status, 200);
}

#[test]
fn reload_that_makes_room_lets_those_go_who_wait() {
    let (node, turnstile) = held_node();
    let bookend = Bookend::start(&site(&node, 1).with_pool(PATIENT));
    let mut asked = vec![occupy(&bookend, &node)];
    asked.extend((0..7).map(|_| ask(bookend.address(), "/")));
    until_in_line(&bookend, 7);
    assert_eq!(bookend.reload_site(&site(&node, 5).with_pool(PATIENT)), Reload::InForce);
    until("five are at the node", || node.count() == 5);
    until_in_line(&bookend, 3);
    assert_eq!(bookend.reload_site(&Site::of(&[&node])), Reload::InForce);
    until("all are at the node", || node.count() == 8);
    turnstile.let_through(8);
    assert!(asked.into_iter().all(|asked| asked.join().unwrap().status == 200));
}

#[test]
fn stop_lets_those_finish_who_wait_for_a_place() {
    let (node, turnstile) = held_node();
    let mut bookend = Bookend::start(&site(&node, 1).with_pool(PATIENT));
    let asked = [occupy(&bookend, &node), ask(bookend.address(), "/")];
    until_in_line(&bookend, 1);
    bookend.terminate();
    until("nobody is let in any more", || Client::try_connect(bookend.address()).is_err());
    turnstile.let_through(2);
    for asked in asked {
        let answer = asked.join().unwrap();
        assert!(answer.status == 200 && answer.closes());
    }
    assert!(bookend.wait().success());
}

#[test]
fn without_a_queue_a_full_node_is_503_at_once() {
    let (node, turnstile) = held_node();
    let bookend = Bookend::start(&site(&node, 1).with_pool("queue: off"));
    let first = occupy(&bookend, &node);
    eventually("it is told at once", || {
        let began = Instant::now();
        assert_is_shed(&fetch(bookend.address(), "/"));
        (began.elapsed() < Duration::from_millis(100)).then_some(())
    });
    turnstile.let_through(1);
    assert_eq!(first.join().unwrap().status, 200);
}

#[test]
fn backups_take_what_the_others_have_no_place_for() {
    let (nodes, turnstiles): (Vec<_>, Vec<_>) = (0..2).map(|_| held_node()).unzip();
    let site = site(&nodes[0], 2).with_node(nodes[1].address(), "tier: 1, max_in_flight: 1");
    let bookend = Bookend::start(&site.with_pool(PATIENT));
    let mut asked: Vec<_> = (0..2).map(|_| occupy(&bookend, &nodes[0])).collect();
    asked.push(occupy(&bookend, &nodes[1]));
    asked.push(ask(bookend.address(), "/"));
    until_in_line(&bookend, 1);
    turnstiles[1].let_through(1);
    until("the place at the backup is taken", || nodes[1].count() == 2);
    turnstiles.iter().for_each(|turnstile| turnstile.let_through(9));
    assert!(asked.into_iter().all(|asked| asked.join().unwrap().status == 200));
}

#[test]
fn drained_node_serves_the_line_of_one_that_was_killed_before_any_check_finds_out() {
    let (mut killed, turnstile) = held_node();
    let drained = Origin::answering("drained");
    let site = site(&killed, 2).with_node(drained.address(), "").with_pool("health_check: off");
    let bookend = Bookend::start(&site.with_pool(PATIENT));
    assert!(bookend.command("drain web/web-02 --reason test").status.success());
    let mut asked: Vec<_> = (0..2).map(|_| occupy(&bookend, &killed)).collect();
    for count in 1..=6 {
        asked.push(ask(bookend.address(), "/"));
        until_in_line(&bookend, count);
    }
    assert_eq!(drained.count(), 0, "it is the last resort");
    killed.stop();
    for asked in asked {
        let answer = asked.join().unwrap();
        assert_eq!((answer.status, answer.text()), (200, "drained"), "{answer:?}");
    }
    let load = Load::start(bookend.address(), 8);
    load.wait_for(200);
    assert_eq!(load.finish().into_keys().collect::<Vec<_>>(), ["drained"]);
    assert_eq!((status(&bookend, "in_line"), status(&bookend, "shed")), (0, 0));
    turnstile.let_through(2);
}

#[test]
fn drained_node_serves_while_one_whose_checks_fail_is_full() {
    let check = "health_check: { type: http, path: /check, interval: 50ms, fall: 2, rise: 1 }";
    let turnstile = Turnstile::default();
    let (ours, is_well) = (turnstile.clone(), Arc::new(AtomicBool::new(true)));
    let still = Arc::clone(&is_well);
    let node = Origin::start(move |call| match (call.target(), still.load(Ordering::Relaxed)) {
        ("/check", true) => call.answer(200, ""),
        ("/check", false) => call.answer(500, ""),
        _ => {
            ours.pass();
            call.answer(200, "held")
        }
    });
    let drained = Origin::answering("drained");
    let site = site(&node, 2).with_node(drained.address(), "").with_pool(check).with_pool(PATIENT);
    let bookend = Bookend::start(&site);
    assert!(bookend.command("drain web/web-02 --reason test").status.success());
    // Nobody takes these away from a node that is silent.
    let mut held = [Client::connect(bookend.address()), Client::connect(bookend.address())];
    for client in &mut held {
        client.send("POST / HTTP/1.1\r\nHost: a.test\r\nContent-Length: 0\r\n\r\n");
    }
    until("two are at the node", || targets(&node).iter().filter(|target| *target == "/").count() == 2);
    let waiting = ask(bookend.address(), "/");
    until_in_line(&bookend, 1);
    is_well.store(false, Ordering::Relaxed);
    assert_eq!(waiting.join().unwrap().text(), "drained", "those who wait go on");
    assert_eq!(fetch(bookend.address(), "/").text(), "drained", "so does who comes");
    turnstile.let_through(2);
    assert!(held.iter_mut().all(|client| client.read_answer("POST").text() == "held"));
    assert_eq!(status(&bookend, "shed"), 0);
}

#[test]
fn thousands_wait_in_little_memory_and_all_are_told() {
    const COUNT: usize = 2_000;
    let (node, turnstile) = held_node();
    let bookend = Bookend::start(&site(&node, 1).with_pool("queue: { target: 5s }"));
    let first = occupy(&bookend, &node);
    let before = bookend.peak_memory_kib();
    let mut clients: Vec<_> = (0..COUNT).map(|_| Client::connect(bookend.address())).collect();
    for client in &mut clients {
        client.stream().write_all(b"GET / HTTP/1.1\r\nHost: a.test\r\n\r\n").unwrap();
    }
    until("nearly all wait at once", || status(&bookend, "in_line") > COUNT as u64 / 2);
    for client in &mut clients {
        assert_is_shed(&client.read_answer("GET"));
    }
    let each = (bookend.peak_memory_kib() - before) / COUNT as u64;
    assert!(each < 64, "{each} KiB for each that waits");
    turnstile.let_through(1);
    assert_eq!(first.join().unwrap().status, 200);
    assert_eq!(status(&bookend, "in_line"), 0);
}
