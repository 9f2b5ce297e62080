//! What happens to a request when a node fails: each row of the table, for each kind of request.
//!
//! Where a row needs the first attempt to fail, whichever node it goes to, the nodes share one [`Plan`].

use std::io::Write;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use crate::support::{Bookend, Call, Client, Gate, Next, Origin, Site, fetch, until};

/// A kind of request by what may be done with it.
struct Kind {
    method: &'static str,
    headers: &'static str,
    body: &'static str,
}

const GET: Kind = Kind { method: "GET", headers: "", body: "" };
const HEAD: Kind = Kind { method: "HEAD", headers: "", body: "" };
const OPTIONS: Kind = Kind { method: "OPTIONS", headers: "", body: "" };
const PUT: Kind = Kind { method: "PUT", headers: "", body: "hello" };
const DELETE: Kind = Kind { method: "DELETE", headers: "", body: "" };
const KEYED: Kind = Kind { method: "POST", headers: "Idempotency-Key: \"1\"\r\n", body: "hello" };
const POST: Kind = Kind { method: "POST", headers: "", body: "hello" };
const PATCH: Kind = Kind { method: "PATCH", headers: "", body: "hello" };
const CONDITIONAL: Kind = Kind { method: "PUT", headers: "If-Match: \"v1\"\r\n", body: "hello" };

const REPEATABLE: [Kind; 6] = [GET, HEAD, OPTIONS, PUT, DELETE, KEYED];
const UNREPEATABLE: [Kind; 2] = [POST, PATCH];

type Step = fn(&mut Call<'_>) -> Next;

/// What the attempts at all nodes together come to, in their order; the last step goes on for ever.
#[derive(Clone)]
struct Plan {
    steps: Arc<Vec<Step>>,
    attempts: Arc<AtomicUsize>,
}

impl Plan {
    fn new(steps: &[Step]) -> Self {
        Self { steps: Arc::new(steps.to_vec()), attempts: Arc::default() }
    }

    fn node(&self) -> Origin {
        let plan = self.clone();
        Origin::start(move |call| {
            let attempt = plan.attempts.fetch_add(1, Ordering::SeqCst).min(plan.steps.len() - 1);
            plan.steps[attempt](call)
        })
    }

    fn attempts(&self) -> usize {
        self.attempts.load(Ordering::SeqCst)
    }
}

/// What a client got, and how many attempts nodes saw.
#[derive(Debug, PartialEq, Eq)]
struct Outcome {
    status: u16,
    body: String,
    attempts: usize,
}

fn outcome(status: u16, body: &str, attempts: usize) -> Outcome {
    Outcome { status, body: body.to_owned(), attempts }
}

/// One request to `nodes` nodes that follow the plan; our own error pages count as an empty body.
fn run(steps: &[Step], nodes: usize, pool: &str, kind: &Kind) -> Outcome {
    let plan = Plan::new(steps);
    let nodes: Vec<Origin> = (0..nodes).map(|_| plan.node()).collect();
    let site = Site::of(&nodes.iter().collect::<Vec<_>>());
    let site = if pool.is_empty() { site } else { site.with_pool(pool) };
    let bookend = Bookend::start(&site);
    let mut client = Client::connect(bookend.address());
    let answer = client.request(kind.method, "/", kind.headers, kind.body.as_bytes());
    let is_of_node = answer.header("x-node").is_some() && kind.method != "HEAD";
    let body = if is_of_node { answer.text().to_owned() } else { String::new() };
    Outcome { status: answer.status, body, attempts: plan.attempts() }
}

fn served(call: &mut Call<'_>) -> Next {
    call.answer_with(200, "X-Node: yes\r\n", "")
}

fn reset(call: &mut Call<'_>) -> Next {
    call.reset()
}

fn close(call: &mut Call<'_>) -> Next {
    call.body();
    Next::Close
}

fn half_a_head(call: &mut Call<'_>) -> Next {
    call.body();
    call.write("HTTP/1.1 200 OK\r\nContent-Le");
    Next::Close
}

fn garbage(call: &mut Call<'_>) -> Next {
    call.body();
    call.write("\x16\x03\x01 this is no HTTP\r\n\r\n");
    Next::Close
}

fn says_500(call: &mut Call<'_>) -> Next {
    call.answer_with(500, "X-Node: yes\r\n", "broken")
}

fn says_500_again(call: &mut Call<'_>) -> Next {
    call.answer_with(500, "X-Node: yes\r\n", "broken again")
}

fn says_502(call: &mut Call<'_>) -> Next {
    call.answer_with(502, "X-Node: yes\r\n", "broken")
}

fn says_503(call: &mut Call<'_>) -> Next {
    call.answer_with(503, "X-Node: yes\r\n", "broken")
}

fn says_504(call: &mut Call<'_>) -> Next {
    call.answer_with(504, "X-Node: yes\r\n", "broken")
}

/// Runs one step and then success for every kind, and compares.
fn expect(step: Step, kinds: &[Kind], status: u16, body: &str, attempts: usize) {
    for kind in kinds {
        let seen = run(&[step, served], 2, "", kind);
        let body = if kind.method == "HEAD" { "" } else { body };
        assert_eq!(seen, outcome(status, body, attempts), "{} {:?}", kind.method, kind.headers);
    }
}

#[test]
fn refused_connection_goes_to_another_node_whatever_the_method() {
    let (absent, node) = (Origin::absent(), Origin::answering("hello"));
    let bookend = Bookend::start(&Site::of(&[&absent, &node]).with_pool("health_check: off"));
    let mut client = Client::connect(bookend.address());
    let mut asked = 0;
    for kind in REPEATABLE.iter().chain(&UNREPEATABLE).chain([&CONDITIONAL]) {
        for _ in 0..2 {
            let answer = client.request(kind.method, "/", kind.headers, kind.body.as_bytes());
            assert_eq!(answer.status, 200, "{}", kind.method);
            asked += 1;
        }
    }
    assert_eq!(node.count(), asked);
}

#[test]
fn refused_connections_do_not_count_as_tries() {
    let absent: Vec<Origin> = (0..5).map(|_| Origin::absent()).collect();
    let node = Origin::answering("hello");
    let mut all: Vec<&Origin> = absent.iter().collect();
    all.push(&node);
    let site = Site::of(&all).with_pool("health_check: off").with_pool("retry: { attempts: 1 }");
    let bookend = Bookend::start(&site);
    for _ in 0..12 {
        let answer = Client::connect(bookend.address()).request("POST", "/", "", b"hello");
        assert_eq!(answer.status, 200);
    }
}

#[test]
fn broken_before_the_last_byte_goes_to_another_node_whatever_the_method() {
    for kind in [&PUT, &POST, &PATCH, &KEYED, &CONDITIONAL] {
        let first = Plan::new(&[|_| Next::Reset, served]);
        let nodes = [first.node(), first.node()];
        let bookend = Bookend::start(&Site::of(&nodes.each_ref()));
        let mut client = Client::connect(bookend.address());
        let head = format!(
            "{} / HTTP/1.1\r\nHost: site.test\r\n{}Content-Length: 20000\r\n\r\n",
            kind.method, kind.headers
        );
        client.send(head);
        client.send([b'x'; 10_000]);
        until("another node has the first half", || first.attempts() == 2);
        client.send([b'y'; 10_000]);
        assert_eq!(client.read_answer(kind.method).status, 200, "{} {:?}", kind.method, kind.headers);
        assert_eq!(first.attempts(), 2);
        let whole =
            nodes.iter().flat_map(Origin::received).filter(|request| request.body.len() == 20_000).count();
        assert_eq!(whole, 1, "one node got the whole body");
    }
}

#[test]
fn route_can_opt_out_of_repeating_half_a_body() {
    let plan = Plan::new(&[|_| Next::Reset, served]);
    let nodes = [plan.node(), plan.node()];
    let site = Site::of(&[&nodes[0], &nodes[1]]).with_route("retry: { part_sent: false }");
    let bookend = Bookend::start(&site);
    let mut client = Client::connect(bookend.address());
    client.send("POST / HTTP/1.1\r\nHost: site.test\r\nContent-Length: 20000\r\n\r\n");
    client.send([b'x'; 10_000]);
    assert_eq!(client.read_answer("POST").status, 502);
    assert_eq!(plan.attempts(), 1);
}

#[test]
fn broken_after_the_last_byte_goes_to_another_node_if_it_may_run_twice() {
    expect(reset, &REPEATABLE, 200, "", 2);
    expect(close, &[GET, PUT, KEYED], 200, "", 2);
    expect(half_a_head, &[GET, PUT], 200, "", 2);
}

#[test]
fn broken_after_the_last_byte_is_never_repeated_if_it_may_not_run_twice() {
    expect(reset, &UNREPEATABLE, 502, "", 1);
    expect(close, &UNREPEATABLE, 502, "", 1);
    expect(half_a_head, &UNREPEATABLE, 502, "", 1);
    expect(reset, &[CONDITIONAL], 502, "", 1);
}

#[test]
fn five_hundreds_are_repeated_if_they_may_run_twice() {
    for step in [says_500 as Step, says_502, says_503, says_504] {
        expect(step, &[GET, HEAD, PUT, DELETE, KEYED], 200, "", 2);
    }
}

#[test]
fn five_hundreds_are_passed_on_if_they_may_not_run_twice() {
    for (step, status) in [(says_500 as Step, 500), (says_502, 502), (says_503, 503), (says_504, 504)] {
        expect(step, &UNREPEATABLE, status, "broken", 1);
    }
}

#[test]
fn other_statuses_are_the_clients_answer() {
    expect(|call| call.answer_with(404, "X-Node: yes\r\n", "not here"), &[GET, POST], 404, "not here", 1);
    expect(|call| call.answer_with(501, "X-Node: yes\r\n", "cannot"), &[GET, POST], 501, "cannot", 1);
    expect(|call| call.answer_with(429, "X-Node: yes\r\n", "slower"), &[GET, POST], 429, "slower", 1);
}

#[test]
fn second_nodes_five_hundred_is_the_clients_answer() {
    for kind in [GET, PUT] {
        assert_eq!(run(&[says_500, says_500_again, served], 3, "", &kind), outcome(500, "broken again", 2));
    }
}

#[test]
fn node_that_answered_is_asked_again_if_the_repeat_breaks() {
    assert_eq!(run(&[says_500, reset, says_500_again], 2, "", &GET), outcome(500, "broken again", 3));
    assert_eq!(run(&[says_500, reset, served], 2, "", &GET), outcome(200, "", 3));
}

#[test]
fn answer_stays_the_nodes_own_if_the_other_node_always_breaks() {
    let answering = Origin::start(says_500);
    let breaking = Origin::start(reset);
    let bookend = Bookend::start(&Site::of(&[&answering, &breaking]));
    for _ in 0..10 {
        let answer = fetch(bookend.address(), "/");
        assert_eq!((answer.status, answer.text()), (500, "broken"));
    }
}

#[test]
fn status_of_the_first_answer_stays_if_everything_breaks_after_it() {
    assert_eq!(run(&[says_500, reset], 2, "", &GET), outcome(500, "", 3));
    assert_eq!(run(&[says_503, reset], 2, "retry: { attempts: 2 }", &PUT), outcome(503, "", 2));
}

#[test]
fn five_hundred_of_the_only_node_passes_through() {
    assert_eq!(run(&[says_500], 1, "", &GET), outcome(500, "broken", 1));
}

#[test]
fn nonsense_is_repeated_only_if_it_may_run_twice() {
    expect(garbage, &REPEATABLE, 200, "", 2);
    expect(garbage, &UNREPEATABLE, 502, "", 1);
}

#[test]
fn tries_end_at_the_configured_number() {
    assert_eq!(run(&[reset, served], 3, "retry: { attempts: 1 }", &GET), outcome(502, "", 1));
    assert_eq!(run(&[reset, says_500, served], 3, "retry: { attempts: 2 }", &GET), outcome(500, "broken", 2));
    assert_eq!(run(&[reset, says_500, served], 3, "retry: { attempts: 3 }", &GET), outcome(200, "", 3));
}

#[test]
fn query_of_death_takes_two_nodes_and_no_third() {
    let plan = Plan::new(&[reset]);
    let nodes: Vec<Origin> = (0..4).map(|_| plan.node()).collect();
    let bookend = Bookend::start(&Site::of(&nodes.iter().collect::<Vec<_>>()));
    assert_eq!(fetch(bookend.address(), "/death").status, 502);
    assert_eq!(plan.attempts(), 2);
}

#[test]
fn body_is_sent_again_whole() {
    let plan = Plan::new(&[reset, |call| {
        let body = call.body();
        call.answer(200, body)
    }]);
    let nodes = [plan.node(), plan.node()];
    let bookend = Bookend::start(&Site::of(&[&nodes[0], &nodes[1]]));
    let body: Vec<u8> = (0..=255).cycle().take(60_000).collect();
    let answer = Client::connect(bookend.address()).request("PUT", "/", "", &body);
    assert_eq!(answer.status, 200);
    assert!(answer.body == body, "the body changed on its way");
}

#[test]
fn connection_of_the_client_stays_usable_after_a_repeat() {
    let plan = Plan::new(&[reset, served, says_500, served]);
    let nodes = [plan.node(), plan.node()];
    let bookend = Bookend::start(&Site::of(&[&nodes[0], &nodes[1]]));
    let mut client = Client::connect(bookend.address());
    for _ in 0..4 {
        assert_eq!(client.request("PUT", "/", "", b"hello").status, 200);
    }
}

#[test]
fn body_that_waits_for_100_goes_to_another_node() {
    let plan = Plan::new(&[
        |_| Next::Reset,
        |call| {
            call.write("HTTP/1.1 100 Continue\r\n\r\n");
            let body = call.body();
            call.answer(200, body)
        },
    ]);
    let nodes = [plan.node(), plan.node()];
    let bookend = Bookend::start(&Site::of(&nodes.each_ref()));
    let mut client = Client::connect(bookend.address());
    client.send("POST / HTTP/1.1\r\nHost: site.test\r\nExpect: 100-continue\r\nContent-Length: 5\r\n\r\n");
    assert_eq!(client.read_head().status, 100);
    client.send("hello");
    assert_eq!(client.read_answer("POST").text(), "hello");
}

#[test]
fn body_that_a_silent_node_does_not_ask_for_goes_to_another_node() {
    for method in ["PUT", "POST"] {
        let plan = Plan::new(&[
            |call| {
                call.wait_for_the_end();
                Next::Close
            },
            |call| {
                call.write("HTTP/1.1 100 Continue\r\n\r\n");
                let body = call.body();
                call.answer(200, body)
            },
        ]);
        let nodes = [plan.node(), plan.node()];
        let site = Site::of(&nodes.each_ref()).with_pool("timeouts: { first_byte: 300ms }");
        let bookend = Bookend::start(&site);
        let mut client = Client::connect(bookend.address());
        client.send(format!(
            "{method} / HTTP/1.1\r\nHost: site.test\r\nExpect: 100-continue\r\nContent-Length: 5\r\n\r\n"
        ));
        assert_eq!(client.read_head().status, 100, "{method}");
        client.send("hello");
        assert_eq!(client.read_answer(method).text(), "hello", "{method}");
        assert_eq!(plan.attempts(), 2, "{method}");
    }
}

#[test]
fn body_that_no_node_asks_for_ends_in_time() {
    let silent: Step = |call| {
        call.wait_for_the_end();
        Next::Close
    };
    let plan = Plan::new(&[silent]);
    let nodes = [plan.node(), plan.node(), plan.node()];
    let site = Site::of(&nodes.each_ref()).with_pool("timeouts: { first_byte: 300ms }");
    let bookend = Bookend::start(&site);
    let mut client = Client::connect(bookend.address());
    client.send("PUT / HTTP/1.1\r\nHost: site.test\r\nExpect: 100-continue\r\nContent-Length: 5\r\n\r\n");
    assert_eq!(client.read_answer("PUT").status, 504);
    assert_eq!(plan.attempts(), 2);
}

#[test]
fn client_that_leaves_frees_its_node_and_is_no_failure() {
    let gone = Gate::default();
    let seen = gone.clone();
    let node = Origin::start(move |call| {
        call.body();
        call.wait_for_the_end();
        seen.open();
        Next::Close
    });
    let other = Origin::answering("other");
    let bookend = Bookend::start(&Site::of(&[&node, &other]));
    for clients_before in 0..2 {
        let mut client = Client::connect(bookend.address());
        client.send("GET / HTTP/1.1\r\nHost: site.test\r\n\r\n");
        until("a node has it", || node.count() + other.count() > clients_before);
    }
    gone.pass();
    assert_eq!(node.count(), 1);
    assert!(!bookend.logs().contains("request failed"), "{}", bookend.logs());
}

#[test]
fn pooled_connection_that_died_is_not_a_failure() {
    let node = Origin::answering("hello");
    let bookend = Bookend::start(&Site::of(&[&node]));
    let mut client = Client::connect(bookend.address());
    for kind in [&GET, &POST, &PUT, &POST, &PATCH, &POST] {
        let answer = client.request(kind.method, "/", kind.headers, kind.body.as_bytes());
        assert_eq!(answer.status, 200, "{}", kind.method);
        node.close_connections();
    }
    assert_eq!(node.count(), 6);
}

#[test]
fn request_that_may_not_run_twice_never_does_while_nodes_break() {
    let breaks_often = || {
        let count = AtomicUsize::new(0);
        Origin::start(move |call| match count.fetch_add(1, Ordering::Relaxed) % 7 {
            2 => call.reset(),
            4 => half_a_head(call),
            5 => close(call),
            _ => call.answer(200, ""),
        })
    };
    let nodes = [breaks_often(), breaks_often(), breaks_often()];
    let bookend = Bookend::start(&Site::of(&nodes.each_ref()));
    std::thread::scope(|scope| {
        for client in 0..4 {
            let address = bookend.address();
            scope.spawn(move || {
                for request in 0..100 {
                    let body = format!("order {client}-{request}");
                    let answer = Client::connect(address).request("POST", "/", "", body.as_bytes());
                    assert!([200, 502].contains(&answer.status), "{}", answer.status);
                }
            });
        }
    });
    let mut ran: Vec<Vec<u8>> = nodes.iter().flat_map(Origin::received).map(|request| request.body).collect();
    assert_eq!(ran.len(), 400, "each order ran once");
    ran.sort();
    ran.dedup();
    assert_eq!(ran.len(), 400, "some orders ran twice, others never");
}

#[test]
fn node_that_asks_for_rest_gets_no_new_work_meanwhile() {
    let tired = Origin::start(|call| call.answer_with(503, "Retry-After: 5\r\n", "tired"));
    let fresh = Origin::answering("fresh");
    let bookend = Bookend::start(&Site::of(&[&tired, &fresh]));
    let mut client = Client::connect(bookend.address());
    for _ in 0..20 {
        assert_eq!(client.get("/").text(), "fresh");
    }
    assert_eq!(tired.count(), 1);
}

#[test]
fn early_answer_to_an_upload_is_the_clients_answer() {
    let plan = Plan::new(&[|call| {
        call.write("HTTP/1.1 413 X\r\nContent-Length: 7\r\nConnection: close\r\n\r\ntoo big");
        Next::Reset
    }]);
    let nodes = [plan.node(), plan.node()];
    let bookend = Bookend::start(&Site::of(&[&nodes[0], &nodes[1]]));
    for method in ["POST", "PUT"] {
        let mut client = Client::connect(bookend.address());
        client.send(format!("{method} / HTTP/1.1\r\nHost: site.test\r\nContent-Length: 20000\r\n\r\n"));
        client.send([b'x'; 10_000]);
        assert_eq!(client.read_head().status, 413);
    }
    assert_eq!(plan.attempts(), 2, "one attempt for each request");
}

#[test]
fn answer_that_breaks_off_never_looks_complete() {
    let node = Origin::start(|call| {
        let chunked = call.target() == "/chunked";
        let head = if chunked { "Transfer-Encoding: chunked" } else { "Content-Length: 10" };
        let body = if chunked { "5\r\nhello\r\n" } else { "hello" };
        call.write(format!("HTTP/1.1 200 OK\r\n{head}\r\n\r\n{body}"));
        Next::Close
    });
    let bookend = Bookend::start(&Site::of(&[&node]));
    for target in ["/length", "/chunked"] {
        let mut client = Client::connect(bookend.address());
        let error = client.try_request("GET", target, "", b"").expect_err("half a body");
        assert_eq!(error.kind(), std::io::ErrorKind::UnexpectedEof, "{target}: {error}");
    }
}

#[test]
fn silent_node_ends_in_504() {
    let gate = Gate::default();
    let closed = gate.clone();
    let node = Origin::start(move |call| {
        call.body();
        closed.pass();
        Next::Close
    });
    let site = Site::of(&[&node]).with_pool("timeouts: { first_byte: 300ms }");
    let bookend = Bookend::start(&site);
    let answer = Client::connect(bookend.address()).request("POST", "/", "", b"hello");
    gate.open();
    assert_eq!(answer.status, 504);
    assert_eq!(node.count(), 1);
}

#[test]
fn no_node_at_all_ends_in_503() {
    let absent = Origin::absent();
    let bookend = Bookend::start(&Site::of(&[&absent]).with_pool("health_check: off"));
    let answer = fetch(bookend.address(), "/");
    assert_eq!(answer.status, 503);
    assert!(answer.header("retry-after").is_some_and(|after| after.parse::<u64>().is_ok()));
}

#[test]
fn upload_to_a_node_that_stops_reading_ends() {
    let gate = Gate::default();
    let closed = gate.clone();
    let node = Origin::start(move |_| {
        closed.pass();
        Next::Close
    });
    let mut bookend = Bookend::start(&Site::of(&[&node]).with_pool("timeouts: { write: 1s }"));
    let mut client = Client::connect(bookend.address());
    let start = Instant::now();
    // More than all the buffers on its way can take.
    let body = vec![b'x'; 16 << 20];
    client.send(format!("PUT / HTTP/1.1\r\nHost: site.test\r\nContent-Length: {}\r\n\r\n", body.len()));
    let mut sending = client.stream().try_clone().unwrap();
    // It breaks once bookend has answered and waited long enough.
    let upload = std::thread::spawn(move || sending.write_all(&body));
    assert_eq!(client.read_answer("PUT").status, 502);
    assert!(start.elapsed() < Duration::from_secs(10), "after {:?}", start.elapsed());
    let _ = upload.join().unwrap();
    drop(client);
    let start = Instant::now();
    bookend.terminate();
    assert!(bookend.wait().success());
    assert!(start.elapsed() < Duration::from_secs(5), "the stop took {:?}", start.elapsed());
    gate.open();
}

#[test]
fn nodes_that_close_connections_after_one_request_are_healthy() {
    let node = || {
        Origin::start(|call| {
            call.answer(200, "hello");
            // What follows is the next request: it comes too late.
            call.read(1);
            Next::Close
        })
    };
    let nodes = [node(), node()];
    let bookend = Bookend::start(&Site::of(&nodes.each_ref()));
    let mut client = Client::connect(bookend.address());
    for request in 0..20 {
        assert_eq!(client.get("/").status, 200, "request {request}");
    }
}

const EXPECTANT: &str = "Host: site.test\r\nExpect: 100-continue\r\nContent-Length: 5\r\n\r\n";

#[test]
fn silence_before_100_is_the_nodes_and_not_the_clients() {
    let gate = Gate::default();
    let closed = gate.clone();
    let node = Origin::start(move |_| {
        closed.pass();
        Next::Close
    });
    let site = Site::of(&[&node])
        .with_pool("timeouts: { first_byte: 600ms }")
        .with_listener("timeouts: { body: 200ms }");
    let bookend = Bookend::start(&site);
    let mut client = Client::connect(bookend.address());
    client.send(format!("POST / HTTP/1.1\r\n{EXPECTANT}"));
    assert_eq!(client.read_answer("POST").status, 504);
    assert_eq!(node.count(), 1);
    gate.open();
}

#[test]
fn silence_before_100_sends_a_safe_request_to_another_node() {
    let gate = Gate::default();
    let (first, closed) = (AtomicUsize::new(0), gate.clone());
    let script = Arc::new(move |call: &mut Call<'_>| {
        if first.fetch_add(1, Ordering::SeqCst) == 0 {
            closed.pass();
            return Next::Close;
        }
        call.write("HTTP/1.1 100 Continue\r\n\r\n");
        let body = call.body();
        call.answer(200, body)
    });
    let nodes = [Arc::clone(&script), script].map(|script| Origin::start(move |call| script(call)));
    let site = Site::of(&nodes.each_ref())
        .with_pool("timeouts: { first_byte: 600ms }")
        .with_listener("timeouts: { body: 200ms }");
    let bookend = Bookend::start(&site);
    let mut client = Client::connect(bookend.address());
    client.send(format!("GET / HTTP/1.1\r\n{EXPECTANT}"));
    assert_eq!(client.read_head().status, 100);
    client.send("hello");
    assert_eq!(client.read_answer("GET").text(), "hello");
    gate.open();
}
