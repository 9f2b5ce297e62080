//! How long and how much a client may take.

use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use crate::support::{Bookend, Call, Client, Gate, Next, Origin, Site, eventually};

fn bookend_with(listener: &str) -> (Bookend, Origin) {
    let node = Origin::answering("hello");
    (Bookend::start(&Site::of(&[&node]).with_listener(listener)), node)
}

/// Sends a head that never ends, a byte every 50 ms, until bookend has had enough; says how long that took.
fn dribble(client: &mut Client) -> Duration {
    let start = Instant::now();
    client.send("GET / HTTP/1.1\r\nHost: site.test\r\nX-Slow: ");
    eventually("bookend has had enough of a slow head", || {
        if client.try_send("x").is_err() {
            return Some(());
        }
        client.has_data_within(Duration::from_millis(50)).then_some(())
    });
    start.elapsed()
}

#[test]
fn head_that_takes_too_long_gets_408() {
    let (bookend, node) = bookend_with("timeouts: { head: 1s }");
    let mut client = Client::connect(bookend.address());
    let took = dribble(&mut client);
    assert_eq!(client.read_answer("GET").status, 408);
    assert!((900..5_000).contains(&took.as_millis()), "after {took:?}");
    assert_eq!(node.count(), 0);
}

#[test]
fn later_heads_have_the_same_deadline() {
    let (bookend, node) = bookend_with("timeouts: { head: 1s, keep_alive: 60s }");
    let mut client = Client::connect(bookend.address());
    assert_eq!(client.get("/").status, 200);
    let took = dribble(&mut client);
    assert_eq!(client.read_answer("GET").status, 408);
    assert!((900..5_000).contains(&took.as_millis()), "after {took:?}");
    assert_eq!(node.count(), 1);
}

#[test]
fn idle_connection_may_rest_longer_than_a_head_may_take() {
    let (bookend, _node) = bookend_with("timeouts: { head: 300ms }");
    let mut client = Client::connect(bookend.address());
    assert_eq!(client.get("/").status, 200);
    assert!(!client.is_closed_within(Duration::from_millis(900)));
    assert_eq!(client.get("/").status, 200);
}

#[test]
fn idle_connection_is_closed_after_its_time() {
    let (bookend, _node) = bookend_with("timeouts: { keep_alive: 300ms }");
    let mut client = Client::connect(bookend.address());
    assert_eq!(client.get("/").status, 200);
    assert!(client.is_closed_within(Duration::from_secs(10)));
}

#[test]
fn clients_that_idle_cost_little_memory() {
    const CLIENTS: usize = 500;
    let (bookend, _node) = bookend_with("timeouts: { keep_alive: 60s }");
    let visit = || {
        let mut client = Client::connect(bookend.address());
        assert_eq!(client.get("/").status, 200);
        client
    };
    let _first: Vec<Client> = (0..20).map(|_| visit()).collect();
    let before = bookend.peak_memory_kib();
    let _idle: Vec<Client> = (0..CLIENTS).map(|_| visit()).collect();
    let each = (bookend.peak_memory_kib() - before) / CLIENTS as u64;
    assert!(each < 10, "{each} KiB for each");
}

#[test]
fn connection_that_says_nothing_is_closed() {
    let (bookend, _node) = bookend_with("timeouts: { head: 300ms }");
    let mut client = Client::connect(bookend.address());
    assert!(client.has_data_within(Duration::from_secs(10)), "a 408, or the end of the connection");
}

#[test]
fn huge_head_gets_431() {
    let (bookend, node) = bookend_with("limits: { head: 8KiB }");
    for length in [8_192, 10_000] {
        let mut client = Client::connect(bookend.address());
        let headers = format!("X-Huge: {}\r\n", "x".repeat(length));
        let answer = client.request("GET", "/", &headers, b"");
        assert!(answer.status == 431 && answer.closes(), "{} {:?}", answer.status, answer.headers);
    }
    assert_eq!(node.count(), 0);
}

#[test]
fn head_within_the_limit_passes() {
    let (bookend, _node) = bookend_with("limits: { head: 8KiB }");
    let mut client = Client::connect(bookend.address());
    let headers = format!("X-Large: {}\r\n", "x".repeat(6_000));
    for _ in 0..3 {
        assert_eq!(client.request("GET", "/", &headers, b"").status, 200);
    }
}

#[test]
fn fields_and_target_may_be_as_many_and_as_long_as_the_listener_says() {
    let headers = |count: usize| (0..count).map(|number| format!("X-{number}: x\r\n")).collect::<String>();
    for (limits, fields, target) in [
        ("limits: { fields: 5, target: 200 }", 4, 200),
        ("limits: { fields: 200, target: 16KiB }", 199, 16_384),
    ] {
        let (bookend, node) = bookend_with(limits);
        // `Host` is one of them.
        let statuses = |fields: usize, target: usize| {
            let target = format!("/{}", "x".repeat(target - 1));
            Client::connect(bookend.address()).request("GET", &target, &headers(fields), b"").status
        };
        assert_eq!(statuses(fields, target), 200);
        assert_eq!((statuses(fields + 1, 1), statuses(0, target + 1)), (431, 414));
        assert_eq!(node.count(), 1);
    }
}

#[test]
fn body_that_says_it_is_too_large_gets_413() {
    let (bookend, node) = bookend_with("limits: { body: 1KiB }");
    let mut client = Client::connect(bookend.address());
    client.send("POST / HTTP/1.1\r\nHost: site.test\r\nContent-Length: 1025\r\n\r\n");
    assert_eq!(client.read_answer("POST").status, 413);
    assert_eq!(node.count(), 0);
}

#[test]
fn chunked_body_that_grows_too_large_gets_413() {
    let (bookend, _node) = bookend_with("limits: { body: 1KiB }");
    let mut client = Client::connect(bookend.address());
    client.send("POST / HTTP/1.1\r\nHost: site.test\r\nTransfer-Encoding: chunked\r\n\r\n");
    for _ in 0..3 {
        client.send(format!("200\r\n{}\r\n", "x".repeat(512)));
    }
    assert_eq!(client.read_answer("POST").status, 413);
}

#[test]
fn body_at_the_limit_passes() {
    let (bookend, node) = bookend_with("limits: { body: 1KiB }");
    let answer = Client::connect(bookend.address()).request("POST", "/", "", &[b'x'; 1024]);
    assert_eq!(answer.status, 200);
    assert_eq!(node.only_request().body.len(), 1024);
}

#[test]
fn route_may_allow_more_than_its_listener() {
    let node = Origin::answering("hello");
    let site = Site::of(&[&node]).with_listener("limits: { body: 1KiB }").with_route("max_body: 2KiB");
    let bookend = Bookend::start(&site);
    assert_eq!(Client::connect(bookend.address()).request("POST", "/", "", &[b'x'; 2048]).status, 200);
    assert_eq!(Client::connect(bookend.address()).request("POST", "/", "", &[b'x'; 2049]).status, 413);
}

#[test]
fn repeated_body_counts_once() {
    let failures: [fn(&mut Call<'_>) -> Next; 2] = [|call| call.answer(503, "busy"), |call| call.reset()];
    for fail in failures {
        let attempts = Arc::new(AtomicUsize::new(0));
        let nodes = [Arc::clone(&attempts), attempts].map(|attempts| {
            Origin::start(move |call| match attempts.fetch_add(1, Ordering::SeqCst) % 2 {
                0 => fail(call),
                _ => call.answer(200, "saved"),
            })
        });
        let bookend = Bookend::start(&Site::of(&nodes.each_ref()).with_listener("limits: { body: 64KiB }"));
        let mut client = Client::connect(bookend.address());
        let body = "x".repeat(40_000);
        assert_eq!(client.request("PUT", "/", "", body.as_bytes()).text(), "saved");
        client.send("PUT / HTTP/1.1\r\nHost: site.test\r\nTransfer-Encoding: chunked\r\n\r\n");
        client.send(format!("{:x}\r\n{body}\r\n0\r\n\r\n", body.len()));
        assert_eq!(client.read_answer("PUT").text(), "saved");
        let whole = nodes.iter().flat_map(Origin::received).filter(|request| request.body.len() == 40_000);
        assert_eq!(whole.count(), 4, "every attempt got the whole body");
    }
}

#[test]
fn body_limit_is_not_for_websockets() {
    let node = Origin::start(|call| {
        call.write("HTTP/1.1 101 X\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n");
        call.echo()
    });
    let bookend = Bookend::start(&Site::of(&[&node]).with_listener("limits: { body: 1KiB }"));
    let mut client = Client::connect(bookend.address());
    client.send("GET / HTTP/1.1\r\nHost: site.test\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n");
    assert_eq!(client.read_head().status, 101);
    for _ in 0..5 {
        client.send([b'x'; 1_000]);
        assert_eq!(client.read_exactly(1_000), [b'x'; 1_000]);
    }
}

#[test]
fn body_may_pause_for_as_long_as_its_own_time() {
    let node = Origin::answering("hello");
    let site = Site::of(&[&node])
        .with_pool("timeouts: { first_byte: 300ms, between_bytes: 300ms, write: 300ms }")
        .with_listener("timeouts: { head: 300ms, body: 20s, write: 300ms, keep_alive: 300ms }");
    let bookend = Bookend::start(&site);
    let mut client = Client::connect(bookend.address());
    client.send("POST / HTTP/1.1\r\nHost: site.test\r\nContent-Length: 10\r\n\r\nhello");
    assert!(!client.has_data_within(Duration::from_millis(1_200)), "the pause was taken for the end");
    client.send("world");
    assert_eq!(client.read_answer("POST").status, 200);
    assert_eq!(node.only_request().body, b"helloworld");
}

#[test]
fn body_that_stalls_is_given_up() {
    let (bookend, _node) = bookend_with("timeouts: { body: 300ms }");
    let mut client = Client::connect(bookend.address());
    client.send("POST / HTTP/1.1\r\nHost: site.test\r\nContent-Length: 10\r\n\r\nhello");
    assert!(client.has_data_within(Duration::from_secs(10)), "an answer, or the end of the connection");
}

#[test]
fn one_client_gets_only_so_many_connections() {
    let (bookend, _node) = bookend_with("limits: { connections_per_client: 3 }");
    let from = IpAddr::from([127, 0, 0, 2]);
    let mut kept: Vec<Client> = (0..3).map(|_| Client::connect_from(from, bookend.address())).collect();
    for client in &mut kept {
        assert_eq!(client.get("/").status, 200);
    }
    let refused = Client::connect_from(from, bookend.address()).try_request("GET", "/", "", b"");
    assert!(!refused.is_ok_and(|answer| answer.status == 200), "a fourth connection was served");
    let other = IpAddr::from([127, 0, 0, 3]);
    assert_eq!(Client::connect_from(other, bookend.address()).get("/").status, 200);
    kept.pop();
    eventually("a place is free again", || {
        let again = Client::connect_from(from, bookend.address()).try_request("GET", "/", "", b"");
        again.is_ok_and(|answer| answer.status == 200).then_some(())
    });
}

#[test]
fn trusted_proxy_gets_as_many_connections_as_it_likes() {
    let node = Origin::answering("hello");
    let site = Site::of(&[&node])
        .with_listener("limits: { connections_per_client: 1 }")
        .with_listener("trusted_proxies: [127.0.0.2]");
    let bookend = Bookend::start(&site);
    let three =
        |from: u8| [(); 3].map(|()| Client::connect_from([127, 0, 0, from].into(), bookend.address()));
    // Which of them is let in first is for the threads that accept.
    let statuses = |mut clients: [Client; 3]| {
        let mut statuses = clients.each_mut().map(|client| client.get("/").status);
        statuses.sort_unstable();
        statuses
    };
    assert_eq!(statuses(three(2)), [200, 200, 200]);
    assert_eq!(statuses(three(3)), [200, 429, 429]);
}

#[test]
fn all_clients_together_get_only_so_many_connections() {
    let node = Origin::answering("hello");
    let bookend = Bookend::start(&Site::of(&[&node]).with_top("server: { max_connections: 3 }"));
    let mut kept = Vec::new();
    while kept.len() < 3 {
        let mut client = Client::connect(bookend.address());
        // The first one may come before the connection is gone that looked whether bookend accepts.
        if client.try_request("GET", "/", "", b"").is_ok_and(|answer| answer.status == 200) {
            kept.push(client);
        }
    }
    let more = Client::try_connect(bookend.address()).and_then(|mut c| c.try_request("GET", "/", "", b""));
    assert!(!more.is_ok_and(|answer| answer.status == 200), "a fourth connection was served");
    kept.pop();
    eventually("a place is free again", || {
        let again = Client::connect(bookend.address()).try_request("GET", "/", "", b"");
        again.is_ok_and(|answer| answer.status == 200).then_some(())
    });
}

#[test]
fn client_that_takes_nothing_is_given_up() {
    let ended = Gate::default();
    let seen = ended.clone();
    let node = Origin::start(move |call| {
        call.write(format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n", 64 << 20));
        call.write(vec![b'x'; 64 << 20]);
        seen.open();
        Next::Close
    });
    let site = Site::of(&[&node]).with_listener("timeouts: { write: 500ms }");
    let bookend = Bookend::start(&site);
    let mut client = Client::connect(bookend.address());
    client.send("GET / HTTP/1.1\r\nHost: site.test\r\n\r\n");
    ended.pass();
    assert!(client.try_read_answer("GET").is_err(), "the answer was cut");
}

#[test]
fn flood_of_refused_connections_leaves_the_others_served() {
    // Each request needs a descriptor for a new connection to the node.
    let node = Origin::start(|call| {
        call.answer_with(200, "Connection: close\r\n", "hello");
        Next::Close
    });
    let site = Site::of(&[&node])
        .with_listener("limits: { connections_per_client: 2 }")
        .with_top("server: { threads: 2 }");
    let bookend = Bookend::start_with_descriptors(256, &site);
    let mut seated = Client::connect_from(IpAddr::from([127, 0, 0, 3]), bookend.address());
    let mut flood = Vec::new();
    while flood.len() < 400 {
        flood.push(Client::connect_from(IpAddr::from([127, 0, 0, 2]), bookend.address()));
        if flood.len() % 10 == 0 {
            assert_eq!(seated.get("/").status, 200, "after {} connections", flood.len());
        }
    }
}
