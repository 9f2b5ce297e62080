//! The first version: a line of text (section 2.1 of the specification).

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::str::FromStr;

use super::{Flaw, Source, WORD, Whole};

/// The longest line with its end, in bytes.
const LONGEST: usize = 107;

/// Reads a line that begins with [`WORD`], as far as it has come.
pub(super) fn read(bytes: &[u8]) -> Result<Option<Whole>, Flaw> {
    let within = bytes.get(..LONGEST).unwrap_or(bytes);
    let Some(end) = within.iter().position(|&byte| byte == b'\n') else {
        return if bytes.len() < LONGEST { Ok(None) } else { Err(Flaw::TooLong) };
    };
    let line = within.get(WORD.len()..end).and_then(|line| line.strip_suffix(b"\r")).ok_or(Flaw::Line)?;
    Ok(Some(Whole { source: source(line)?, length: end + 1 }))
}

/// Whom the line names, without the word before and the end after it.
fn source(line: &[u8]) -> Result<Source, Flaw> {
    if line == b"UNKNOWN" || line.starts_with(b"UNKNOWN ") {
        return Ok(Source::Sender);
    }
    let line = std::str::from_utf8(line).map_err(|_| Flaw::Line)?;
    let mut parts = line.split(' ');
    let mut part = || parts.next().ok_or(Flaw::Line);
    let [family, from, to, from_port, to_port] = [part()?, part()?, part()?, part()?, part()?];
    if parts.next().is_some() {
        return Err(Flaw::Line);
    }
    let client = match family {
        "TCP4" => pair::<Ipv4Addr>(from, to)?,
        "TCP6" => pair::<Ipv6Addr>(from, to)?,
        _ => return Err(Flaw::Line),
    };
    port(to_port)?;
    Ok(Source::Client(SocketAddr::new(client, port(from_port)?)))
}

/// The first of two addresses of one family.
fn pair<T: FromStr + Into<IpAddr>>(from: &str, to: &str) -> Result<IpAddr, Flaw> {
    to.parse::<T>().map_err(|_| Flaw::Address)?;
    from.parse::<T>().map(Into::into).map_err(|_| Flaw::Address)
}

/// Digits without a zero before them.
fn port(text: &str) -> Result<u16, Flaw> {
    let is_plain = text.bytes().all(|byte| byte.is_ascii_digit()) && (text == "0" || !text.starts_with('0'));
    text.parse().ok().filter(|_| is_plain).ok_or(Flaw::Address)
}
