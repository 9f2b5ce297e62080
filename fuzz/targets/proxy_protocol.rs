//! The header of the PROXY protocol: pieces are read as the whole is, and what is behind it is left alone.
#![no_main]

use bookend::proxy_protocol::{Flaw, Header, Source, TELLING, is_begun_by};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    // The first byte says how long the pieces are.
    let Some((&step, bytes)) = data.split_first() else { return };
    let whole = read(bytes, bytes.len());
    let in_pieces = read(bytes, usize::from(step));
    match (&whole, &in_pieces) {
        // What is wrong further on may show before what is wrong here has come.
        (Err(_), Err(_)) => {}
        _ => assert_eq!(whole, in_pieces, "in pieces of {step}"),
    }
    let Ok(Some((source, length))) = whole else { return };
    assert!(length <= bytes.len() && length <= 16 + 4096);
    assert!(is_begun_by(&bytes[..TELLING.min(length)]));
    assert_eq!(read(&bytes[..length], bytes.len()), Ok(Some((source, length))), "nothing else is needed");
    assert_eq!(read(&bytes[..length - 1], bytes.len()), Ok(None), "all of it is needed");
    if bytes.starts_with(b"PROXY ") {
        let line = std::str::from_utf8(&bytes[..length]);
        assert!(length <= 107 && line.map_or(source == Source::Sender, |line| line.ends_with("\r\n")));
    }
});

/// Whom the header names, and how long it is, given so many bytes at a time.
fn read(bytes: &[u8], step: usize) -> Result<Option<(Source, usize)>, Flaw> {
    let (mut header, mut before) = (Header::default(), 0);
    for piece in bytes.chunks(step.max(1)) {
        if let Some((source, its)) = header.read(piece)? {
            return Ok(Some((source, before + its)));
        }
        before += piece.len();
    }
    Ok(None)
}
