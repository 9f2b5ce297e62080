//! Requests that wait while no node takes any.

use std::net::SocketAddr;
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use crate::support::{Bookend, Client, Origin, Site, fetch, until};

/// How many requests wait, as `bookend status` would count them.
fn waiting(bookend: &Bookend) -> u64 {
    let output = bookend.command("status --json");
    let status: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    status["pools"][0]["waiting"].as_u64().unwrap()
}

fn ask(address: SocketAddr, method: &'static str, body: &'static [u8]) -> JoinHandle<(u16, String)> {
    thread::spawn(move || {
        let answer = Client::connect(address).request(method, "/", "", body);
        (answer.status, answer.text().to_owned())
    })
}

#[test]
fn requests_wait_for_the_first_node_to_come_back() {
    let mut nodes = [Origin::absent(), Origin::absent()];
    for node in &nodes {
        node.now_does(|call| {
            let body = call.body();
            call.answer(200, body)
        });
    }
    let bookend = Bookend::start(&Site::of(&nodes.each_ref()));
    let address = bookend.address();
    let mut asked = vec![ask(address, "GET", b"")];
    asked.extend((0..10).map(|_| ask(address, "POST", b"an order")));
    asked.extend((0..10).map(|_| ask(address, "PUT", b"a change")));
    until("all of them wait", || waiting(&bookend) == 21);
    nodes[1].restart();
    let answers: Vec<_> = asked.into_iter().map(|asked| asked.join().unwrap()).collect();
    assert_eq!(answers[0], (200, String::new()));
    assert!(answers[1..11].iter().all(|answer| *answer == (200, "an order".to_owned())), "{answers:?}");
    assert!(answers[11..].iter().all(|answer| *answer == (200, "a change".to_owned())), "{answers:?}");
    assert_eq!(nodes[1].count(), 21, "each ran once");
    assert_eq!(waiting(&bookend), 0);
}

#[test]
fn nobody_waits_for_longer_than_allowed() {
    let absent = Origin::absent();
    let bookend = Bookend::start(&Site::of(&[&absent]).with_pool("queue: { max_wait: 400ms }"));
    let began = Instant::now();
    let answer = fetch(bookend.address(), "/");
    assert_eq!(answer.status, 503);
    assert!(answer.header("retry-after").is_some());
    assert!(began.elapsed() >= Duration::from_millis(400));
}

#[test]
fn line_is_as_long_as_allowed_and_no_longer() {
    let mut absent = Origin::absent();
    let bookend = Bookend::start(&Site::of(&[&absent]).with_pool("queue: { max_wait: 60s, max_length: 3 }"));
    let asked: Vec<_> = (0..3).map(|_| ask(bookend.address(), "GET", b"")).collect();
    until("three wait", || waiting(&bookend) == 3);
    assert_eq!(fetch(bookend.address(), "/").status, 503);
    absent.restart();
    assert!(asked.into_iter().all(|asked| asked.join().unwrap() == (200, "back".to_owned())));
}

#[test]
fn who_leaves_leaves_the_line() {
    let absent = Origin::absent();
    let bookend = Bookend::start(&Site::of(&[&absent]).with_pool("queue: { max_wait: 60s }"));
    let mut clients: Vec<_> = (0..4).map(|_| Client::connect(bookend.address())).collect();
    clients[0].send("GET / HTTP/1.1\r\nHost: site.test\r\n\r\n");
    clients[1].send("POST / HTTP/1.1\r\nHost: site.test\r\nContent-Length: 5\r\n\r\nhello");
    clients[2].send("PUT / HTTP/1.1\r\nHost: site.test\r\nContent-Length: 50000\r\n\r\n");
    clients[2].send([b'x'; 50_000]);
    clients[3].send("POST / HTTP/1.1\r\nHost: site.test\r\nContent-Length: 5\r\n\r\nhel");
    until("all of them wait", || waiting(&bookend) == 4);
    drop(clients);
    until("nobody waits", || waiting(&bookend) == 0);
}

#[test]
fn reload_leaves_nobody_behind() {
    let mut absent = Origin::absent();
    let site = Site::of(&[&absent]).with_pool("queue: { max_wait: 60s }");
    let bookend = Bookend::start(&site);
    let asked = ask(bookend.address(), "POST", b"an order");
    until("it waits", || waiting(&bookend) == 1);
    bookend.reload_site(&site.with_pool("slow_start: 1s"));
    assert_eq!(waiting(&bookend), 1);
    absent.restart();
    assert_eq!(asked.join().unwrap(), (200, "back".to_owned()));
}

#[test]
fn waiting_can_be_turned_off() {
    let absent = Origin::absent();
    let bookend = Bookend::start(&Site::of(&[&absent]).with_pool("queue: off"));
    let began = Instant::now();
    assert_eq!(fetch(bookend.address(), "/").status, 503);
    assert!(began.elapsed() < Duration::from_secs(4));
}
