//! Answers and connections that last: events, upgrades, interim answers, small writes.

use std::io::{ErrorKind, Read, Write};
use std::net::Shutdown;
use std::time::{Duration, Instant};

use crate::support::{Bookend, Client, Gate, Next, Origin, Site, request_bytes};

#[test]
fn event_arrives_while_the_node_keeps_its_answer_open() {
    let gate = Gate::default();
    let closed = gate.clone();
    let node = Origin::start(move |call| {
        call.write(
            "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n",
        );
        call.write("9\r\ndata: 1\n\n\r\n");
        closed.pass();
        call.write("9\r\ndata: 2\n\n\r\n0\r\n\r\n");
        Next::KeepAlive
    });
    let bookend = Bookend::start(&Site::of(&[&node]));
    let mut client = Client::connect(bookend.address());
    client.send("GET /events HTTP/1.1\r\nHost: site.test\r\nAccept: text/event-stream\r\n\r\n");
    assert_eq!(client.read_head().header("content-type"), Some("text/event-stream"));
    assert_eq!(client.read_chunk(), b"data: 1\n\n");
    gate.open();
    assert_eq!(client.read_chunk(), b"data: 2\n\n");
    assert_eq!(client.read_chunk(), b"");
}

#[test]
fn events_may_be_further_apart_than_other_answers_pieces() {
    let node = Origin::start(|call| {
        call.write(
            "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n",
        );
        std::thread::sleep(Duration::from_millis(800));
        call.write("9\r\ndata: 1\n\n\r\n0\r\n\r\n");
        Next::KeepAlive
    });
    let site = Site::of(&[&node]).with_pool("timeouts: { between_bytes: 200ms }");
    let bookend = Bookend::start(&site);
    assert_eq!(Client::connect(bookend.address()).get("/events").text(), "data: 1\n\n");
}

#[test]
fn client_that_has_no_more_to_ask_is_answered() {
    let node = Origin::start(|call| {
        std::thread::sleep(Duration::from_millis(200));
        call.write("HTTP/1.1 200 OK\r\nContent-Length: 23\r\n\r\nfirst ");
        // As long as something comes, nobody can say that it has left.
        for piece in "other other other".as_bytes().chunks(1) {
            std::thread::sleep(Duration::from_millis(100));
            call.write(piece);
        }
        Next::KeepAlive
    });
    let bookend = Bookend::start(&Site::of(&[&node]));
    let mut client = Client::connect(bookend.address());
    client.send(request_bytes("GET", "/1", "", b"").repeat(2));
    client.stream().shutdown(Shutdown::Write).unwrap();
    for _ in 0..2 {
        assert_eq!(client.read_answer("GET").text(), "first other other other");
    }
}

#[test]
fn client_that_has_no_more_to_ask_and_gets_nothing_has_left() {
    let node = Origin::start(|call| {
        call.wait_for_the_end();
        Next::Close
    });
    let bookend = Bookend::start(&Site::of(&[&node]));
    let mut client = Client::connect(bookend.address());
    client.send(request_bytes("GET", "/", "", b""));
    client.stream().shutdown(Shutdown::Write).unwrap();
    assert!(client.is_closed_within(Duration::from_secs(10)));
}

#[test]
fn first_bytes_of_a_slow_answer_leave_at_once() {
    let gate = Gate::default();
    let closed = gate.clone();
    let node = Origin::start(move |call| {
        call.write("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nfirst");
        closed.pass();
        call.write("other");
        Next::KeepAlive
    });
    let bookend = Bookend::start(&Site::of(&[&node]));
    let mut client = Client::connect(bookend.address());
    client.send("GET / HTTP/1.1\r\nHost: site.test\r\n\r\n");
    assert_eq!(client.read_head().status, 200);
    assert_eq!(client.read_exactly(5), b"first");
    gate.open();
    assert_eq!(client.read_exactly(5), b"other");
}

#[test]
fn answer_that_stalls_longer_than_allowed_is_cut() {
    let gate = Gate::default();
    let closed = gate.clone();
    let node = Origin::start(move |call| {
        call.write("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nfirst");
        closed.pass();
        Next::Close
    });
    let bookend = Bookend::start(&Site::of(&[&node]).with_pool("timeouts: { between_bytes: 300ms }"));
    let answer = Client::connect(bookend.address()).try_request("GET", "/", "", b"");
    gate.open();
    assert!(answer.is_err(), "half an answer looks whole: {answer:?}");
}

#[test]
fn first_byte_may_take_longer_than_the_gaps_between_bytes() {
    let node = Origin::start(|call| {
        call.body();
        std::thread::sleep(Duration::from_millis(800));
        call.answer(200, "slow report")
    });
    let bookend = Bookend::start(&Site::of(&[&node]).with_pool("timeouts: { between_bytes: 200ms }"));
    assert_eq!(Client::connect(bookend.address()).get("/").text(), "slow report");
}

const UPGRADE: &str = "GET /chat HTTP/1.1\r\nHost: site.test\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
                       Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n";

fn chat() -> Origin {
    Origin::start(|call| {
        assert!(call.request.headers.has_token("upgrade", "websocket"), "no upgrade: {:?}", call.request);
        call.write("HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n");
        call.write("Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n");
        call.echo()
    })
}

#[test]
fn websocket_passes_both_ways() {
    let node = chat();
    let bookend = Bookend::start(&Site::of(&[&node]));
    let mut client = Client::connect(bookend.address());
    client.send(UPGRADE);
    let head = client.read_head();
    assert_eq!(head.status, 101);
    assert!(head.headers.has_token("upgrade", "websocket"));
    for message in ["one", "two", "three"] {
        client.send(message);
        assert_eq!(client.read_exactly(message.len()), message.as_bytes());
    }
}

#[test]
fn bytes_ahead_of_an_upgrade_reach_the_node_after_it() {
    let node = chat();
    let bookend = Bookend::start(&Site::of(&[&node]));
    let mut client = Client::connect(bookend.address());
    client.send([UPGRADE.as_bytes(), b"\x81\x05early\n\n"].concat());
    assert_eq!(client.read_head().status, 101);
    client.send(b"\x81\x04late");
    assert_eq!(client.read_exactly(15), b"\x81\x05early\n\n\x81\x04late");
}

#[test]
fn bytes_ahead_of_an_upgrade_that_is_declined_are_the_next_request() {
    let node = Origin::answering("no");
    let bookend = Bookend::start(&Site::of(&[&node]));
    let mut client = Client::connect(bookend.address());
    client.send(format!("{UPGRADE}GET /next HTTP/1.1\r\nHost: site.test\r\n\r\n\x01"));
    assert_eq!(client.read_answer("GET").status, 200);
    assert_eq!(client.read_answer("GET").status, 200);
    assert_eq!(client.read_answer("GET").status, 400);
    let targets: Vec<_> = node.received().into_iter().map(|request| request.first_line).collect();
    assert_eq!(targets, ["GET /chat HTTP/1.1", "GET /next HTTP/1.1"]);
}

#[test]
fn websocket_outlives_every_read_timeout() {
    let node = chat();
    let site = Site::of(&[&node])
        .with_pool("timeouts: { first_byte: 300ms, between_bytes: 300ms, write: 300ms }")
        .with_listener("timeouts: { head: 300ms, body: 300ms, write: 300ms, keep_alive: 300ms }");
    let bookend = Bookend::start(&site);
    let mut client = Client::connect(bookend.address());
    client.send(UPGRADE);
    assert_eq!(client.read_head().status, 101);
    assert!(!client.is_closed_within(Duration::from_millis(1_200)), "an idle websocket was closed");
    client.send("still here");
    assert_eq!(client.read_exactly(10), b"still here");
}

#[test]
fn client_that_expects_100_gets_it_before_its_body() {
    let node = Origin::start(|call| {
        call.write("HTTP/1.1 100 Continue\r\n\r\n");
        let body = call.body();
        call.answer(200, body)
    });
    let bookend = Bookend::start(&Site::of(&[&node]));
    let mut client = Client::connect(bookend.address());
    client.send("PUT / HTTP/1.1\r\nHost: site.test\r\nExpect: 100-continue\r\nContent-Length: 5\r\n\r\n");
    assert_eq!(client.read_head().status, 100);
    client.send("hello");
    assert_eq!(client.read_answer("PUT").text(), "hello");
}

#[test]
fn node_that_refuses_an_expected_body_is_heard_before_it_is_sent() {
    let node = Origin::start(|call| {
        call.write("HTTP/1.1 401 X\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
        Next::Close
    });
    let bookend = Bookend::start(&Site::of(&[&node]));
    let mut client = Client::connect(bookend.address());
    client.send("PUT / HTTP/1.1\r\nHost: site.test\r\nExpect: 100-continue\r\nContent-Length: 5\r\n\r\n");
    assert_eq!(client.read_head().status, 401);
}

#[test]
fn small_answers_wait_for_no_acknowledgement() {
    let node = Origin::start(|call| {
        call.write("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n");
        call.write("\r\n");
        call.write("hello");
        Next::KeepAlive
    });
    let bookend = Bookend::start(&Site::of(&[&node]));
    let mut client = Client::connect(bookend.address());
    client.get("/");
    let mut times: Vec<Duration> = (0..50)
        .map(|_| {
            let start = Instant::now();
            assert_eq!(client.get("/").text(), "hello");
            start.elapsed()
        })
        .collect();
    times.sort();
    // Nagle against delayed acknowledgement is 40 ms on every request, not on an unlucky one.
    assert!(times[25] < Duration::from_millis(30), "half of the answers took {:?} or more", times[25]);
}

#[test]
fn request_in_small_pieces_is_a_request() {
    let node = Origin::answering("hello");
    let bookend = Bookend::start(&Site::of(&[&node]));
    let mut client = Client::connect(bookend.address());
    for byte in b"GET / HTTP/1.1\r\nHost: site.test\r\n\r\n" {
        client.stream().write_all(&[*byte]).unwrap();
    }
    assert_eq!(client.read_answer("GET").text(), "hello");
}

#[test]
fn big_answer_arrives_whole_at_a_slow_reader() {
    let body: Vec<u8> = (0..=255).cycle().take(8 << 20).collect();
    let expected = body.clone();
    let node = Origin::start(move |call| call.answer(200, &body));
    let bookend = Bookend::start(&Site::of(&[&node]));
    let mut client = Client::connect(bookend.address());
    client.send("GET / HTTP/1.1\r\nHost: site.test\r\n\r\n");
    client.read_head();
    let mut got = Vec::new();
    while got.len() < expected.len() {
        got.extend(client.read_exactly(1 << 20));
        std::thread::sleep(Duration::from_millis(20));
    }
    assert!(got == expected, "the answer changed on its way");
}

#[test]
fn events_go_on_while_the_body_of_the_request_stalls() {
    let gate = Gate::default();
    let closed = gate.clone();
    let node = Origin::start(move |call| {
        call.write(
            "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n",
        );
        call.write("9\r\ndata: 1\n\n\r\n");
        closed.pass();
        call.write("9\r\ndata: 2\n\n\r\n");
        Next::KeepAlive
    });
    let bookend = Bookend::start(&Site::of(&[&node]).with_listener("timeouts: { body: 300ms }"));
    let mut client = Client::connect(bookend.address());
    client.send("POST /events HTTP/1.1\r\nHost: site.test\r\nContent-Length: 10\r\n\r\nhello");
    assert_eq!(client.read_head().status, 200);
    assert_eq!(client.read_chunk(), b"data: 1\n\n");
    assert!(!client.has_data_within(Duration::from_millis(1_200)), "the answer was cut");
    gate.open();
    assert_eq!(client.read_chunk(), b"data: 2\n\n");
}

/// A node whose answer has no length: `hello`, and then, when the gate opens, ` world` and a proper end, or a reset.
fn unmeasured(gate: &Gate) -> Origin {
    let gate = gate.clone();
    Origin::start(move |call| {
        let (is_chunked, is_cut) = (call.target().contains("chunked"), call.target().contains("cut"));
        if is_chunked {
            call.write("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n");
        } else {
            call.write("HTTP/1.1 200 OK\r\nConnection: close\r\n\r\nhello");
        }
        gate.pass();
        match (is_cut, is_chunked) {
            (true, _) => return Next::Reset,
            (false, true) => call.write("6\r\n world\r\n0\r\n\r\n"),
            (false, false) => call.write(" world"),
        }
        Next::Close
    })
}

#[test]
fn http_1_0_client_gets_an_answer_that_ends_with_its_connection() {
    for target in ["/chunked", "/close"] {
        let gate = Gate::default();
        let node = unmeasured(&gate);
        let bookend = Bookend::start(&Site::of(&[&node]));
        let mut client = Client::connect(bookend.address());
        client.send(format!("GET {target} HTTP/1.0\r\nHost: site.test\r\nConnection: keep-alive\r\n\r\n"));
        gate.open();
        let answer = client.read_answer("GET");
        assert_eq!(answer.header("transfer-encoding"), None, "{target}");
        assert_eq!(answer.text(), "hello world", "{target}");
    }
}

#[test]
fn cut_answer_never_looks_complete_to_an_http_1_0_client() {
    for target in ["/chunked/cut", "/close/cut"] {
        let gate = Gate::default();
        let node = unmeasured(&gate);
        let bookend = Bookend::start(&Site::of(&[&node]));
        let mut client = Client::connect(bookend.address());
        client.send(format!("GET {target} HTTP/1.0\r\nHost: site.test\r\n\r\n"));
        assert_eq!(client.read_head().header("transfer-encoding"), None, "{target}");
        assert_eq!(client.read_exactly(5), b"hello", "{target}");
        gate.open();
        let end = client.stream().read(&mut [0]).expect_err("a clean end");
        assert_eq!(end.kind(), ErrorKind::ConnectionReset, "{target}");
    }
}
