//! Who sent a request, and what a node is told about that: no client can speak for a proxy.
#![no_main]

use std::net::IpAddr;

use bookend::headers::{Arrival, Change, Forwarding, Scheme, client};
use bookend::model::TrustedProxies;
use bookend_fuzz::headers;
use http::{HeaderMap, HeaderName, HeaderValue, Version, header};
use libfuzzer_sys::fuzz_target;

const X_FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");

const PROXY: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(10, 0, 0, 1));
const STRANGER: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(192, 0, 2, 1));

fuzz_target!(|data: &[u8]| {
    let headers = headers(data);
    let networks = vec!["10.0.0.0/8".parse().unwrap(), "fd00::/8".parse().unwrap()];
    let trusted = TrustedProxies { networks, unix: false };
    assert_eq!(client(Some(STRANGER), &headers, &trusted).address, Some(STRANGER));
    assert_eq!(client(None, &headers, &trusted).address, None);
    assert!(client(Some(PROXY), &headers, &trusted).address.is_some());
    nothing_hides_what_a_proxy_adds(&headers, &trusted);
    the_next_hop_finds_the_same_client(&headers, &trusted);
    what_is_written_reads_back(&headers, &trusted);
});

/// Whatever stands before it, the address that the proxy in front of us added is the client's.
fn nothing_hides_what_a_proxy_adds(headers: &HeaderMap, trusted: &TrustedProxies) {
    let name = if headers.contains_key(X_FORWARDED_FOR) { X_FORWARDED_FOR } else { header::FORWARDED };
    let entry = if name == X_FORWARDED_FOR { "192.0.2.1" } else { "for=192.0.2.1" };
    let mut on_a_line = headers.clone();
    on_a_line.append(&name, HeaderValue::from_static(entry));
    assert_eq!(client(Some(PROXY), &on_a_line, trusted).address, Some(STRANGER), "on a line");

    let Some(last) = headers.get_all(&name).iter().next_back() else { return };
    let joined = [last.as_bytes(), b", ", entry.as_bytes()].concat();
    let mut on_the_same = headers.clone();
    on_the_same.append(&name, HeaderValue::from_bytes(&joined).unwrap());
    assert_eq!(client(Some(PROXY), &on_the_same, trusted).address, Some(STRANGER), "on the same line");
}

/// A node that trusts whom we trust, and us, finds the client that we found.
fn the_next_hop_finds_the_same_client(headers: &HeaderMap, trusted: &TrustedProxies) {
    let lines: Vec<_> = headers.get_all(X_FORWARDED_FOR).iter().collect();
    let entries: usize = lines.iter().map(|line| line.as_bytes().split(|&byte| byte == b',').count()).sum();
    // Without the header it is `Forwarded` that was believed; an empty line is not passed on; no more than 64 are read.
    if lines.is_empty() || lines.iter().any(|line| line.is_empty()) || entries > 60 {
        return;
    }
    for peer in [PROXY, STRANGER] {
        let found = client(Some(peer), headers, trusted);
        let arrival = arrival(peer, found.trusted_peer, None);
        let passed_on = apply(headers, Forwarding::new(&arrival, headers));
        assert_eq!(client(Some(PROXY), &passed_on, trusted).address, found.address, "from {peer}");
    }
}

/// No `Host` breaks out of the element of `Forwarded` that it is written into.
fn what_is_written_reads_back(headers: &HeaderMap, trusted: &TrustedProxies) {
    let Some(host) = headers.get(header::HOST).and_then(|host| host.to_str().ok()) else { return };
    let told = Forwarding::new(&arrival(STRANGER, false, Some(host)), &HeaderMap::new());
    let Change::Set(element) = &told.forwarded else { panic!("no element for {host:?}") };
    let element = HeaderMap::from_iter([(header::FORWARDED, element.clone())]);
    assert_eq!(client(Some(PROXY), &element, trusted).address, Some(STRANGER));

    let behind = Arrival { scheme: Scheme::Http, ..arrival(PROXY, true, None) };
    let seen = Forwarding::new(&behind, &element);
    assert_eq!(seen.x_forwarded_proto, Change::Set(HeaderValue::from_static("https")));
    if !host.contains(['"', '\\']) {
        assert_eq!(seen.x_forwarded_host, Change::Set(HeaderValue::from_str(host).unwrap()));
    }
}

fn arrival(peer: IpAddr, trusted_peer: bool, host: Option<&str>) -> Arrival<'_> {
    let (scheme, version) = (Scheme::Https, Version::HTTP_11);
    Arrival { peer: Some(peer), trusted_peer, scheme, version, host, wants_forwarded: true }
}

/// What the node gets.
fn apply(headers: &HeaderMap, forwarding: Forwarding) -> HeaderMap {
    let mut headers = headers.clone();
    for (name, change) in forwarding.into_changes() {
        match change {
            Change::Keep => {}
            Change::Set(value) => drop(headers.insert(name, value)),
            Change::Remove => drop(headers.remove(name)),
        }
    }
    headers
}
