use http::{HeaderMap, HeaderName, HeaderValue};
use proptest::prelude::*;

use super::{any_value, headers};
use crate::headers::{Passage, hop_by_hop, is_for_all_connections, keeps_alive};

fn names(lines: &[(&'static str, &str)], passage: Passage) -> Vec<String> {
    let mut names: Vec<String> =
        hop_by_hop(&headers(lines), passage).iter().map(HeaderName::to_string).collect();
    names.sort();
    names
}

#[test]
fn headers_for_one_connection_do_not_travel() {
    let lines = [
        ("host", "a"),
        ("connection", "close"),
        ("keep-alive", "timeout=5"),
        ("proxy-connection", "close"),
        ("te", "gzip, trailers"),
        ("trailer", "x"),
        ("transfer-encoding", "chunked"),
        ("upgrade", "h2c"),
        ("http2-settings", "AAMAAABkAARAAAAAAAIAAAAA"),
        ("proxy-authenticate", "Basic"),
        ("proxy-authorization", "Basic eDp5"),
    ];
    let expected = [
        "connection",
        "http2-settings",
        "keep-alive",
        "proxy-authenticate",
        "proxy-authorization",
        "proxy-connection",
        "te",
        "upgrade",
    ];
    assert_eq!(names(&lines, Passage::Plain), expected);
}

#[test]
fn nothing_is_found_where_nothing_is() {
    let found = hop_by_hop(&headers(&[("host", "a"), ("accept", "*/*"), ("te", "Trailers")]), Passage::Plain);
    assert!(found.is_empty());
    assert!(!found.spilled());
}

#[test]
fn nominated_headers_do_not_travel() {
    let lines = [
        ("connection", "Close, X-One ,,x-absent"),
        ("connection", "x-two, x-one, TE, \"x-three\""),
        ("x-one", "1"),
        ("x-two", "2"),
        ("x-three", "3"),
        ("te", "trailers"),
    ];
    assert_eq!(names(&lines, Passage::Plain), ["connection", "x-one", "x-two"]);
}

#[test]
fn protected_headers_travel_although_nominated() {
    let protected = [
        ("authorization", "Basic eDp5"),
        ("cache-control", "no-store"),
        ("content-encoding", "gzip"),
        ("content-length", "0"),
        ("content-type", "text/plain"),
        ("cookie", "a=b"),
        ("forwarded", "for=192.0.2.1"),
        ("host", "a"),
        ("idempotency-key", "7"),
        ("set-cookie", "a=b"),
        ("transfer-encoding", "chunked"),
        ("via", "1.1 fred"),
        ("x-forwarded-for", "192.0.2.1"),
        ("x-forwarded-host", "a"),
        ("x-forwarded-port", "80"),
        ("x-forwarded-proto", "https"),
        ("x-real-ip", "192.0.2.1"),
        ("x-request-id", "a"),
    ];
    let nomination = protected.map(|(name, _)| name).join(", ").to_uppercase();
    let mut lines = protected.to_vec();
    lines.push(("connection", &nomination));
    assert_eq!(names(&lines, Passage::Plain), ["connection"]);
}

#[test]
fn upgrade_keeps_what_makes_it_one() {
    let lines = [
        ("connection", "keep-alive, Upgrade, x-one"),
        ("upgrade", "websocket"),
        ("keep-alive", "timeout=5"),
        ("x-one", "1"),
    ];
    assert_eq!(names(&lines, Passage::Upgrade), ["keep-alive", "x-one"]);
    assert_eq!(names(&lines, Passage::Plain), ["connection", "keep-alive", "upgrade", "x-one"]);
}

#[test]
fn endless_nominations_are_cut_off() {
    let line = format!("{}x-late", "close,".repeat(10_000));
    assert_eq!(names(&[("connection", &line), ("x-late", "1")], Passage::Plain), ["connection"]);
}

#[test]
fn ordinary_requests_are_for_all_connections() {
    let ordinary = [("host", "a"), ("accept", "*/*"), ("content-length", "5"), ("expect", "100-continue")];
    assert!(is_for_all_connections(&headers(&ordinary)));
    for lines in [&[("connection", "keep-alive")], &[("connection", "Keep-Alive")]] {
        assert!(is_for_all_connections(&headers(&[&ordinary[..], lines].concat())), "{lines:?}");
        assert!(keeps_alive(&headers(lines)), "{lines:?}");
    }
}

#[test]
fn whatever_is_for_one_connection_or_ends_a_body_is_found() {
    for line in [
        ("connection", "close"),
        ("connection", "upgrade"),
        ("connection", "x-one"),
        ("connection", "keep-alive, x-one"),
        ("connection", "keep-alive,"),
        ("connection", ""),
        ("keep-alive", "timeout=5"),
        ("proxy-connection", "keep-alive"),
        ("proxy-authenticate", "Basic"),
        ("proxy-authorization", "Basic eDp5"),
        ("te", "trailers"),
        ("trailer", "x"),
        ("transfer-encoding", "chunked"),
        ("upgrade", "websocket"),
        ("http2-settings", "AAMAAABkAARAAAAAAAIAAAAA"),
    ] {
        assert!(!is_for_all_connections(&headers(&[("host", "a"), line, ("x-one", "1")])), "{line:?}");
    }
    let twice = [("connection", "keep-alive"), ("connection", "keep-alive")];
    assert!(!is_for_all_connections(&headers(&twice)) && !keeps_alive(&headers(&twice)));
    assert!(!keeps_alive(&headers(&[("host", "a")])));
}

proptest! {
    #[test]
    fn what_is_for_all_connections_loses_nothing_but_its_wish_to_stay(
        connection in prop::collection::vec(any_value(), 0..2),
        others in prop::sample::subsequence(
            vec!["host", "x-one", "te", "upgrade", "keep-alive", "trailer", "transfer-encoding", "close"],
            0..4,
        ),
    ) {
        let mut lines = HeaderMap::new();
        for name in others {
            lines.append(HeaderName::from_static(name), HeaderValue::from_static("x-one"));
        }
        connection.into_iter().for_each(|line| { lines.append("connection", line); });
        if is_for_all_connections(&lines) {
            let found = hop_by_hop(&lines, Passage::Plain);
            prop_assert!(found.iter().all(|name| name == http::header::CONNECTION));
            prop_assert_eq!(keeps_alive(&lines), !found.is_empty());
        }
    }

    #[test]
    fn only_what_is_there_and_not_protected_is_named(
        connection in prop::collection::vec(any_value(), 0..3),
        nominated in prop::sample::subsequence(vec!["host", "x-one", "te", "cookie", "x-forwarded-for", "close"], 0..6),
        upgrades in any::<bool>(),
    ) {
        let mut lines = headers(&[("host", "a"), ("x-one", "1"), ("cookie", "a"), ("x-forwarded-for", "1"), ("te", "x")]);
        connection.into_iter().for_each(|line| { lines.append("connection", line); });
        lines.append("connection", HeaderValue::from_str(&nominated.join(",")).unwrap());
        let passage = if upgrades { Passage::Upgrade } else { Passage::Plain };
        let found = hop_by_hop(&lines, passage);
        for name in &found {
            prop_assert!(["connection", "te", "x-one"].contains(&name.as_str()), "{}", name);
            prop_assert_eq!(found.iter().filter(|other| *other == name).count(), 1);
        }
        prop_assert!(found.contains(&http::header::TE));
        let left: HeaderMap = lines.into_iter().filter_map(|(n, v)| Some((n?, v))).filter(|(n, _)| !found.contains(n)).collect();
        prop_assert!(hop_by_hop(&left, Passage::Plain).iter().all(|name| upgrades && name == http::header::CONNECTION));
    }
}
