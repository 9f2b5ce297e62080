//! The name of a request: the client's if it is harmless, else ours; and the answer that shows it.
#![no_main]

use bookend::answer::{Answer, Kind};
use bookend::headers::RequestId;
use bookend_fuzz::headers;
use http::StatusCode;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    let headers = headers(data);
    let lines: Vec<_> = headers.get_all("x-request-id").iter().collect();
    let id = RequestId::new(&headers, 0x7f);
    let text = id.as_str();
    assert!(text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"._~+/=-".contains(&byte)), "{text:?}");
    assert!((1..=128).contains(&text.len()) && text.as_bytes() == id.value().as_bytes());
    match id.is_kept() {
        true => assert_eq!(lines, [id.value()]),
        false => assert_eq!(text, "0000000000000000000000000000007f"),
    }
    for status in [StatusCode::BAD_GATEWAY, StatusCode::IM_A_TEAPOT] {
        let json = Answer { status, kind: Kind::Json, id: text }.body();
        let json: serde_json::Value = serde_json::from_str(&json).expect("JSON");
        assert_eq!(json["request_id"], text);
    }
});
