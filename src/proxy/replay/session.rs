//! A client's session that begins its body anew.
//!
//! Pingora knows no way to give a body back to a session, but it lets a session be of a foreign make. This one is the
//! real one in all but the body, of which it has the first part.

use std::collections::VecDeque;
use std::mem;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use futures_core::Stream;
use http::HeaderMap;
use parking_lot::Mutex;
use pingora::Result;
use pingora::http::{RequestHeader, ResponseHeader};
use pingora::protocols::Digest;
use pingora::protocols::http::custom::CustomMessageWrite;
use pingora::protocols::http::custom::server::Session as CustomSession;
use pingora::protocols::http::{HttpTask, ServerSession};
use pingora::protocols::l4::socket::SocketAddr;
use pingora_proxy::Session;

type Messages = Box<dyn Stream<Item = Result<Bytes>> + Unpin + Send + Sync + 'static>;

/// A session that was wrapped, and the way back.
pub(super) struct Wrapped(Arc<WayBack>);

/// What the one who wrapped a session and the wrapped session share.
#[derive(Default)]
struct WayBack {
    is_all_sent: AtomicBool,
    real: Mutex<Option<Box<ServerSession>>>,
}

/// The wrapped session.
struct Replayed {
    real: Box<ServerSession>,
    /// What comes before the rest of the body; no piece is empty.
    first: VecDeque<Bytes>,
    way_back: Arc<WayBack>,
}

/// Lets the body of `session` begin with `first`, which it has sent before.
pub(super) fn wrap(session: &mut Session, first: VecDeque<Bytes>) -> Wrapped {
    let way_back = Arc::<WayBack>::default();
    way_back.is_all_sent.store(first.is_empty(), Ordering::Relaxed);
    let real = mem::replace(&mut session.downstream_session, nobody());
    let replayed = Replayed { real, first, way_back: Arc::clone(&way_back) };
    *session.downstream_session = ServerSession::Custom(Box::new(replayed));
    Wrapped(way_back)
}

impl Wrapped {
    /// Whether all that comes first was sent again.
    pub(super) fn is_all_sent(&self) -> bool {
        self.0.is_all_sent.load(Ordering::Relaxed)
    }

    /// Puts the real session back.
    pub(super) fn undo(self, session: &mut Session) {
        if let Some(wrapped) = session.downstream_session.as_custom_mut() {
            // The only way to speak to it that Pingora leaves to us: it never took a writer, so it restores none.
            let _ = wrapped.restore_custom_message_writer(Box::new(()));
        }
        if let Some(real) = self.0.real.lock().take() {
            session.downstream_session = real;
        }
    }
}

/// What stands for a session for as long as it takes to put another in its place.
fn nobody() -> Box<ServerSession> {
    Box::new(ServerSession::Custom(Box::new(())))
}

#[async_trait]
impl CustomSession for Replayed {
    /// The first part of the body, and then the rest of it as it comes.
    async fn read_body_or_idle(&mut self, no_body_expected: bool) -> Result<Option<Bytes>> {
        match self.next() {
            Some(piece) => Ok(Some(piece)),
            None => self.real.read_body_or_idle(no_body_expected).await,
        }
    }

    async fn read_body_bytes(&mut self) -> Result<Option<Bytes>> {
        match self.next() {
            Some(piece) => Ok(Some(piece)),
            None => self.real.read_request_body().await,
        }
    }

    async fn drain_request_body(&mut self) -> Result<()> {
        while self.next().is_some() {}
        self.real.drain_request_body().await
    }

    fn is_body_done(&mut self) -> bool {
        self.first.is_empty() && self.real.is_body_done()
    }

    fn is_body_empty(&mut self) -> bool {
        self.first.is_empty() && self.real.is_body_empty()
    }

    /// Nothing: what Pingora forgot is here, and comes by [`CustomSession::read_body_or_idle`].
    fn get_retry_buffer(&self) -> Option<Bytes> {
        None
    }

    fn retry_buffer_truncated(&self) -> bool {
        self.real.retry_buffer_truncated()
    }

    fn enable_retry_buffering(&mut self) {
        self.real.enable_retry_buffering();
    }

    /// Gives the real session back.
    fn restore_custom_message_writer(&mut self, _: Box<dyn CustomMessageWrite>) -> Result<()> {
        *self.way_back.real.lock() = Some(mem::replace(&mut self.real, nobody()));
        Ok(())
    }

    fn take_custom_message_writer(&mut self) -> Option<Box<dyn CustomMessageWrite>> {
        None
    }

    fn take_custom_message_reader(&mut self) -> Option<Messages> {
        None
    }

    fn restore_custom_message_reader(&mut self, _: Messages) -> Result<()> {
        Ok(())
    }

    async fn finish_custom(&mut self) -> Result<()> {
        Ok(())
    }

    fn req_header(&self) -> &RequestHeader {
        self.real.req_header()
    }

    fn req_header_mut(&mut self) -> &mut RequestHeader {
        self.real.req_header_mut()
    }

    async fn write_response_header(&mut self, head: Box<ResponseHeader>, _: bool) -> Result<()> {
        self.real.write_response_header(head).await
    }

    async fn write_response_header_ref(&mut self, head: &ResponseHeader, _: bool) -> Result<()> {
        self.real.write_response_header_ref(head).await
    }

    async fn write_body(&mut self, data: Bytes, end: bool) -> Result<()> {
        self.real.write_response_body(data, end).await
    }

    async fn write_trailers(&mut self, trailers: HeaderMap) -> Result<()> {
        self.real.write_response_trailers(trailers).await
    }

    async fn response_duplex_vec(&mut self, tasks: Vec<HttpTask>) -> Result<bool> {
        self.real.response_duplex_vec(tasks).await
    }

    fn response_written(&self) -> Option<&ResponseHeader> {
        self.real.response_written()
    }

    async fn finish(&mut self) -> Result<()> {
        self.real.finish_body().await
    }

    async fn shutdown(&mut self, _code: u32, _context: &str) {
        self.real.shutdown().await;
    }

    fn set_read_timeout(&mut self, timeout: Option<Duration>) {
        self.real.set_read_timeout(timeout);
    }

    fn get_read_timeout(&self) -> Option<Duration> {
        self.real.get_read_timeout()
    }

    fn set_write_timeout(&mut self, timeout: Option<Duration>) {
        self.real.set_write_timeout(timeout);
    }

    fn get_write_timeout(&self) -> Option<Duration> {
        self.real.get_write_timeout()
    }

    fn set_total_drain_timeout(&mut self, timeout: Option<Duration>) {
        self.real.set_total_drain_timeout(timeout);
    }

    fn get_total_drain_timeout(&self) -> Option<Duration> {
        self.real.get_total_drain_timeout()
    }

    fn request_summary(&self) -> String {
        self.real.request_summary()
    }

    fn body_bytes_sent(&self) -> usize {
        self.real.body_bytes_sent()
    }

    fn body_bytes_read(&self) -> usize {
        self.real.body_bytes_read()
    }

    fn digest(&self) -> Option<&Digest> {
        self.real.digest()
    }

    fn digest_mut(&mut self) -> Option<&mut Digest> {
        self.real.digest_mut()
    }

    fn client_addr(&self) -> Option<&SocketAddr> {
        self.real.client_addr()
    }

    fn server_addr(&self) -> Option<&SocketAddr> {
        self.real.server_addr()
    }

    fn pseudo_raw_h1_request_header(&self) -> Bytes {
        self.real.to_h1_raw()
    }

    fn is_upgrade_req(&self) -> bool {
        self.real.is_upgrade_req()
    }

    fn was_upgraded(&self) -> bool {
        self.real.was_upgraded()
    }
}

impl Replayed {
    /// The next piece of what comes first; the one that asks takes it.
    fn next(&mut self) -> Option<Bytes> {
        let piece = self.first.pop_front();
        if self.first.is_empty() {
            self.way_back.is_all_sent.store(true, Ordering::Relaxed);
        }
        piece
    }
}
