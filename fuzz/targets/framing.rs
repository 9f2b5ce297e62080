//! Requests on a connection: pieces are read as the whole is, and what passes has one meaning.
#![no_main]

use bookend::framing::{Bounds, Flaw, Requests};
use libfuzzer_sys::fuzz_target;

const BOUNDS: Bounds = Bounds { fields: 100, target: 8 * 1024 };

fuzz_target!(|data: &[u8]| {
    // The first byte says how long the pieces are.
    let Some((&step, bytes)) = data.split_first() else { return };
    let whole = lengths(bytes, bytes.len());
    assert_eq!(whole, lengths(bytes, usize::from(step).max(1)), "in pieces of {step}");
    let mut at = 0;
    for length in whole.0 {
        assert_is_plain(&bytes[at..at + length]);
        at += length;
    }
});

/// How long each whole request is, given so many bytes more each time, and why the next is none, if so.
fn lengths(bytes: &[u8], step: usize) -> (Vec<usize>, Option<Flaw>) {
    let mut requests = Requests::new(BOUNDS);
    let (mut lengths, mut passed, mut begin, mut there) = (Vec::new(), 0, 0, 0);
    loop {
        match requests.read(&bytes[passed..there]) {
            Ok(read) => {
                assert!(read.bytes <= there - passed);
                passed += read.bytes;
                if read.is_end {
                    lengths.push(passed - begin);
                    begin = passed;
                    continue;
                }
            }
            Err(flaw) => return (lengths, Some(flaw)),
        }
        if there == bytes.len() {
            return (lengths, None);
        }
        there = bytes.len().min(there.saturating_add(step));
    }
}

/// The head has lines that end with CR LF, and no more than one field that says where the request ends.
fn assert_is_plain(request: &[u8]) {
    let end = request.windows(4).position(|window| window == b"\r\n\r\n").expect("a head");
    let head: String = request[..end].iter().map(|&byte| char::from(byte)).collect();
    let lines: Vec<&str> = head.strip_prefix("\r\n").unwrap_or(&head).split("\r\n").collect();
    assert!(!lines.concat().contains(|c: char| c.is_ascii_control() && c != '\t'), "{head:?}");
    assert!(lines[0].ends_with(" HTTP/1.1") || lines[0].ends_with(" HTTP/1.0"), "{head:?}");
    let names = lines[1..].iter().map(|line| line.split_once(':').expect("a colon").0.to_ascii_lowercase());
    let ends = names.filter(|name| name == "content-length" || name == "transfer-encoding").count();
    assert!(ends <= 1, "{head:?}");
}
