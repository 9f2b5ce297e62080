use std::net::IpAddr;

use http::{HeaderMap, HeaderValue};
use proptest::prelude::*;

use super::{any_value, headers};
use crate::headers::address::{Text, read};
use crate::headers::{Client, client};
use crate::model::TrustedProxies;

fn ip(text: &str) -> IpAddr {
    text.parse().unwrap()
}

fn trusted() -> TrustedProxies {
    let networks = ["10.0.0.0/8", "2001:db8::/32"].map(|net| net.parse().unwrap()).to_vec();
    TrustedProxies { networks, unix: false }
}

/// The client that a request from the trusted 10.0.0.1 has.
fn behind_proxy(lines: &[(&'static str, &str)]) -> IpAddr {
    let client = client(Some(ip("10.0.0.1")), &headers(lines), &trusted());
    assert!(client.trusted_peer);
    client.address.unwrap()
}

#[test]
fn peer_that_is_not_trusted_is_the_client() {
    let lines = headers(&[("x-forwarded-for", "192.0.2.1"), ("forwarded", "for=192.0.2.1")]);
    let peer = ip("198.51.100.1");
    assert_eq!(client(Some(peer), &lines, &trusted()), Client { address: Some(peer), trusted_peer: false });
    assert_eq!(client(Some(peer), &lines, &TrustedProxies::default()).address, Some(peer));
    assert_eq!(client(None, &lines, &trusted()), Client { address: None, trusted_peer: false });
}

#[test]
fn trusted_peer_without_an_address_names_the_client() {
    let trusted = TrustedProxies { unix: true, ..trusted() };
    let found = |lines: &[(&'static str, &str)]| client(None, &headers(lines), &trusted);
    let named = |address| Client { address, trusted_peer: true };
    let hops = "203.0.113.9, 192.0.2.1, 10.0.0.2";
    assert_eq!(found(&[("x-forwarded-for", hops)]), named(Some(ip("192.0.2.1"))));
    assert_eq!(found(&[("forwarded", "for=192.0.2.1")]), named(Some(ip("192.0.2.1"))));
    assert_eq!((found(&[]), found(&[("x-forwarded-for", "unknown")])), (named(None), named(None)));
    let stranger = ip("198.51.100.1");
    assert!(!client(Some(stranger), &headers(&[]), &trusted).trusted_peer);
}

#[test]
fn peer_with_ipv4_in_ipv6_is_judged_as_ipv4() {
    let found =
        client(Some(ip("::ffff:10.0.0.1")), &headers(&[("x-forwarded-for", "::ffff:192.0.2.1")]), &trusted());
    assert_eq!(found, Client { address: Some(ip("192.0.2.1")), trusted_peer: true });
}

#[test]
fn x_forwarded_for_is_walked_from_the_right_past_trusted_addresses() {
    let cases = [
        ("192.0.2.1", "192.0.2.1"),
        ("192.0.2.1, 10.0.0.2", "192.0.2.1"),
        ("203.0.113.9, 192.0.2.1,10.0.0.2 ,\t10.0.0.3", "192.0.2.1"),
        ("10.0.0.4, 10.0.0.3", "10.0.0.4"),
        ("192.0.2.1:4711", "192.0.2.1"),
        ("[2001:db9::7]", "2001:db9::7"),
        ("[2001:db9::7]:4711, 2001:db8::1", "2001:db9::7"),
        ("2001:db9::7", "2001:db9::7"),
    ];
    for (line, expected) in cases {
        assert_eq!(behind_proxy(&[("x-forwarded-for", line)]), ip(expected), "{line}");
    }
    let lines = [("x-forwarded-for", "203.0.113.9, 192.0.2.1"), ("x-forwarded-for", "10.0.0.2")];
    assert_eq!(behind_proxy(&lines), ip("192.0.2.1"));
}

#[test]
fn entry_that_is_no_address_ends_the_walk() {
    let cases = [
        ("192.0.2.1, unknown, 10.0.0.2", "10.0.0.2"),
        ("192.0.2.1, , 10.0.0.2", "10.0.0.2"),
        ("192.0.2.1,", "10.0.0.1"),
        ("", "10.0.0.1"),
        ("unix:", "10.0.0.1"),
        ("_hidden", "10.0.0.1"),
        ("192.0.2.1:http", "10.0.0.1"),
        ("192.0.2.1:", "10.0.0.1"),
        ("[192.0.2.1]", "10.0.0.1"),
        ("[2001:db9::7", "10.0.0.1"),
        ("[2001:db9::7]80", "10.0.0.1"),
        ("300.0.2.1", "10.0.0.1"),
        ("010.0.2.1", "10.0.0.1"),
        ("\u{e9}", "10.0.0.1"),
    ];
    for (line, expected) in cases {
        assert_eq!(behind_proxy(&[("x-forwarded-for", line)]), ip(expected), "{line}");
    }
}

#[test]
fn endless_chain_of_trusted_proxies_is_cut_off() {
    let line = format!("192.0.2.1{}", ", 10.0.0.7".repeat(1000));
    assert_eq!(behind_proxy(&[("x-forwarded-for", &line)]), ip("10.0.0.7"));
}

#[test]
fn forwarded_is_read_when_there_is_no_x_forwarded_for() {
    let cases = [
        ("for=192.0.2.1", "192.0.2.1"),
        ("For=\"192.0.2.1:4711\";proto=https", "192.0.2.1"),
        ("proto=http; FOR=192.0.2.1 ;by=10.0.0.9", "192.0.2.1"),
        ("for=\"[2001:db9::7]:_port\", for=10.0.0.2", "2001:db9::7"),
        ("for=203.0.113.9, for=192.0.2.1, for=\"[2001:db8::1]\"", "192.0.2.1"),
        ("for=192.0.2.1, for=_hidden, for=10.0.0.2", "10.0.0.2"),
        ("for=192.0.2.1, for=unknown", "10.0.0.1"),
        ("for=192.0.2.1, proto=https", "10.0.0.1"),
        ("for=192.0.2.1;for=192.0.2.2", "10.0.0.1"),
        ("for=\"192.0.2.1", "10.0.0.1"),
        ("for = 192.0.2.1", "10.0.0.1"),
        ("fort=192.0.2.1", "10.0.0.1"),
        ("", "10.0.0.1"),
        // What a client wrote on the left does not change how the proxy's element is read.
        ("for=\"203.0.113.9, for=192.0.2.1", "192.0.2.1"),
        ("for=\"\\, for=192.0.2.1;host=\"a\\\",for=203.0.113.9;x=\\\"\"", "192.0.2.1"),
        ("for=\"203.0.113.9;x=\\, for=10.0.0.2;host=\"b\", for=10.0.0.3", "10.0.0.2"),
    ];
    for (line, expected) in cases {
        assert_eq!(behind_proxy(&[("forwarded", line)]), ip(expected), "{line}");
    }
    let both = [("x-forwarded-for", "192.0.2.1"), ("forwarded", "for=203.0.113.9")];
    assert_eq!(behind_proxy(&both), ip("192.0.2.1"));
    let empty = [("x-forwarded-for", ""), ("forwarded", "for=203.0.113.9")];
    assert_eq!(behind_proxy(&empty), ip("10.0.0.1"));
}

#[test]
fn address_is_written_as_std_writes_it() {
    for text in
        ["0.0.0.0", "1.20.255.9", "100.99.10.199", "::", "2001:db8::1", "ffff:f:ff:fff:ffff:ffff:ffff:ffff"]
    {
        assert_eq!(Text::of(ip(text)).as_bytes(), text.as_bytes());
    }
    assert_eq!(Text::of(ip("::ffff:192.0.2.1")).as_bytes(), b"192.0.2.1");
}

fn any_ip() -> impl Strategy<Value = IpAddr> {
    prop_oneof![any::<[u8; 4]>().prop_map(IpAddr::from), any::<[u8; 16]>().prop_map(IpAddr::from)]
}

fn untrusted_ip() -> impl Strategy<Value = IpAddr> {
    any_ip()
        .prop_map(|address| address.to_canonical())
        .prop_filter("is trusted", |address| !trusted().trust(Some(*address)))
}

fn trusted_ip() -> impl Strategy<Value = IpAddr> {
    prop_oneof![
        any::<[u8; 3]>().prop_map(|[b, c, d]| IpAddr::from([10, b, c, d])),
        any::<u16>().prop_map(|last| IpAddr::from([0x2001, 0xdb8, 0, 0, 0, 0, 0, last])),
    ]
}

proptest! {
    #[test]
    fn no_header_of_an_untrusted_peer_is_believed(
        peer in untrusted_ip(),
        x_forwarded_for in prop::collection::vec(any_value(), 0..4),
        forwarded in prop::collection::vec(any_value(), 0..4),
    ) {
        let mut headers = HeaderMap::new();
        x_forwarded_for.into_iter().for_each(|line| { headers.append("x-forwarded-for", line); });
        forwarded.into_iter().for_each(|line| { headers.append("forwarded", line); });
        let found = client(Some(peer), &headers, &trusted());
        prop_assert_eq!(found, Client { address: Some(peer), trusted_peer: false });
    }

    #[test]
    fn nothing_left_of_an_untrusted_hop_is_believed(
        forged in any_value(),
        hop in untrusted_ip(),
        proxies in prop::collection::vec(trusted_ip(), 0..4),
        in_two_lines in any::<bool>(),
        in_forwarded in any::<bool>(),
    ) {
        let entry = |address: &IpAddr| match (in_forwarded, address) {
            (true, IpAddr::V6(_)) => format!("for=\"[{address}]\""),
            (true, IpAddr::V4(_)) => format!("for={address}"),
            (false, _) => address.to_string(),
        };
        let honest: Vec<String> = std::iter::once(&hop).chain(&proxies).map(entry).collect();
        let name = if in_forwarded { "forwarded" } else { "x-forwarded-for" };
        let mut headers = HeaderMap::new();
        if in_two_lines {
            headers.append(name, forged);
            headers.append(name, HeaderValue::from_str(&honest.join(", ")).unwrap());
        } else {
            let line = [forged.as_bytes(), honest.join(", ").as_bytes()].join(b", ".as_slice());
            headers.append(name, HeaderValue::from_bytes(&line).unwrap());
        }
        prop_assert_eq!(client(Some(ip("10.0.0.1")), &headers, &trusted()).address, Some(hop));
    }

    #[test]
    fn written_address_is_read_back(address in any_ip(), port in any::<u16>()) {
        let text = Text::of(address);
        let text = std::str::from_utf8(text.as_bytes()).unwrap();
        let address = address.to_canonical();
        prop_assert_eq!(text, address.to_string());
        let bracketed = if address.is_ipv6() { format!("[{text}]") } else { text.to_owned() };
        for entry in [text.to_owned(), bracketed.clone(), format!("{bracketed}:{port}")] {
            prop_assert_eq!(read(entry.as_bytes()), Some(address));
        }
    }

    #[test]
    fn reading_any_bytes_ends_in_an_address_or_none(bytes in prop::collection::vec(any::<u8>(), 0..64)) {
        let _ = read(&bytes);
    }
}
