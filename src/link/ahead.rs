//! What a node says while it is written to, where nobody else can look.
//!
//! Pingora does not read a node's answer while it writes a piece of a body. Where the answer waits in a plain connection it
//! can be looked at (`proxy::early`); within TLS it can only be read. So the beginning of it is read ahead while the node
//! takes nothing, and if it is a refusal writing ends, as it does where a node has closed: then Pingora reads the answer.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use smallvec::SmallVec;
use tokio::io::{AsyncRead, ReadBuf};
use tokio::time::{Sleep, sleep};

use super::upload::GRACE;
use crate::framing::{STATUS, begins_refusal};

/// The beginning of an answer that was read before anybody asked for it.
#[derive(Debug, Default)]
pub(super) struct Ahead {
    bytes: SmallVec<[u8; STATUS]>,
    /// How long a node that has refused may still take nothing.
    grace: Option<Pin<Box<Sleep>>>,
}

impl Ahead {
    /// The node takes something.
    pub(super) fn goes_on(&mut self) {
        self.grace = None;
    }

    /// Hands on what was read; whether there was anything.
    pub(super) fn hand_on(&mut self, buf: &mut ReadBuf<'_>) -> bool {
        let count = self.bytes.len().min(buf.remaining());
        buf.put_slice(self.bytes.get(..count).unwrap_or_default());
        self.bytes.drain(..count);
        count > 0
    }

    /// Ready with an error once the node that takes nothing has refused; the task is woken when there is more to know.
    pub(super) fn poll_refusal(
        &mut self,
        stream: &mut (impl AsyncRead + Unpin),
        cx: &mut Context<'_>,
    ) -> Poll<io::Error> {
        self.read(stream, cx);
        if !begins_refusal(&self.bytes) {
            return Poll::Pending;
        }
        let grace = self.grace.get_or_insert_with(|| Box::pin(sleep(Duration::from_millis(GRACE))));
        ready!(grace.as_mut().poll(cx));
        Poll::Ready(io::Error::new(io::ErrorKind::BrokenPipe, "the node refused, and takes no more"))
    }

    /// Reads no more than it takes to know a refusal. An end or an error comes again for who reads the answer.
    fn read(&mut self, stream: &mut (impl AsyncRead + Unpin), cx: &mut Context<'_>) {
        while self.bytes.len() < STATUS {
            let mut room = [0; STATUS];
            let room = room.get_mut(self.bytes.len()..).unwrap_or_default();
            let mut come = ReadBuf::new(room);
            match Pin::new(&mut *stream).poll_read(cx, &mut come) {
                Poll::Ready(Ok(())) if !come.filled().is_empty() => {
                    self.bytes.extend_from_slice(come.filled());
                }
                Poll::Ready(_) | Poll::Pending => return,
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::future::poll_fn;

    use tokio::io::{AsyncWriteExt, duplex};
    use tokio::time::timeout;

    use super::*;

    /// What is handed on of what a node said, and whether that ended the writing.
    async fn heard(said: &[u8]) -> (Vec<u8>, bool) {
        let (mut node, mut ours) = duplex(64);
        node.write_all(said).await.expect("room");
        let mut ahead = Ahead::default();
        let waiting = poll_fn(|cx| ahead.poll_refusal(&mut ours, cx));
        let is_refused = timeout(Duration::from_millis(2 * GRACE), waiting).await.is_ok();
        let mut room = [0; 64];
        let mut buf = ReadBuf::new(&mut room);
        while ahead.hand_on(&mut buf) {}
        (buf.filled().to_vec(), is_refused)
    }

    #[tokio::test(start_paused = true)]
    async fn refusal_ends_the_writing_and_nothing_of_it_is_lost() {
        assert_eq!(heard(b"HTTP/1.1 413 X\r\n").await, (b"HTTP/1.1 4".to_vec(), true));
        assert_eq!(heard(b"HTTP/1.1 200 X\r\n").await, (b"HTTP/1.1 2".to_vec(), false));
        assert_eq!(heard(b"HTTP/1.").await, (b"HTTP/1.".to_vec(), false));
        assert_eq!(heard(b"").await, (Vec::new(), false));
    }
}
