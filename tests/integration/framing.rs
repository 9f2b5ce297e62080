//! Where messages end: whole answers of every kind, and requests that two readers could read in two ways.

use std::time::Duration;

use crate::support::{Bookend, Client, Next, Origin, Site};

/// A bookend in front of one node that answers with what follows the `/` of the target as its body.
fn echo_of_target() -> (Bookend, Origin) {
    let node = Origin::start(|call| {
        let body = call.target().trim_start_matches('/').to_owned();
        call.answer(200, body)
    });
    (Bookend::start(&Site::of(&[&node])), node)
}

#[test]
fn answers_without_a_body_end_at_once() {
    let node = Origin::start(|call| {
        call.body();
        match call.target() {
            "/204" => call.write("HTTP/1.1 204 No Content\r\n\r\n"),
            "/304" => call.write("HTTP/1.1 304 Not Modified\r\nETag: \"1\"\r\nContent-Length: 5\r\n\r\n"),
            _ => return call.answer(200, "hello"),
        }
        Next::KeepAlive
    });
    let bookend = Bookend::start(&Site::of(&[&node]));
    let mut client = Client::connect(bookend.address());
    for _ in 0..2 {
        assert_eq!(client.get("/204").status, 204);
        assert_eq!(client.get("/304").status, 304);
        let head = client.request("HEAD", "/", "", b"");
        assert_eq!((head.status, head.header("content-length")), (200, Some("5")));
        assert_eq!(client.get("/").text(), "hello");
    }
}

#[test]
fn answer_that_ends_with_its_connection_is_whole() {
    let node = Origin::start(|call| {
        call.body();
        call.write("HTTP/1.1 200 OK\r\nConnection: close\r\n\r\nhello");
        Next::Close
    });
    let bookend = Bookend::start(&Site::of(&[&node]));
    assert_eq!(Client::connect(bookend.address()).get("/").text(), "hello");
}

#[test]
fn answer_in_chunks_arrives_whole() {
    let node = Origin::start(|call| {
        call.body();
        call.write("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5;x=y\r\nhello\r\n");
        call.write("6\r\n world\r\n0\r\n\r\n");
        Next::KeepAlive
    });
    let bookend = Bookend::start(&Site::of(&[&node]));
    let mut client = Client::connect(bookend.address());
    for _ in 0..3 {
        assert_eq!(client.get("/").text(), "hello world");
    }
}

#[test]
fn client_of_http_1_0_is_served() {
    let (bookend, _node) = echo_of_target();
    let mut client = Client::connect(bookend.address());
    client.send("GET /old HTTP/1.0\r\n\r\n");
    assert_eq!(client.read_answer("GET").text(), "old");
    assert!(client.is_closed_within(Duration::from_secs(5)));
}

#[test]
fn client_that_wants_the_connection_closed_gets_it_closed() {
    let (bookend, _node) = echo_of_target();
    let mut client = Client::connect(bookend.address());
    let answer = client.request("GET", "/last", "Connection: close\r\n", b"");
    assert_eq!(answer.text(), "last");
    assert!(answer.closes());
    assert!(client.is_closed_within(Duration::from_secs(5)));
}

#[test]
fn absolute_target_names_the_host() {
    let (bookend, node) = echo_of_target();
    let mut client = Client::connect(bookend.address());
    client.send("GET http://shop.test/x HTTP/1.1\r\nHost: shop.test\r\n\r\n");
    assert_eq!(client.read_answer("GET").status, 200);
    assert_eq!(node.only_request().headers.one("host"), Some("shop.test"));
}

#[test]
fn nothing_is_smuggled_past_an_ambiguous_length() {
    let hidden = "GET /smuggled HTTP/1.1\r\nHost: site.test\r\n\r\n";
    let heads = [
        "Content-Length: 4\r\nTransfer-Encoding: chunked\r\n",
        "Transfer-Encoding: chunked\r\nContent-Length: 4\r\n",
        "Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n",
        "Transfer-Encoding: xchunked\r\n",
        "Transfer-Encoding:\x0bchunked\r\n",
        "Content-Length: 0\r\nContent-Length: 4\r\n",
        "Content-Length: +4\r\n",
        "Content-Length: 4 4\r\n",
        "Content-Length : 4\r\n",
    ];
    for head in heads {
        let (bookend, node) = echo_of_target();
        let mut client = Client::connect(bookend.address());
        client.send(format!("POST /first HTTP/1.1\r\nHost: site.test\r\n{head}\r\n0\r\n\r\n{hidden}"));
        let _ = client.try_read_answer("POST");
        let _ = client.try_read_answer("GET");
        // However bookend reads it, the node must read it the same way.
        let received = node.received();
        let targets: Vec<&str> = received.iter().map(|request| request.first_line.as_str()).collect();
        assert!(targets.len() <= 2, "{head:?}: the node saw {targets:?}");
        for request in &received {
            let framings =
                request.headers.all("content-length").len() + request.headers.all("transfer-encoding").len();
            assert!(framings <= 1, "{head:?}: the node was told two lengths: {:?}", request.headers);
            assert!(!request.body.windows(8).any(|part| part == b"smuggled"), "{head:?}: {request:?}");
        }
    }
}

#[test]
fn two_requests_at_once_are_never_answered_wrongly() {
    let (bookend, _node) = echo_of_target();
    let mut client = Client::connect(bookend.address());
    client.send("GET /1 HTTP/1.1\r\nHost: site.test\r\n\r\nGET /2 HTTP/1.1\r\nHost: site.test\r\n\r\n");
    let first = client.read_answer("GET");
    assert_eq!(first.text(), "1");
    // To answer one and close is honest; the client asks again.
    match client.try_read_answer("GET") {
        Ok(second) => assert_eq!(second.text(), "2"),
        Err(_) => assert!(first.closes() || client.is_closed_within(Duration::from_secs(5))),
    }
}
