//! A client's session that begins its body anew: of the body it has the first part, and the rest comes from the real one.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use bytes::Bytes;
use pingora::Result;
use pingora::protocols::http::ServerSession;
use pingora_proxy::Session;

use crate::session::{self, Overlay, WayBack};

/// A session that was wrapped, and the way back.
pub(super) struct Wrapped {
    is_all_sent: Arc<AtomicBool>,
    way_back: WayBack,
}

/// What comes before the rest of the body.
struct Replayed {
    /// No piece is empty.
    first: VecDeque<Bytes>,
    is_all_sent: Arc<AtomicBool>,
}

/// Lets the body of `session` begin with `first`, which it has sent before.
pub(super) fn wrap(session: &mut Session, first: VecDeque<Bytes>) -> Wrapped {
    let is_all_sent = Arc::new(AtomicBool::new(first.is_empty()));
    let replayed = Replayed { first, is_all_sent: Arc::clone(&is_all_sent) };
    let way_back = session::overlay_for_now(&mut session.downstream_session, replayed);
    Wrapped { is_all_sent, way_back }
}

impl Wrapped {
    /// Whether all that comes first was sent again.
    pub(super) fn is_all_sent(&self) -> bool {
        self.is_all_sent.load(Ordering::Relaxed)
    }

    /// Puts the real session back.
    pub(super) fn undo(self, session: &mut Session) {
        self.way_back.take_off(&mut session.downstream_session);
    }
}

impl Overlay for Replayed {
    async fn read(&mut self, real: &mut ServerSession) -> Result<Option<Bytes>> {
        match self.next() {
            Some(piece) => Ok(Some(piece)),
            None => real.read_request_body().await,
        }
    }

    /// The first part of the body, and then the rest of it as it comes.
    async fn read_or_idle(&mut self, real: &mut ServerSession, is_complete: bool) -> Result<Option<Bytes>> {
        match self.next() {
            Some(piece) => Ok(Some(piece)),
            None => real.read_body_or_idle(is_complete).await,
        }
    }

    async fn drain(&mut self, real: &mut ServerSession) -> Result<()> {
        while self.next().is_some() {}
        real.drain_request_body().await
    }

    fn is_body_done(&mut self, real: &mut ServerSession) -> bool {
        self.first.is_empty() && real.is_body_done()
    }

    fn is_body_empty(&mut self, real: &mut ServerSession) -> bool {
        self.first.is_empty() && real.is_body_empty()
    }

    /// Nothing: what Pingora forgot is here, and comes piece by piece.
    fn retry_buffer(&self, _: &ServerSession) -> Option<Bytes> {
        None
    }
}

impl Replayed {
    /// The next piece of what comes first; the one that asks takes it.
    fn next(&mut self) -> Option<Bytes> {
        let piece = self.first.pop_front();
        if self.first.is_empty() {
            self.is_all_sent.store(true, Ordering::Relaxed);
        }
        piece
    }
}
