//! How a link travels through Pingora to the connector.
//!
//! Whoever connects for Pingora is given the peer and nothing else. Of all that a peer has, its own maker of sockets is the
//! one object that can be ours. It makes none: what it hands out bears the errand, in what Pingora lets a socket say of
//! proxies on its way.

use std::any::Any;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use async_trait::async_trait;
use http::StatusCode;
use pingora::connectors::L4Connect;
use pingora::http::ResponseHeader;
use pingora::protocols::l4::socket::SocketAddr as AnyAddr;
use pingora::protocols::l4::stream::Stream as PlainStream;
use pingora::protocols::l4::virt::{VirtualSockOpt, VirtualSocket, VirtualSocketStream};
use pingora::protocols::raw_connect::ProxyDigest;
use pingora::protocols::tls::CustomALPN;
use pingora::protocols::{ALPN, GetProxyDigest, Stream};
use pingora::upstreams::peer::{HttpPeer, Peer};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::shared::Shared;
use super::{Limits, Link, Overseer, Trouble};
use crate::upstream::Place;

/// What Pingora is told of the protocol, so that it asks the connector: whether requests share the connections.
pub(super) const OWN: &[u8] = b"own";
pub(super) const SHARED: &[u8] = b"shared";

/// All that the connector has to know of an attempt.
#[derive(Debug)]
pub(super) struct Errand {
    link: Arc<Link>,
    place: Place,
    limits: Limits,
    pub(super) overseer: Option<Arc<dyn Overseer>>,
}

/// What the peer has for its maker of sockets.
#[derive(Debug)]
struct Bearer(Arc<Errand>);

/// A connection that was made.
pub(super) enum Made {
    /// For one request at a time, by HTTP/1.1.
    Own(Stream),
    /// For many at once, by HTTP/2.
    Shared(Arc<Shared>),
}

/// Has `peer` reached by `link`; `overseer` is for the body of its request, if it has one.
pub fn send_out(
    peer: &mut HttpPeer,
    link: &Arc<Link>,
    place: &Place,
    limits: Limits,
    overseer: Option<Arc<dyn Overseer>>,
) {
    peer.group_key = link.key();
    let kind = if link.may_be_shared() { SHARED } else { OWN };
    peer.options.alpn = ALPN::Custom(CustomALPN::new(kind.to_vec()));
    let errand = Errand { link: Arc::clone(link), place: place.clone(), limits, overseer };
    peer.options.custom_l4 = Some(Arc::new(Bearer(Arc::new(errand))));
}

/// The errand that `peer` is sent out with.
pub(super) async fn of(peer: &impl Peer) -> pingora::Result<Option<Arc<Errand>>> {
    let bearer = peer.get_peer_options().and_then(|options| options.custom_l4.as_ref());
    let Some(bearer) = bearer else { return Ok(None) };
    let carrier = bearer.connect(peer.address()).await?;
    let digest = carrier.get_proxy_digest();
    let errand = digest.as_ref().and_then(|digest| digest.user_data.as_ref());
    Ok(errand.and_then(|errand| errand.downcast_ref::<Arc<Errand>>()).map(Arc::clone))
}

impl Errand {
    /// Makes the connection.
    pub(super) async fn make(&self) -> Result<Made, Trouble> {
        let stream = self.link.dial(&self.place, &self.limits).await?;
        match stream.is_http2() {
            false => Ok(Made::Own(Box::new(stream))),
            true => Shared::begin(stream, self.link.http2(), self.limits.connect).await.map(Made::Shared),
        }
    }
}

#[async_trait]
impl L4Connect for Bearer {
    async fn connect(&self, _: &AnyAddr) -> pingora::Result<PlainStream> {
        let errand: Box<dyn Any + Send + Sync> = Box::new(Arc::clone(&self.0));
        let mut carrier = PlainStream::from(VirtualSocketStream::new(Box::new(Nothing)));
        // The head is what the type asks for and nobody reads.
        let head = ResponseHeader::build(StatusCode::OK, Some(0))?;
        carrier.set_proxy_digest(ProxyDigest::new(Box::new(head), Some(errand)));
        Ok(carrier)
    }
}

/// A socket that is never read or written.
#[derive(Debug)]
struct Nothing;

impl VirtualSocket for Nothing {
    fn set_socket_option(&self, _: VirtualSockOpt) -> io::Result<()> {
        Ok(())
    }
}

impl AsyncRead for Nothing {
    fn poll_read(self: Pin<&mut Self>, _: &mut Context<'_>, _: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Nothing {
    fn poll_write(self: Pin<&mut Self>, _: &mut Context<'_>, _: &[u8]) -> Poll<io::Result<usize>> {
        Poll::Ready(Ok(0))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}
