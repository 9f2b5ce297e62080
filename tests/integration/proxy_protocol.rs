//! Connections that a balancer passes on: who their client is, and what happens to those that nobody introduced.

use std::net::IpAddr;
use std::time::Duration;

use crate::support::{Authority, Bookend, Client, Origin, Site, until};

const TO: &str = "10.0.0.1 56324 443\r\n";

/// A header of the second version with `rest` behind its length.
fn binary(command: u8, kind: u8, rest: &[u8]) -> Vec<u8> {
    let length = u16::try_from(rest.len()).unwrap().to_be_bytes();
    [b"\r\n\r\n\0\r\nQUIT\n", &[command, kind][..], &length, rest].concat()
}

/// One that names this client.
fn naming(client: &str) -> Vec<u8> {
    let (kind, from, to) = match client.parse().unwrap() {
        IpAddr::V4(client) => (0x11, client.octets().to_vec(), vec![10, 0, 0, 1]),
        IpAddr::V6(client) => (0x21, client.octets().to_vec(), vec![0; 16]),
    };
    binary(0x21, kind, &[&from[..], &to, &[0xdc, 0x04, 0x01, 0xbb]].concat())
}

/// A site behind balancers at 127.0.0.1.
fn site(node: &Origin) -> Site {
    Site::of(&[node]).with_listener("proxy_protocol: { from: [127.0.0.1], timeout: 20s }")
}

/// Begins a connection from a balancer with `header`.
fn begun(bookend: &Bookend, header: impl AsRef<[u8]>) -> Client {
    let mut client = Client::connect(bookend.address());
    client.send(header);
    client
}

fn seen_of_last(node: &Origin) -> Option<String> {
    node.received().pop().unwrap().headers.one("x-forwarded-for").map(str::to_owned)
}

fn count(bookend: &Bookend, result: &str) -> u64 {
    bookend.metric(&format!("bookend_proxy_headers_total{{result=\"{result}\"}}"))
}

#[test]
fn client_is_whom_the_balancer_names() {
    let node = Origin::answering("hello");
    let bookend = Bookend::start(&site(&node));
    let headers = [
        (format!("PROXY TCP4 192.0.2.7 {TO}").into_bytes(), "192.0.2.7"),
        (b"PROXY TCP6 2001:db8::7 2001:db8::1 1 2\r\n".to_vec(), "2001:db8::7"),
        (naming("192.0.2.8"), "192.0.2.8"),
        (naming("2001:db8::8"), "2001:db8::8"),
        // Its own: checks of health, and those whom an address cannot name.
        (b"PROXY UNKNOWN\r\n".to_vec(), "127.0.0.1"),
        (binary(0x20, 0x00, &[]), "127.0.0.1"),
        (binary(0x21, 0x00, &[0x20, 0, 1, 0]), "127.0.0.1"),
        (binary(0x21, 0x31, &[0; 216]), "127.0.0.1"),
    ];
    for (header, wanted) in headers {
        let request = "GET / HTTP/1.1\r\nHost: site.test\r\nX-Forwarded-For: 203.0.113.9\r\n\r\n";
        let mut client = begun(&bookend, [&header[..], request.as_bytes()].concat());
        assert_eq!(client.read_answer("GET").text(), "hello");
        assert_eq!(seen_of_last(&node).as_deref(), Some(wanted));
        assert_eq!(client.get("/").text(), "hello", "the connection is kept");
        assert_eq!(seen_of_last(&node).as_deref(), Some(wanted));
    }
    assert_eq!((count(&bookend, "client"), count(&bookend, "sender")), (4, 4));
}

#[test]
fn header_may_come_byte_by_byte() {
    let node = Origin::answering("hello");
    let bookend = Bookend::start(&site(&node));
    for header in [format!("PROXY TCP4 192.0.2.7 {TO}").into_bytes(), naming("192.0.2.7")] {
        let mut client = Client::connect(bookend.address());
        for byte in header {
            client.send([byte]);
        }
        assert_eq!(client.get("/").text(), "hello");
        assert_eq!(seen_of_last(&node).as_deref(), Some("192.0.2.7"));
    }
}

#[test]
fn tls_begins_behind_the_header() {
    let (authority, node) = (Authority::new(), Origin::answering("hello"));
    let files = authority.server("site", &["site.test"]);
    let bookend =
        Bookend::start(&site(&node).with_listener(&format!("tls: {{ certificates: [{}] }}", files.entry())));
    for header in [format!("PROXY TCP4 192.0.2.7 {TO}").into_bytes(), naming("192.0.2.7")] {
        let mut client =
            Client::try_connect_by_tls_after(&header, bookend.address(), &authority.client(), "site.test")
                .unwrap();
        assert_eq!(client.get("/").text(), "hello");
        assert_eq!(seen_of_last(&node).as_deref(), Some("192.0.2.7"));
    }
    let without = Client::try_connect_by_tls(bookend.address(), &authority.client(), "site.test");
    assert!(without.is_err(), "keys were agreed on without a header");
    assert_eq!(count(&bookend, "missing"), 1);
}

#[test]
fn connection_that_is_not_introduced_as_it_has_to_be_is_closed() {
    let node = Origin::answering("hello");
    let bookend = Bookend::start(&site(&node));
    let request = "GET / HTTP/1.1\r\nHost: site.test\r\n\r\n";
    let wrong: [&[u8]; 8] = [
        b"",
        b"PROXY TCP4 192.0.2.7 10.0.0.1 56324 443\n",
        b"PROXY TCP4 192.0.2.777 10.0.0.1 56324 443\r\n",
        b"PROXY TCP4 2001:db8::7 2001:db8::1 56324 443\r\n",
        &[b'P'; 200],
        &binary(0x22, 0x11, &[0; 12]),
        &binary(0x21, 0x11, &[0; 11]),
        &binary(0x21, 0x11, &[0; 5_000]),
    ];
    for header in wrong {
        let mut client = begun(&bookend, [header, request.as_bytes()].concat());
        assert!(client.is_closed_within(Duration::from_secs(20)), "{}", header.escape_ascii());
    }
    assert_eq!(node.count(), 0);
    assert_eq!((count(&bookend, "missing"), count(&bookend, "malformed")), (2, 6));
    bookend.wait_for_log("PROXY header refused peer=127.0.0.1 how=missing why=\"there is none\"");
}

#[test]
fn header_that_is_late_is_not_waited_for() {
    let node = Origin::answering("hello");
    let bookend = Bookend::start(
        &Site::of(&[&node]).with_listener("proxy_protocol: { from: [127.0.0.1], timeout: 300ms }"),
    );
    let mut silent = Client::connect(bookend.address());
    let mut slow = begun(&bookend, "PROXY TCP4 192");
    for client in [&mut silent, &mut slow] {
        assert!(client.is_closed_within(Duration::from_secs(20)));
    }
    until("both are counted", || count(&bookend, "timeout") == 2);
    // Whoever looks whether the port is open is nothing to speak of.
    let before = count(&bookend, "gone");
    drop(Client::connect(bookend.address()));
    until("it is counted", || count(&bookend, "gone") > before);
    assert!(!bookend.logs().contains("how=gone"));
}

#[test]
fn nobody_else_is_believed() {
    let node = Origin::answering("hello");
    let bookend = Bookend::start(&site(&node));
    let stranger = || Client::connect_from(IpAddr::from([127, 0, 0, 2]), bookend.address());
    for header in [format!("PROXY TCP4 192.0.2.7 {TO}").into_bytes(), naming("192.0.2.7")] {
        let mut client = stranger();
        client.send([&header[..], b"GET / HTTP/1.1\r\nHost: site.test\r\n\r\n"].concat());
        assert!(client.is_closed_within(Duration::from_secs(20)));
    }
    assert_eq!((node.count(), count(&bookend, "untrusted")), (0, 2));
    bookend.wait_for_log("PROXY header refused peer=127.0.0.2 how=untrusted");
    assert_eq!(stranger().get("/").text(), "hello");
    assert_eq!(seen_of_last(&node).as_deref(), Some("127.0.0.2"));
}

#[test]
fn limit_for_one_client_is_for_the_one_that_is_named() {
    let node = Origin::answering("hello");
    let bookend = Bookend::start(&site(&node).with_listener("limits: { connections_per_client: 2 }"));
    let mut seated = ["2001:db8::1", "2001:db8::2"].map(|client| begun(&bookend, naming(client)));
    for client in &mut seated {
        assert_eq!(client.get("/").status, 200);
    }
    let mut third = begun(&bookend, naming("2001:db8::3"));
    assert_eq!(third.read_answer("GET").status, 429);
    assert_eq!(begun(&bookend, naming("2001:db8:0:1::3")).get("/").status, 200, "it is of another network");
    assert_eq!(bookend.metric("bookend_connections_refused_total{limit=\"for one client\"}"), 1);
    drop(seated);
    until("there is room again", || {
        let again = begun(&bookend, naming("2001:db8::3")).try_request("GET", "/", "", b"");
        again.is_ok_and(|answer| answer.status == 200)
    });
}

#[test]
fn named_client_may_be_a_proxy_that_is_trusted() {
    let node = Origin::answering("hello");
    let bookend = Bookend::start(&site(&node).with_listener("trusted_proxies: [192.0.2.7]"));
    let mut client = begun(&bookend, naming("192.0.2.7"));
    client.request("GET", "/", "X-Forwarded-For: 203.0.113.9\r\n", b"");
    assert_eq!(seen_of_last(&node).as_deref(), Some("203.0.113.9, 192.0.2.7"));
}
