//! The body of a request on its way to a node, on a connection that others share.
//!
//! What goes wrong with it is never told here: whoever reads the answer learns it as well, and Pingora takes an error of a
//! writer for the end of an exchange whose answer may be complete.

use std::fmt;
use std::future::poll_fn;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use h2::SendStream;
use http::StatusCode;
use pingora::Result;
use pingora::protocols::http::custom::BodyWrite;
use tokio::sync::Notify;

use super::connector::Break;
use crate::clock;

/// How long a node that has refused may take none of the rest, before it is not offered any more, in milliseconds.
pub(super) const GRACE: u64 = 500;

/// How often a body that is stuck is looked at.
const PAUSE: Duration = Duration::from_millis(100);

/// Who decides how long a body waits for a node that takes nothing of it.
pub trait Overseer: fmt::Debug + Send + Sync {
    /// Whether it waits no longer. It has been stuck since then, in milliseconds of the clock; asked again and again.
    fn gives_up(&self, since: u64) -> bool;

    /// The node takes more of it.
    fn goes_on(&self);
}

/// What the two halves of an exchange tell each other.
#[derive(Debug, Default)]
pub(super) struct Signs {
    /// The node took nothing for as long as it may.
    is_stuck: AtomicBool,
    /// The node was given up while it took nothing.
    is_given_up: AtomicBool,
    /// Nothing of the body is to come.
    pub(super) is_ended: AtomicBool,
    /// When the node refused, in milliseconds of the clock; 0 if it did not.
    refused_at: AtomicU64,
    /// One of the first two is the case.
    pub(super) lost: Notify,
}

/// The body of one request.
pub(super) struct Upload {
    stream: SendStream<Bytes>,
    signs: Arc<Signs>,
    limit: Option<Duration>,
    overseer: Option<Arc<dyn Overseer>>,
    /// The node takes no more of it.
    is_over: bool,
}

impl Signs {
    /// The head of the answer is there.
    pub(super) fn answered(&self, status: StatusCode) {
        if !status.is_success() && !status.is_informational() {
            self.refused_at.store(clock::millis().max(1), Ordering::Relaxed);
        }
    }

    /// Why the exchange ends without an answer; `None` if the body is not the reason.
    pub(super) fn why_lost(&self) -> Option<Break> {
        match (self.is_given_up.load(Ordering::Relaxed), self.is_stuck.load(Ordering::Relaxed)) {
            (true, _) => Some(Break::GivenUp),
            (false, true) => Some(Break::Stuck),
            (false, false) => None,
        }
    }

    /// Whether the node has refused, and had its time to take the rest.
    fn is_refused(&self, now: u64) -> bool {
        let at = self.refused_at.load(Ordering::Relaxed);
        at > 0 && now.saturating_sub(at) >= GRACE
    }
}

impl Upload {
    pub(super) fn new(
        stream: SendStream<Bytes>,
        signs: Arc<Signs>,
        limit: Option<Duration>,
        overseer: Option<Arc<dyn Overseer>>,
    ) -> Self {
        let is_over = signs.is_ended.load(Ordering::Relaxed);
        Self { stream, signs, limit, overseer, is_over }
    }

    /// How much the node takes now; `None` if it takes no more.
    async fn room(&mut self, wanted: usize) -> Option<usize> {
        self.stream.reserve_capacity(wanted);
        let since = clock::millis();
        loop {
            let room = tokio::select! {
                biased;
                room = poll_fn(|cx| self.stream.poll_capacity(cx)) => room,
                () = tokio::time::sleep(PAUSE) => match self.is_lost(since) {
                    true => return None,
                    false => continue,
                },
            };
            match room {
                Some(Ok(0)) => {}
                Some(Ok(room)) => {
                    self.overseer.iter().for_each(|overseer| overseer.goes_on());
                    return Some(room);
                }
                Some(Err(_)) | None => return None,
            }
        }
    }

    /// Whether a body that has been stuck since then waits no longer.
    fn is_lost(&mut self, since: u64) -> bool {
        let now = clock::millis();
        if self.signs.is_refused(now) {
            return true;
        }
        let is_late = self.limit.is_some_and(|limit| now.saturating_sub(since) >= clock::to_millis(limit));
        let is_given_up = self.overseer.as_ref().is_some_and(|overseer| overseer.gives_up(since));
        if is_late || is_given_up {
            let why = if is_given_up { &self.signs.is_given_up } else { &self.signs.is_stuck };
            why.store(true, Ordering::Relaxed);
            self.signs.lost.notify_one();
        }
        is_late || is_given_up
    }
}

impl Drop for Upload {
    fn drop(&mut self) {
        // The stream may be there for longer, and would keep what the node takes next from others.
        self.stream.reserve_capacity(0);
    }
}

#[async_trait]
impl BodyWrite for Upload {
    async fn write_all_buf(&mut self, data: &mut Bytes) -> Result<()> {
        while !data.is_empty() && !self.is_over {
            let Some(room) = self.room(data.len()).await else {
                self.is_over = true;
                break;
            };
            let piece = data.split_to(room.min(data.len()));
            self.is_over = self.stream.send_data(piece, false).is_err();
        }
        data.clear();
        Ok(())
    }

    async fn finish(&mut self) -> Result<()> {
        if !self.is_over {
            self.is_over = true;
            // Of no use to a stream that is over.
            let _ = self.stream.send_data(Bytes::new(), true);
        }
        Ok(())
    }

    async fn cleanup(&mut self) -> Result<()> {
        Ok(())
    }

    fn upgrade_body_writer(&mut self) {}
}
