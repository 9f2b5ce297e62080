//! HTTP/2 to nodes: shared connections, and which requests may go to another node when one of them breaks.

use std::net::SocketAddr;
use std::thread;
use std::time::Duration;

use h2::Reason;
use http::{HeaderMap, Method};

use crate::support::frames::{DATA, END_STREAM, Frames, HEADERS, SETTINGS, frame, get, room};
use crate::support::{
    Authority, Bookend, Client, H2Node, Origin, Reply, Sealed, Site, fetch, request_bytes, until,
};

/// Two nodes without TLS that speak HTTP/2, and are found out by their traffic alone.
fn site(nodes: &[&H2Node]) -> Site {
    let site = Site::default().with_pool("protocol: http2").with_pool("health_check: off");
    let site = site.with_top("server: { threads: 1 }");
    nodes.iter().fold(site, |site, node| site.with_node(node.address(), ""))
}

fn post(address: SocketAddr) -> (u16, String) {
    let answer = Client::connect(address).request("POST", "/", "", b"x");
    (answer.status, answer.text().to_owned())
}

#[test]
fn requests_share_a_connection_and_the_node_sees_what_they_are() {
    let node = H2Node::answering("a");
    let bookend = Bookend::start(&site(&[&node]));
    let mut client = Client::connect(bookend.address());
    for _ in 0..3 {
        assert_eq!(client.get("/page?a=b").text(), "a");
    }
    let body: Vec<u8> = (0..300_000_u32).map(|number| (number % 251) as u8).collect();
    assert_eq!(client.request("PUT", "/up", "Connection: X-Secret\r\nX-Secret: 1\r\n", &body).status, 200);
    assert_eq!(node.accepted(), 1);
    assert_eq!(node.bodies().last(), Some(&body));
    let came = node.received();
    assert_eq!(came[0].uri.to_string(), "http://site.test/page?a=b");
    assert_eq!((&came[0].method, &came[3].method), (&Method::GET, &Method::PUT));
    assert_eq!(came[0].headers["x-forwarded-for"], "127.0.0.1");
    assert!(!came[3].headers.contains_key("x-secret") && !came[3].headers.contains_key("host"));
}

#[test]
fn node_takes_no_more_streams_at_once_than_it_says() {
    let node = H2Node::start_narrow(2, |came| match came.uri.path() {
        "/slow" => Reply::Nothing,
        _ => Reply::text("a"),
    });
    let bookend = Bookend::start(&site(&[&node]).with_pool("http2: { max_streams: 50 }"));
    let mut waiting = Vec::new();
    for number in 1..=3 {
        let mut client = Client::connect(bookend.address());
        client.send(request_bytes("GET", "/slow", "", b""));
        waiting.push(client);
        until("the node has it", || node.count() == number);
    }
    assert_eq!(node.accepted(), 2);
    drop(waiting);
    until("the streams of clients that left are reset", || node.resets() == 3);
    assert_eq!(fetch(bookend.address(), "/").text(), "a");
    assert_eq!(node.accepted(), 2);
}

#[test]
fn what_a_node_has_not_begun_goes_to_another_whatever_its_method() {
    for reply in [Reply::Reset(Reason::REFUSED_STREAM), Reply::GoAway] {
        let (bad, good) = (H2Node::start(move |_| reply.clone()), H2Node::answering("good"));
        let bookend = Bookend::start(&site(&[&bad, &good]));
        for _ in 0..6 {
            assert_eq!(post(bookend.address()), (200, "good".to_owned()));
        }
        assert!(bad.count() > 0);
    }
}

#[test]
fn upload_that_a_node_has_not_begun_comes_whole_to_another() {
    let (bad, good) = (H2Node::start(|_| Reply::Reset(Reason::REFUSED_STREAM)), H2Node::answering("good"));
    let bookend = Bookend::start(&site(&[&bad, &good]).with_pool("ejection: off"));
    // Longer than what Pingora keeps itself.
    let body: Vec<u8> = (0..300_000_u32).map(|number| (number % 251) as u8).collect();
    let mut client = Client::connect(bookend.address());
    for _ in 0..4 {
        assert_eq!(client.request("POST", "/", "", &body).text(), "good");
    }
    assert!(bad.count() > 0 && good.bodies().iter().all(|come| *come == body));
}

#[test]
fn connection_that_ends_in_order_costs_neither_the_request_nor_the_node() {
    let node = H2Node::answering("a");
    let bookend = Bookend::start(&site(&[&node]));
    for _ in 0..5 {
        assert_eq!(post(bookend.address()).0, 200);
        let ended = std::sync::atomic::AtomicBool::new(false);
        node.now_does(move |_| match ended.swap(true, std::sync::atomic::Ordering::SeqCst) {
            false => Reply::GoAway,
            true => Reply::text("a"),
        });
        assert_eq!(post(bookend.address()), (200, "a".to_owned()), "the only node, on another connection");
    }
    assert!(!bookend.logs().contains("ejected"), "{}", bookend.logs());
}

#[test]
fn what_may_have_run_is_not_repeated() {
    for reply in [Reply::Reset(Reason::INTERNAL_ERROR), Reply::Close] {
        let (bad, good) = (H2Node::start(move |_| reply.clone()), H2Node::answering("good"));
        let bookend = Bookend::start(&site(&[&bad, &good]).with_pool("ejection: off"));
        let answers: Vec<_> = (0..4).map(|_| post(bookend.address()).0).collect();
        assert!(answers.contains(&502) && answers.contains(&200), "{answers:?}");
        for _ in 0..4 {
            assert_eq!(fetch(bookend.address(), "/").text(), "good", "a GET may run twice");
        }
    }
}

#[test]
fn answer_that_breaks_off_does_not_look_complete() {
    let node = H2Node::start(|_| Reply::Half("hello"));
    let bookend = Bookend::start(&site(&[&node]));
    let mut client = Client::connect(bookend.address());
    client.send(request_bytes("GET", "/", "", b""));
    assert!(client.try_read_answer("GET").is_err());
}

#[test]
fn idle_connection_that_a_node_closed_is_not_used() {
    let node = H2Node::answering("a");
    let bookend = Bookend::start(&site(&[&node]));
    for _ in 0..5 {
        assert_eq!(post(bookend.address()).0, 200);
        node.close_connections();
        // It takes bookend a moment to see it; a request that may not run twice tells if it has not.
        thread::sleep(Duration::from_millis(50));
    }
    assert_eq!(node.accepted(), 5);
}

#[test]
fn slow_request_does_not_take_the_others_of_its_connection_along() {
    let node = H2Node::start(|came| match came.uri.path() {
        "/slow" => Reply::Nothing,
        _ => Reply::text("a"),
    });
    let bookend = Bookend::start(&site(&[&node]).with_pool("timeouts: { first_byte: 2s }"));
    let (address, mut other) = (bookend.address(), Client::connect(bookend.address()));
    let slow = thread::spawn(move || fetch(address, "/slow").status);
    until("the node has it", || node.count() > 0);
    while !slow.is_finished() {
        assert_eq!(other.get("/").text(), "a");
    }
    assert_eq!(slow.join().unwrap(), 504);
    until("the node is told", || node.resets() == 1);
    assert_eq!(node.accepted(), 1);
}

/// An upload of which half has come, on the connection that others share.
fn half_an_upload(bookend: &Bookend, node: &H2Node) -> Client {
    let mut client = Client::connect(bookend.address());
    client.send("POST /up HTTP/1.1\r\nHost: site.test\r\nContent-Length: 2\r\n\r\na");
    until("the node has it", || node.received().iter().any(|came| came.uri.path() == "/up"));
    client
}

#[test]
fn clients_that_leave_cost_the_others_of_their_connection_nothing() {
    let node = H2Node::start(|came| match came.uri.path() {
        "/up" => Reply::GiveBack,
        _ => Reply::Pieces(300, 16_384),
    });
    let bookend = Bookend::start(&site(&[&node]));
    let mut upload = half_an_upload(&bookend, &node);
    for _ in 0..30 {
        let mut crowd: Vec<_> = (0..60).map(|_| Client::connect(bookend.address())).collect();
        crowd.iter_mut().for_each(|client| client.send(request_bytes("GET", "/", "", b"")));
        crowd.iter_mut().for_each(|client| assert_eq!(client.read_head().status, 200));
    }
    upload.send("b");
    assert_eq!(upload.read_answer("POST").text(), "ab");
}

#[test]
fn clients_that_take_nothing_cost_the_others_of_their_connection_nothing() {
    let node = H2Node::start(|came| match came.uri.path() {
        "/up" => Reply::GiveBack,
        _ => Reply::Pieces(40_000, 10),
    });
    let bookend = Bookend::start(&site(&[&node]).with_listener("http2: true"));
    let mut upload = half_an_upload(&bookend, &node);
    let no_room = [0, 4, 0, 0, 0, 0];
    let mut client = Frames::connect(bookend.address(), &no_room);
    for stream in (1..20).step_by(2) {
        client.send(&get(stream));
        client.until(HEADERS);
    }
    // It makes room for all that waits, and gets it whole.
    client.send(&frame(SETTINGS, 0, 0, &[0, 4, 0x7f, 0xff, 0xff, 0xff]));
    client.send(&room(0, 0x7000_0000));
    let (mut bytes, mut ended) = (0, 0);
    while ended < 10 {
        let piece = client.until(DATA);
        bytes += piece.payload.len();
        ended += usize::from(piece.flags & END_STREAM != 0);
    }
    assert_eq!(bytes, 10 * 400_000);
    upload.send("b");
    assert_eq!(upload.read_answer("POST").text(), "ab");
    assert_eq!(node.accepted(), 1);
}

#[test]
fn answer_whose_length_is_nonsense_is_none() {
    for (status, lengths) in [(200, &[""][..]), (200, &["2", "2"]), (200, &["+2"]), (204, &["5"])] {
        let headers: Vec<_> = lengths.iter().map(|length| ("content-length", (*length).to_owned())).collect();
        let (bad, good) = (
            H2Node::start(move |_| Reply::Answer {
                status,
                headers: headers.clone(),
                body: "ok".into(),
                trailers: None,
            }),
            H2Node::answering("good"),
        );
        let bookend = Bookend::start(&site(&[&bad, &good]).with_pool("ejection: off"));
        for _ in 0..4 {
            assert_eq!(fetch(bookend.address(), "/").text(), "good", "{status} {lengths:?}");
        }
        assert!(bad.count() > 0);
    }
}

#[test]
fn answer_without_a_body_may_say_how_long_it_would_be() {
    let node = H2Node::start(|_| Reply::Answer {
        status: 304,
        headers: vec![("content-length", "5".to_owned())],
        body: "".into(),
        // So that the end comes apart from the head.
        trailers: Some(HeaderMap::new()),
    });
    let bookend = Bookend::start(&site(&[&node]).with_listener("http2: true"));
    assert_eq!(fetch(bookend.address(), "/").status, 304);
    let mut client = Frames::connect(bookend.address(), &[]);
    client.send(&get(1));
    let head = client.until(HEADERS);
    assert_eq!((head.payload[0], head.flags & END_STREAM), (0x8b, END_STREAM), "`:status: 304`, and no more");
}

#[test]
fn long_bodies_come_whole_both_ways() {
    let node = H2Node::start(|_| Reply::GiveBack);
    let bookend = Bookend::start(&site(&[&node]));
    let body: Vec<u8> = (0..3_000_000_u32).map(|number| (number % 251) as u8).collect();
    for _ in 0..2 {
        let answer = Client::connect(bookend.address()).request("PUT", "/", "", &body);
        assert!(answer.status == 200 && answer.body == body, "{} bytes", answer.body.len());
    }
}

#[test]
fn refusal_reaches_a_client_that_is_still_sending() {
    for is_held in [true, false] {
        let node = H2Node::start(move |_| Reply::Refuse { is_held });
        let bookend = Bookend::start(&site(&[&node]));
        let answer = Client::connect(bookend.address()).request("POST", "/", "", &vec![7; 3_000_000]);
        assert_eq!(answer.status, 413, "whether or not the node waits for the rest: {is_held}");
    }
}

#[test]
fn node_that_offers_http2_in_tls_gets_it() {
    let (authority, node, old) = (Authority::new(), H2Node::answering("a"), Origin::answering("old"));
    let files = authority.server("node", &["node.test"]);
    let tls = format!("tls: {{ authorities: \"{}\", server_name: node.test }}", authority.file().display());
    let sealed = Sealed::before_address(node.address(), &files);
    let bookend =
        Bookend::start(&Site::default().with_node(sealed.address(), &format!("{tls}, protocol: auto")));
    assert_eq!(fetch(bookend.address(), "/").text(), "a");
    assert_eq!(node.received()[0].uri.scheme_str(), Some("https"));

    let sealed = Sealed::before(&old, &files);
    sealed.offers_http1_alone();
    let with = |protocol: &str| {
        let check = "health_check: { interval: 50ms, fall: 1 }";
        Site::default().with_node(sealed.address(), &format!("{tls}, protocol: {protocol}")).with_pool(check)
    };
    let bookend = Bookend::start(&with("auto"));
    assert_eq!(fetch(bookend.address(), "/").text(), "old");
    let bookend = Bookend::start(&with("http2").with_pool("queue: off"));
    assert_eq!(fetch(bookend.address(), "/").status, 503);
    bookend.wait_for_log("it speaks TLS, but does not offer");
}

#[test]
fn node_that_speaks_another_protocol_is_found_out_by_its_checks() {
    let (old, node) = (Origin::answering("old"), H2Node::answering("a"));
    let check = "health_check: { interval: 50ms, fall: 1 }";
    let site = Site::default().with_pool("protocol: http2").with_pool(check);
    let bookend = Bookend::start(&site.with_node(old.address(), "").with_node(node.address(), ""));
    for _ in 0..4 {
        assert_eq!(post(bookend.address()), (200, "a".to_owned()));
    }
    bookend.wait_for_log("it does not speak HTTP/2");
}

#[test]
fn checks_by_http_go_by_http2_as_well() {
    let node = H2Node::answering("a");
    let check = "health_check: { type: http, path: /up, host: a.test, interval: 50ms }";
    let site = Site::default().with_pool("protocol: http2").with_pool(check).with_node(node.address(), "");
    let _bookend = Bookend::start(&site);
    until("it is checked", || node.count() > 1);
    let came = node.received();
    assert_eq!(came[0].uri.to_string(), "http://a.test/up");
    until("it goes on", || node.count() > 3);
}
