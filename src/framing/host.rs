//! The host that a request is for.

use super::bytes;

/// Whether this is a host as a client may name it: a name or an address, and perhaps a port (RFC 9110 7.2).
///
/// Stricter than the grammar of URLs: escapes and the marks that nobody's name has, such as `,` and `;`, are read
/// differently by different servers. An empty one names nothing.
pub(super) fn is_host(text: &[u8]) -> bool {
    let (name, port) = match text.iter().rposition(|&byte| byte == b':') {
        // The colons of a bare address are in brackets.
        Some(at) if !text.ends_with(b"]") => match text.split_at_checked(at) {
            Some((name, port)) => (name, port.get(1..).unwrap_or_default()),
            None => (text, &[][..]),
        },
        Some(_) | None => (text, &[][..]),
    };
    let is_port = port.len() <= 5 && port.iter().all(u8::is_ascii_digit) && parse(port) <= 65_535;
    is_port && (is_name(name) || is_address(name))
}

fn is_name(name: &[u8]) -> bool {
    !name.is_empty() && name.iter().all(|&byte| bytes::is_host(byte))
}

/// An IPv6 address in brackets.
fn is_address(name: &[u8]) -> bool {
    let inside = name.strip_prefix(b"[").and_then(|rest| rest.strip_suffix(b"]"));
    let text = inside.and_then(|inside| std::str::from_utf8(inside).ok());
    text.is_some_and(|text| text.parse::<std::net::Ipv6Addr>().is_ok())
}

/// The number of at most five digits; none is 0.
fn parse(digits: &[u8]) -> u32 {
    digits.iter().fold(0, |number, digit| number * 10 + u32::from(digit - b'0'))
}
