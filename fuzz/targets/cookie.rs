//! Cookies: whatever a client sends, ours is found or not and never travels, and only what was signed is a pass.
#![no_main]

use bookend::headers::{Change, cookies, sets_cookie, without_cookie};
use bookend::upstream::{Pass, Place, Seal};
use bookend_fuzz::headers;
use http::{HeaderValue, header};
use libfuzzer_sys::fuzz_target;

const NAME: &str = "a";

fuzz_target!(|data: &[u8]| {
    let mut headers = headers(data);
    let before: Vec<Vec<u8>> = cookies(&headers, NAME).map(<[u8]>::to_vec).collect();
    match without_cookie(&headers, NAME) {
        Change::Keep => assert!(before.is_empty()),
        Change::Set(value) => drop(headers.insert(header::COOKIE, value)),
        Change::Remove => drop(headers.remove(header::COOKIE)),
    }
    assert_eq!(cookies(&headers, NAME).count(), 0, "it travels");
    if let Ok(value) = HeaderValue::from_bytes(data) {
        let _ = sets_cookie(&value, NAME);
    }

    let seal = Seal::new(b"a key that the client does not know", "web").unwrap();
    assert_eq!(seal.read(data), None, "nobody signed it");
    let pass = Pass { session: 1, seat: seal.seat(&Place::Unix("/a".into())), given: 2 };
    let mut value = seal.sign(pass).into_bytes();
    assert_eq!(seal.read(&value), Some(pass));
    if let [at, to, ..] = *data {
        let at = usize::from(at) % value.len();
        if value[at] != to {
            value[at] = to;
            assert_eq!(seal.read(&value), None, "changed at {at}");
        }
    }
});
