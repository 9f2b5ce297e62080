//! The body of an answer on a connection that others share, on its way to its client.

use std::collections::VecDeque;
use std::mem;
use std::task::{Context, Poll, Waker, ready};

use bytes::{Bytes, BytesMut};
use h2::{Error, RecvStream};
use http::HeaderMap;
use parking_lot::Mutex;

use crate::framing::SMALL_PIECE;

/// How much is put together at most, in bytes.
const LOT: usize = 16 * 1024;

/// The rest of an answer's body.
///
/// A piece of a body costs the library some 500 bytes beside what is in it, until it is taken. A node may send a message of
/// 10 bytes in each, and a client may take none of them; so what nobody has come for after a while is put together.
#[derive(Debug)]
pub(super) struct Inbox(Mutex<Contents>);

#[derive(Debug)]
struct Contents {
    stream: RecvStream,
    /// What came first, small pieces put together.
    lots: VecDeque<Bytes>,
    /// Small pieces behind those.
    last: BytesMut,
    /// How the stream broke off behind that.
    broken: Option<Error>,
    /// Somebody will be woken when something comes.
    is_awaited: bool,
}

impl Inbox {
    pub(super) fn new(stream: RecvStream) -> Self {
        let (lots, last) = (VecDeque::new(), BytesMut::new());
        Self(Mutex::new(Contents { stream, lots, last, broken: None, is_awaited: false }))
    }

    /// The next piece, for which there is room again; `None` at the end.
    pub(super) fn poll_data(&self, cx: &mut Context<'_>) -> Poll<Option<Result<Bytes, Error>>> {
        let contents = &mut *self.0.lock();
        let piece = match contents.take() {
            Some(piece) => piece,
            None => {
                if let Some(why) = contents.broken.take() {
                    return Poll::Ready(Some(Err(why)));
                }
                contents.is_awaited = true;
                let piece = ready!(contents.stream.poll_data(cx));
                contents.is_awaited = false;
                match piece {
                    Some(Ok(piece)) => piece,
                    end => return Poll::Ready(end),
                }
            }
        };
        // Of a stream that is over, nothing has to be given back.
        let _ = contents.stream.flow_control().release_capacity(piece.len());
        Poll::Ready(Some(Ok(piece)))
    }

    /// What follows the body, once all of that was taken.
    pub(super) fn poll_trailers(&self, cx: &mut Context<'_>) -> Poll<Result<Option<HeaderMap>, Error>> {
        let contents = &mut *self.0.lock();
        if let Some(why) = contents.broken.take() {
            return Poll::Ready(Err(why));
        }
        contents.is_awaited = true;
        let trailers = ready!(contents.stream.poll_trailers(cx));
        contents.is_awaited = false;
        Poll::Ready(trailers)
    }

    /// Whether nothing follows.
    pub(super) fn is_at_end(&self) -> bool {
        let contents = self.0.lock();
        contents.is_empty() && contents.broken.is_none() && contents.stream.is_end_stream()
    }

    /// Puts together what has come, if nobody waits for it. There is no more room for the node by that.
    pub(super) fn join(&self) {
        let contents = &mut *self.0.lock();
        if contents.is_awaited || contents.broken.is_some() {
            return;
        }
        let mut nobody = Context::from_waker(Waker::noop());
        while let Poll::Ready(Some(piece)) = contents.stream.poll_data(&mut nobody) {
            match piece {
                Ok(piece) => contents.put(piece),
                Err(why) => {
                    contents.broken = Some(why);
                    return;
                }
            }
        }
    }
}

impl Contents {
    fn is_empty(&self) -> bool {
        self.lots.is_empty() && self.last.is_empty()
    }

    fn take(&mut self) -> Option<Bytes> {
        let lot = self.lots.pop_front().unwrap_or_else(|| mem::take(&mut self.last).freeze());
        Some(lot).filter(|lot| !lot.is_empty())
    }

    fn put(&mut self, piece: Bytes) {
        if self.last.len() + piece.len() > LOT || piece.len() >= SMALL_PIECE {
            let last = mem::take(&mut self.last).freeze();
            self.lots.extend(Some(last).filter(|last| !last.is_empty()));
        }
        match piece.len() >= SMALL_PIECE {
            true => self.lots.push_back(piece),
            false => self.last.extend_from_slice(&piece),
        }
    }
}
