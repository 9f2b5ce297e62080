//! A client's session of which a part is ours.
//!
//! Pingora lets a session be of a foreign make, and asks it about forty things. An [`Overlay`] is asked what it has something
//! to say about; everything else goes to the real session beneath it.

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll};
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

type Messages = Box<dyn Stream<Item = Result<Bytes>> + Unpin + Send + Sync + 'static>;

/// What is ours of a session; whatever it does not say otherwise is as with the real one.
pub trait Overlay: Send + Sync + Unpin + 'static {
    /// The next piece of the body, or none if there is no more.
    fn read(&mut self, real: &mut ServerSession) -> impl Future<Output = Result<Option<Bytes>>> + Send {
        real.read_request_body()
    }

    /// The next piece of the body; after the last one, the error with which the client leaves.
    fn read_or_idle(
        &mut self,
        real: &mut ServerSession,
        is_complete: bool,
    ) -> impl Future<Output = Result<Option<Bytes>>> + Send {
        real.read_body_or_idle(is_complete)
    }

    /// Reads the rest of the body for nobody.
    fn drain(&mut self, real: &mut ServerSession) -> impl Future<Output = Result<()>> + Send {
        real.drain_request_body()
    }

    /// Whether all of the body was read.
    fn is_body_done(&mut self, real: &mut ServerSession) -> bool {
        real.is_body_done()
    }

    /// Whether there is no body.
    fn is_body_empty(&mut self, real: &mut ServerSession) -> bool {
        real.is_body_empty()
    }

    /// Sends these parts of the answer; whether it is complete with them.
    fn write(
        &mut self,
        real: &mut ServerSession,
        parts: Vec<HttpTask>,
    ) -> impl Future<Output = Result<bool>> + Send {
        real.response_duplex_vec(parts)
    }

    /// Nobody goes on with the session.
    fn dropped(&mut self, _real: Box<ServerSession>) {}

    /// What is sent to another node before the rest of the body.
    fn retry_buffer(&self, real: &ServerSession) -> Option<Bytes> {
        real.get_retry_buffer()
    }
}

impl<O: Overlay> Drop for Overlaid<O> {
    fn drop(&mut self) {
        self.overlay.dropped(std::mem::replace(&mut self.real, nobody()));
    }
}

/// A session with an overlay.
struct Overlaid<O: Overlay> {
    real: Box<ServerSession>,
    overlay: O,
    way_back: Option<WayBack>,
    /// Whether the node is spoken to on a connection of ours, for which Pingora takes messages beside HTTP for granted. It asks
    /// for those that come first, and otherwise not at all.
    has_messages: bool,
}

/// Where a session is put whose overlay is taken off.
#[derive(Clone, Default)]
pub struct WayBack(Arc<Place>);

/// The place for a session that comes back.
#[derive(Default)]
struct Place {
    is_wanted: AtomicBool,
    session: Mutex<Option<Box<ServerSession>>>,
}

/// Puts `overlay` over `real`.
pub fn overlay<O: Overlay>(real: Box<ServerSession>, overlay: O) -> ServerSession {
    ServerSession::Custom(Box::new(Overlaid { real, overlay, way_back: None, has_messages: false }))
}

/// Puts `overlay` over `session`, until [`WayBack::take_off`].
pub fn overlay_for_now<O: Overlay>(session: &mut Box<ServerSession>, overlay: O) -> WayBack {
    let way_back = WayBack::default();
    let real = std::mem::replace(session, nobody());
    **session = ServerSession::Custom(Box::new(Overlaid {
        real,
        overlay,
        way_back: Some(way_back.clone()),
        has_messages: false,
    }));
    way_back
}

impl WayBack {
    /// Puts the session back that had the overlay.
    pub fn take_off(self, session: &mut Box<ServerSession>) {
        if let Some(overlaid) = session.as_custom_mut() {
            // The only way to speak to it that Pingora leaves to us.
            self.0.is_wanted.store(true, Ordering::Relaxed);
            let _ = overlaid.restore_custom_message_writer(Box::new(()));
        }
        if let Some(real) = self.0.session.lock().take() {
            *session = real;
        }
    }
}

/// What stands for a session for as long as it takes to put another in its place.
fn nobody() -> Box<ServerSession> {
    Box::new(ServerSession::Custom(Box::new(())))
}

/// Messages beside HTTP: none.
struct NoMessages;

impl Stream for NoMessages {
    type Item = Result<Bytes>;

    fn poll_next(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        Poll::Ready(None)
    }
}

#[async_trait]
impl<O: Overlay> CustomSession for Overlaid<O> {
    async fn read_body_or_idle(&mut self, is_complete: bool) -> Result<Option<Bytes>> {
        self.overlay.read_or_idle(&mut self.real, is_complete).await
    }

    async fn read_body_bytes(&mut self) -> Result<Option<Bytes>> {
        self.overlay.read(&mut self.real).await
    }

    async fn drain_request_body(&mut self) -> Result<()> {
        self.overlay.drain(&mut self.real).await
    }

    fn is_body_done(&mut self) -> bool {
        self.overlay.is_body_done(&mut self.real)
    }

    fn is_body_empty(&mut self) -> bool {
        self.overlay.is_body_empty(&mut self.real)
    }

    fn get_retry_buffer(&self) -> Option<Bytes> {
        self.overlay.retry_buffer(&self.real)
    }

    fn retry_buffer_truncated(&self) -> bool {
        self.real.retry_buffer_truncated()
    }

    fn enable_retry_buffering(&mut self) {
        self.real.enable_retry_buffering();
    }

    /// Gives the real session back, if there is a way back.
    fn restore_custom_message_writer(&mut self, _: Box<dyn CustomMessageWrite>) -> Result<()> {
        self.has_messages = false;
        if let Some(WayBack(place)) = &self.way_back
            && place.is_wanted.swap(false, Ordering::Relaxed)
        {
            *place.session.lock() = Some(std::mem::replace(&mut self.real, nobody()));
        }
        Ok(())
    }

    fn take_custom_message_writer(&mut self) -> Option<Box<dyn CustomMessageWrite>> {
        self.has_messages.then(|| Box::new(()) as Box<dyn CustomMessageWrite>)
    }

    fn take_custom_message_reader(&mut self) -> Option<Messages> {
        self.has_messages = true;
        Some(Box::new(NoMessages))
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
        self.overlay.write(&mut self.real, tasks).await
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
