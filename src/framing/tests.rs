//! Heads and bodies one by one, and whatever passes against a second reader that knows nothing of the first.

use proptest::prelude::*;

use super::{Body, Bounds, Chunks, Flaw, Head, Passed, Requests};

const BOUNDS: Bounds = Bounds { fields: 5, target: 40 };

fn head(text: &str) -> Result<Option<(usize, Body)>, Flaw> {
    Head::default().read(text.as_bytes(), BOUNDS)
}

/// What a head with these lines after the first is taken for.
fn fields(lines: &str) -> Result<Body, Flaw> {
    head(&format!("POST / HTTP/1.1\r\n{lines}\r\n")).map(|read| read.expect("whole").1)
}

fn first_line(line: &str) -> Result<Body, Flaw> {
    head(&format!("{line}\r\nHost: a.test\r\n\r\n")).map(|read| read.expect("whole").1)
}

#[test]
fn head_says_what_follows_it() {
    let none = Ok(Body::Length(0));
    assert_eq!(fields("Host: a.test\r\n"), none);
    assert_eq!(fields("Host: a.test\r\nContent-Length: 12\r\n"), Ok(Body::Length(12)));
    assert_eq!(fields("content-length:\t012 \r\nhost:a.test\r\n"), Ok(Body::Length(12)));
    assert_eq!(fields("Host: a.test\r\nTransfer-Encoding: Chunked\r\n"), Ok(Body::Chunked));
    assert_eq!(fields("Host: a.test\r\nX: caf\u{e9}\r\nEmpty:\r\n"), none);
    assert_eq!(head("\r\nGET / HTTP/1.0\r\n\r\nrest"), Ok(Some((20, Body::Length(0)))));
}

#[test]
fn flaws_are_told_apart() {
    let words: std::collections::HashSet<_> = Flaw::ALL.iter().map(|flaw| flaw.as_str()).collect();
    assert_eq!(words.len(), Flaw::ALL.len());
    assert!(
        Flaw::ALL.iter().all(|flaw| flaw.status().is_client_error() || *flaw == Flaw::VersionUnsupported)
    );
}

#[test]
fn first_line_is_read_to_the_letter() {
    for line in [
        "GET /a?b=c|{} HTTP/1.1",
        "GET http://a.test HTTP/1.1",
        "GET HTTPS://A.test/x?y HTTP/1.0",
        "OPTIONS * HTTP/1.1",
        "M-SEARCH /%00 HTTP/1.1",
    ] {
        assert_eq!(first_line(line), Ok(Body::Length(0)), "{line}");
    }
    for (line, flaw) in [
        ("GET /", Flaw::RequestLine),
        (" GET / HTTP/1.1", Flaw::RequestLine),
        ("G@T / HTTP/1.1", Flaw::RequestLine),
        ("GET  / HTTP/1.1", Flaw::RequestLine),
        ("GET / HTTP/1.1 ", Flaw::Version),
        ("GET /a b HTTP/1.1", Flaw::Version),
        ("GET / http/1.1", Flaw::Version),
        ("GET / HTTP/1.2", Flaw::Version),
        ("GET / HTTP/01.1", Flaw::Version),
        ("GET / HTTP/2.0", Flaw::VersionUnsupported),
        ("GET / HTTP/0.9", Flaw::VersionUnsupported),
        ("GET\t/ HTTP/1.1", Flaw::RequestLine),
        ("GET /\ta HTTP/1.1", Flaw::Target),
        ("GET /\u{e9} HTTP/1.1", Flaw::Target),
        ("GET /a#b HTTP/1.1", Flaw::Target),
        ("GET * HTTP/1.1", Flaw::Target),
        ("GET a.test HTTP/1.1", Flaw::Target),
        ("GET ftp://a.test/ HTTP/1.1", Flaw::Target),
        ("GET http:///x HTTP/1.1", Flaw::Target),
        ("GET http://u@a.test/ HTTP/1.1", Flaw::Target),
        ("GET http://b.test/ HTTP/1.1", Flaw::HostDiffers),
        ("GET http://a.test:80/ HTTP/1.1", Flaw::HostDiffers),
        ("GET /01234567890123456789012345678901234567890 HTTP/1.1", Flaw::TargetTooLong),
    ] {
        assert_eq!(first_line(line), Err(flaw), "{line:?}");
    }
}

#[test]
fn fields_leave_no_choice() {
    for (lines, flaw) in [
        ("Host: a\r\nContent-Length: 4\r\nTransfer-Encoding: chunked\r\n", Flaw::LengthAndChunks),
        ("Host: a\r\nTransfer-Encoding: chunked\r\nContent-Length: 4\r\n", Flaw::LengthAndChunks),
        ("Host: a\r\nContent-Length: 4\r\nContent-Length: 4\r\n", Flaw::LengthTwice),
        ("Host: a\r\nContent-Length: 4, 4\r\n", Flaw::Length),
        ("Host: a\r\nContent-Length: +4\r\n", Flaw::Length),
        ("Host: a\r\nContent-Length: 0x4\r\n", Flaw::Length),
        ("Host: a\r\nContent-Length:\r\n", Flaw::Length),
        ("Host: a\r\nContent-Length: 9223372036854775808\r\n", Flaw::Length),
        ("Host: a\r\nContent-Length: 00000000000000000001\r\n", Flaw::Length),
        ("Host: a\r\nTransfer-Encoding: gzip, chunked\r\n", Flaw::Coding),
        ("Host: a\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n", Flaw::Coding),
        ("Host: a\r\nTransfer-Encoding:\r\n", Flaw::Coding),
        ("Host: a\r\nTransfer_Encoding: chunked\r\n", Flaw::Lookalike),
        ("Host: a\r\nContent_Length: 4\r\n", Flaw::Lookalike),
        ("Host: a\r\nContent-Length : 4\r\n", Flaw::Field),
        ("Host: a\r\n folded: 1\r\n", Flaw::Field),
        ("Host: a\r\n: 1\r\n", Flaw::Field),
        ("Host: a\r\nno colon\r\n", Flaw::Field),
        ("Host: a\r\nX: a\0b\r\n", Flaw::Control),
        ("Host: a\r\nX: a\x7fb\r\n", Flaw::Control),
        ("Host: a\r\nX: a\x0bb\r\n", Flaw::Control),
        ("Host: a\r\nX: a\rb\r\n", Flaw::BareCr),
        ("Host: a\r\nX: a\nY: b\r\n", Flaw::BareLf),
        ("X: a\r\n", Flaw::HostMissing),
        ("Host: a\r\nhost: a\r\n", Flaw::HostTwice),
        ("Host:\r\n", Flaw::HostMalformed),
        ("Host: a b\r\n", Flaw::HostMalformed),
        ("Host: a,b\r\n", Flaw::HostMalformed),
        ("Host: a/b\r\n", Flaw::HostMalformed),
        ("Host: u@a\r\n", Flaw::HostMalformed),
        ("Host: a:99999\r\n", Flaw::HostMalformed),
        ("Host: a:80:80\r\n", Flaw::HostMalformed),
        ("Host: [::1\r\n", Flaw::HostMalformed),
        ("A: 1\r\nB: 1\r\nC: 1\r\nD: 1\r\nE: 1\r\nF: 1\r\n", Flaw::TooManyFields),
    ] {
        assert_eq!(fields(lines), Err(flaw), "{lines:?}");
    }
    let old = "POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n";
    assert_eq!(head(old), Err(Flaw::CodingTooOld));
    for host in ["a", "a.test:80", "a_b.test", "127.0.0.1:8080", "[::1]:80", "[2001:db8::1]", "a:"] {
        assert_eq!(fields(&format!("Host: {host}\r\n")), Ok(Body::Length(0)), "{host}");
    }
}

#[test]
fn other_protocol_is_told_at_its_first_bytes() {
    assert_eq!(head("\x16\x03\x01"), Err(Flaw::RequestLine));
    assert_eq!(head("GET / HT\0"), Err(Flaw::Control));
}

#[test]
fn chunks_end_where_they_say() {
    for body in [
        "0\r\n\r\n",
        "5\r\nhello\r\n0\r\n\r\n",
        "00A\r\n0123456789\r\n000\r\n\r\n",
        "1;a;b=c;d=\"e;\\\"\";f = g\r\nx\r\n0 ;y\r\n\r\n",
        "0\r\nA: 1\r\nB:\r\n\r\n",
    ] {
        let mut chunks = Chunks::default();
        assert_eq!(chunks.read(format!("{body}next").as_bytes()), Ok(body.len()), "{body:?}");
        assert!(chunks.is_done(), "{body:?}");
    }
    for (body, flaw) in [
        ("\r\n", Flaw::ChunkSize),
        ("x\r\n", Flaw::ChunkSize),
        ("-1\r\n", Flaw::ChunkSize),
        ("0x5\r\n", Flaw::ChunkSize),
        (" 5\r\n", Flaw::ChunkSize),
        ("0000000000000005\r\n", Flaw::ChunkSize),
        ("5\n", Flaw::BareLf),
        ("5\rx", Flaw::BareCr),
        ("5 \r\n", Flaw::ChunkExtension),
        ("5;\r\n", Flaw::ChunkExtension),
        ("5;a=\r\n", Flaw::ChunkExtension),
        ("5;a=\"\r\n", Flaw::ChunkExtension),
        ("5;a\n", Flaw::BareLf),
        ("5;a\0\r\n", Flaw::ChunkExtension),
        ("5;a\rX", Flaw::BareCr),
        ("5\r\nhelloX\r\n", Flaw::ChunkEnd),
        ("5\r\nhello\n", Flaw::ChunkEnd),
        ("0\r\nX \r\n\r\n", Flaw::Trailer),
        ("0\r\n: 1\r\n\r\n", Flaw::Trailer),
        ("0\r\nA: 1\n\r\n", Flaw::BareLf),
        ("0\r\n\rX", Flaw::BareCr),
        ("0\r\n\n", Flaw::BareLf),
    ] {
        assert_eq!(Chunks::default().read(body.as_bytes()), Err(flaw), "{body:?}");
    }
    let long = format!("1;{}", "a".repeat(300));
    assert_eq!(Chunks::default().read(long.as_bytes()), Err(Flaw::ChunkExtension));
    let long = format!("0\r\nA: {}", "a".repeat(9_000));
    assert_eq!(Chunks::default().read(long.as_bytes()), Err(Flaw::Trailer));
}

#[test]
fn nothing_behind_a_request_is_read_with_it() {
    let mut requests = Requests::new(BOUNDS);
    let first = b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabc";
    let both = [&first[..], b"\0\0\0"].concat();
    assert_eq!(requests.read(&both), Ok(Passed { bytes: first.len(), head: first.len() - 3, is_end: true }));
    assert!(requests.awaits_head());
    assert_eq!(requests.read(b"\0\0\0"), Err(Flaw::RequestLine));
}

/// Pieces of messages, most of them valid, in an order that is often not.
fn message() -> impl Strategy<Value = Vec<u8>> {
    let lines = prop::sample::select(vec![
        "Host: a.test\r\n",
        "Host: a.test\r\n",
        "host:b\r\n",
        "Content-Length: 5\r\n",
        "Content-Length: 5\r\n",
        "content-length:0\r\n",
        "Content-Length: 5 5\r\n",
        "Transfer-Encoding: chunked\r\n",
        "Transfer-Encoding: chunked\r\n",
        "Transfer-Encoding:chunked, x\r\n",
        "X-A: b\r\n",
        "X\t: b\r\n",
        " fold\r\n",
        "Y: \n\r\n",
        "Z: \x01\r\n",
    ]);
    let first = prop::sample::select(vec![
        "POST / HTTP/1.1\r\n",
        "POST / HTTP/1.1\r\n",
        "GET http://a.test/ HTTP/1.1\r\n",
        "GET /  HTTP/1.1\r\n",
        "POST / HTTP/1.0\r\n",
    ]);
    let body = prop::sample::select(vec![
        "hello",
        "5\r\nhello\r\n0\r\n\r\n",
        "5;x\r\nhello\r\n1\r\n!\r\n0\r\nA: b\r\n\r\n",
        "5\nhello\r\n0\r\n\r\n",
        "0\r\n\r\nGET / HTTP/1.1\r\nHost: a.test\r\n\r\n",
        "",
    ]);
    (first, prop::collection::vec(lines, 0..4), body, any::<prop::sample::Index>(), any::<Option<u8>>())
        .prop_map(|(first, lines, body, index, noise)| {
            let mut bytes = format!("{first}{}\r\n{body}", lines.concat()).into_bytes();
            if let Some(noise) = noise.filter(|noise| *noise < 80) {
                let at = index.index(bytes.len());
                bytes[at] = noise;
            }
            bytes
        })
}

/// A request as the standard has it, read with regular means: the length of the whole, if it has come.
fn second_reader(bytes: &[u8]) -> Option<usize> {
    let end = bytes.windows(4).position(|window| window == b"\r\n\r\n")?;
    let text: String = bytes[..end].iter().map(|&byte| char::from(byte)).collect();
    let text = text.strip_prefix("\r\n").unwrap_or(&text);
    let mut lines = text.split("\r\n");
    let first: Vec<&str> = lines.next()?.split(' ').collect();
    assert_eq!(first.len(), 3, "{text:?}");
    assert!(["HTTP/1.0", "HTTP/1.1"].contains(&first[2]), "{text:?}");
    let fields: Vec<(String, &str)> = lines
        .map(|line| line.split_once(':').expect("a colon"))
        .map(|(name, value)| (name.to_ascii_lowercase(), value.trim_matches([' ', '\t'])))
        .collect();
    assert!(fields.iter().all(|(name, _)| !name.contains(|c: char| !c.is_ascii_graphic())), "{text:?}");
    assert!(
        !text.replace("\r\n", "").contains(|c: char| c.is_control() && c.is_ascii() && c != '\t'),
        "{text:?}"
    );
    let all = |name: &str| -> Vec<&str> {
        fields.iter().filter(|field| field.0 == name).map(|field| field.1).collect()
    };
    let (lengths, codings) = (all("content-length"), all("transfer-encoding"));
    assert!(lengths.len() + codings.len() <= 1, "{text:?}");
    assert!(all("host").len() == 1 || first[2] == "HTTP/1.0" && all("host").is_empty(), "{text:?}");
    let body = &bytes[end + 4..];
    let length = match (lengths.first(), codings.first()) {
        (Some(length), _) => Some(length.parse().unwrap()).filter(|&length: &usize| length <= body.len()),
        (None, Some(coding)) => {
            assert!(coding.eq_ignore_ascii_case("chunked") && first[2] == "HTTP/1.1", "{text:?}");
            chunked(body)
        }
        (None, None) => Some(0),
    };
    length.map(|length| end + 4 + length)
}

fn chunked(body: &[u8]) -> Option<usize> {
    let mut at = 0;
    let line = |at: usize| -> Option<(String, usize)> {
        let end = body.get(at..)?.windows(2).position(|window| window == b"\r\n")? + at;
        Some((body[at..end].iter().map(|&byte| char::from(byte)).collect(), end + 2))
    };
    loop {
        let (head, next) = line(at)?;
        let digits = head.split([';', ' ', '\t']).next().unwrap();
        let size = usize::from_str_radix(digits, 16).unwrap();
        at = next;
        if size == 0 {
            break;
        }
        if body.len() < at + size + 2 {
            return None;
        }
        assert_eq!(&body[at + size..at + size + 2], b"\r\n");
        at += size + 2;
    }
    loop {
        let (trailer, next) = line(at)?;
        at = next;
        if trailer.is_empty() {
            return Some(at);
        }
        assert!(trailer.contains(':'), "{trailer:?}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn what_passes_is_read_alike_by_another_reader(bytes in message()) {
        let mut requests = Requests::new(BOUNDS);
        if let Ok(passed) = requests.read(&bytes) {
            let length = second_reader(&bytes);
            prop_assert_eq!(passed.is_end.then_some(passed.bytes), length);
        }
    }

    #[test]
    fn pieces_are_read_as_the_whole_is(bytes in message(), cuts in prop::collection::vec(any::<prop::sample::Index>(), 0..5)) {
        let whole = Requests::new(BOUNDS).read(&bytes);
        let mut cuts: Vec<usize> = cuts.iter().map(|cut| cut.index(bytes.len() + 1)).collect();
        cuts.sort_unstable();
        cuts.push(bytes.len());
        let (mut requests, mut total, mut last) = (Requests::new(BOUNDS), 0, Ok(false));
        for cut in cuts {
            last = requests.read(&bytes[total..cut]).map(|passed| { total += passed.bytes; passed.is_end });
            if last != Ok(false) { break; }
        }
        match (whole, last) {
            (Ok(passed), Ok(is_end)) => prop_assert_eq!((passed.bytes, passed.is_end), (total, is_end)),
            (Err(flaw), Err(other)) => prop_assert_eq!(flaw, other),
            (whole, last) => prop_assert!(false, "{whole:?} and {last:?}"),
        }
    }

    #[test]
    fn control_bytes_are_found_wherever_they_are(bytes in prop::collection::vec(any::<u8>().prop_map(|b| if b < 160 { b % 96 + 32 } else { b }), 0..40), at in any::<prop::sample::Index>(), noise in any::<u8>()) {
        let mut bytes = bytes;
        if !bytes.is_empty() {
            let at = at.index(bytes.len());
            bytes[at] = noise;
        }
        let plain = bytes.iter().position(|&byte| (byte < 32 && byte != 9) || byte == 127);
        prop_assert_eq!(super::bytes::find_control(&bytes), plain);
    }
}
