//! The body of a request on its way to a node, on a connection that others share.
//!
//! What goes wrong with it is never told here: whoever reads the answer learns it as well, and Pingora takes an error of a
//! writer for the end of an exchange whose answer may be complete.

use std::future::poll_fn;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use h2::{Reason, SendStream};
use http::StatusCode;
use pingora::Result;
use pingora::protocols::http::custom::BodyWrite;
use tokio::sync::Notify;

/// How long a node that has refused may take none of the rest, before it is not offered any more.
const GRACE: Duration = Duration::from_millis(500);

/// What the two halves of an exchange tell each other.
#[derive(Debug, Default)]
pub(super) struct Signs {
    /// The node took nothing for as long as it may.
    pub(super) is_stuck: AtomicBool,
    /// Nothing of the body is to come.
    pub(super) is_ended: AtomicBool,
    is_refused: AtomicBool,
    refused: Notify,
}

/// The body of one request.
pub(super) struct Upload {
    stream: SendStream<Bytes>,
    signs: Arc<Signs>,
    limit: Option<Duration>,
    /// The node takes no more of it.
    is_over: bool,
}

impl Signs {
    /// The head of the answer is there.
    pub(super) fn answered(&self, status: StatusCode) {
        if !status.is_success() && !status.is_informational() {
            self.is_refused.store(true, Ordering::Relaxed);
            self.refused.notify_one();
        }
    }

    /// Ready once the node has refused, and had its time to take the rest.
    async fn refused(&self) {
        if !self.is_refused.load(Ordering::Relaxed) {
            self.refused.notified().await;
        }
        tokio::time::sleep(GRACE).await;
    }
}

impl Upload {
    pub(super) fn new(stream: SendStream<Bytes>, signs: Arc<Signs>, limit: Option<Duration>) -> Self {
        let is_over = signs.is_ended.load(Ordering::Relaxed);
        Self { stream, signs, limit, is_over }
    }

    /// How much the node takes now; `None` if it takes no more.
    async fn room(&mut self, wanted: usize) -> Option<usize> {
        self.stream.reserve_capacity(wanted);
        let limit = self.limit.unwrap_or(Duration::MAX);
        loop {
            let room = tokio::select! {
                biased;
                room = poll_fn(|cx| self.stream.poll_capacity(cx)) => room,
                () = self.signs.refused() => None,
                () = tokio::time::sleep(limit) => {
                    self.signs.is_stuck.store(true, Ordering::Relaxed);
                    self.stream.send_reset(Reason::CANCEL);
                    None
                }
            };
            match room {
                Some(Ok(0)) => {}
                Some(Ok(room)) => return Some(room),
                Some(Err(_)) | None => return None,
            }
        }
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
