//! Answers that break off in the middle: finished by another node where that has the same, cut where not.
//!
//! The nodes of a test share one plan, since the first attempt may go to either.

use std::fs;
use std::io::{ErrorKind, Write};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use serde_json::Value;

use crate::support::{
    Answer, Bookend, Call, Client, Gate, Headers, Next, Origin, Site, TempDirectory, eventually, until,
};

type Step = Box<dyn Fn(&mut Call<'_>) -> Next + Send + Sync>;

const STRONG: &str = "ETag: \"v1\"\r\n";
const WEAK: &str = "ETag: W/\"v1\"\r\n";

/// bookend in front of as many nodes as there are steps; the attempts at all of them together come to these steps in
/// turn, and then to the last one for ever.
struct Stage {
    bookend: Bookend,
    nodes: Vec<Origin>,
}

impl Stage {
    fn of(steps: Vec<Step>) -> Self {
        Self::with(steps, |site| site)
    }

    fn with(steps: Vec<Step>, change: impl Fn(Site) -> Site) -> Self {
        let (count, steps, attempts) = (steps.len(), Arc::new(steps), Arc::new(AtomicUsize::new(0)));
        let node = || {
            let (steps, attempts) = (Arc::clone(&steps), Arc::clone(&attempts));
            Origin::start(move |call| {
                let attempt = attempts.fetch_add(1, Ordering::SeqCst).min(steps.len() - 1);
                steps[attempt](call)
            })
        };
        let nodes: Vec<Origin> = (0..count).map(|_| node()).collect();
        let site = change(Site::of(&nodes.iter().collect::<Vec<_>>()));
        Self { bookend: Bookend::start(&site), nodes }
    }

    fn client(&self) -> Client {
        Client::connect(self.bookend.address())
    }

    fn attempts(&self) -> usize {
        self.nodes.iter().map(Origin::count).sum()
    }

    /// The `Range` of every attempt, and its `If-Range`; in no particular order.
    fn ranges(&self) -> Vec<(String, String)> {
        let received = self.nodes.iter().flat_map(Origin::received);
        let value = |value: Option<&str>| value.unwrap_or("none").to_owned();
        let range = |headers: &Headers| (value(headers.one("range")), value(headers.one("if-range")));
        let mut ranges: Vec<_> = received.map(|request| range(&request.headers)).collect();
        ranges.sort();
        ranges
    }

    /// That the client gets the whole of `body`, can ask again on the same connection, and that operators are told.
    #[track_caller]
    fn finishes(&self, headers: &str, body: &[u8]) -> Answer {
        let mut client = self.client();
        let answer = client.request("GET", "/", headers, b"");
        assert!(answer.body == body, "{} bytes are not the {} expected", answer.body.len(), body.len());
        assert_eq!(client.request("HEAD", "/", "", b"").body, b"", "the connection is of no more use");
        self.bookend.wait_for_log("outcome=saved_truncated");
        answer
    }

    /// That the client sees its answer end too early, after exactly `body`.
    #[track_caller]
    fn cuts(&self, body: &[u8], why: &str) {
        let mut client = self.client();
        client.send("GET / HTTP/1.1\r\nHost: site.test\r\n\r\n");
        let head = client.read_head();
        let mut got = Vec::new();
        if head.header("transfer-encoding").is_some() {
            while got.len() < body.len() {
                got.extend(client.read_chunk());
            }
        } else {
            got = client.read_exactly(body.len());
        }
        assert!(got == body, "other bytes than the node sent");
        assert!(client.is_closed_within(Duration::from_secs(20)), "more than the node sent");
        self.bookend.wait_for_log(why);
        assert!(self.bookend.logs().contains("outcome=cut"), "{}", self.bookend.logs());
    }
}

/// A body without a pattern that a shift would repeat.
fn body(length: usize) -> Vec<u8> {
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    let mut next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state.to_le_bytes()[0]
    };
    (0..length).map(|_| next()).collect()
}

/// Sends the head of `body`, `upto` bytes of it, and ends the connection.
fn breaks(headers: &str, body: &[u8], upto: usize, end: Next) -> Step {
    let head = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n{headers}\r\n", body.len());
    let bytes = [head.as_bytes(), &body[..upto]].concat();
    Box::new(move |call| {
        call.body();
        call.write(&bytes);
        // A reset throws away what the other end has not read yet.
        if end == Next::Reset {
            std::thread::sleep(Duration::from_millis(150));
        }
        end
    })
}

/// Answers all requests by the book, ranges among them.
fn serves(headers: &str, body: &[u8]) -> Step {
    let (headers, body) = (headers.to_owned(), body.to_vec());
    Box::new(move |call| {
        let range = call.request.headers.one("range").map(str::to_owned);
        let Some((first, last)) =
            range.as_deref().and_then(|range| range.strip_prefix("bytes=")?.split_once('-'))
        else {
            return call.answer_with(200, &headers, &body);
        };
        let (first, last): (usize, usize) = (first.parse().unwrap(), last.parse().unwrap());
        let headers = format!("{headers}Content-Range: bytes {first}-{last}/{}\r\n", body.len());
        call.answer_with(206, &headers, &body[first..=last])
    })
}

/// Answers everything with 200 and the whole.
fn knows_no_ranges(headers: &str, body: &[u8]) -> Step {
    let (headers, body) = (headers.to_owned(), body.to_vec());
    Box::new(move |call| call.answer_with(200, &headers, &body))
}

/// `body` in chunks of 1,000 bytes, as far as `upto`; the last chunk only after all of it.
fn chunked(headers: &str, body: &[u8], upto: usize) -> Step {
    let mut bytes = format!("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n{headers}\r\n").into_bytes();
    for chunk in body[..upto].chunks(1_000) {
        write!(bytes, "{:x}\r\n", chunk.len()).unwrap();
        bytes.extend_from_slice(chunk);
        bytes.extend_from_slice(b"\r\n");
    }
    let is_whole = upto == body.len();
    if is_whole {
        bytes.extend_from_slice(b"0\r\n\r\n");
    }
    Box::new(move |call| {
        call.body();
        if call.method() != "HEAD" {
            call.write(&bytes);
        } else {
            call.write("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n");
        }
        if is_whole { Next::KeepAlive } else { Next::Close }
    })
}

#[test]
fn strong_validator_has_the_rest_fetched_alone() {
    let body = body(100_000);
    for end in [Next::Close, Next::Reset] {
        let stage = Stage::of(vec![breaks(STRONG, &body, 50_000, end), serves(STRONG, &body)]);
        let answer = stage.finishes("", &body);
        assert_eq!((answer.status, answer.header("etag")), (200, Some("\"v1\"")), "{end:?}");
        assert_eq!(answer.header("content-range"), None, "{end:?}");
        assert!(
            stage.ranges().contains(&("bytes=50000-99999".into(), "\"v1\"".into())),
            "{:?}",
            stage.ranges()
        );
    }
}

#[test]
fn node_without_ranges_finishes_with_the_whole() {
    let body = body(100_000);
    let stage = Stage::of(vec![breaks(STRONG, &body, 50_000, Next::Close), knows_no_ranges(STRONG, &body)]);
    stage.finishes("", &body);
}

#[test]
fn without_a_strong_validator_the_beginning_is_compared() {
    let body = body(100_000);
    for headers in ["", WEAK, "Last-Modified: Tue, 15 Nov 1994 12:45:26 GMT\r\n"] {
        let stage = Stage::of(vec![breaks(headers, &body, 50_000, Next::Close), serves(headers, &body)]);
        stage.finishes("", &body);
        assert!(stage.ranges().iter().all(|(range, _)| range == "none"), "{headers}: {:?}", stage.ranges());
    }
}

#[test]
fn answer_in_chunks_is_finished_with_one_last_chunk() {
    let body = body(100_000);
    for headers in ["", STRONG] {
        let stage = Stage::of(vec![chunked(headers, &body, 50_000), chunked(headers, &body, body.len())]);
        stage.finishes("", &body);
    }
}

#[test]
fn break_may_be_anywhere() {
    let body = body(2_000);
    for upto in [0, 1, 1_999] {
        for headers in [STRONG, ""] {
            let stage = Stage::of(vec![breaks(headers, &body, upto, Next::Close), serves(headers, &body)]);
            stage.finishes("", &body);
        }
    }
}

#[test]
fn last_chunk_alone_may_be_missing() {
    let body = body(2_000);
    let cut_at_the_end: Step = Box::new(move |call| {
        call.write("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n");
        Next::Close
    });
    let stage = Stage::of(vec![cut_at_the_end, chunked("", b"hello", 5)]);
    stage.finishes("", b"hello");
    let stage = Stage::of(vec![
        Box::new(move |call| {
            call.write("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n");
            Next::Close
        }),
        chunked("", &body, 2_000),
    ]);
    stage.cuts(b"hello", "body differs");
}

#[test]
fn third_node_finishes_what_two_could_not() {
    let body = body(100_000);
    for headers in [STRONG, ""] {
        let second: Step = match headers {
            "" => breaks("", &body, 75_000, Next::Close),
            _ => {
                let part = body[30_000..75_000].to_vec();
                Box::new(move |call| {
                    call.write(format!(
                        "HTTP/1.1 206 X\r\nContent-Range: bytes 30000-99999/100000\r\n{STRONG}"
                    ));
                    call.write("Content-Length: 70000\r\n\r\n");
                    call.write(&part);
                    Next::Close
                })
            }
        };
        let stage =
            Stage::of(vec![breaks(headers, &body, 30_000, Next::Reset), second, serves(headers, &body)]);
        stage.finishes("", &body);
    }
}

#[test]
fn node_that_breaks_while_it_repeats_the_beginning_changes_nothing() {
    let body = body(100_000);
    let stage = Stage::of(vec![
        breaks("", &body, 60_000, Next::Close),
        breaks("", &body, 20_000, Next::Close),
        serves("", &body),
    ]);
    stage.finishes("", &body);
}

#[test]
fn only_node_may_finish_its_own_answer() {
    let body = body(10_000);
    let node = {
        let (first, then) = (breaks(STRONG, &body, 4_000, Next::Close), serves(STRONG, &body));
        let attempts = AtomicUsize::new(0);
        Origin::start(move |call| match attempts.fetch_add(1, Ordering::SeqCst) {
            0 => first(call),
            _ => then(call),
        })
    };
    let bookend = Bookend::start(&Site::of(&[&node]));
    assert!(Client::connect(bookend.address()).get("/").body == body);
}

#[test]
fn answer_that_differs_is_cut() {
    let body = body(10_000);
    let longer = [&body[..], b"x"].concat();
    let mut other = body.clone();
    other[1_234] ^= 1;
    let cases: [(&str, Step, &str); 7] = [
        (STRONG, serves("ETag: \"v2\"\r\n", &body), "etag differs"),
        (STRONG, knows_no_ranges("ETag: \"v2\"\r\n", &body), "etag differs"),
        (STRONG, serves("ETag: \"v1\"\r\nContent-Encoding: gzip\r\n", &body), "content-encoding differs"),
        ("", serves("", &longer), "content-length differs"),
        ("", serves("", &other), "body differs"),
        ("Content-Type: text/html\r\n", serves("Content-Type: text/css\r\n", &body), "content-type differs"),
        ("", serves("Set-Cookie: session=2\r\n", &body), "set-cookie would be lost"),
    ];
    for (headers, second, why) in cases {
        let stage = Stage::of(vec![breaks(headers, &body, 5_000, Next::Close), second]);
        stage.cuts(&body[..5_000], why);
        assert_eq!(stage.attempts(), 2, "{why}");
    }
}

#[test]
fn chunks_that_differ_are_cut() {
    let body = body(10_000);
    let mut other = body.clone();
    other[1_234] ^= 1;
    let stage = Stage::of(vec![chunked("", &body, 5_000), chunked("", &other, 10_000)]);
    stage.cuts(&body[..5_000], "body differs");
}

#[test]
fn compressed_answer_is_finished_by_the_same() {
    let body = body(10_000);
    let gzip = "Content-Encoding: gzip\r\nVary: Accept-Encoding\r\n";
    let stage = Stage::of(vec![breaks(gzip, &body, 5_000, Next::Close), serves(gzip, &body)]);
    assert_eq!(stage.finishes("", &body).header("content-encoding"), Some("gzip"));
}

#[test]
fn five_hundred_of_the_second_node_sends_it_to_a_third() {
    let body = body(10_000);
    let broken: Step = Box::new(|call| call.answer(500, "broken"));
    let stage = Stage::of(vec![breaks(STRONG, &body, 5_000, Next::Close), broken, serves(STRONG, &body)]);
    stage.finishes("", &body);
}

#[test]
fn answer_that_nobody_can_finish_is_cut() {
    let body = body(10_000);
    let steps: [(Step, &str); 5] = [
        (Box::new(|call| call.answer(500, "broken")), "status differs"),
        (Box::new(|call| call.answer(404, "gone")), "status differs"),
        (Box::new(|call| call.answer_with(416, "Content-Range: bytes */9\r\n", "")), "status differs"),
        (Box::new(|call| call.answer(304, "")), "status differs"),
        (Box::new(|call| call.reset()), "truncated"),
    ];
    for (second, why) in steps {
        let stage = Stage::of(vec![breaks(STRONG, &body, 5_000, Next::Close), second]);
        stage.cuts(&body[..5_000], why);
    }
}

/// Sends `bytes`, and then nothing until the gate opens.
fn stalls(bytes: Vec<u8>, gate: &Gate) -> Step {
    let gate = gate.clone();
    Box::new(move |call| {
        call.body();
        call.write(&bytes);
        gate.pass();
        Next::Close
    })
}

#[test]
fn node_that_stalls_is_as_good_as_dead() {
    let (body, gate) = (body(10_000), Gate::default());
    let first = format!("HTTP/1.1 200 OK\r\nContent-Length: 10000\r\n{STRONG}\r\n");
    let first = [first.as_bytes(), &body[..5_000]].concat();
    let second = format!(
        "HTTP/1.1 206 X\r\nContent-Length: 5000\r\nContent-Range: bytes 5000-9999/10000\r\n{STRONG}\r\n"
    );
    let second = [second.as_bytes(), &body[5_000..8_000]].concat();
    let cases = [
        vec![stalls(first.clone(), &gate), serves(STRONG, &body)],
        vec![stalls(first.clone(), &gate), stalls(Vec::new(), &gate), serves(STRONG, &body)],
        vec![stalls(first, &gate), stalls(second, &gate), serves(STRONG, &body)],
    ];
    for steps in cases {
        let stage = Stage::with(steps, |site| {
            site.with_pool("timeouts: { first_byte: 400ms, between_bytes: 300ms }")
        });
        stage.finishes("", &body);
    }
    gate.open();
}

#[test]
fn part_that_the_client_asked_for_is_finished_as_a_part() {
    let body = body(10_000);
    for headers in [STRONG, ""] {
        let half = body[2_000..4_000].to_vec();
        let first: Step = Box::new(move |call| {
            call.write(format!("HTTP/1.1 206 X\r\nContent-Range: bytes 2000-5999/10000\r\n{headers}"));
            call.write("Content-Length: 4000\r\n\r\n");
            call.write(&half);
            Next::Close
        });
        let stage = Stage::of(vec![first, serves(headers, &body)]);
        let answer = stage.finishes("Range: bytes=2000-5999\r\n", &body[2_000..6_000]);
        assert_eq!((answer.status, answer.header("content-range")), (206, Some("bytes 2000-5999/10000")));
        let asked = if headers == STRONG { "bytes=4000-5999" } else { "bytes=2000-5999" };
        assert!(stage.ranges().iter().any(|(range, _)| range == asked), "{:?}", stage.ranges());
    }
}

#[test]
fn range_that_the_first_node_ignored_is_not_asked_of_the_second() {
    let body = body(10_000);
    let stage = Stage::of(vec![breaks("", &body, 5_000, Next::Close), serves("", &body)]);
    assert_eq!(stage.finishes("Range: bytes=2000-5999\r\n", &body).status, 200);
}

/// That the answer to `request` is cut after `hello`, and that no other node was asked.
#[track_caller]
fn is_left_alone(request: &str, head: &'static str, change: impl Fn(Site) -> Site) {
    let node = || -> Step {
        Box::new(move |call| {
            call.body();
            call.write(head);
            Next::Close
        })
    };
    let stage = Stage::with(vec![node(), node()], change);
    let mut client = stage.client();
    client.send(request);
    stage.bookend.wait_for_log("outcome=cut");
    until("the connection ends", || client.is_closed_within(Duration::from_secs(1)));
    assert_eq!(stage.attempts(), 1, "{head}");
}

const GET: &str = "GET / HTTP/1.1\r\nHost: site.test\r\n\r\n";
const HALF: &str = "HTTP/1.1 200 X\r\nContent-Length: 10\r\n\r\nhello";

#[test]
fn event_streams_and_calls_are_left_alone() {
    let events = "HTTP/1.1 200 X\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n";
    is_left_alone(GET, events, |site| site);
    let call = "HTTP/1.1 200 X\r\nContent-Type: application/grpc\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n";
    is_left_alone(GET, call, |site| site);
}

#[test]
fn other_methods_are_left_alone() {
    for method in ["POST", "PUT", "DELETE", "OPTIONS"] {
        let request = format!("{method} / HTTP/1.1\r\nHost: site.test\r\nContent-Length: 0\r\n\r\n");
        is_left_alone(&request, HALF, |site| site);
    }
}

#[test]
fn route_can_opt_out() {
    is_left_alone(GET, HALF, |site| site.with_route("retry: { finish_answers: false }"));
    is_left_alone(GET, HALF, |site| site.with_pool("retry: { finish_answers: false }"));
}

#[test]
fn http_1_0_client_is_helped_where_there_is_a_length() {
    let body = body(10_000);
    let stage = Stage::of(vec![breaks(STRONG, &body, 5_000, Next::Close), serves(STRONG, &body)]);
    let mut client = stage.client();
    client.send("GET / HTTP/1.0\r\nHost: site.test\r\n\r\n");
    assert!(client.read_answer("GET").body == body);

    let stage = Stage::of(vec![chunked("", &body, 5_000), chunked("", &body, 10_000)]);
    let mut client = stage.client();
    client.send("GET / HTTP/1.0\r\nHost: site.test\r\n\r\n");
    client.read_head();
    stage.bookend.wait_for_log("outcome=cut");
    assert_eq!(stage.attempts(), 1);
}

#[test]
fn beginning_that_is_too_long_to_be_compared_is_cut() {
    let body = body(6 << 20);
    let stage = Stage::of(vec![breaks("", &body, 5 << 20, Next::Close), serves("", &body)]);
    let error = stage.client().try_request("GET", "/", "", b"").expect_err("it was finished");
    assert_eq!(error.kind(), ErrorKind::UnexpectedEof);
    stage.bookend.wait_for_log("outcome=cut");
    assert_eq!(stage.attempts(), 1);
}

#[test]
fn long_answers_are_finished_without_being_held() {
    let body = body(48 << 20);
    let late = 47 << 20;
    let serves: [fn(&str, &[u8]) -> Step; 2] = [serves, knows_no_ranges];
    for serves in serves {
        let stage = Stage::of(vec![breaks(STRONG, &body, late, Next::Close), serves(STRONG, &body)]);
        let before = stage.bookend.peak_memory_kib();
        stage.finishes("", &body);
        let grown = stage.bookend.peak_memory_kib() - before;
        // Buffers on the way take some megabytes, and how many depends on how fast each side is.
        assert!(grown < 24 << 10, "{grown} KiB for an answer of 48 MiB");
    }
}

#[test]
fn client_that_leaves_meanwhile_is_no_failure() {
    let (body, gate) = (body(10_000), Gate::default());
    let (closed, is_asked) = (gate.clone(), Gate::default());
    let asked = is_asked.clone();
    let waits: Step = Box::new(move |call| {
        call.write("HTTP/1.1 206 X\r\nContent-Range: bytes 5000-9999/10000\r\nETag: \"v1\"\r\n");
        call.write("Content-Length: 5000\r\n\r\nabc");
        asked.open();
        closed.pass();
        Next::Close
    });
    let log = AccessLog::new();
    let stage = Stage::with(vec![breaks(STRONG, &body, 5_000, Next::Close), waits], |site| log.of(site));
    let mut client = stage.client();
    client.send(GET);
    client.read_head();
    is_asked.pass();
    drop(client);
    assert_eq!(log.only_line()["outcome"], "client_gone");
    gate.open();
    assert!(!stage.bookend.logs().contains("request failed"), "{}", stage.bookend.logs());
}

/// An access log of its own.
struct AccessLog {
    directory: TempDirectory,
}

impl AccessLog {
    fn new() -> Self {
        Self { directory: TempDirectory::new() }
    }

    fn path(&self) -> PathBuf {
        self.directory.path().join("access.log")
    }

    fn of(&self, site: Site) -> Site {
        site.with_top(&format!("access_log: {{ path: {} }}", self.path().display()))
    }

    fn only_line(&self) -> Value {
        let line = eventually("there is a line", || {
            fs::read_to_string(self.path()).ok().filter(|text| text.ends_with('\n'))
        });
        serde_json::from_str(&line).unwrap()
    }
}

#[test]
fn access_log_tells_what_the_client_got() {
    let body = body(100_000);
    let log = AccessLog::new();
    let steps = vec![breaks("", &body, 50_000, Next::Close), serves("", &body)];
    let stage = Stage::with(steps, |site| log.of(site));
    assert!(stage.client().get("/").body == body);
    let line = log.only_line();
    assert_eq!(line["bytes"], 100_000, "{line}");
    assert_eq!((&line["status"], &line["attempts"]), (&200.into(), &2.into()), "{line}");
    assert_eq!(line["outcome"], "saved_truncated", "{line}");
    let nodes = line["nodes"].as_str().unwrap();
    assert!(["web-01:truncated,web-02", "web-02:truncated,web-01"].contains(&nodes), "{line}");
}
