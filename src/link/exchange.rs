//! One request and its answer on a connection that others share, as Pingora asks for it.

use std::future::poll_fn;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::task::{Context, Poll};
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use futures_core::Stream;
use h2::client::{ResponseFuture, SendRequest};
use h2::{Reason, RecvStream, SendStream};
use http::uri::{Authority, PathAndQuery, Scheme};
use http::{HeaderMap, StatusCode, Uri, Version, header};
use pingora::Result;
use pingora::http::{RequestHeader, ResponseHeader};
use pingora::protocols::http::custom::client::Session;
use pingora::protocols::http::custom::{BodyWrite, CustomMessageWrite};
use pingora::protocols::l4::socket::SocketAddr;
use pingora::protocols::{Digest, UniqueIDType};

use super::connector::{self, Break};
use super::inbox::Inbox;
use super::shared::Seat;
use super::upload::{Overseer, Signs, Upload};

/// What no connection has: its descriptor is not for one request to close.
pub const NO_DESCRIPTOR: UniqueIDType = -1;

/// One request and its answer. The stream is reset when this goes before both are complete (RFC 9113, 5.4.2), or later if
/// nothing comes from the node.
pub struct Exchange {
    seat: Seat,
    sender: SendRequest<Bytes>,
    scheme: Scheme,
    upload: Option<SendStream<Bytes>>,
    answer: Option<ResponseFuture>,
    head: Option<ResponseHeader>,
    body: Option<Arc<Inbox>>,
    /// The answer is one that has no body, whatever its head says of one.
    is_bodiless: bool,
    signs: Arc<Signs>,
    overseer: Option<Arc<dyn Overseer>>,
    read_timeout: Option<Duration>,
    write_timeout: Option<Duration>,
}

impl Exchange {
    pub(super) fn new(
        (seat, sender): (Seat, SendRequest<Bytes>),
        overseer: Option<Arc<dyn Overseer>>,
    ) -> Self {
        let scheme = if seat.shared().is_tls() { Scheme::HTTPS } else { Scheme::HTTP };
        Self {
            seat,
            sender,
            scheme,
            upload: None,
            answer: None,
            head: None,
            body: None,
            is_bodiless: false,
            signs: Arc::default(),
            overseer,
            read_timeout: None,
            write_timeout: None,
        }
    }

    /// Nobody waits for it any more: what is not complete is reset.
    fn leave(&mut self) {
        (self.upload, self.body) = (None, None);
        if let Some(answer) = self.answer.take() {
            self.seat.shared().leave(answer);
        }
    }

    /// Why there is no answer.
    fn unanswered(&self, why: h2::Error) -> Break {
        // Both say that the node has not begun it (RFC 9113, 6.8 and 8.7): a GOAWAY reaches no stream below its last.
        let is_refused = why.is_reset() && why.reason() == Some(Reason::REFUSED_STREAM);
        if let Some(why) = self.signs.why_lost() {
            return why;
        }
        if why.is_remote() && why.is_go_away() {
            self.seat.shared().retire();
            return Break::Over(why);
        }
        match why.is_remote() && is_refused {
            true => Break::Refused(why),
            false => Break::of(why),
        }
    }
}

/// Waits for what the node sends, but no longer than it may, nor when the upload has waited for too long.
async fn wait<T>((limit, signs): (Option<Duration>, &Signs), coming: impl Future<Output = T>) -> Result<T> {
    let late = async {
        match limit {
            Some(limit) => tokio::time::sleep(limit).await,
            None => std::future::pending().await,
        }
    };
    tokio::select! {
        biased;
        come = coming => Ok(come),
        () = signs.lost.notified() => Err(connector::broken(signs.why_lost().unwrap_or(Break::Late))),
        () = late => Err(connector::broken(Break::Late)),
    }
}

impl Drop for Exchange {
    fn drop(&mut self) {
        self.leave();
    }
}

/// A head that came.
enum Come {
    /// One before the answer (1xx).
    Interim(http::Response<()>),
    /// That of the answer.
    Final(http::Response<RecvStream>),
}

fn poll_head(
    answer: &mut ResponseFuture,
    cx: &mut Context<'_>,
) -> Poll<std::result::Result<Come, h2::Error>> {
    if let Poll::Ready(Some(Ok(head))) = answer.poll_informational(cx) {
        return Poll::Ready(Ok(Come::Interim(head)));
    }
    Pin::new(answer).poll(cx).map_ok(Come::Final)
}

/// Makes of `request` what travels on a stream (RFC 9113, 8.3.1): the host is part of its target.
fn prepare(request: &mut RequestHeader, scheme: &Scheme) -> Option<()> {
    let host = request.remove_header(&header::HOST)?;
    for name in [header::TRANSFER_ENCODING, header::CONNECTION, header::UPGRADE] {
        request.remove_header(&name);
    }
    for name in ["keep-alive", "proxy-connection", "http2-settings"] {
        request.remove_header(name);
    }
    if request.headers.get(header::TE).is_some_and(|te| te.as_bytes() != b"trailers") {
        request.remove_header(&header::TE);
    }
    let path = match request.raw_path() {
        b"*" => PathAndQuery::from_static("*"),
        path => PathAndQuery::try_from(path).ok()?,
    };
    let authority = Authority::try_from(host.as_bytes()).ok()?;
    let uri = Uri::builder().scheme(scheme.clone()).authority(authority).path_and_query(path).build().ok()?;
    request.set_uri(uri);
    request.set_version(Version::HTTP_2);
    Some(())
}

#[async_trait]
impl Session for Exchange {
    async fn write_request_header(&mut self, mut request: Box<RequestHeader>, is_end: bool) -> Result<()> {
        if prepare(&mut request, &self.scheme).is_none() {
            return Err(connector::broken(Break::Unsendable));
        }
        let request = http::Request::from_parts(request.as_owned_parts(), ());
        let (answer, upload) = self.sender.send_request(request, is_end).map_err(|why| {
            self.seat.shared().retire();
            connector::broken(Break::Over(why))
        })?;
        (self.answer, self.upload) = (Some(answer), Some(upload));
        self.signs.is_ended.store(is_end, Ordering::Relaxed);
        Ok(())
    }

    async fn write_request_body(&mut self, _: Bytes, _: bool) -> Result<()> {
        // Pingora takes the writer.
        Err(connector::broken(Break::Unsendable))
    }

    async fn finish_request_body(&mut self) -> Result<()> {
        Ok(())
    }

    fn set_read_timeout(&mut self, timeout: Option<Duration>) {
        self.read_timeout = timeout;
    }

    fn set_write_timeout(&mut self, timeout: Option<Duration>) {
        self.write_timeout = timeout;
    }

    async fn read_response_header(&mut self) -> Result<()> {
        // It stays where it is: who waits may be gone before it comes.
        let Some(answer) = self.answer.as_mut() else { return Err(connector::broken(Break::Unsendable)) };
        let come = wait((self.read_timeout, &self.signs), poll_fn(|cx| poll_head(answer, cx))).await?;
        let answer = match come.map_err(|why| connector::broken(self.unanswered(why)))? {
            Come::Interim(head) => {
                self.head = Some(ResponseHeader::from(head.into_parts().0));
                return Ok(());
            }
            Come::Final(answer) => answer,
        };
        self.answer = None;
        let (head, body) = answer.into_parts();
        self.signs.answered(head.status);
        // That it may say how long its body would be is news to the library, which resets the stream when none comes.
        self.is_bodiless = head.status == StatusCode::NOT_MODIFIED;
        self.head = Some(ResponseHeader::from(head));
        self.body = (!self.is_bodiless).then(|| self.seat.shared().keep(body));
        Ok(())
    }

    async fn read_response_body(&mut self) -> Result<Option<Bytes>> {
        let Some(body) = &self.body else { return Ok(None) };
        let piece = wait((self.read_timeout, &self.signs), poll_fn(|cx| body.poll_data(cx))).await?;
        piece.transpose().map_err(|why| connector::broken(Break::of(why)))
    }

    fn response_finished(&self) -> bool {
        self.is_bodiless || self.body.as_ref().is_some_and(|body| body.is_at_end())
    }

    async fn shutdown(&mut self, _: u32, _: &str) {
        self.leave();
    }

    fn response_header(&self) -> Option<&ResponseHeader> {
        self.head.as_ref()
    }

    fn was_upgraded(&self) -> bool {
        false
    }

    fn digest(&self) -> Option<&Digest> {
        Some(self.seat.shared().digest())
    }

    fn digest_mut(&mut self) -> Option<&mut Digest> {
        None
    }

    fn server_addr(&self) -> Option<&SocketAddr> {
        self.seat.shared().digest().socket_digest.as_ref()?.peer_addr()
    }

    fn client_addr(&self) -> Option<&SocketAddr> {
        None
    }

    async fn read_trailers(&mut self) -> Result<Option<HeaderMap>> {
        let Some(body) = &self.body else { return Ok(None) };
        let trailers = wait((self.read_timeout, &self.signs), poll_fn(|cx| body.poll_trailers(cx))).await?;
        trailers.map_err(|why| connector::broken(Break::of(why)))
    }

    fn fd(&self) -> UniqueIDType {
        NO_DESCRIPTOR
    }

    async fn check_response_end_or_error(&mut self, _: bool) -> Result<bool> {
        let Some(body) = self.body.as_ref().filter(|body| body.is_at_end()) else {
            return Ok(self.is_bodiless);
        };
        // A stream that was reset has ended as well; only what comes next tells (hyperium/h2#806).
        match poll_fn(|cx| body.poll_data(cx)).await.transpose() {
            Ok(None) => Ok(true),
            Ok(Some(_)) => Err(connector::broken(Break::Unsendable)),
            Err(why) => Err(connector::broken(Break::of(why))),
        }
    }

    fn take_request_body_writer(&mut self) -> Option<Box<dyn BodyWrite>> {
        let upload = Upload::new(
            self.upload.take()?,
            Arc::clone(&self.signs),
            self.write_timeout,
            self.overseer.take(),
        );
        Some(Box::new(upload))
    }

    async fn finish_custom(&mut self) -> Result<()> {
        Ok(())
    }

    fn take_custom_message_reader(
        &mut self,
    ) -> Option<Box<dyn Stream<Item = Result<Bytes>> + Unpin + Send + Sync + 'static>> {
        Some(Box::new(Silence))
    }

    async fn drain_custom_messages(&mut self) -> Result<()> {
        Ok(())
    }

    fn take_custom_message_writer(&mut self) -> Option<Box<dyn CustomMessageWrite>> {
        Some(Box::new(()))
    }
}

/// Messages that are no part of HTTP: none.
struct Silence;

impl Stream for Silence {
    type Item = Result<Bytes>;

    fn poll_next(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        Poll::Ready(None)
    }
}
