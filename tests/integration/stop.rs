//! SIGTERM and SIGINT: what is under way finishes, nothing else keeps the process.

use std::net::TcpStream;
use std::time::{Duration, Instant};

use rustix::process::Signal;

use crate::support::{Bookend, Client, Gate, Next, Origin, Site, until};

/// A node that answers when the gate opens.
fn slow_node(gate: &Gate) -> Origin {
    let gate = gate.clone();
    Origin::start(move |call| {
        call.body();
        gate.pass();
        call.answer(200, "finished")
    })
}

#[test]
fn idle_bookend_stops_at_once() {
    for signal in [Signal::TERM, Signal::INT] {
        let node = Origin::answering("a");
        let mut bookend = Bookend::start(&Site::of(&[&node]));
        let mut idle = Client::connect(bookend.address());
        assert_eq!(idle.get("/").status, 200);
        let start = Instant::now();
        bookend.signal(signal);
        assert!(bookend.wait().success());
        assert!(start.elapsed() < Duration::from_secs(3), "{signal:?} took {:?}", start.elapsed());
        assert!(idle.is_closed_within(Duration::from_secs(1)));
        assert!(bookend.logs().contains("stopped"));
    }
}

#[test]
fn request_under_way_finishes() {
    let gate = Gate::default();
    let node = slow_node(&gate);
    let mut bookend = Bookend::start(&Site::of(&[&node]));
    let mut client = Client::connect(bookend.address());
    client.send("GET / HTTP/1.1\r\nHost: site.test\r\n\r\n");
    until("the node has it", || node.count() == 1);
    bookend.terminate();
    until("new connections are refused", || TcpStream::connect(bookend.address()).is_err());
    gate.open();
    let answer = client.read_answer("GET");
    assert_eq!(answer.text(), "finished");
    assert!(answer.closes(), "the client learns that the connection ends: {:?}", answer.headers);
    assert!(bookend.wait().success());
}

#[test]
fn request_whose_head_has_begun_is_answered() {
    let node = Origin::answering("hello");
    let mut bookend = Bookend::start(&Site::of(&[&node]));
    let mut idle = Client::connect(bookend.address());
    assert_eq!(idle.get("/").status, 200);
    let mut client = Client::connect(bookend.address());
    assert_eq!(client.get("/").status, 200);
    client.send("GET / HTTP/1.1\r\nHost: si");
    // It reads in the order in which things come; what comes here is behind.
    assert_eq!(Client::connect(bookend.address()).get("/").status, 200);
    bookend.terminate();
    assert!(idle.is_closed_within(Duration::from_secs(5)), "nothing is under way there");
    client.send("te.test\r\n\r\n");
    let answer = client.read_answer("GET");
    assert_eq!(answer.text(), "hello");
    assert!(answer.closes(), "the client learns that the connection ends: {:?}", answer.headers);
    assert!(bookend.wait().success());
}

#[test]
fn request_sent_before_the_stop_is_answered() {
    for _ in 0..5 {
        let node = Origin::answering("hello");
        let mut bookend = Bookend::start(&Site::of(&[&node]));
        let mut clients: Vec<Client> = (0..40).map(|_| Client::connect(bookend.address())).collect();
        for client in &mut clients {
            client.send("GET / HTTP/1.1\r\nHost: site.test\r\n\r\n");
        }
        bookend.terminate();
        for client in &mut clients {
            assert_eq!(client.read_answer("GET").text(), "hello");
        }
        assert!(bookend.wait().success());
    }
}

#[test]
fn body_under_way_finishes() {
    let gate = Gate::default();
    let closed = gate.clone();
    let node = Origin::start(move |call| {
        call.write("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nfirst");
        closed.pass();
        call.write("other");
        Next::KeepAlive
    });
    let mut bookend = Bookend::start(&Site::of(&[&node]));
    let mut client = Client::connect(bookend.address());
    client.send("GET / HTTP/1.1\r\nHost: site.test\r\n\r\n");
    client.read_head();
    assert_eq!(client.read_exactly(5), b"first");
    bookend.terminate();
    until("new connections are refused", || TcpStream::connect(bookend.address()).is_err());
    gate.open();
    assert_eq!(client.read_exactly(5), b"other");
    assert!(bookend.wait().success());
}

#[test]
fn upload_under_way_finishes() {
    let node = Origin::answering("got it");
    let mut bookend = Bookend::start(&Site::of(&[&node]));
    let mut client = Client::connect(bookend.address());
    client.send("POST / HTTP/1.1\r\nHost: site.test\r\nContent-Length: 10\r\n\r\nhello");
    until("the node has its head", || node.count() == 1);
    bookend.terminate();
    until("new connections are refused", || TcpStream::connect(bookend.address()).is_err());
    client.send("world");
    assert_eq!(client.read_answer("POST").text(), "got it");
    assert!(bookend.wait().success());
}

#[test]
fn request_that_takes_longer_than_the_grace_period_is_cut() {
    let gate = Gate::default();
    let node = slow_node(&gate);
    let site = Site::of(&[&node]).with_top("server: { grace_period: 1s }");
    let mut bookend = Bookend::start(&site);
    let mut client = Client::connect(bookend.address());
    client.send("GET / HTTP/1.1\r\nHost: site.test\r\n\r\n");
    until("the node has it", || node.count() == 1);
    let start = Instant::now();
    bookend.terminate();
    bookend.wait();
    let took = start.elapsed();
    gate.open();
    assert!((900..8_000).contains(&took.as_millis()), "after {took:?}");
}

#[test]
fn shutdown_delay_lets_others_look_away_first() {
    let node = Origin::answering("a");
    let site = Site::of(&[&node]).with_top("server: { shutdown_delay: 1s }");
    let mut bookend = Bookend::start(&site);
    let start = Instant::now();
    bookend.terminate();
    bookend.wait_for_log("stopping");
    let mut served = 0;
    while let Ok(mut client) = Client::try_connect(bookend.address()) {
        if client.try_request("GET", "/", "", b"").is_ok_and(|answer| answer.status == 200) {
            served += 1;
        }
    }
    assert!(served > 0, "no new request was served");
    assert!(bookend.wait().success());
    assert!(start.elapsed() >= Duration::from_millis(900), "after {:?}", start.elapsed());
}
