use http::{HeaderMap, HeaderValue, Version};
use proptest::prelude::*;

use super::{any_value, headers};
use crate::headers::{Arrival, Change, Forwarding, Scheme, client, via};
use crate::model::TrustedProxies;

fn arrival<'a>() -> Arrival<'a> {
    Arrival {
        peer: Some([192, 0, 2, 1].into()),
        trusted_peer: false,
        scheme: Scheme::Https,
        version: Version::HTTP_11,
        host: Some("example.com:8443"),
        wants_forwarded: false,
    }
}

fn set(value: &str) -> Change {
    Change::Set(HeaderValue::from_str(value).unwrap())
}

const FORGED: [(&str, &str); 5] = [
    ("x-forwarded-for", "203.0.113.9"),
    ("x-forwarded-proto", "gopher"),
    ("x-forwarded-host", "evil.example"),
    ("forwarded", "for=203.0.113.9"),
    ("via", "1.0 fred"),
];

#[test]
fn what_an_untrusted_peer_says_is_replaced_or_removed() {
    let expected = Forwarding {
        x_forwarded_for: set("192.0.2.1"),
        x_forwarded_proto: set("https"),
        x_forwarded_host: set("example.com:8443"),
        forwarded: Change::Keep,
        via: HeaderValue::from_static("1.1 bookend"),
    };
    assert_eq!(Forwarding::new(&arrival(), &HeaderMap::new()), expected);
    let via = HeaderValue::from_static("1.0 fred, 1.1 bookend");
    let expected = Forwarding { forwarded: Change::Remove, via, ..expected };
    assert_eq!(Forwarding::new(&arrival(), &headers(&FORGED)), expected);
}

#[test]
fn what_a_trusted_peer_says_is_kept_and_we_add_the_peer() {
    let trusted = Arrival { trusted_peer: true, ..arrival() };
    let found = Forwarding::new(&trusted, &headers(&FORGED));
    assert_eq!(found.x_forwarded_for, set("203.0.113.9, 192.0.2.1"));
    assert_eq!(found.x_forwarded_proto, Change::Keep);
    assert_eq!(found.x_forwarded_host, Change::Keep);
    assert_eq!(found.forwarded, Change::Keep);
    let found = Forwarding::new(&Arrival { wants_forwarded: true, ..trusted }, &headers(&FORGED));
    assert_eq!(found.forwarded, set("for=203.0.113.9, for=192.0.2.1;host=\"example.com:8443\";proto=https"));
}

#[test]
fn several_lines_become_one() {
    let trusted = Arrival { trusted_peer: true, ..arrival() };
    let lines = [
        ("x-forwarded-for", "203.0.113.9, 10.0.0.1"),
        ("x-forwarded-for", ""),
        ("x-forwarded-for", "10.0.0.2"),
    ];
    let found = Forwarding::new(&trusted, &headers(&lines));
    assert_eq!(found.x_forwarded_for, set("203.0.113.9, 10.0.0.1, 10.0.0.2, 192.0.2.1"));
    let found = Forwarding::new(&trusted, &headers(&[("x-forwarded-for", "")]));
    assert_eq!(found.x_forwarded_for, set("192.0.2.1"));
}

#[test]
fn trusted_peer_that_speaks_forwarded_only_is_heard() {
    let trusted = Arrival { trusted_peer: true, scheme: Scheme::Http, ..arrival() };
    let lines = headers(&[("forwarded", "proto=http;host=a, for=203.0.113.9;Proto=HTTPS;host=\"b:80\"")]);
    let found = Forwarding::new(&trusted, &lines);
    assert_eq!((found.x_forwarded_proto, found.x_forwarded_host), (set("https"), set("b:80")));
    let lines = headers(&[("forwarded", "for=203.0.113.9;proto=ftp")]);
    let found = Forwarding::new(&trusted, &lines);
    assert_eq!((found.x_forwarded_proto, found.x_forwarded_host), (set("http"), set("example.com:8443")));
}

#[test]
fn peer_without_an_address_is_unknown_in_forwarded_only() {
    let unix = Arrival { peer: None, wants_forwarded: true, host: None, ..arrival() };
    let found = Forwarding::new(&unix, &headers(&FORGED));
    assert_eq!(found.x_forwarded_for, Change::Remove);
    assert_eq!(found.x_forwarded_host, Change::Remove);
    assert_eq!(found.forwarded, set("for=unknown;proto=https"));
    assert_eq!(Forwarding::new(&unix, &HeaderMap::new()).x_forwarded_for, Change::Keep);
}

#[test]
fn forwarded_is_quoted_where_it_must_be() {
    let cases = [
        ("2001:db8::1", "example.com", "for=\"[2001:db8::1]\";host=example.com;proto=https"),
        ("::ffff:192.0.2.1", "[::1]:80", "for=192.0.2.1;host=\"[::1]:80\";proto=https"),
        ("192.0.2.1", "a\"b\\c", "for=192.0.2.1;host=\"a\\\"b\\\\c\";proto=https"),
        ("192.0.2.1", "", "for=192.0.2.1;host=\"\";proto=https"),
    ];
    for (peer, host, expected) in cases {
        let arrival =
            Arrival { peer: peer.parse().ok(), host: Some(host), wants_forwarded: true, ..arrival() };
        assert_eq!(Forwarding::new(&arrival, &HeaderMap::new()).forwarded, set(expected));
    }
}

#[test]
fn host_that_no_header_can_hold_is_left_out() {
    let arrival = Arrival { host: Some("a\r\nb: c"), wants_forwarded: true, ..arrival() };
    let found = Forwarding::new(&arrival, &headers(&FORGED));
    assert_eq!((found.x_forwarded_host, found.forwarded), (Change::Remove, Change::Remove));
}

#[test]
fn changes_are_only_what_changes() {
    let names = |arrival: &Arrival<'_>, headers: &HeaderMap| -> Vec<String> {
        Forwarding::new(arrival, headers).into_changes().map(|(name, _)| name.to_string()).collect()
    };
    let all = ["x-forwarded-for", "x-forwarded-proto", "x-forwarded-host", "forwarded", "via"];
    assert_eq!(names(&arrival(), &headers(&FORGED)), all);
    assert_eq!(names(&arrival(), &HeaderMap::new()), [all[0], all[1], all[2], all[4]]);
    assert_eq!(names(&Arrival { trusted_peer: true, ..arrival() }, &headers(&FORGED)), [all[0], all[4]]);
}

#[test]
fn via_names_the_version_the_message_came_in() {
    let cases = [
        (Version::HTTP_10, "1.0 bookend"),
        (Version::HTTP_11, "1.1 bookend"),
        (Version::HTTP_2, "2.0 bookend"),
    ];
    for (version, expected) in cases {
        assert_eq!(via(version, &HeaderMap::new()), expected);
    }
    let before = headers(&[("via", "1.0 fred, 1.1 p.example"), ("via", "2.0 nowhere")]);
    assert_eq!(via(Version::HTTP_11, &before), "1.0 fred, 1.1 p.example, 2.0 nowhere, 1.1 bookend");
}

proptest! {
    #[test]
    fn next_proxy_that_trusts_us_finds_the_same_client(
        peer in any::<[u8; 16]>(),
        x_forwarded_for in prop::option::of(any_value()),
        forwarded in prop::collection::vec(any_value(), 0..3),
        host in "[ -~]{0,16}",
        trusted_peer in any::<bool>(),
    ) {
        let mut received = HeaderMap::new();
        received.extend(x_forwarded_for.map(|line| (super::HeaderName::from_static("x-forwarded-for"), line)));
        forwarded.into_iter().for_each(|line| { received.append("forwarded", line); });
        let peer = std::net::IpAddr::from(peer).to_canonical();
        let trusting = |networks| TrustedProxies { networks, unix: false };
        let trusted: Vec<_> = trusted_peer.then(|| peer.into()).into_iter().collect();
        let ours = client(Some(peer), &received, &trusting(trusted.clone()));
        let arrival = Arrival { peer: Some(peer), trusted_peer, host: Some(&host), wants_forwarded: true, ..arrival() };

        let mut sent = received.clone();
        for (name, change) in Forwarding::new(&arrival, &received).into_changes() {
            match change {
                Change::Set(value) => drop(sent.insert(name, value)),
                Change::Remove => drop(sent.remove(name)),
                Change::Keep => prop_assert!(false, "{} does not change", name),
            }
        }
        let us = std::net::IpAddr::from([198, 51, 100, 1]);
        let trusted = trusting([&trusted[..], &[us.into()]].concat());
        let theirs = client(Some(us), &sent, &trusted);
        if received.contains_key("x-forwarded-for") || !trusted_peer {
            prop_assert_eq!(theirs.address, ours.address);
        }
        sent.remove("x-forwarded-for");
        let theirs = client(Some(us), &sent, &trusted);
        if !received.contains_key("x-forwarded-for") || !trusted_peer {
            prop_assert_eq!(theirs.address, ours.address);
        }
    }
}
