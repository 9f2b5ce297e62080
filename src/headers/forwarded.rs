//! `Forwarded` (RFC 7239): reading the elements that proxies in front of us wrote, and writing our own.

use std::net::IpAddr;

use http::HeaderValue;
use http::header::GetAll;

use super::address;

/// The addresses in the `for` parameters from the last element to the first; `None` is an element without one.
///
/// Lines are read from the right: what a client wrote on the left, an open quote for example, cannot change how the
/// elements that proxies appended are read.
pub(super) fn clients(lines: GetAll<'_, HeaderValue>) -> impl Iterator<Item = Option<IpAddr>> {
    elements(lines).map(|element| parameter(element, b"for").and_then(address::read))
}

/// The value of the parameter `name` of the last element, without its quotes.
pub(super) fn last<'a>(lines: GetAll<'a, HeaderValue>, name: &[u8]) -> Option<&'a [u8]> {
    elements(lines).next().and_then(|element| parameter(element, name))
}

/// Writes an element about a request to `out`; `client` is `None` for a peer without an address.
///
/// RFC 7239 4 and 6: an IPv6 address stands in brackets and quotes, and so does a host that is no token.
pub(super) fn write(out: &mut Vec<u8>, client: Option<&[u8]>, host: Option<&[u8]>, proto: &[u8]) {
    out.extend_from_slice(b"for=");
    match client {
        Some(v6) if v6.contains(&b':') => {
            out.extend_from_slice(b"\"[");
            out.extend_from_slice(v6);
            out.extend_from_slice(b"]\"");
        }
        Some(v4) => out.extend_from_slice(v4),
        None => out.extend_from_slice(b"unknown"),
    }
    if let Some(host) = host {
        out.extend_from_slice(b";host=");
        write_value(out, host);
    }
    out.extend_from_slice(b";proto=");
    out.extend_from_slice(proto);
}

/// Writes a token as it is, and anything else as a quoted string (RFC 9110 5.6.4).
fn write_value(out: &mut Vec<u8>, value: &[u8]) {
    if !value.is_empty() && value.iter().all(|&byte| is_token(byte)) {
        return out.extend_from_slice(value);
    }
    out.push(b'"');
    for &byte in value {
        if matches!(byte, b'"' | b'\\') {
            out.push(b'\\');
        }
        out.push(byte);
    }
    out.push(b'"');
}

/// Whether `byte` may stand in a token (RFC 9110 5.6.2).
fn is_token(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte)
}

fn elements(lines: GetAll<'_, HeaderValue>) -> impl Iterator<Item = &[u8]> {
    lines.into_iter().rev().flat_map(|line| RSplitUnquoted { rest: Some(line.as_bytes()), separator: b',' })
}

/// The value of the parameter `name` in `element`, without its quotes; `None` if it is not there, there twice, or
/// written with escapes, which no address and no protocol needs.
fn parameter<'a>(element: &'a [u8], name: &[u8]) -> Option<&'a [u8]> {
    let pairs = RSplitUnquoted { rest: Some(element), separator: b';' };
    let mut values = pairs.filter_map(|pair| {
        let (found, value) = pair.trim_ascii().split_at_checked(name.len())?;
        found.eq_ignore_ascii_case(name).then_some(value)?.strip_prefix(b"=")
    });
    let value = values.next()?;
    if values.next().is_some() {
        return None;
    }
    let Some(quoted) = value.strip_prefix(b"\"") else { return Some(value) };
    quoted.strip_suffix(b"\"").filter(|text| !text.contains(&b'\\'))
}

/// The parts of a header's value between separators that are not in quotes, from the last to the first.
struct RSplitUnquoted<'a> {
    rest: Option<&'a [u8]>,
    separator: u8,
}

impl<'a> Iterator for RSplitUnquoted<'a> {
    type Item = &'a [u8];

    fn next(&mut self) -> Option<&'a [u8]> {
        let rest = self.rest.take()?;
        let mut is_quoted = false;
        for (at, &byte) in rest.iter().enumerate().rev() {
            if byte == b'"' && !is_escaped(rest, at) {
                is_quoted = !is_quoted;
            } else if byte == self.separator && !is_quoted {
                self.rest = rest.get(..at);
                return rest.get(at + 1..);
            }
        }
        Some(rest)
    }
}

/// Whether the byte at `at` stands behind an odd number of backslashes.
fn is_escaped(text: &[u8], at: usize) -> bool {
    let before = text.iter().take(at).rev();
    before.take_while(|&&byte| byte == b'\\').count() % 2 == 1
}
