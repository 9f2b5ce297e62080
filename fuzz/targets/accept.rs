//! `Accept`: the same wishes get the same kind, however they are spread over lines and blanks.
#![no_main]

use bookend::answer::Kind;
use http::HeaderValue;
use libfuzzer_sys::fuzz_target;

/// How much of `Accept` is read.
const MAX_ACCEPT: usize = 1024;

fuzz_target!(|data: &[u8]| {
    let lines = data.split(|&byte| byte == b'\n').filter_map(|line| HeaderValue::from_bytes(line).ok());
    let lines: Vec<HeaderValue> = lines.collect();
    let kind = Kind::preferred(&lines);

    let joined = lines.iter().map(HeaderValue::as_bytes).collect::<Vec<_>>().join(&b", "[..]);
    if joined.len() <= MAX_ACCEPT {
        let joined = HeaderValue::from_bytes(&joined).unwrap();
        assert_eq!(Kind::preferred([&joined]), kind, "on one line");
    }
    let large =
        lines.iter().map(|line| HeaderValue::from_bytes(&line.as_bytes().to_ascii_uppercase()).unwrap());
    assert_eq!(Kind::preferred(&large.collect::<Vec<_>>()), kind, "in large letters");
    let mut with_padding = lines.clone();
    with_padding.push(HeaderValue::from_static("image/png, video/*;q=0.9"));
    assert_eq!(Kind::preferred(&with_padding), kind, "with kinds that are not ours");
});
