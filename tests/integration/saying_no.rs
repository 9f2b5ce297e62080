//! What bookend answers itself: small, honest, of the kind the client asked for, with the request's id.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use crate::support::{Answer, Bookend, Client, Gate, Next, Origin, Site, fetch};

/// A kind of answer: what the client accepts, the type it gets, and how the body begins.
const KINDS: [(&str, &str, &str); 5] = [
    ("text/html,application/xhtml+xml;q=0.9,*/*;q=0.8", "text/html", "<!doctype html>"),
    ("application/json", "application/problem+json", "{"),
    ("application/problem+json, text/html;q=0.5", "application/problem+json", "{"),
    ("text/plain", "text/plain", ""),
    ("*/*", "text/plain", ""),
];

/// Asks for a page with each kind of `Accept`, and compares status, kind and id.
fn assert_says_no(address: SocketAddr, target: &str, status: u16) -> Answer {
    for (accept, kind, start) in KINDS {
        let headers = format!("Accept: {accept}\r\nX-Request-Id: test-4711\r\n");
        let answer = Client::connect(address).request("GET", target, &headers, b"");
        assert_eq!(answer.status, status, "{accept}");
        let media = answer.header("content-type").unwrap_or_default().to_owned();
        assert!(media.starts_with(kind), "{accept} got {media}");
        let text = answer.text().to_ascii_lowercase();
        assert!(text.starts_with(start), "{accept} got {text:?}");
        assert!(text.contains("test-4711"), "no id in {text:?}");
        assert!(answer.body.len() < 4_096, "{} bytes to say no", answer.body.len());
        assert_eq!(answer.header("x-request-id"), Some("test-4711"));
    }
    fetch(address, target)
}

#[test]
fn no_route_is_404() {
    let node = Origin::answering("hello");
    let bookend = Bookend::start(&Site::of(&[&node]).with_route("path: /only"));
    assert_says_no(bookend.address(), "/other", 404);
}

#[test]
fn no_node_is_503_with_retry_after() {
    let absent = Origin::absent();
    let bookend = Bookend::start(&Site::of(&[&absent]).with_pool("health_check: off"));
    let answer = assert_says_no(bookend.address(), "/", 503);
    let seconds: u64 = answer.header("retry-after").unwrap().parse().unwrap();
    assert!((1..=60).contains(&seconds), "Retry-After: {seconds}");
}

#[test]
fn broken_node_is_502() {
    let node = Origin::start(|call| call.reset());
    let bookend = Bookend::start(&Site::of(&[&node]));
    assert_says_no(bookend.address(), "/", 502);
}

#[test]
fn upgrade_that_nobody_asked_for_is_not_passed_on() {
    let attempts = Arc::new(AtomicUsize::new(0));
    let nodes = [Arc::clone(&attempts), attempts].map(|attempts| {
        Origin::start(move |call| {
            if attempts.fetch_add(1, Ordering::SeqCst) % 2 == 1 {
                return call.answer(200, "hello");
            }
            call.body();
            call.write("HTTP/1.1 101 X\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n");
            call.wait_for_the_end();
            Next::Close
        })
    });
    let bookend = Bookend::start(&Site::of(&nodes.each_ref()));
    assert_eq!(fetch(bookend.address(), "/").text(), "hello");
    let answer = Client::connect(bookend.address()).request("POST", "/", "", b"hello");
    assert_eq!(answer.status, 502);
}

#[test]
fn silent_node_is_504() {
    let gate = Gate::default();
    let closed = gate.clone();
    let node = Origin::start(move |call| {
        call.body();
        closed.pass();
        Next::Close
    });
    let bookend = Bookend::start(&Site::of(&[&node]).with_pool("timeouts: { first_byte: 200ms }"));
    assert_says_no(bookend.address(), "/", 504);
    gate.open();
}

#[test]
fn nonsense_of_a_client_is_400() {
    let node = Origin::answering("hello");
    let bookend = Bookend::start(&Site::of(&[&node]));
    for nonsense in [
        "GET / HTTP/1.1\r\nHost: site.test\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nxx",
        "GET / HTTP/1.1\r\nno colon\r\n\r\n",
        "\x16\x03\x01\x02\x00\x01\x00\x01\r\n\r\n",
        "GET /\r\n\r\n",
        "GET  /x HTTP/1.1\r\nHost: site.test\r\n\r\n",
    ] {
        let mut client = Client::connect(bookend.address());
        client.send(nonsense);
        assert_eq!(client.read_answer("GET").status, 400, "{nonsense:?}");
    }
    assert_eq!(node.count(), 0);
}

#[test]
fn request_that_does_not_say_one_host_is_400() {
    let node = Origin::answering("hello");
    let bookend = Bookend::start(&Site::of(&[&node]));
    for hosts in ["", "Host: a.test\r\nHost: b.test\r\n"] {
        let mut client = Client::connect(bookend.address());
        client.send(format!("GET / HTTP/1.1\r\n{hosts}Accept: */*\r\n\r\n"));
        assert_eq!(client.read_answer("GET").status, 400, "{hosts:?}");
    }
    assert_eq!(node.count(), 0);
}

#[test]
fn answer_to_head_has_no_body() {
    let absent = Origin::absent();
    let bookend = Bookend::start(&Site::of(&[&absent]).with_pool("health_check: off"));
    let mut client = Client::connect(bookend.address());
    assert_eq!(client.request("HEAD", "/", "", b"").status, 503);
    if !client.is_closed_within(std::time::Duration::from_millis(100)) {
        assert_eq!(client.request("HEAD", "/", "", b"").status, 503);
    }
}

#[test]
fn made_up_id_is_the_one_the_client_reads() {
    let node = Origin::answering("hello");
    let bookend = Bookend::start(&Site::of(&[&node]).with_route("path: /only"));
    let answer = fetch(bookend.address(), "/other");
    let id = answer.header("x-request-id").unwrap();
    assert!(answer.text().contains(id), "{id} is not in {:?}", answer.text());
}

#[test]
fn connection_stays_usable_after_a_no() {
    let node = Origin::answering("hello");
    let bookend = Bookend::start(&Site::of(&[&node]).with_route("path: /only"));
    let mut client = Client::connect(bookend.address());
    assert_eq!(client.get("/other").status, 404);
    assert_eq!(client.get("/only").status, 200);
}
