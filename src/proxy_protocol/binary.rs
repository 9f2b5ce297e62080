//! The second version: a few bytes (section 2.2 of the specification).

use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};

use super::{Flaw, SIGNATURE, Source, Whole};

/// The signature, version and command, family and transport, and the length of the rest.
const FIXED: usize = 16;

/// The longest rest: addresses and what is said beside them, of which nothing is used.
const LONGEST: usize = 4096;

/// Reads a header that begins with the signature, as far as it has come.
pub(super) fn read(bytes: &[u8]) -> Result<Option<Whole>, Flaw> {
    let mut fixed = bytes.iter().skip(SIGNATURE.len()).copied();
    let Some(command) = fixed.next() else { return Ok(None) };
    if !matches!(command, 0x20 | 0x21) {
        return Err(Flaw::Command);
    }
    let Some(kind) = fixed.next() else { return Ok(None) };
    let (Some(high), Some(low)) = (fixed.next(), fixed.next()) else { return Ok(None) };
    let length = usize::from(u16::from_be_bytes([high, low]));
    // Of the sender's own connection nothing is to be looked at, not even the family.
    let addresses = if command == 0x20 { 0 } else { addresses(kind)? };
    if length < addresses {
        return Err(Flaw::TooShort);
    }
    if length > LONGEST {
        return Err(Flaw::TooLong);
    }
    let Some(rest) = bytes.get(FIXED..FIXED + length) else { return Ok(None) };
    let source = if command == 0x20 { Source::Sender } else { source(kind, rest) };
    Ok(Some(Whole { source, length: FIXED + length }))
}

/// How many bytes the addresses of this family take.
fn addresses(kind: u8) -> Result<usize, Flaw> {
    if kind & 0x0f > 2 {
        return Err(Flaw::Family);
    }
    match kind >> 4 {
        0 => Ok(0),
        1 => Ok(2 * 4 + 2 * 2),
        2 => Ok(2 * 16 + 2 * 2),
        3 => Ok(2 * 108),
        _ => Err(Flaw::Family),
    }
}

/// The first of the two addresses and the first of the two ports, where these are of TCP.
fn source(kind: u8, rest: &[u8]) -> Source {
    let client = match kind {
        0x11 => rest
            .first_chunk()
            .zip(port(rest, 8))
            .map(|(&ip, port): (&[u8; 4], _)| SocketAddr::from((Ipv4Addr::from(ip), port))),
        0x21 => rest
            .first_chunk()
            .zip(port(rest, 32))
            .map(|(&ip, port): (&[u8; 16], _)| SocketAddr::from((Ipv6Addr::from(ip), port))),
        // Neither a Unix socket nor a datagram is a client's TCP connection.
        _ => None,
    };
    client.map_or(Source::Sender, Source::Client)
}

fn port(rest: &[u8], at: usize) -> Option<u16> {
    rest.get(at..)?.first_chunk().copied().map(u16::from_be_bytes)
}
