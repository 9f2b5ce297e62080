//! What a client sends, on its way from the socket to Pingora: only what can be read in one way passes, and no byte of a
//! request before the one ahead of it is done with.

use bytes::{Buf, BytesMut};
use tokio::io::ReadBuf;

use crate::framing::{Bounds, Flaw, Requests};

/// The bytes of a client, as far as they have been read.
#[derive(Debug)]
pub(super) struct Intake {
    requests: Requests,
    /// Read and not given on. Whatever waits here begins where a request does, or is what is left of one.
    held: BytesMut,
    /// So many of the bytes held, from the first, may go on.
    ready: usize,
    /// There are bytes held that nobody has looked at.
    is_unread: bool,
}

impl Intake {
    pub(super) fn new(bounds: Bounds) -> Self {
        Self { requests: Requests::new(bounds), held: BytesMut::new(), ready: 0, is_unread: false }
    }

    /// Whether nothing is held.
    pub(super) fn is_empty(&self) -> bool {
        self.held.is_empty()
    }

    /// Whether the last request that was given on is complete.
    pub(super) fn is_between(&self) -> bool {
        self.ready == 0 && self.requests.awaits_head()
    }

    /// Gives on what may go on; `false` if that is nothing.
    pub(super) fn give(&mut self, buf: &mut ReadBuf<'_>) -> bool {
        let count = self.ready.min(buf.remaining());
        self.ready -= count;
        self.pour(buf, count)
    }

    /// Gives on whatever is held, of a protocol that is not HTTP any more; `false` if that is nothing.
    pub(super) fn give_all(&mut self, buf: &mut ReadBuf<'_>) -> bool {
        let count = self.held.len().min(buf.remaining());
        self.ready = 0;
        self.pour(buf, count)
    }

    /// Looks at what came together with the end of the request before; says how much that was, if anything.
    pub(super) fn begin_next(&mut self) -> Result<Option<usize>, Flaw> {
        if self.ready > 0 || !std::mem::take(&mut self.is_unread) {
            return Ok(None);
        }
        self.read_held()?;
        Ok(Some(self.held.len()))
    }

    /// Takes what was just read into `buf`, behind `before` bytes, and leaves there what may go on.
    pub(super) fn take(&mut self, buf: &mut ReadBuf<'_>, before: usize) -> Result<(), Flaw> {
        let read = buf.filled().get(before..).unwrap_or_default();
        if !self.held.is_empty() {
            self.held.extend_from_slice(read);
            buf.set_filled(before);
            self.read_held()?;
            self.give(buf);
            return Ok(());
        }
        let passed = self.requests.read(read)?;
        if passed.bytes < read.len() {
            self.held.extend_from_slice(read.get(passed.bytes..).unwrap_or_default());
            self.is_unread = passed.is_end;
            buf.set_filled(before + passed.bytes);
        }
        Ok(())
    }

    fn read_held(&mut self) -> Result<(), Flaw> {
        let passed = self.requests.read(&self.held)?;
        self.ready = passed.bytes;
        self.is_unread = passed.is_end && passed.bytes < self.held.len();
        Ok(())
    }

    fn pour(&mut self, buf: &mut ReadBuf<'_>, count: usize) -> bool {
        buf.put_slice(self.held.get(..count).unwrap_or_default());
        self.held.advance(count);
        if self.held.is_empty() {
            // Most connections never hold anything again.
            self.held = BytesMut::new();
        }
        count > 0
    }
}
