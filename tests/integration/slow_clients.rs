//! Clients that are slow on purpose: they lose their place, and whoever is in a hurry does not notice them.

use std::fs;
use std::io::Read;
use std::net::{IpAddr, SocketAddr};
use std::thread;
use std::time::Duration;

use crate::support::frames::{DATA, Frames, RST_STREAM, call, get, room};
use crate::support::{Bookend, Client, Gate, Load, Next, Origin, PATIENCE, Port, Site, eventually, until};

/// Between two pieces of a client that is slow.
const TICK: Duration = Duration::from_millis(20);

/// Bodies have to come with 10 KiB a second, and are looked at twice a second.
const HURRY: &str = "limits: { body_rate: 10KiB, body_rate_time: 500ms }";

fn too_slow(bookend: &Bookend, with: &str) -> u64 {
    bookend.metric(&format!("bookend_clients_too_slow_total{{with=\"{with}\"}}"))
}

/// An upload that comes slowly.
struct Upload {
    client: Client,
    left: usize,
}

impl Upload {
    fn begin(bookend: &Bookend, target: &str, headers: &str) -> Self {
        let (mut client, left) = (Client::connect(bookend.address()), 100_000);
        client.send(format!(
            "POST {target} HTTP/1.1\r\nHost: site.test\r\n{headers}Content-Length: {left}\r\n\r\n"
        ));
        Self { client, left }
    }

    /// Sends a byte.
    fn crawl(&mut self) -> std::io::Result<()> {
        self.left -= 1;
        self.client.try_send("x")
    }

    /// Sends the rest at once, and reads the answer.
    fn finish(mut self) -> u16 {
        self.client.send(vec![b'x'; self.left]);
        self.client.read_answer("POST").status
    }
}

/// An upload of which a byte comes now and then until it is told something, as do those of others; what that is.
fn crawl(bookend: &Bookend, others: &mut [&mut Upload]) -> u16 {
    let mut upload = Upload::begin(bookend, "/", "");
    eventually("bookend has had enough of a slow body", || {
        others.iter_mut().for_each(|other| other.crawl().unwrap());
        let _ = upload.crawl();
        upload.client.has_data_within(TICK).then_some(())
    });
    let status = upload.client.read_answer("POST").status;
    assert!(upload.client.is_closed_within(PATIENCE), "the connection goes on");
    status
}

#[test]
fn body_that_crawls_gets_408() {
    let node = Origin::answering("hello");
    let bookend = Bookend::start(&Site::of(&[&node]).with_listener(HURRY));
    assert_eq!(crawl(&bookend, &mut []), 408);
    assert_eq!(too_slow(&bookend, "body"), 1);
    bookend.wait_for_log("client too slow client=127.0.0.1 with=body");
    let whole = Client::connect(bookend.address()).request("POST", "/", "", &[b'x'; 100_000]);
    assert_eq!(whole.status, 200);
}

#[test]
fn body_may_crawl_where_its_route_lets_it_and_in_a_call() {
    let node = Origin::answering("hello");
    let site = Site::of(&[&node]).with_listener(HURRY);
    let site = site.with_route("path: /slow").with_route("body_rate: off");
    let port = Port::free();
    let yaml = format!("{}  - pool: web\n", site.to_yaml(&[port.address()]));
    let bookend = Bookend::start_with(port, &yaml);
    let mut slow = Upload::begin(&bookend, "/slow", "");
    let mut call = Upload::begin(&bookend, "/", "Content-Type: application/grpc-web+proto\r\n");
    for _ in 0..2 {
        assert_eq!(crawl(&bookend, &mut [&mut slow, &mut call]), 408);
    }
    assert_eq!([slow.finish(), call.finish()], [200, 200]);
}

#[test]
fn body_that_its_node_does_not_take_is_not_the_clients_to_answer_for() {
    let gate = Gate::default();
    let opened = gate.clone();
    let node = Origin::start(move |call| {
        if call.target() == "/large" {
            opened.pass();
        }
        call.answer(200, "hello")
    });
    let bookend = Bookend::start(&Site::of(&[&node]).with_listener(HURRY));
    let mut client = Client::connect(bookend.address());
    let uploading = thread::spawn(move || client.request("POST", "/large", "", &vec![b'x'; 32 << 20]).status);
    until("the node has its head", || node.count() == 1);
    for _ in 0..2 {
        assert_eq!(crawl(&bookend, &mut []), 408);
    }
    gate.open();
    assert_eq!(uploading.join().unwrap(), 200);
    assert_eq!(too_slow(&bookend, "body"), 2);
}

/// A node whose answers are larger than all that the systems on the way hold.
fn large() -> Origin {
    Origin::start(|call| {
        call.body();
        call.write(format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n", 64 << 20));
        call.write(vec![b'x'; 64 << 20]);
        Next::Close
    })
}

/// bookend that cuts answers which are taken slower than 1 MiB a second.
fn impatient(node: &Origin) -> Bookend {
    let site = Site::of(&[node])
        .with_listener("timeouts: { write: 500ms }")
        .with_listener("limits: { answer_rate: 1MiB }");
    Bookend::start(&site)
}

#[test]
fn answer_that_is_taken_too_slowly_is_cut() {
    let node = large();
    let bookend = impatient(&node);
    let mut client = Client::connect(bookend.address());
    client.send("GET / HTTP/1.1\r\nHost: site.test\r\n\r\n");
    let mut piece = [0; 4_096];
    until("bookend has had enough", || {
        // 200 KiB a second at the most, so it takes something all the time.
        let _ = client.stream().read(&mut piece);
        thread::sleep(TICK);
        too_slow(&bookend, "answer") == 1
    });
    bookend.wait_for_log("client too slow client=127.0.0.1 with=answer");
    assert!(client.read_to_end().is_err(), "the answer looks complete");
}

/// What the kernel keeps of an answer, which nobody takes, at the most; twice as much as it is told to, as it counts roughly.
const MOST_KEPT: u64 = 256 << 10;

/// Bytes that the kernel has to send from `address` to the client at `to`, by the table of its connections.
fn kept(address: SocketAddr, to: SocketAddr) -> Option<u64> {
    let port = |address: SocketAddr| format!(":{:04X}", address.port());
    let table = fs::read_to_string("/proc/net/tcp").unwrap();
    let of_these = |line: &&str| {
        let mut ends = line.split_whitespace().skip(1);
        let mut is = |at| ends.next().is_some_and(|end| end.ends_with(&port(at)));
        is(address) && is(to)
    };
    let queues = table.lines().find(of_these)?.split_whitespace().nth(4)?;
    u64::from_str_radix(queues.split(':').next()?, 16).ok()
}

#[test]
fn answer_that_nobody_takes_is_not_kept_by_the_kernel() {
    let node = large();
    let bookend = impatient(&node);
    let mut client = Client::connect(bookend.address());
    let from = client.stream().local_addr().unwrap();
    client.send("GET / HTTP/1.1\r\nHost: site.test\r\n\r\n");
    let mut most = 0;
    until("bookend has had enough", || {
        most = most.max(kept(bookend.address(), from).unwrap_or(0));
        too_slow(&bookend, "answer") == 1
    });
    assert!((1..=MOST_KEPT).contains(&most), "{most} bytes were kept");
}

#[test]
fn crowd_of_slow_clients_is_sent_away_and_nobody_else_notices() {
    let node = Origin::answering("hello");
    let site = Site::of(&[&node])
        .with_listener("timeouts: { head: 1s }")
        .with_listener("limits: { body_rate: 10KiB, body_rate_time: 500ms, connections_per_client: 20 }");
    let bookend = Bookend::start(&site);
    let load = Load::start(bookend.address(), 2);
    let begun = |from: u8, text: &str| {
        let mut client = Client::connect_from(IpAddr::from([127, 0, 0, from]), bookend.address());
        // Those that come after too many others are told so at once.
        let _ = client.try_send(text);
        client
    };
    let mut crowd = Vec::new();
    for number in 0..40 {
        crowd.push(begun(2, "GET / HTTP/1.1\r\nX-Slow: "));
        crowd.push(begun(3, "POST / HTTP/1.1\r\nHost: site.test\r\nContent-Length: 1000000\r\n\r\n"));
        if number % 10 == 0 {
            load.wait_for(10);
        }
    }
    until("all of them were sent away", || {
        crowd.retain_mut(|client| {
            client.try_send("x").is_ok() && !client.has_data_within(Duration::from_millis(1))
        });
        crowd.is_empty()
    });
    load.wait_for(10);
    load.finish();
    let (head, body) = (too_slow(&bookend, "head"), too_slow(&bookend, "body"));
    let refused = bookend.metric("bookend_connections_refused_total{limit=\"for one client\"}");
    assert!(head >= 20 && body >= 20, "{head} heads and {body} bodies were too slow");
    assert_eq!(head + body + refused, 80);
    until("their places are free", || bookend.metric("bookend_connections") == 0);
}

/// Answers by HTTP/2 have to be taken with 64 KiB a second, and are looked at every two seconds.
const STREAMS: [&str; 3] = ["http2: true", "timeouts: { write: 2s }", "limits: { answer_rate: 64KiB }"];

/// `SETTINGS_INITIAL_WINDOW_SIZE` of 1 KiB.
const NARROW: &[u8] = &[0, 4, 0, 0, 4, 0];

/// A node whose answers come in little pieces, each of which is soon taken even where the window is narrow.
fn in_pieces() -> Origin {
    Origin::start(|call| {
        call.write(format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n", 4 << 20));
        for _ in 0..4096 {
            call.write([b'x'; 1024]);
        }
        Next::KeepAlive
    })
}

#[test]
fn stream_whose_client_hardly_opens_its_window_is_cut_alone() {
    let node = in_pieces();
    let site = STREAMS.iter().fold(Site::of(&[&node]), |site, line| site.with_listener(line));
    let bookend = Bookend::start(&site);
    let mut client = Frames::connect(bookend.address(), NARROW);
    client.send(&room(0, 1 << 30));
    client.send(&get(1));
    let mut reader = client.reader();
    let reset = thread::spawn(move || reader.until(RST_STREAM).stream);
    eventually("the stream is cut", || {
        thread::sleep(TICK);
        client.send(&room(1, 400));
        reset.is_finished().then_some(())
    });
    assert_eq!(reset.join().unwrap(), 1);
    until("it is counted", || too_slow(&bookend, "answer") == 1);
    client.send(&[get(3), room(3, 1 << 30)].concat());
    let mut left = 4 << 20;
    while left > 0 {
        let data = client.until(DATA);
        left -= if data.stream == 3 { data.payload.len() } else { 0 };
    }
    assert_eq!(too_slow(&bookend, "answer"), 1);
}

#[test]
fn call_whose_client_is_slow_is_not_cut_for_that() {
    let node = in_pieces();
    let [http2, ..] = STREAMS;
    let site = Site::of(&[&node]).with_listener(http2);
    let site = site.with_listener("timeouts: { write: 1s }").with_listener("limits: { answer_rate: 1MiB }");
    let bookend = Bookend::start(&site);
    let mut client = Frames::connect(bookend.address(), NARROW);
    client.send(&[room(0, 1 << 30), call(1)].concat());
    let mut reader = client.reader();
    let reset = thread::spawn(move || [(); 2].map(|()| reader.until(RST_STREAM).stream));
    // Two after the call are cut, one after the other.
    for stream in [3, 5] {
        client.send(&get(stream));
        until("the stream is cut", || {
            thread::sleep(TICK);
            client.send(&[room(1, 10_000), room(stream, 400)].concat());
            too_slow(&bookend, "answer") == u64::from(stream / 2)
        });
    }
    assert_eq!(reset.join().unwrap(), [3, 5]);
}
