//! Headers that must not travel: those go, and no client makes us drop the others.
#![no_main]

use std::collections::HashSet;

use bookend::headers::{Passage, hop_by_hop};
use bookend_fuzz::headers;
use http::{HeaderMap, HeaderName, HeaderValue, header};
use libfuzzer_sys::fuzz_target;

/// What no `Connection` may take away.
const KEPT: [&str; 14] = [
    "authorization",
    "cache-control",
    "content-length",
    "content-type",
    "cookie",
    "forwarded",
    "host",
    "idempotency-key",
    "set-cookie",
    "transfer-encoding",
    "via",
    "x-forwarded-for",
    "x-real-ip",
    "x-request-id",
];

const NOMINATED: HeaderName = HeaderName::from_static("x-nominated");

fuzz_target!(|data: &[u8]| {
    let headers = headers(data);
    for passage in [Passage::Plain, Passage::Upgrade] {
        let names = hop_by_hop(&headers, passage);
        assert_eq!(names.iter().collect::<HashSet<_>>().len(), names.len(), "twice: {names:?}");
        assert!(names.iter().all(|name| headers.contains_key(name)), "not there: {names:?}");
        assert!(!names.iter().any(|name| KEPT.contains(&name.as_str())), "dropped: {names:?}");
        let is_upgrade = names.iter().any(|name| [header::CONNECTION, header::UPGRADE].contains(name));
        assert!(passage == Passage::Plain || !is_upgrade, "no upgrade: {names:?}");
    }
    what_is_left_travels(headers.clone());
    what_is_nominated_goes(&headers);
});

fn what_is_left_travels(mut headers: HeaderMap) {
    for name in hop_by_hop(&headers, Passage::Plain) {
        headers.remove(name);
    }
    assert!(hop_by_hop(&headers, Passage::Plain).is_empty());
    for name in ["connection", "keep-alive", "proxy-connection", "proxy-authorization", "upgrade"] {
        assert!(!headers.contains_key(name), "{name} is left");
    }
}

fn what_is_nominated_goes(others: &HeaderMap) {
    let mut headers = HeaderMap::new();
    headers.append(header::CONNECTION, HeaderValue::from_static(" close,\tX-Nominated "));
    headers.append(NOMINATED, HeaderValue::from_static("1"));
    for (name, value) in others {
        headers.append(name, value.clone());
    }
    assert!(hop_by_hop(&headers, Passage::Plain).contains(&NOMINATED));
}
