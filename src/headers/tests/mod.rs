mod client;
mod cookie;
mod forwarding;
mod hop_by_hop;
mod request_id;

use http::{HeaderMap, HeaderName, HeaderValue};
use proptest::prelude::*;

/// Headers of `lines`, several of one name if need be.
fn headers(lines: &[(&'static str, &str)]) -> HeaderMap {
    let mut headers = HeaderMap::new();
    for (name, value) in lines {
        headers.append(HeaderName::from_static(name), HeaderValue::from_str(value).unwrap());
    }
    headers
}

/// Any bytes that may stand in a header, the ones that mean something more often than others.
fn any_value() -> impl Strategy<Value = HeaderValue> {
    let piece = prop_oneof![
        "[ -~]{0,8}".prop_map(String::into_bytes),
        prop::sample::select(vec![
            ",",
            ";",
            "\"",
            "\\",
            "for=",
            "proto=https",
            "host=",
            "10.0.0.1",
            "[::1]",
            ":80",
            "q=0.5",
            "*/*",
            "text/html",
        ])
        .prop_map(|text| text.as_bytes().to_vec()),
        prop::collection::vec(0x80_u8..=0xff, 0..4),
    ];
    prop::collection::vec(piece, 0..12).prop_map(|pieces| HeaderValue::from_bytes(&pieces.concat()).unwrap())
}
