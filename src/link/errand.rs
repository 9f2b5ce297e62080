//! How a link travels through Pingora to the connector.
//!
//! Whoever connects for Pingora is given the peer and nothing else. Of all that a peer has, its own maker of sockets is the
//! one object that can be ours; the connection that it makes comes back in what Pingora lets a socket say of proxies on its
//! way.

use std::any::Any;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use async_trait::async_trait;
use http::StatusCode;
use parking_lot::Mutex;
use pingora::connectors::L4Connect;
use pingora::http::ResponseHeader;
use pingora::protocols::l4::socket::SocketAddr as AnyAddr;
use pingora::protocols::l4::stream::Stream as PlainStream;
use pingora::protocols::l4::virt::{VirtualSockOpt, VirtualSocket, VirtualSocketStream};
use pingora::protocols::raw_connect::ProxyDigest;
use pingora::protocols::tls::CustomALPN;
use pingora::protocols::{ALPN, GetProxyDigest, Stream};
use pingora::upstreams::peer::HttpPeer;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::connector;
use super::shared::Shared;
use super::{Limits, Link, Trouble};
use crate::upstream::Place;

/// What Pingora is told of the protocol, so that it asks the connector: whether requests share the connections.
pub(super) const OWN: &[u8] = b"own";
pub(super) const SHARED: &[u8] = b"shared";

/// One connection, should Pingora need it.
#[derive(Debug)]
struct Errand {
    link: Arc<Link>,
    place: Place,
    limits: Limits,
}

/// A connection that was made.
pub(super) enum Made {
    /// For one request at a time, by HTTP/1.1.
    Own(Stream),
    /// For many at once, by HTTP/2.
    Shared(Arc<Shared>),
}

/// Where it lies on its way.
type Basket = Mutex<Option<Made>>;

/// Has `peer` reached by `link`.
pub fn send_out(peer: &mut HttpPeer, link: &Arc<Link>, place: &Place, limits: Limits) {
    peer.group_key = link.key();
    let kind = if link.may_be_shared() { SHARED } else { OWN };
    peer.options.alpn = ALPN::Custom(CustomALPN::new(kind.to_vec()));
    peer.options.custom_l4 = Some(Arc::new(Errand { link: Arc::clone(link), place: place.clone(), limits }));
}

/// Makes the connection that `errand` is about.
pub(super) async fn run(
    errand: &Arc<dyn L4Connect + Send + Sync>,
    address: &AnyAddr,
) -> pingora::Result<Option<Made>> {
    let carrier = errand.connect(address).await?;
    let digest = carrier.get_proxy_digest();
    let made = digest.as_ref().and_then(|digest| digest.user_data.as_ref());
    Ok(made.and_then(|made| made.downcast_ref::<Basket>()).and_then(|made| made.lock().take()))
}

impl Errand {
    async fn make(&self) -> Result<Made, Trouble> {
        let stream = self.link.dial(&self.place, &self.limits).await?;
        match stream.is_http2() {
            false => Ok(Made::Own(Box::new(stream))),
            true => Shared::begin(stream, self.link.http2(), self.limits.tls).await.map(Made::Shared),
        }
    }
}

#[async_trait]
impl L4Connect for Errand {
    async fn connect(&self, _: &AnyAddr) -> pingora::Result<PlainStream> {
        let made = self.make().await.map_err(connector::error)?;
        let made: Box<dyn Any + Send + Sync> = Box::new(Basket::new(Some(made)));
        let mut carrier = PlainStream::from(VirtualSocketStream::new(Box::new(Nothing)));
        // The head is what the type asks for and nobody reads.
        let head = ResponseHeader::build(StatusCode::OK, Some(0))?;
        carrier.set_proxy_digest(ProxyDigest::new(Box::new(head), Some(made)));
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
