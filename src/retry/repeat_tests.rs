use http::{HeaderMap, HeaderName, HeaderValue, Method};

use super::{Repeatability, is_conditional};

fn headers(lines: &[(&'static str, &'static str)]) -> HeaderMap {
    lines
        .iter()
        .map(|&(name, value)| (HeaderName::from_static(name), HeaderValue::from_static(value)))
        .collect()
}

#[test]
fn method_and_key_decide_whether_a_request_may_run_twice() {
    use Repeatability::{Idempotent, Safe, Unsafe};
    let extension = Method::from_bytes(b"PROPFIND").unwrap();
    let cases = [
        (Method::GET, Safe, Safe),
        (Method::HEAD, Safe, Safe),
        (Method::OPTIONS, Safe, Safe),
        (Method::TRACE, Safe, Safe),
        (Method::PUT, Idempotent, Idempotent),
        (Method::DELETE, Idempotent, Idempotent),
        (Method::POST, Unsafe, Idempotent),
        (Method::PATCH, Unsafe, Idempotent),
        (Method::CONNECT, Unsafe, Idempotent),
        (extension, Unsafe, Idempotent),
    ];
    let keyed = headers(&[("idempotency-key", "\"8e03978e\"")]);
    for (method, bare, with_key) in cases {
        assert_eq!(Repeatability::of(&method, &HeaderMap::new()), bare, "{method}");
        assert_eq!(Repeatability::of(&method, &keyed), with_key, "{method}");
    }
}

#[test]
fn empty_key_is_no_key() {
    for key in ["", " ", "\"\"", "\" \""] {
        let headers = headers(&[("idempotency-key", key)]);
        assert_eq!(Repeatability::of(&Method::POST, &headers), Repeatability::Unsafe, "{key:?}");
    }
}

#[test]
fn conditions_that_a_first_run_may_break_are_found() {
    for name in ["if-match", "if-unmodified-since", "if-none-match", "if"] {
        assert!(is_conditional(&headers(&[(name, "*")])), "{name}");
    }
    for name in ["if-modified-since", "if-range", "range"] {
        assert!(!is_conditional(&headers(&[(name, "*")])), "{name}");
    }
}
