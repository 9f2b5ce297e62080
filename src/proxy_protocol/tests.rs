use std::net::{Ipv4Addr, Ipv6Addr};

use proptest::collection::vec;
use proptest::prelude::*;

use super::*;

fn client(text: &str) -> Source {
    Source::Client(text.parse().expect("an address"))
}

/// The whole header that `bytes` begin with.
fn read(bytes: &[u8]) -> Result<Option<(Source, usize)>, Flaw> {
    Header::default().read(bytes)
}

/// A header of the second version with `rest` behind its length.
fn binary(command: u8, kind: u8, rest: &[u8]) -> Vec<u8> {
    let length = u16::try_from(rest.len()).expect("short").to_be_bytes();
    [SIGNATURE, &[command, kind], &length, rest].concat()
}

const V4: [u8; 12] = [192, 0, 2, 7, 10, 0, 0, 1, 0xdc, 0x04, 0x01, 0xbb];

fn v6() -> Vec<u8> {
    let [from, to]: [Ipv6Addr; 2] =
        ["2001:db8::7", "2001:db8::1"].map(|text| text.parse().expect("an address"));
    [&from.octets()[..], &to.octets(), &[0xdc, 0x04, 0x01, 0xbb]].concat()
}

#[test]
fn first_version_names_its_client() {
    let lines = [
        ("PROXY TCP4 192.0.2.7 10.0.0.1 56324 443\r\n", client("192.0.2.7:56324")),
        ("PROXY TCP6 2001:db8::7 2001:db8::1 56324 443\r\n", client("[2001:db8::7]:56324")),
        ("PROXY TCP6 ::ffff:192.0.2.7 ::1 0 65535\r\n", client("[::ffff:192.0.2.7]:0")),
        ("PROXY UNKNOWN\r\n", Source::Sender),
        ("PROXY UNKNOWN ff:ff 1 2 whatever\r\n", Source::Sender),
    ];
    for (line, source) in lines {
        let with_more = format!("{line}GET / HTTP/1.1\r\n");
        assert_eq!(read(with_more.as_bytes()), Ok(Some((source, line.len()))), "{line}");
    }
    let longest = format!("PROXY TCP6 {0} {0} 65535 65535\r\n", "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff");
    assert!(matches!(read(longest.as_bytes()), Ok(Some((Source::Client(_), _)))));
}

#[test]
fn first_version_is_read_strictly() {
    let lines = [
        ("PROXY TCP4 192.0.2.7 10.0.0.1 56324 443\n", Flaw::Line),
        ("PROXY TCP4 192.0.2.7 10.0.0.1 56324 443 \r\n", Flaw::Line),
        ("PROXY  TCP4 192.0.2.7 10.0.0.1 56324 443\r\n", Flaw::Line),
        ("PROXY TCP4 192.0.2.7 10.0.0.1 56324\r\n", Flaw::Line),
        ("PROXY TCP5 192.0.2.7 10.0.0.1 56324 443\r\n", Flaw::Line),
        ("PROXY UNKNOWNS\r\n", Flaw::Line),
        ("PROXY \r\n", Flaw::Line),
        ("PROXY TCP4 192.0.2.07 10.0.0.1 56324 443\r\n", Flaw::Address),
        ("PROXY TCP4 192.0.2.7 ::1 56324 443\r\n", Flaw::Address),
        ("PROXY TCP6 192.0.2.7 10.0.0.1 56324 443\r\n", Flaw::Address),
        ("PROXY TCP6 fe80::1%eth0 ::1 56324 443\r\n", Flaw::Address),
        ("PROXY TCP4 192.0.2.7 10.0.0.1 65536 443\r\n", Flaw::Address),
        ("PROXY TCP4 192.0.2.7 10.0.0.1 +80 443\r\n", Flaw::Address),
        ("PROXY TCP4 192.0.2.7 10.0.0.1 080 443\r\n", Flaw::Address),
        ("PROXY TCP4 192.0.2.7 10.0.0.1 80 \r\n", Flaw::Address),
    ];
    for (line, flaw) in lines {
        assert_eq!(read(line.as_bytes()), Err(flaw), "{line:?}");
    }
    let long = format!("PROXY UNKNOWN {}\r\n", "x".repeat(92));
    assert_eq!((long.len(), read(long.as_bytes())), (108, Err(Flaw::TooLong)));
    assert_eq!(read(long.replacen("xx", "x", 1).as_bytes()), Ok(Some((Source::Sender, 107))));
}

#[test]
fn second_version_names_its_client() {
    let with_tlvs = [&V4[..], &[0x04, 0, 3, 1, 2, 3]].concat();
    let headers = [
        (binary(0x21, 0x11, &V4), client("192.0.2.7:56324")),
        (binary(0x21, 0x21, &v6()), client("[2001:db8::7]:56324")),
        (binary(0x21, 0x11, &with_tlvs), client("192.0.2.7:56324")),
        (binary(0x21, 0x11, &[&V4[..], &[0; 4084]].concat()), client("192.0.2.7:56324")),
        // Its sender's own, whatever else it says.
        (binary(0x20, 0x00, &[]), Source::Sender),
        (binary(0x20, 0x11, &V4), Source::Sender),
        (binary(0x20, 0x11, &[]), Source::Sender),
        (binary(0x20, 0xff, &[1, 2]), Source::Sender),
        // Nobody whom an address can name, or no connection.
        (binary(0x21, 0x00, &[]), Source::Sender),
        (binary(0x21, 0x00, &V4), Source::Sender),
        (binary(0x21, 0x31, &[b'x'; 216]), Source::Sender),
        (binary(0x21, 0x12, &V4), Source::Sender),
    ];
    for (header, source) in headers {
        let with_more = [&header[..], b"\x16\x03\x01"].concat();
        assert_eq!(read(&with_more), Ok(Some((source, header.len()))), "{header:x?}");
    }
}

#[test]
fn second_version_is_read_strictly() {
    let headers = [
        (binary(0x11, 0x11, &V4), Flaw::Command),
        (binary(0x22, 0x11, &V4), Flaw::Command),
        (binary(0x21, 0x41, &V4), Flaw::Family),
        (binary(0x21, 0x13, &V4), Flaw::Family),
        (binary(0x21, 0x11, &V4[..11]), Flaw::TooShort),
        (binary(0x21, 0x21, &V4), Flaw::TooShort),
        (binary(0x21, 0x31, &[0; 215]), Flaw::TooShort),
        (binary(0x21, 0x11, &[0; 4097]), Flaw::TooLong),
        (binary(0x20, 0x00, &[0; 4097]), Flaw::TooLong),
    ];
    for (header, flaw) in headers {
        assert_eq!(read(&header), Err(flaw), "{header:x?}");
    }
}

#[test]
fn what_is_no_header_is_known_at_once() {
    for bytes in ["GET / HTTP/1.1\r\n", "\x16\x03\x01", "P0", "PROXX", "PROXY\r", "\r\n\r\n\r", "proxy "] {
        assert_eq!(read(bytes.as_bytes()), Err(Flaw::Missing), "{bytes:?}");
        assert!(!is_begun_by(bytes.as_bytes()));
    }
    assert!(is_begun_by(b"PROXY TCP4 1"));
    assert!(is_begun_by(SIGNATURE));
    assert!(!is_begun_by(b"PROX"));
}

fn header() -> impl Strategy<Value = (Vec<u8>, Source)> {
    let addresses = any::<([u8; 16], [u8; 16], u16, u16)>();
    (addresses, 0..6_u8, vec(any::<u8>(), 0..64)).prop_map(|((from, to, port, other), kind, more)| {
        let [a, b] = [from, to].map(Ipv6Addr::from);
        let [c, d] = [&from, &to].map(|ip| Ipv4Addr::from([ip[0], ip[1], ip[2], ip[3]]));
        let (six, four) = (Source::Client((a, port).into()), Source::Client((c, port).into()));
        let ports = [port.to_be_bytes(), other.to_be_bytes()].concat();
        match kind {
            0 => (format!("PROXY TCP6 {a} {b} {port} {other}\r\n").into_bytes(), six),
            1 => (format!("PROXY TCP4 {c} {d} {port} {other}\r\n").into_bytes(), four),
            2 => (binary(0x21, 0x21, &[&from[..], &to, &ports, &more].concat()), six),
            3 => (binary(0x21, 0x11, &[&c.octets()[..], &d.octets(), &ports, &more].concat()), four),
            4 => (binary(0x20, 0x11, &more), Source::Sender),
            _ => (b"PROXY UNKNOWN\r\n".to_vec(), Source::Sender),
        }
    })
}

/// Whom a header names that comes in pieces of `step` bytes, and where it ends.
fn in_pieces(bytes: &[u8], step: usize) -> Result<Option<(Source, usize)>, Flaw> {
    let (mut header, mut before) = (Header::default(), 0);
    for piece in bytes.chunks(step) {
        if let Some((source, used)) = header.read(piece)? {
            return Ok(Some((source, before + used)));
        }
        before += piece.len();
    }
    Ok(None)
}

proptest! {
    #[test]
    fn what_was_written_is_read((bytes, source) in header(), more in vec(any::<u8>(), 0..32), step in 1..40_usize) {
        let all = [&bytes[..], &more].concat();
        prop_assert_eq!(in_pieces(&all, step), Ok(Some((source, bytes.len()))));
    }

    #[test]
    fn every_beginning_of_a_header_waits_for_the_rest((bytes, _) in header(), cut in any::<prop::sample::Index>()) {
        let begin = &bytes[..cut.index(bytes.len())];
        prop_assert_eq!(read(begin), Ok(None));
    }

    #[test]
    fn pieces_are_read_as_the_whole_is(
        (mut bytes, _) in header(),
        at in any::<prop::sample::Index>(),
        byte in any::<u8>(),
        step in 1..40_usize,
    ) {
        let at = at.index(bytes.len());
        bytes[at] = byte;
        prop_assert_eq!(in_pieces(&bytes, step), in_pieces(&bytes, bytes.len()));
    }
}
