//! gRPC: what goes to another node, deadlines, what bookend says in its own name, and checks.
use bytes::Bytes;
use http::HeaderMap;

use crate::support::{
    Answer, Bookend, Client, H2Node, PATIENCE, Reply, Site, eventually, request_bytes, until,
};

/// A call, as HTTP/1.1 can carry it: it shows what is in the head of an answer, and not what follows its body.
fn call(bookend: &Bookend, more: &str) -> Answer {
    let headers = format!("Content-Type: application/grpc\r\nTE: trailers\r\n{more}");
    Client::connect(bookend.address()).request("POST", "/shop.Basket/Add", &headers, &[0, 0, 0, 0, 0])
}

fn status(answer: &Answer) -> (u16, Option<String>) {
    (answer.status, answer.header("grpc-status").map(str::to_owned))
}

fn trailers(status: &'static str) -> HeaderMap {
    HeaderMap::from_iter([("grpc-status".parse().unwrap(), status.parse().unwrap())])
}

/// An answer that is nothing but a head.
fn ended(status: &str) -> Reply {
    let headers = vec![("content-type", "application/grpc".to_owned()), ("grpc-status", status.to_owned())];
    Reply::Answer { status: 200, headers, body: Bytes::new(), trailers: None }
}

fn site(nodes: &[&H2Node]) -> Site {
    let site = Site::default().with_pool("protocol: http2").with_pool("health_check: off");
    nodes.iter().fold(site, |site, node| site.with_node(node.address(), ""))
}

#[test]
fn call_that_a_node_cannot_take_goes_to_another() {
    let (bad, good) = (H2Node::start(|_| ended("14")), H2Node::start(|_| ended("0")));
    let bookend = Bookend::start(&site(&[&bad, &good]));
    for _ in 0..6 {
        assert_eq!(status(&call(&bookend, "")), (200, Some("0".to_owned())));
    }
    assert!(bad.count() > 0);
    assert_eq!(good.received()[0].headers["te"], "trailers");
    good.now_does(|_| ended("14"));
    assert_eq!(status(&call(&bookend, "")), (200, Some("14".to_owned())), "nobody has a better answer");
}

#[test]
fn other_ends_of_a_call_are_the_clients() {
    let (bad, good) = (H2Node::start(|_| ended("13")), H2Node::start(|_| ended("0")));
    let bookend = Bookend::start(&site(&[&bad, &good]));
    let ends: Vec<_> = (0..4).filter_map(|_| status(&call(&bookend, "")).1).collect();
    assert!(ends.contains(&"13".to_owned()) && ends.contains(&"0".to_owned()), "{ends:?}");
}

#[test]
fn call_whose_time_is_over_ends_by_itself_and_is_cancelled() {
    let (slow, other) = (H2Node::start(|_| Reply::Nothing), H2Node::start(|_| Reply::Nothing));
    let bookend = Bookend::start(&site(&[&slow, &other]));
    for number in 1..=5 {
        assert_eq!(status(&call(&bookend, "grpc-timeout: 50m\r\n")), (200, Some("4".to_owned())));
        until("the node is told", || slow.resets() + other.resets() == number);
    }
    assert_eq!(slow.count() + other.count(), 5, "no second node is asked");
    assert!(!bookend.logs().contains("ejected"), "the client's time says nothing of the nodes");
    until("they are counted as what they are", || ended_by(&bookend, "deadline") == 5);
    let told =
        slow.received().into_iter().chain(other.received()).map(|came| came.headers["grpc-timeout"].clone());
    for told in told {
        let told = told.to_str().unwrap();
        let micros: u64 = told.strip_suffix('u').unwrap().parse().unwrap();
        assert!(micros <= 50_000, "{told}");
    }
}

/// Requests that ended with this outcome.
fn ended_by(bookend: &Bookend, outcome: &str) -> u64 {
    let metrics = String::from_utf8(bookend.ask("/metrics")).unwrap();
    let label = format!("outcome=\"{outcome}\"");
    let lines =
        metrics.lines().filter(|line| line.starts_with("bookend_requests_total{") && line.contains(&label));
    lines.map(|line| line.rsplit(' ').next().unwrap().parse::<u64>().unwrap()).sum()
}

#[test]
fn call_whose_time_is_over_waits_for_no_place() {
    let node = H2Node::start(|_| Reply::Nothing);
    let limited = site(&[]).with_node(node.address(), "max_in_flight: 1");
    let bookend = Bookend::start(&limited.with_pool("queue: { target: 10s }"));
    let mut first = Client::connect(bookend.address());
    first.send(request_bytes("POST", "/", "Content-Type: application/grpc\r\n", b"12345"));
    until("the node has the first", || node.count() == 1);
    assert_eq!(status(&call(&bookend, "grpc-timeout: 50m\r\n")), (200, Some("4".to_owned())));
    until("it is counted as what it is", || ended_by(&bookend, "deadline") == 1);
    assert_eq!((ended_by(&bookend, "shed"), node.count()), (0, 1));
    drop(first);
    until("whoever left is counted as that", || ended_by(&bookend, "client_gone") == 1);
}

#[test]
fn call_whose_time_is_over_waits_for_no_node() {
    let gone = H2Node::start(|_| Reply::Nothing);
    let bookend = Bookend::start(&site(&[&gone]).with_pool("queue: { max_wait: 20s }"));
    drop(gone);
    assert_eq!(status(&call(&bookend, "grpc-timeout: 50m\r\n")), (200, Some("4".to_owned())));
    until("it is counted as what it is", || ended_by(&bookend, "deadline") == 1);
}

#[test]
fn call_that_has_begun_ends_when_its_client_says_so() {
    let node = H2Node::start(|_| Reply::Echo(trailers("0")));
    let bookend = Bookend::start(&site(&[&node]).with_listener("http2: true"));
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let mut calls = 0;
    // On a busy machine the time may be over before the answer begins.
    let messages = eventually("a call begins in time", || {
        calls += 1;
        let (messages, status) = runtime.block_on(begun_call(&bookend, "400m"));
        assert_eq!(status.as_deref(), Some("4"));
        (!messages.is_empty()).then_some(messages)
    });
    assert_eq!(messages, b"hello");
    until("all of them are counted", || ended_by(&bookend, "deadline") == calls);
}

/// What comes of a call whose client says nothing more after its first message: the messages, and how it ended.
async fn begun_call(bookend: &Bookend, time: &str) -> (Vec<u8>, Option<String>) {
    let stream = tokio::net::TcpStream::connect(bookend.address()).await.unwrap();
    let (sender, connection) = h2::client::handshake(stream).await.unwrap();
    tokio::spawn(connection);
    let request = http::Request::post("http://site.test/shop.Basket/Watch")
        .header("content-type", "application/grpc")
        .header("grpc-timeout", time);
    let mut sender = sender.ready().await.unwrap();
    let (answer, mut upload) = sender.send_request(request.body(()).unwrap(), false).unwrap();
    upload.send_data(Bytes::from_static(b"hello"), false).unwrap();
    let mut body = answer.await.unwrap().into_body();
    let mut messages = Vec::new();
    while let Some(piece) = body.data().await {
        messages.extend_from_slice(&piece.unwrap());
    }
    let told = body.trailers().await.unwrap();
    (messages, told.and_then(|told| Some(told.get("grpc-status")?.to_str().unwrap().to_owned())))
}

#[test]
fn call_whose_time_is_over_waits_for_no_client() {
    let large = Reply::Answer {
        status: 200,
        headers: vec![("content-type", "application/grpc".to_owned())],
        body: Bytes::from(vec![b'x'; 8 << 20]),
        trailers: Some(trailers("0")),
    };
    let node = H2Node::start(move |_| large.clone());
    let bookend = Bookend::start(&site(&[&node]).with_listener("http2: true"));
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let mut calls = 0;
    eventually("a call begins in time", || {
        calls += 1;
        let taken = runtime.block_on(untaken_call(&bookend, "400m"));
        (taken > 0).then_some(())
    });
    until("all of them are counted", || ended_by(&bookend, "deadline") == calls);
}

/// How much comes of a call whose client takes no more than what it has room for.
async fn untaken_call(bookend: &Bookend, time: &str) -> usize {
    let stream = tokio::net::TcpStream::connect(bookend.address()).await.unwrap();
    let (sender, connection) = h2::client::handshake(stream).await.unwrap();
    tokio::spawn(connection);
    let request = http::Request::post("http://site.test/shop.Basket/List")
        .header("content-type", "application/grpc")
        .header("grpc-timeout", time);
    let mut sender = sender.ready().await.unwrap();
    let (answer, _) = sender.send_request(request.body(()).unwrap(), true).unwrap();
    let mut body = answer.await.unwrap().into_body();
    let mut taken = 0;
    let end = async {
        while let Some(Ok(piece)) = body.data().await {
            taken += piece.len();
        }
    };
    tokio::time::timeout(PATIENCE, end).await.expect("the call ends");
    taken
}

#[test]
fn call_whose_time_is_over_waits_for_no_room_at_its_node() {
    let node = H2Node::start(|_| Reply::Nothing);
    let bookend = Bookend::start(&site(&[&node]).with_pool("timeouts: { write: 60s }"));
    let headers = "Content-Type: application/grpc\r\ngrpc-timeout: 400m\r\n";
    // More than all on the way hold, and so little that the client is rid of it.
    let sent = vec![0; 1 << 20];
    let answer = Client::connect(bookend.address()).request("POST", "/shop.Basket/Add", headers, &sent);
    assert_eq!(status(&answer), (200, Some("4".to_owned())));
    until("the node is told", || node.resets() == 1);
    until("it is counted as what it is", || ended_by(&bookend, "deadline") == 1);
}

#[test]
fn what_bookend_says_itself_is_a_status_of_grpc() {
    let node = H2Node::start(|_| Reply::Close);
    let bookend = Bookend::start(&site(&[&node]).with_pool("queue: off").with_route("path: /shop.Basket"));
    let answer = call(&bookend, "");
    assert_eq!(status(&answer), (200, Some("13".to_owned())), "it may have run");
    assert_eq!(answer.header("content-type"), Some("application/grpc"));
    assert!(
        answer.body.is_empty() && answer.header("grpc-message").is_some_and(|why| why.contains("failed"))
    );
    drop(node);
    assert_eq!(status(&call(&bookend, "")), (200, Some("14".to_owned())), "nobody took it");
    let headers = "Content-Type: application/grpc+proto\r\n";
    let answer = Client::connect(bookend.address()).request("POST", "/other", headers, b"");
    assert_eq!(status(&answer), (200, Some("12".to_owned())));
    assert_eq!(Client::connect(bookend.address()).get("/other").status, 404, "that is no call");
}

#[test]
fn messages_go_both_ways_while_the_call_lasts() {
    let node = H2Node::start(|_| Reply::Echo(trailers("0")));
    let bookend = Bookend::start(&site(&[&node]));
    let mut client = Client::connect(bookend.address());
    client.send(
        "POST /shop.Basket/Watch HTTP/1.1\r\nHost: site.test\r\nContent-Type: application/grpc\r\nTransfer-Encoding: chunked\r\n\r\n",
    );
    client.send("5\r\nhello\r\n");
    assert_eq!(client.read_head().status, 200);
    assert_eq!(client.read_chunk(), b"hello", "before the call is over");
    client.send("5\r\nagain\r\n");
    assert_eq!(client.read_chunk(), b"again");
    client.send("0\r\n\r\n");
    assert!(client.read_chunk().is_empty(), "it ends with the call");
}

/// What a client of HTTP/2 gets of one call: the messages and how it ended, or the reason of its reset.
fn watch(bookend: &Bookend, messages: &[&'static str]) -> (Vec<u8>, Option<String>) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let stream = tokio::net::TcpStream::connect(bookend.address()).await.unwrap();
        let (sender, connection) = h2::client::handshake(stream).await.unwrap();
        tokio::spawn(connection);
        let request = http::Request::post("http://site.test/shop.Basket/Watch")
            .header("content-type", "application/grpc")
            .header("te", "trailers");
        let mut sender = sender.ready().await.unwrap();
        let (answer, mut body) = sender.send_request(request.body(()).unwrap(), false).unwrap();
        for message in messages {
            body.send_data(Bytes::from_static(message.as_bytes()), false).unwrap();
        }
        body.send_data(Bytes::new(), true).unwrap();
        let answer = answer.await.unwrap();
        assert_eq!(answer.status(), 200);
        let mut body = answer.into_body();
        let mut whole = Vec::new();
        while let Some(piece) = body.data().await {
            whole.extend_from_slice(&piece.unwrap());
        }
        let trailers = body.trailers().await.unwrap();
        (whole, trailers.and_then(|told| Some(told.get("grpc-status")?.to_str().unwrap().to_owned())))
    })
}

#[test]
fn trailers_reach_a_client_of_http2() {
    let node = H2Node::start(|_| Reply::Echo(trailers("7")));
    let bookend = Bookend::start(&site(&[&node]).with_listener("http2: true"));
    for _ in 0..3 {
        assert_eq!(watch(&bookend, &["a", "bc"]), (b"abc".to_vec(), Some("7".to_owned())));
    }
    let (busy, good) = (
        H2Node::start(|_| Reply::Reset(h2::Reason::REFUSED_STREAM)),
        H2Node::start(|_| Reply::Echo(trailers("0"))),
    );
    let bookend = Bookend::start(&site(&[&busy, &good]).with_listener("http2: true").with_pool("queue: off"));
    for _ in 0..4 {
        assert_eq!(watch(&bookend, &["a", "bc"]), (b"abc".to_vec(), Some("0".to_owned())));
    }
    assert!(busy.count() > 0);
    drop((busy, good));
    let (messages, end) = watch(&bookend, &[]);
    assert_eq!((messages.len(), end.as_deref()), (0, Some("14")), "what bookend says itself");
}

#[test]
fn node_is_asked_by_grpc_whether_it_serves() {
    let says = |status: u8| {
        let body = Bytes::copy_from_slice(&[0, 0, 0, 0, 2, 8, status]);
        let headers = vec![("content-type", "application/grpc".to_owned())];
        Reply::Answer { status: 200, headers, body, trailers: Some(trailers("0")) }
    };
    let node = H2Node::start(move |came| match came.uri.path() {
        "/grpc.health.v1.Health/Check" => says(1),
        _ => ended("0"),
    });
    let check = "health_check: { type: grpc, service: shop.Basket, interval: 50ms, fall: 1 }";
    let site = Site::default().with_pool("protocol: http2").with_pool(check).with_node(node.address(), "");
    let bookend = Bookend::start(&site);
    until("it is checked", || node.bodies().len() > 1);
    assert_eq!(node.bodies()[0], b"\0\0\0\0\x0d\x0a\x0bshop.Basket");
    assert_eq!(status(&call(&bookend, "")).1.as_deref(), Some("0"));
    node.now_does(move |_| says(2));
    bookend.wait_for_log("it says that it does not serve");
    node.now_does(move |_| ended("12"));
    until("and why now", || {
        String::from_utf8(bookend.command("status").stdout).unwrap().contains("it has no health service")
    });
    node.now_does(move |_| says(1));
    bookend.wait_for_log("node is up");
}
