//! The requests of one connection, one after the other.

use super::chunks::Chunks;
use super::flaw::Flaw;
use super::head::{Body, Bounds, Head};

/// The requests of a connection, as far as they have come.
#[derive(Debug)]
pub struct Requests {
    bounds: Bounds,
    at: At,
}

/// What comes next.
#[derive(Debug)]
enum At {
    Head(Head),
    /// The rest of a body of known length.
    Length(u64),
    Chunks(Chunks),
}

/// What became of bytes that were read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Passed {
    /// So many of them, from the first, belong to the request and may go on.
    pub bytes: usize,
    /// So many of those are its head, if that is among them.
    pub head: usize,
    /// The request ends with them; what follows is the next.
    pub is_end: bool,
}

impl Requests {
    /// The first request is about to begin.
    pub fn new(bounds: Bounds) -> Self {
        Self { bounds, at: At::Head(Head::default()) }
    }

    /// Whether a head is awaited, or has come in part.
    pub fn awaits_head(&self) -> bool {
        matches!(self.at, At::Head(_))
    }

    /// Reads on in the request under way, or in the next one.
    ///
    /// A head passes only when it is whole: until then nothing does, and all of its bytes have to be there again, with
    /// more, the next time. What is behind the end of the request is not looked at.
    pub fn read(&mut self, bytes: &[u8]) -> Result<Passed, Flaw> {
        let mut head_length = 0;
        if let At::Head(head) = &mut self.at {
            let Some((length, body)) = head.read(bytes, self.bounds)? else {
                return Ok(Passed { bytes: 0, head: 0, is_end: false });
            };
            head_length = length;
            self.at = match body {
                Body::Length(length) => At::Length(length),
                Body::Chunked => At::Chunks(Chunks::default()),
            };
        }
        let mut passed = head_length;
        let rest = bytes.get(passed..).unwrap_or_default();
        let is_end = match &mut self.at {
            At::Length(left) => {
                let body = (*left).min(rest.len() as u64);
                *left -= body;
                passed += body as usize;
                *left == 0
            }
            At::Chunks(chunks) => {
                passed += chunks.read(rest)?;
                chunks.is_done()
            }
            At::Head(_) => false,
        };
        if is_end {
            self.at = At::Head(Head::default());
        }
        Ok(Passed { bytes: passed, head: head_length, is_end })
    }
}
