//! The PROXY protocol: how a balancer says whose connection it passes on, before anything else is said on it.
//!
//! Both versions of HAProxy's specification (doc/proxy-protocol.txt) are read: [`Header`] takes the bytes as they come and
//! says where the header ends and whom it names. It is strict: what another program might read in another way is refused.

mod binary;
mod text;

use std::net::SocketAddr;

/// What the second version begins with.
const SIGNATURE: &[u8] = b"\r\n\r\n\0\r\nQUIT\n";

/// What the first version begins with.
const WORD: &[u8] = b"PROXY ";

/// Enough of the first bytes to tell whether they begin a header.
pub const TELLING: usize = SIGNATURE.len();

/// Whose connection is passed on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Source {
    /// This client's.
    Client(SocketAddr),
    /// The sender's own (a check of its health), or that of somebody whom an IP address and a port cannot name.
    Sender,
}

/// Why bytes are no header.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Flaw {
    /// They begin like neither version.
    #[error("there is none")]
    Missing,
    /// The first version's line has more than 107 bytes, or the second version's header more than 4 KiB.
    #[error("it is too long")]
    TooLong,
    /// The line does not have the parts that it has to have, each with one blank before it, and CR LF at its end.
    #[error("its line is malformed")]
    Line,
    /// An address or a port is none.
    #[error("an address or a port is malformed")]
    Address,
    /// The version is not 2, or the command neither LOCAL nor PROXY.
    #[error("its version or command is unknown")]
    Command,
    /// The address family or the transport is none that there is.
    #[error("its address family or transport is unknown")]
    Family,
    /// It is too short for its addresses.
    #[error("it is too short for its addresses")]
    TooShort,
}

/// A header, as far as it has come.
#[derive(Debug, Default)]
pub struct Header {
    held: Vec<u8>,
}

/// A whole header at the beginning of some bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Whole {
    source: Source,
    length: usize,
}

impl Header {
    /// Takes the next bytes. `None` if all of them belong to the header and more has to come; else whom it names, and how
    /// many of them belong to it.
    ///
    /// At most 4 KiB and what was just given are kept, and what cannot become a header is refused with its first byte that
    /// says so, but for the text of the first version, whose line is read when it is whole.
    pub fn read(&mut self, bytes: &[u8]) -> Result<Option<(Source, usize)>, Flaw> {
        let before = self.held.len();
        self.held.extend_from_slice(bytes);
        let whole = whole(&self.held)?;
        // What belongs to the header from this piece on: it was not whole before.
        Ok(whole.map(|Whole { source, length }| (source, length.saturating_sub(before))))
    }

    /// Whether anything has come.
    pub fn has_begun(&self) -> bool {
        !self.held.is_empty()
    }
}

/// Whether these first bytes of a connection, [`TELLING`] of them at the most, are the beginning of a header and can be that
/// of nothing else.
pub fn is_begun_by(first: &[u8]) -> bool {
    first.starts_with(SIGNATURE) || first.starts_with(WORD)
}

/// The header that `bytes` begin with; `None` if more of it has to come.
fn whole(bytes: &[u8]) -> Result<Option<Whole>, Flaw> {
    if begins(bytes, SIGNATURE) {
        return binary::read(bytes);
    }
    if begins(bytes, WORD) {
        return text::read(bytes);
    }
    Err(Flaw::Missing)
}

/// Whether `bytes` are the beginning of `word`, or begin with it.
fn begins(bytes: &[u8], word: &[u8]) -> bool {
    bytes.iter().zip(word).all(|(byte, wanted)| byte == wanted)
}

#[cfg(test)]
mod tests;
