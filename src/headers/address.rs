//! Addresses as headers hold them: read from bytes, written into a buffer on the stack.

use std::fmt::{self, Write};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use smallvec::SmallVec;

/// The longest IPv6 address as text, in bytes.
const LONGEST: usize = 39;

/// An address as text: no allocation, and for IPv4 no formatting machinery.
pub(super) struct Text(SmallVec<[u8; LONGEST]>);

impl Text {
    /// Writes `address`, an IPv6 one without brackets and an IPv4 one in IPv6 as IPv4.
    pub(super) fn of(address: IpAddr) -> Self {
        let mut text = Self(SmallVec::new());
        match address.to_canonical() {
            IpAddr::V4(address) => text.push_v4(address),
            // Writing to a buffer in memory does not fail.
            IpAddr::V6(address) => drop(write!(text, "{address}")),
        }
        text
    }

    /// The address as bytes.
    pub(super) fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    fn push_v4(&mut self, address: Ipv4Addr) {
        for (index, octet) in address.octets().into_iter().enumerate() {
            if index > 0 {
                self.0.push(b'.');
            }
            if octet >= 100 {
                self.0.push(b'0' + octet / 100);
            }
            if octet >= 10 {
                self.0.push(b'0' + octet / 10 % 10);
            }
            self.0.push(b'0' + octet % 10);
        }
    }
}

impl Write for Text {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        self.0.extend_from_slice(text.as_bytes());
        Ok(())
    }
}

/// Reads `ip`, `ip:port`, `[v6]` or `[v6]:port`, with blanks around it.
///
/// A port is digits, or the `_name` that RFC 7239 6.3 allows; it is not looked at further.
pub(super) fn read(entry: &[u8]) -> Option<IpAddr> {
    let text = std::str::from_utf8(entry.trim_ascii()).ok()?;
    if let Ok(address) = text.parse::<IpAddr>() {
        return Some(address.to_canonical());
    }
    let (address, rest) = match text.strip_prefix('[') {
        Some(literal) => {
            let (address, rest) = literal.split_once(']')?;
            (IpAddr::V6(address.parse::<Ipv6Addr>().ok()?), rest)
        }
        None => {
            let (address, rest) = text.split_at_checked(text.find(':')?)?;
            (IpAddr::V4(address.parse::<Ipv4Addr>().ok()?), rest)
        }
    };
    (rest.is_empty() || rest.strip_prefix(':').is_some_and(is_port)).then_some(address.to_canonical())
}

fn is_port(text: &str) -> bool {
    let (name, is_part): (_, fn(u8) -> bool) = match text.strip_prefix('_') {
        Some(name) => (name, |byte| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'-')),
        None => (text, |byte| byte.is_ascii_digit()),
    };
    !name.is_empty() && name.bytes().all(is_part)
}
