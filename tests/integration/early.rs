//! Nodes that answer an upload before they have read it.

use std::io::Write;
use std::net::Shutdown;
use std::sync::Mutex;
use std::thread;
use std::time::{Duration, Instant};

use crate::support::{Authority, Bookend, Call, Client, Gate, Next, Origin, Sealed, Site};

const REFUSAL: &str = "HTTP/1.1 413 X\r\nContent-Length: 9\r\nConnection: close\r\n\r\ntoo large";

const EARLY: &str = "HTTP/1.1 200 X\r\nContent-Length: 8\r\n\r\n";

/// How a node goes on after it has answered.
#[derive(Clone, Copy, Debug)]
enum After {
    /// It leaves the connection open and reads nothing.
    Idle,
    /// It closes what it sends on, reads the rest and closes.
    Polite,
    /// It closes with data unread, which is a reset.
    Rude,
}

fn refuses(after_a_while: Duration, after: After, gate: &Gate) -> Origin {
    let gate = gate.clone();
    Origin::start(move |call: &mut Call<'_>| {
        if call.method() == "GET" {
            return call.answer(200, "still here");
        }
        thread::sleep(after_a_while);
        call.write(REFUSAL);
        match after {
            After::Idle => gate.pass(),
            After::Polite => {
                call.finish();
                call.wait_for_the_end();
            }
            After::Rude => return Next::Reset,
        }
        Next::Close
    })
}

/// Sends an upload as far as it gets, while the answer is read.
fn upload(bookend: &Bookend, is_chunked: bool, length: usize) -> (Duration, u16, String) {
    let mut client = Client::connect(bookend.address());
    let mut stream = client.stream().try_clone().unwrap();
    let sender = thread::spawn(move || {
        let framing = if is_chunked {
            "Transfer-Encoding: chunked".into()
        } else {
            format!("Content-Length: {length}")
        };
        let head = format!("POST /upload HTTP/1.1\r\nHost: site.test\r\n{framing}\r\n\r\n");
        stream.write_all(head.as_bytes())?;
        for _ in 0..length / 10_000 {
            if is_chunked {
                stream.write_all(b"2710\r\n")?;
            }
            stream.write_all(&[b'x'; 10_000])?;
            if is_chunked {
                stream.write_all(b"\r\n")?;
            }
        }
        stream.write_all(if is_chunked { b"0\r\n\r\n" } else { b"" })
    });
    let began = Instant::now();
    let answer = client.read_answer("POST");
    let took = began.elapsed();
    // Whoever was answered need not send the rest.
    let _ = client.stream().shutdown(Shutdown::Both);
    let _ = sender.join().unwrap();
    (took, answer.status, answer.text().to_owned())
}

fn expect_refusal(uploads: usize, lengths: &[usize], after_a_while: Duration, after: After) {
    expect_refusal_by(uploads, lengths, after_a_while, after, |nodes| Bookend::start(&Site::of(nodes)));
}

fn expect_refusal_by(
    uploads: usize,
    lengths: &[usize],
    after_a_while: Duration,
    after: After,
    start: impl Fn(&[&Origin]) -> Bookend,
) {
    for &length in lengths {
        for is_chunked in [false, true] {
            let gate = Gate::default();
            let node = || refuses(after_a_while, after, &gate);
            let nodes = [node(), node()];
            let bookend = start(&nodes.each_ref());
            for _ in 0..uploads {
                let (took, status, text) = upload(&bookend, is_chunked, length);
                let what = format!("{length} bytes, chunked: {is_chunked}, {after:?}, {took:?}");
                assert_eq!((status, text.as_str()), (413, "too large"), "{what}");
                assert!(took < Duration::from_secs(5), "{what}");
            }
            gate.open();
            let count: usize = nodes.iter().map(Origin::count).sum();
            assert_eq!(count, uploads, "{length} bytes, chunked: {is_chunked}, {after:?}: attempts");
            assert_eq!(Client::connect(bookend.address()).get("/").text(), "still here");
        }
    }
}

/// Whether a node that answers at once is heard in time is a race.
fn expect_refusal_at_once(after: After) {
    expect_refusal(3, &[1_000_000, 30_000_000], Duration::ZERO, after);
}

#[test]
fn refusal_of_an_upload_reaches_the_client_though_the_node_reads_nothing() {
    expect_refusal_at_once(After::Idle);
}

#[test]
fn refusal_of_an_upload_reaches_the_client_if_the_node_closes() {
    expect_refusal_at_once(After::Polite);
}

#[test]
fn refusal_of_an_upload_reaches_the_client_if_the_node_resets() {
    expect_refusal_at_once(After::Rude);
}

#[test]
fn refusal_reaches_the_client_though_nothing_more_of_its_upload_can_be_written() {
    for after in [After::Idle, After::Polite, After::Rude] {
        expect_refusal(1, &[30_000_000], Duration::from_millis(300), after);
    }
}

#[test]
fn refusal_of_a_node_behind_tls_reaches_the_client() {
    let authority = Authority::new();
    let files = authority.server("node", &["node.test"]);
    let tls = format!("tls: {{ authorities: \"{}\", server_name: node.test }}", authority.file().display());
    for (after_a_while, after) in [
        (Duration::ZERO, After::Idle),
        (Duration::from_millis(300), After::Idle),
        (Duration::from_millis(300), After::Polite),
        // A node that resets is left out: what speaks TLS for it here may lose its answer by that.
    ] {
        let sealed = Mutex::new(Vec::new());
        expect_refusal_by(1, &[30_000_000], after_a_while, after, |nodes| {
            let mut sealed = sealed.lock().unwrap();
            *sealed = nodes.iter().map(|node| Sealed::before(node, &files)).collect();
            let site = Site::default().with_pool("protocol: http1");
            let site = sealed.iter().fold(site, |site, sealed| site.with_node(sealed.address(), &tls));
            Bookend::start(&site)
        });
    }
}

#[test]
fn refusal_reaches_a_client_that_sends_all_before_it_reads() {
    let gate = Gate::default();
    let node = refuses(Duration::ZERO, After::Idle, &gate);
    let bookend = Bookend::start(&Site::of(&[&node]));
    let answer = Client::connect(bookend.address()).request("POST", "/", "", &vec![b'x'; 15_000_000]);
    assert_eq!((answer.status, answer.text()), (413, "too large"));
    gate.open();
}

#[test]
fn node_that_asks_for_an_upload_may_pause_before_it_reads() {
    for answers_early in [false, true] {
        let node = Origin::start(move |call| {
            call.write(if answers_early { EARLY } else { "HTTP/1.1 100 Continue\r\n\r\n" });
            // Longer than it takes to give up on a node that refuses.
            thread::sleep(Duration::from_millis(1_500));
            let length = call.body().len();
            if answers_early {
                call.write(format!("{length:08}"));
                return Next::KeepAlive;
            }
            call.answer(200, format!("{length:08}"))
        });
        let bookend = Bookend::start(&Site::of(&[&node]));
        let (_, status, text) = upload(&bookend, false, 30_000_000);
        assert_eq!((status, text.as_str()), (200, "30000000"), "answers early: {answers_early}");
    }
}
