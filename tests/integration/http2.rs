//! Clients that speak HTTP/2: what is promised of a request holds for each of their streams.

use std::future::poll_fn;
use std::io::{ErrorKind, Read, Write};
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use bytes::Bytes;
use h2::Reason;
use h2::client::{Connection, SendRequest};
use http::{HeaderMap, Request, StatusCode};
use tokio::net::TcpStream;
use tokio::task::JoinHandle;
use tokio_rustls::TlsConnector;

use crate::support::{
    Authority, Bookend, Client, Gate, Headers, Next, Origin, PATIENCE, Site, fetch, request_bytes, until,
};

/// A client's connection.
struct Browser {
    send: SendRequest<Bytes>,
    over: JoinHandle<Result<(), h2::Error>>,
}

/// What became of a request: its status, headers and body, or why it was reset.
type Ended = Result<(StatusCode, HeaderMap, Vec<u8>), Option<Reason>>;

impl Browser {
    async fn connect(address: SocketAddr) -> Self {
        let (send, wire) = h2::client::handshake(TcpStream::connect(address).await.unwrap()).await.unwrap();
        Self::over(send, wire)
    }

    fn over<T>(send: SendRequest<Bytes>, wire: Connection<T, Bytes>) -> Self
    where
        T: tokio::io::AsyncRead + tokio::io::AsyncWrite + Unpin + Send + 'static,
    {
        Self { send, over: tokio::spawn(wire) }
    }

    async fn get(&self, path: &str) -> Ended {
        self.request(Request::get(format!("http://site.test{path}")), None).await
    }

    async fn request(&self, request: http::request::Builder, body: Option<Bytes>) -> Ended {
        let mut send = self.send.clone().ready().await.map_err(|error| error.reason())?;
        let request = request.body(()).unwrap();
        let (answer, mut upload) =
            send.send_request(request, body.is_none()).map_err(|error| error.reason())?;
        if let Some(mut body) = body {
            while !body.is_empty() {
                upload.reserve_capacity(body.len());
                let room = poll_fn(|cx| upload.poll_capacity(cx)).await.unwrap().unwrap();
                let rest = body.split_off(room.min(body.len()));
                upload.send_data(std::mem::replace(&mut body, rest), false).unwrap();
            }
            upload.send_data(Bytes::new(), true).unwrap();
        }
        let (head, mut body) = answer.await.map_err(|error| error.reason())?.into_parts();
        let mut whole = Vec::new();
        while let Some(piece) = body.data().await {
            let piece = piece.map_err(|error| error.reason())?;
            body.flow_control().release_capacity(piece.len()).unwrap();
            whole.extend_from_slice(&piece);
        }
        Ok((head.status, head.headers, whole))
    }
}

fn run<T>(client: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async { tokio::time::timeout(PATIENCE, client).await.expect("it takes too long") })
}

fn text(ended: Ended) -> (u16, String) {
    let (status, _, body) = ended.expect("an answer");
    (status.as_u16(), String::from_utf8(body).unwrap())
}

fn site(nodes: &[&Origin]) -> Site {
    Site::of(nodes).with_listener("http2: true")
}

/// A node at which requests wait until the gate opens.
fn waiting(gate: &Gate) -> Origin {
    let gate = gate.clone();
    Origin::start(move |call| {
        gate.pass();
        call.answer(200, "done")
    })
}

#[test]
fn http2_is_spoken_by_tls_and_http1_as_well() {
    let (authority, node) = (Authority::new(), Origin::answering("a"));
    let files = authority.server("site", &["site.test"]);
    let listener = format!("tls: {{ certificates: [{}] }}", files.entry());
    let bookend = Bookend::start(&Site::of(&[&node]).with_listener(&listener));
    let mut settings = (*authority.client()).clone();
    settings.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    run(async {
        let tcp = TcpStream::connect(bookend.address()).await.unwrap();
        let tls = TlsConnector::from(Arc::new(settings))
            .connect("site.test".try_into().unwrap(), tcp)
            .await
            .unwrap();
        assert_eq!(tls.get_ref().1.alpn_protocol(), Some(&b"h2"[..]));
        let (send, wire) = h2::client::handshake(tls).await.unwrap();
        let browser = Browser::over(send, wire);
        assert_eq!(text(browser.get("/page").await), (200, "a".to_owned()));
    });
    let mut old = Client::connect_by_tls(bookend.address(), &authority.client(), "site.test");
    assert_eq!(old.get("/page").text(), "a");
    let last = node.received().pop().unwrap();
    assert_eq!(last.headers.one("x-forwarded-proto"), Some("https"));
}

#[test]
fn http2_without_tls_is_spoken_where_it_is_asked_for_alone() {
    let node = Origin::answering("a");
    let asked = Bookend::start(&site(&[&node]));
    assert_eq!(run(async { text(Browser::connect(asked.address()).await.get("/").await) }).0, 200);
    assert_eq!(fetch(asked.address(), "/").text(), "a");
    let not_asked = Bookend::start(&Site::of(&[&node]));
    let mut client = Client::connect(not_asked.address());
    client.send("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n");
    assert_eq!(client.read_answer("GET").status, 505);
}

#[test]
fn node_sees_a_request_like_any_other() {
    let node = Origin::answering("a");
    let bookend = Bookend::start(&site(&[&node]));
    run(async {
        let request = Request::get("http://site.test:8443/a?b=c")
            .header("cookie", "a=1")
            .header("cookie", "b=2")
            .header("te", "trailers");
        assert_eq!(text(Browser::connect(bookend.address()).await.request(request, None).await).1, "a");
    });
    let came = node.only_request();
    assert_eq!(came.first_line, "GET /a?b=c HTTP/1.1");
    let told = |headers: &Headers, name: &str| headers.one(name).map(str::to_owned);
    assert_eq!(told(&came.headers, "host").as_deref(), Some("site.test:8443"));
    assert_eq!(told(&came.headers, "cookie").as_deref(), Some("a=1; b=2"));
    assert_eq!(told(&came.headers, "via").as_deref(), Some("2.0 bookend"));
    assert_eq!(told(&came.headers, "te"), None);
}

#[test]
fn streams_of_one_connection_survive_a_node_that_breaks() {
    let (bad, good) = (Origin::start(|call| call.reset()), Origin::answering("good"));
    let bookend = Bookend::start(&site(&[&bad, &good]));
    run(async {
        let browser = Browser::connect(bookend.address()).await;
        for _ in 0..10 {
            assert_eq!(text(browser.get("/").await), (200, "good".to_owned()));
        }
    });
    assert!(bad.count() > 0);
}

#[test]
fn long_body_is_sent_again_to_another_node() {
    let has_failed = Arc::new(AtomicBool::new(false));
    let node = || {
        let has_failed = Arc::clone(&has_failed);
        Origin::start(move |call| match has_failed.swap(true, Ordering::SeqCst) {
            false => call.reset(),
            true => {
                let body = call.body();
                call.answer(200, body)
            }
        })
    };
    let (one, other) = (node(), node());
    let bookend = Bookend::start(&site(&[&one, &other]));
    let body = Bytes::from((0..300_000_u32).map(|at| (at % 251) as u8).collect::<Vec<_>>());
    let (status, _, echoed) = run(async {
        let request = Request::put("http://site.test/");
        Browser::connect(bookend.address()).await.request(request, Some(body.clone())).await.unwrap()
    });
    assert_eq!(status, StatusCode::OK);
    assert!(echoed == body, "the body that came back is another one");
    assert_eq!(one.count() + other.count(), 2);
}

#[test]
fn each_stream_has_a_time_of_its_own() {
    let gate = Gate::default();
    let node = Origin::start({
        let gate = gate.clone();
        move |call| {
            if call.target() == "/slow" {
                gate.pass();
            }
            call.answer(200, "done")
        }
    });
    let bookend = Bookend::start(&site(&[&node]).with_pool("timeouts: { first_byte: 1s }"));
    run(async {
        let browser = Browser::connect(bookend.address()).await;
        let (slow, fast) = tokio::join!(browser.get("/slow"), browser.get("/fast"));
        assert_eq!(text(fast), (200, "done".to_owned()));
        assert_eq!(text(slow).0, 504);
        assert_eq!(text(browser.get("/fast").await).0, 200, "the connection stays usable");
    });
    gate.open();
}

#[test]
fn client_that_gives_up_gives_its_place_to_others() {
    let gate = Gate::default();
    let node = waiting(&gate);
    let limited = site(&[]).with_node(node.address(), "max_in_flight: 1");
    let bookend = Bookend::start(&limited.with_pool("queue: { target: 10s }"));
    run(async {
        let browser = Browser::connect(bookend.address()).await;
        let mut send = browser.send.clone().ready().await.unwrap();
        let request = || Request::get("http://site.test/first").body(()).unwrap();
        let (first, _) = send.send_request(request(), true).unwrap();
        while node.count() < 1 {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        let mut send = send.ready().await.unwrap();
        let (second, _) = send.send_request(request(), true).unwrap();
        let is_waiting = || bookend.metric("bookend_pool_in_line{pool=\"web\"}") == 1;
        while !is_waiting() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        drop(second);
        while is_waiting() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        gate.open();
        assert_eq!(first.await.unwrap().status(), 200);
        assert_eq!(node.count(), 1, "nobody asks for those who left");
    });
}

#[test]
fn answer_that_breaks_off_is_no_whole_one() {
    let node = Origin::start(|call| {
        call.body();
        call.write("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n");
        Next::Reset
    });
    let bookend = Bookend::start(&site(&[&node]));
    let ended = run(async {
        let request = Request::post("http://site.test/");
        Browser::connect(bookend.address()).await.request(request, Some(Bytes::from("x"))).await
    });
    assert_eq!(ended.err(), Some(Some(Reason::INTERNAL_ERROR)));
}

#[test]
fn parts_that_say_two_things_are_refused() {
    let node = Origin::answering("a");
    let bookend = Bookend::start(&site(&[&node]));
    run(async {
        let browser = Browser::connect(bookend.address()).await;
        for (name, value) in [("host", "other.test"), ("content_length", "5"), ("x", " blank")] {
            let request = Request::get("http://site.test/").header(name, value);
            match browser.request(request, None).await {
                Ok((status, ..)) => assert_eq!(status, StatusCode::BAD_REQUEST, "{name}"),
                Err(reason) => assert_eq!(reason, Some(Reason::PROTOCOL_ERROR), "{name}"),
            }
        }
        let many = (0..101).fold(Request::get("http://site.test/"), |request, _| request.header("x", "y"));
        assert_eq!(browser.request(many, None).await.unwrap().0.as_u16(), 431);
        assert_eq!(text(browser.get("/").await).0, 200, "the connection stays usable");
    });
    assert_eq!(node.count(), 1);
    assert_eq!(bookend.metric("bookend_requests_malformed_total{flaw=\"field passes for another\"}"), 1);
}

#[test]
fn client_that_still_sends_hears_that_it_is_too_much() {
    let node = Origin::answering("a");
    let bookend = Bookend::start(&site(&[&node]).with_listener("limits: { body: 1KiB }"));
    run(async {
        let browser = Browser::connect(bookend.address()).await;
        let mut send = browser.send.clone().ready().await.unwrap();
        let request = Request::put("http://site.test/").body(()).unwrap();
        let (answer, mut upload) = send.send_request(request, false).unwrap();
        upload.send_data(Bytes::from(vec![0; 2_000]), false).unwrap();
        let mut answer = answer.await.unwrap();
        assert_eq!(answer.status(), StatusCode::PAYLOAD_TOO_LARGE);
        while let Some(piece) = answer.body_mut().data().await {
            piece.expect("the whole answer");
        }
        upload.send_data(Bytes::from(vec![0; 2_000]), true).expect("it is still heard out");
        assert_eq!(text(browser.get("/").await).0, 200);
    });
}

#[test]
fn flood_of_resets_is_turned_away_and_others_are_served() {
    let gate = Gate::default();
    let node = waiting(&gate);
    let bookend = Bookend::start(&site(&[&node]));
    run(async {
        let browser = Browser::connect(bookend.address()).await;
        let mut send = browser.send.clone();
        for _ in 0..100_000 {
            let Ok(mut ready) = send.ready().await else { break };
            let request = Request::get("http://site.test/").body(()).unwrap();
            let Ok((_, mut upload)) = ready.send_request(request, false) else { break };
            upload.send_reset(Reason::CANCEL);
            send = ready;
            tokio::task::yield_now().await;
        }
        let over = browser.over.await.unwrap();
        let reason = over.err().and_then(|error| error.reason());
        assert!(matches!(reason, None | Some(Reason::ENHANCE_YOUR_CALM)), "{reason:?}");
    });
    gate.open();
    // Which of the two depends on how many are seen before they are gone.
    let turned_away = |kind| bookend.metric(&format!("bookend_http2_floods_total{{kind=\"{kind}\"}}"));
    assert_eq!(turned_away("resets") + turned_away("frames"), 1);
    assert_eq!(fetch(bookend.address(), "/").status, 200);
}

#[test]
fn stopping_bookend_finishes_what_is_under_way() {
    let gate = Gate::default();
    let node = waiting(&gate);
    let mut bookend = Bookend::start(&site(&[&node]));
    run(async {
        let browser = Browser::connect(bookend.address()).await;
        let idle = Browser::connect(bookend.address()).await;
        let mut send = browser.send.clone().ready().await.unwrap();
        let request = Request::get("http://site.test/").body(()).unwrap();
        let (answer, _) = send.send_request(request, true).unwrap();
        while node.count() < 1 {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        bookend.terminate();
        drop(idle.send);
        let _ = idle.over.await.unwrap();
        gate.open();
        assert_eq!(answer.await.unwrap().status(), 200);
        drop((send, browser.send));
        let _ = browser.over.await.unwrap();
    });
    assert!(bookend.wait().success());
}

#[test]
fn client_that_begins_and_says_nothing_is_left() {
    let node = Origin::answering("a");
    let bookend =
        Bookend::start(&site(&[&node]).with_listener("timeouts: { head: 300ms, keep_alive: 300ms }"));
    for begin in [&b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"[..], b"PRI"] {
        let mut client = std::net::TcpStream::connect(bookend.address()).unwrap();
        client.write_all(begin).unwrap();
        client.set_read_timeout(Some(PATIENCE)).unwrap();
        let end = client.read_to_end(&mut Vec::new());
        assert!(!matches!(&end, Err(why) if why.kind() == ErrorKind::WouldBlock), "{end:?}");
    }
    run(async {
        let browser = Browser::connect(bookend.address()).await;
        assert_eq!(text(browser.get("/").await).0, 200);
        let _ = browser.over.await.unwrap();
    });
}

#[test]
fn another_request_of_http1_may_begin_with_a_p() {
    let node = Origin::start(|call| {
        let body = call.body();
        call.answer(200, body)
    });
    let bookend = Bookend::start(&site(&[&node]));
    let mut client = Client::connect(bookend.address());
    let bytes = request_bytes("POST", "/", "", b"hello");
    let (first, rest) = bytes.split_at(1);
    client.send(first);
    until("bookend has seen it", || bookend.metric("bookend_connections") >= 1);
    client.send(rest);
    assert_eq!(client.read_answer("POST").text(), "hello");
}
