//! Bodies that are sent again: longer than Pingora keeps them, with a length and in chunks.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use crate::support::{Bookend, Call, Client, Gate, Next, Origin, Site, eventually, until};

const LENGTH: Framing = Framing { is_chunked: false, chunk: 64 << 10 };
const CHUNKED: Framing = Framing { is_chunked: true, chunk: 100_000 };
const CRUMBS: Framing = Framing { is_chunked: true, chunk: 700 };

const TOO_LARGE: &str = r#"bookend_bodies_not_kept_total{pool="web",why="too_large"}"#;
const NO_ROOM: &str = r#"bookend_bodies_not_kept_total{pool="web",why="no_room"}"#;
const HELD: &str = "bookend_kept_bodies_bytes";

/// How a client sends its body.
#[derive(Clone, Copy, Debug)]
struct Framing {
    is_chunked: bool,
    chunk: usize,
}

impl Framing {
    fn head(self, method: &str, length: usize) -> String {
        let framing = match self.is_chunked {
            true => "Transfer-Encoding: chunked".to_owned(),
            false => format!("Content-Length: {length}"),
        };
        format!("{method} / HTTP/1.1\r\nHost: site.test\r\n{framing}\r\n\r\n")
    }

    /// A part of a body as it stands on the wire.
    fn encode(self, part: &[u8]) -> Vec<u8> {
        if !self.is_chunked {
            return part.to_vec();
        }
        let chunk = |chunk: &[u8]| [format!("{:x}\r\n", chunk.len()).as_bytes(), chunk, b"\r\n"].concat();
        part.chunks(self.chunk).flat_map(chunk).collect()
    }

    fn end(self) -> &'static str {
        if self.is_chunked { "0\r\n\r\n" } else { "" }
    }

    fn request(self, method: &str, body: &[u8]) -> Vec<u8> {
        [self.head(method, body.len()).as_bytes(), &self.encode(body), self.end().as_bytes()].concat()
    }
}

/// Bytes of which no two stretches are alike.
fn body_of(length: usize) -> Vec<u8> {
    let mut state = 1_u32;
    let mut next = || {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (state >> 24) as u8
    };
    (0..length).map(|_| next()).collect()
}

/// `count` nodes that break the first attempts of all together, and then say which length they got.
fn nodes<const N: usize>(failures: usize, fail: fn(&mut Call<'_>) -> Next) -> [Origin; N] {
    let attempts = Arc::new(AtomicUsize::new(0));
    std::array::from_fn(|_| {
        let attempts = Arc::clone(&attempts);
        Origin::start(move |call| {
            if attempts.fetch_add(1, Ordering::SeqCst) < failures {
                return fail(call);
            }
            let length = call.body().len().to_string();
            call.answer_with(200, "X-Node: yes\r\n", length)
        })
    })
}

fn attempts(nodes: &[Origin]) -> usize {
    nodes.iter().map(Origin::count).sum()
}

/// The body that the last node got.
fn arrived(nodes: &[Origin]) -> Vec<u8> {
    let bodies = nodes.iter().flat_map(Origin::received).map(|request| request.body);
    bodies.max_by_key(Vec::len).unwrap_or_default()
}

fn reads_all_and_resets(call: &mut Call<'_>) -> Next {
    call.reset()
}

fn resets_after_200_kb(call: &mut Call<'_>) -> Next {
    call.read(200_000);
    Next::Reset
}

#[test]
fn long_body_goes_to_another_node_whole() {
    let body = body_of(1 << 20);
    for framing in [LENGTH, CHUNKED, CRUMBS] {
        let nodes = nodes::<2>(1, reads_all_and_resets);
        let bookend = Bookend::start(&Site::of(&nodes.each_ref()));
        let mut client = Client::connect(bookend.address());
        // The connection lives on.
        for attempts_so_far in [2, 3] {
            client.send(framing.request("PUT", &body));
            let answer = client.read_answer("PUT");
            assert_eq!((answer.status, answer.text()), (200, "1048576"), "{framing:?}");
            assert_eq!(attempts(&nodes), attempts_so_far, "{framing:?}");
            assert!(arrived(&nodes) == body, "the body changed on its way: {framing:?}");
        }
        assert_eq!(client.get("/").status, 200);
        until("nothing is held", || bookend.metric(HELD) == 0);
        assert_eq!(bookend.metric(TOO_LARGE) + bookend.metric(NO_ROOM), 0);
    }
}

#[test]
fn node_that_says_nothing_to_an_upload_has_its_time_however_it_came() {
    // Four pieces fill Pingora's pipe to the node: the last of these bodies meet it full.
    let halves = Framing { is_chunked: true, chunk: 16 << 10 };
    for framing in [LENGTH, CHUNKED, CRUMBS, halves] {
        for (length, pause) in [(30_000, 0), (1 << 20, 0), (1 << 20, 300)] {
            let gate = Gate::default();
            let closed = gate.clone();
            let node = Origin::start(move |call| {
                std::thread::sleep(Duration::from_millis(pause));
                call.body();
                closed.pass();
                Next::Close
            });
            let site = Site::of(&[&node]).with_pool("timeouts: { first_byte: 700ms }");
            let bookend = Bookend::start(&site);
            let mut client = Client::connect(bookend.address());
            // As it comes from afar: the ends of what is read are not those of chunks.
            let request = framing.request("POST", &body_of(length));
            for part in request.chunks(4_000) {
                client.send(part);
            }
            assert!(client.has_data_within(Duration::from_secs(5)), "{framing:?} {length} {pause}");
            assert_eq!(client.read_answer("POST").status, 504, "{framing:?} {length} {pause}");
            gate.open();
        }
    }
}

#[test]
fn upload_under_way_moves_to_another_node_whatever_its_method() {
    let body = body_of(1_000_000);
    let cases = [(LENGTH, "PUT"), (CHUNKED, "PUT"), (LENGTH, "POST"), (CRUMBS, "PATCH"), (LENGTH, "GET")];
    for (framing, method) in cases {
        let nodes = nodes::<2>(1, resets_after_200_kb);
        let bookend = Bookend::start(&Site::of(&nodes.each_ref()));
        let mut client = Client::connect(bookend.address());
        client.send(framing.head(method, body.len()));
        client.send(framing.encode(&body[..300_000]));
        until("another node has it", || attempts(&nodes) == 2);
        client.send(framing.encode(&body[300_000..]));
        client.send(framing.end());
        assert_eq!(client.read_answer(method).text(), "1000000", "{framing:?} {method}");
        assert!(arrived(&nodes) == body, "the body changed on its way: {framing:?} {method}");
        assert_eq!(client.get("/").status, 200);
    }
}

#[test]
fn long_body_is_sent_a_third_time_whole() {
    let body = body_of(500_000);
    for framing in [LENGTH, CHUNKED] {
        let breaks = Origin::start(|call| match call.method() {
            "GET" => call.answer(200, ""),
            _ => {
                call.read(100_000);
                Next::Reset
            }
        });
        let refuses = Origin::absent();
        let fails = Origin::start(|call| call.answer(500, "broken"));
        let serves = Origin::answering("served");
        let mut site = Site::default().with_pool("health_check: off");
        for (tier, node) in [&breaks, &refuses, &fails, &serves].into_iter().enumerate() {
            site = site.with_node(node.address(), &format!("tier: {tier}"));
        }
        let bookend = Bookend::start(&site);
        let mut client = Client::connect(bookend.address());
        client.send(framing.request("PUT", &body));
        assert_eq!(client.read_answer("PUT").text(), "served", "{framing:?}");
        for node in [&fails, &serves] {
            assert!(node.only_request().body == body, "the body changed on its way: {framing:?}");
        }
        assert_eq!(client.get("/").status, 200);
        assert_eq!(breaks.count(), 2);
    }
}

#[test]
fn five_hundred_after_a_long_body_goes_to_another_node() {
    let body = body_of(300_000);
    let nodes = nodes::<2>(1, |call| call.answer(500, "broken"));
    let bookend = Bookend::start(&Site::of(&nodes.each_ref()));
    let mut client = Client::connect(bookend.address());
    client.send(CHUNKED.request("PUT", &body));
    assert_eq!(client.read_answer("PUT").text(), "300000");
    assert!(arrived(&nodes) == body, "the body changed on its way");
}

#[test]
fn post_that_was_sent_whole_is_not_repeated() {
    let nodes = nodes::<2>(1, reads_all_and_resets);
    let bookend = Bookend::start(&Site::of(&nodes.each_ref()));
    let mut client = Client::connect(bookend.address());
    client.send(LENGTH.request("POST", &body_of(300_000)));
    assert_eq!(client.read_answer("POST").status, 502);
    assert_eq!(attempts(&nodes), 1);
}

#[test]
fn longer_body_than_is_kept_streams_and_fails_with_its_node() {
    let body = body_of(3_000_000);
    for framing in [LENGTH, CHUNKED] {
        let nodes = nodes::<2>(1, reads_all_and_resets);
        let bookend = Bookend::start(&Site::of(&nodes.each_ref()));
        let mut client = Client::connect(bookend.address());
        client.send(framing.request("PUT", &body));
        assert_eq!(client.read_answer("PUT").status, 502, "{framing:?}");
        assert_eq!(attempts(&nodes), 1, "{framing:?}");
        assert!(arrived(&nodes) == body, "the body changed on its way: {framing:?}");
        assert_eq!(bookend.metric(TOO_LARGE), 1, "{framing:?}");
        until("nothing is held", || bookend.metric(HELD) == 0);
    }
}

#[test]
fn route_says_how_much_is_kept() {
    let big = body_of(3_000_000);
    let nodes_of_big = nodes::<2>(1, reads_all_and_resets);
    let site = Site::of(&nodes_of_big.each_ref()).with_route("retry: { body_buffer: 4MiB }");
    let bookend = Bookend::start(&site);
    let mut client = Client::connect(bookend.address());
    client.send(LENGTH.request("PUT", &big));
    assert_eq!(client.read_answer("PUT").text(), "3000000");
    assert!(arrived(&nodes_of_big) == big, "the body changed on its way");

    let nodes = nodes::<2>(1, reads_all_and_resets);
    let bookend = Bookend::start(&Site::of(&nodes.each_ref()).with_pool("retry: { body_buffer: off }"));
    let mut client = Client::connect(bookend.address());
    client.send(LENGTH.request("PUT", &body_of(10)));
    assert_eq!(client.read_answer("PUT").status, 502);
    assert_eq!(attempts(&nodes), 1);
}

#[test]
fn bodies_beyond_the_room_of_the_process_stream() {
    let gate = Gate::default();
    let closed = gate.clone();
    let holds = Origin::start(move |call| {
        let length = call.body().len().to_string();
        closed.pass();
        call.answer(200, length)
    });
    let site = Site::of(&[&holds]).with_top("server: { body_buffers: 1500KiB }");
    let bookend = Bookend::start(&site);
    let body = body_of(1_000_000);
    let mut first = Client::connect(bookend.address());
    first.send(LENGTH.request("PUT", &body));
    until("the first body is held", || bookend.metric(HELD) >= 1_000_000);

    let mut second = Client::connect(bookend.address());
    second.send(CHUNKED.request("PUT", &body));
    until("the second body is not", || bookend.metric(NO_ROOM) == 1);
    until("what was held of it is given back", || bookend.metric(HELD) < 1_100_000);
    gate.open();
    for mut client in [first, second] {
        assert_eq!(client.read_answer("PUT").text(), "1000000");
    }

    until("nothing is held", || bookend.metric(HELD) == 0);
    let count = AtomicUsize::new(0);
    holds.now_does(move |call| match count.fetch_add(1, Ordering::SeqCst) {
        0 => call.reset(),
        _ => call.answer(200, "again"),
    });
    let mut third = Client::connect(bookend.address());
    third.send(CHUNKED.request("PUT", &body));
    assert_eq!(third.read_answer("PUT").text(), "again");
    assert_eq!(bookend.metric(NO_ROOM), 1);
}

#[test]
fn our_own_answer_after_a_repeat_is_whole() {
    let nodes = nodes::<2>(usize::MAX, reads_all_and_resets);
    let bookend = Bookend::start(&Site::of(&nodes.each_ref()));
    let mut client = Client::connect(bookend.address());
    client.send(LENGTH.request("PUT", &body_of(800_000)));
    let answer = client.read_answer("PUT");
    assert_eq!((answer.status, attempts(&nodes)), (502, 2));
    assert!(answer.closes() && !answer.body.is_empty(), "{answer:?}");
    assert!(client.is_closed_within(Duration::from_secs(5)));
    until("nothing is held", || bookend.metric(HELD) == 0);
}

#[test]
fn body_is_not_held_while_its_answer_goes_on() {
    let gate = Gate::default();
    let closed = gate.clone();
    let node = Origin::start(move |call| {
        call.body();
        call.write("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nfirst");
        closed.pass();
        call.write("other");
        Next::KeepAlive
    });
    let bookend = Bookend::start(&Site::of(&[&node]));
    let mut client = Client::connect(bookend.address());
    client.send(LENGTH.request("PUT", &body_of(500_000)));
    assert_eq!(client.read_head().status, 200);
    until("nothing is held", || bookend.metric(HELD) == 0);
    gate.open();
    assert_eq!(client.read_exactly(10), b"firstother");
}

#[test]
fn limit_of_a_body_counts_what_is_sent_again_once() {
    let body = body_of(600_000);
    let nodes = nodes::<2>(1, resets_after_200_kb);
    let bookend = Bookend::start(&Site::of(&nodes.each_ref()).with_route("max_body: 600000"));
    let mut client = Client::connect(bookend.address());
    client.send(CHUNKED.request("PUT", &body));
    assert_eq!(client.read_answer("PUT").text(), "600000");

    let nodes = self::nodes::<2>(1, resets_after_200_kb);
    let bookend = Bookend::start(&Site::of(&nodes.each_ref()).with_route("max_body: 599999"));
    let mut client = Client::connect(bookend.address());
    client.send(CHUNKED.request("PUT", &body));
    assert_eq!(client.read_answer("PUT").status, 413);
}

#[test]
fn refusal_of_what_is_sent_again_is_the_clients_answer() {
    let gate = Gate::default();
    let closed = gate.clone();
    let breaks = Origin::start(resets_after_200_kb);
    let refuses = Origin::start(move |call| {
        call.write("HTTP/1.1 413 X\r\nContent-Length: 9\r\n\r\ntoo large");
        closed.pass();
        Next::Close
    });
    let site = Site::default().with_node(breaks.address(), "").with_node(refuses.address(), "tier: 1");
    let bookend = Bookend::start(&site);
    let mut client = Client::connect(bookend.address());
    client.send(LENGTH.head("PUT", 1_000_000));
    client.send(body_of(600_000));
    let answer = client.read_answer("PUT");
    assert_eq!((answer.status, answer.text()), (413, "too large"));
    assert_eq!((breaks.count(), refuses.count()), (1, 1));
    // Pingora's way with an answer before the end of its request.
    assert!(answer.closes(), "{answer:?}");
    client.send(body_of(400_000));
    assert!(client.is_closed_within(Duration::from_secs(5)));
    gate.open();
    until("nothing is held", || bookend.metric(HELD) == 0);
}

#[test]
fn client_that_stops_after_a_repeat_has_its_own_time() {
    let nodes = nodes::<2>(1, resets_after_200_kb);
    let site = Site::of(&nodes.each_ref()).with_listener("timeouts: { body: 500ms }");
    let bookend = Bookend::start(&site);
    let mut client = Client::connect(bookend.address());
    client.send(LENGTH.head("PUT", 1_000_000));
    client.send(body_of(300_000));
    assert_eq!(client.read_answer("PUT").status, 408);
    assert_eq!(attempts(&nodes), 2);
}

#[test]
fn silent_node_after_a_repeat_has_its_own_time() {
    let nodes = nodes::<2>(1, reads_all_and_resets);
    let site = Site::of(&nodes.each_ref()).with_pool("timeouts: { first_byte: 500ms }");
    let bookend = Bookend::start(&site);
    let silent = |call: &mut Call<'_>| {
        call.body();
        call.wait_for_the_end();
        Next::Close
    };
    let first = Arc::new(AtomicUsize::new(0));
    for node in &nodes {
        let first = Arc::clone(&first);
        node.now_does(move |call| match first.fetch_add(1, Ordering::SeqCst) {
            0 => call.reset(),
            _ => silent(call),
        });
    }
    let mut client = Client::connect(bookend.address());
    client.send(LENGTH.request("PUT", &body_of(300_000)));
    assert_eq!(client.read_answer("PUT").status, 504);
    assert_eq!(attempts(&nodes), 2);
}

#[test]
fn client_that_leaves_while_its_body_is_sent_again_leaves_nothing() {
    let nodes = nodes::<2>(1, resets_after_200_kb);
    let bookend = Bookend::start(&Site::of(&nodes.each_ref()));
    let mut client = Client::connect(bookend.address());
    client.send(LENGTH.head("PUT", 1_000_000));
    client.send(body_of(300_000));
    until("another node has it", || attempts(&nodes) == 2);
    assert!(bookend.metric(HELD) >= 200_000);
    drop(client);
    until("nothing is held", || bookend.metric(HELD) == 0);
    let answer = eventually("the site goes on", || Some(Client::connect(bookend.address()).get("/")));
    assert_eq!(answer.status, 200);
}
