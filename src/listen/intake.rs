//! What a client sends, on its way from the socket to Pingora: only what can be read in one way passes, and no byte of a
//! request before the one ahead of it is done with.

use std::cell::RefCell;

use bytes::{Buf, BytesMut};
use tokio::io::ReadBuf;

use crate::framing::{Bounds, Flaw, Requests};

/// Requests up to this size come in one system call, head and body together.
const ROOM: usize = 20 * 1024;

thread_local! {
    static BEGINNING: RefCell<Vec<u8>> = RefCell::new(vec![0; ROOM]);
}

/// Lends room to `read` the beginning of a request into. Pingora has room for a head alone, in which a body would be cut.
pub(super) fn with_room<T>(read: impl FnOnce(&mut ReadBuf<'_>) -> T) -> T {
    BEGINNING.with_borrow_mut(|room| read(&mut ReadBuf::new(room)))
}

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

    /// Whether a request is to begin of which nothing has come.
    pub(super) fn is_at_beginning(&self) -> bool {
        self.is_empty() && self.requests.awaits_head()
    }

    /// Takes `read`, with which a request begins, and gives on what may go on.
    ///
    /// Where there is no room for all of that, the head goes alone: its body would else be cut where the room for a head ends,
    /// and sent on in two pieces.
    pub(super) fn begin(&mut self, read: &[u8], buf: &mut ReadBuf<'_>) -> Result<(), Flaw> {
        let passed = self.requests.read(read)?;
        let room = buf.remaining();
        let given = match passed.bytes <= room {
            true => passed.bytes,
            false => passed.head.min(room),
        };
        buf.put_slice(read.get(..given).unwrap_or_default());
        self.held.extend_from_slice(read.get(given..).unwrap_or_default());
        self.ready = passed.bytes - given;
        self.is_unread = passed.is_end && passed.bytes < read.len();
        Ok(())
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

#[cfg(test)]
mod tests {
    use super::*;

    const SPACE: usize = 64;

    /// What is given on of `read`, with which a request begins, and in which pieces the rest is.
    fn given(read: &[u8]) -> (Intake, Vec<Vec<u8>>) {
        let mut intake = Intake::new(Bounds { fields: 8, target: 100 });
        let mut memory = [0; SPACE];
        let mut buf = ReadBuf::new(&mut memory);
        assert!(intake.is_at_beginning());
        intake.begin(read, &mut buf).expect("nothing is wrong with it");
        let mut pieces = vec![buf.filled().to_vec()];
        buf.clear();
        while intake.give(&mut buf) {
            pieces.push(buf.filled().to_vec());
            buf.clear();
        }
        (intake, pieces)
    }

    fn post(length: usize) -> (Vec<u8>, Vec<u8>) {
        (format!("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: {length}\r\n\r\n").into(), vec![b'x'; length])
    }

    #[test]
    fn head_goes_alone_where_its_body_has_no_room() {
        let (head, body) = post(SPACE);
        assert!(head.len() < SPACE);
        let (intake, pieces) = given(&[&head[..], &body].concat());
        assert_eq!(pieces, [head, body]);
        assert!(intake.is_between() && intake.is_at_beginning());
    }

    #[test]
    fn small_body_goes_with_its_head() {
        let (head, body) = post(3);
        let whole = [head, body].concat();
        assert_eq!(given(&whole).1, [whole]);
    }

    #[test]
    fn next_request_waits_for_its_turn() {
        let (head, body) = post(SPACE);
        let next = b"GET / HTTP/1.1\r\nHost: b\r\n\r\n";
        let (mut intake, pieces) = given(&[&head[..], &body, next].concat());
        assert_eq!(pieces, [head, body]);
        assert!(intake.is_between() && !intake.is_at_beginning());
        assert_eq!(intake.begin_next(), Ok(Some(next.len())));
        let mut memory = [0; SPACE];
        let mut buf = ReadBuf::new(&mut memory);
        assert!(intake.give(&mut buf));
        assert_eq!(buf.filled(), next);
    }

    #[test]
    fn head_that_comes_in_parts_or_has_no_room_is_given_on_whole() {
        let (head, _) = post(0);
        for cut in 1..head.len() {
            let (mut intake, pieces) = given(&head[..cut]);
            assert_eq!((pieces, intake.is_at_beginning()), (vec![vec![]], false));
            let mut memory = [0; SPACE];
            let mut buf = ReadBuf::new(&mut memory);
            buf.put_slice(&head[cut..]);
            intake.take(&mut buf, 0).expect("nothing is wrong with it");
            assert_eq!(buf.filled(), head);
        }
        let large = format!("GET /{} HTTP/1.1\r\nHost: a\r\n\r\n", "a".repeat(SPACE)).into_bytes();
        assert_eq!(given(&large).1.concat(), large);
    }
}
