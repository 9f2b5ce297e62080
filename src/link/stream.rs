//! A connection to a node, as Pingora and HTTP/2 read and write it.

use std::io;
use std::os::fd::{AsRawFd, RawFd};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use async_trait::async_trait;
use pingora::protocols::l4::socket::SocketAddr as AnyAddr;
use pingora::protocols::raw_connect::ProxyDigest;
use pingora::protocols::{
    GetProxyDigest, GetSocketDigest, GetTimingDigest, Peek, Shutdown, SocketDigest, Ssl, TimingDigest,
    UniqueID, UniqueIDType,
};
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt, ReadBuf};
use tokio::net::{TcpStream, UnixStream};
use tokio_rustls::client::TlsStream;

use super::ahead::Ahead;
use super::arrivals::Arrivals;
use super::sieve::poll_sifted;
use crate::framing::Frames;
use crate::upstream::Place;

/// A socket of either kind.
#[derive(Debug)]
pub(super) enum Socket {
    Tcp(TcpStream),
    Unix(UnixStream),
}

/// A socket as it is, or TLS on top of it, with a node that was verified.
#[derive(Debug)]
pub(super) enum Channel {
    Plain(Socket),
    Tls(Box<TlsStream<Socket>>),
}

/// A connection to a node.
#[derive(Debug)]
pub struct NodeStream {
    channel: Channel,
    digest: Arc<SocketDigest>,
    arrivals: Arc<Arrivals>,
    is_http2: bool,
    /// What comes by HTTP/2, from which empty pieces of bodies are taken: the library ends a connection, with all the answers
    /// on it, for a hundred in all its life.
    frames: Frames,
    /// What was read while an answer by HTTP/1.1 within TLS was not asked for.
    ahead: Ahead,
}

impl NodeStream {
    pub(super) fn new(channel: Channel, place: &Place, is_http2: bool) -> Self {
        let digest = SocketDigest::from_raw_fd(channel.socket().as_raw_fd());
        let peer = match place {
            Place::Tcp(address) => Some(AnyAddr::Inet(*address)),
            Place::Unix(_) => None,
        };
        // The cell is new and empty.
        let _ = digest.peer_addr.set(peer);
        Self {
            channel,
            digest: Arc::new(digest),
            arrivals: Arc::new(Arrivals::new()),
            is_http2,
            frames: Frames::default(),
            ahead: Ahead::default(),
        }
    }

    /// Whether HTTP/2 is spoken on it, rather than HTTP/1.1.
    pub fn is_http2(&self) -> bool {
        self.is_http2
    }

    /// Whether TLS is spoken on it.
    pub(super) fn is_tls(&self) -> bool {
        matches!(self.channel, Channel::Tls(_))
    }

    /// What comes, as long as it is read.
    pub(super) fn arrivals(&self) -> Arc<Arrivals> {
        Arc::clone(&self.arrivals)
    }

    /// What became of writing; an error where that waits for a node that has refused.
    fn unless_refused<T>(
        &mut self,
        written: Poll<io::Result<T>>,
        cx: &mut Context<'_>,
    ) -> Poll<io::Result<T>> {
        match (written, &mut self.channel) {
            (Poll::Pending, channel @ Channel::Tls(_)) if !self.is_http2 => {
                self.ahead.poll_refusal(channel, cx).map(Err)
            }
            (Poll::Pending, _) => Poll::Pending,
            (Poll::Ready(done), _) => {
                self.ahead.goes_on();
                Poll::Ready(done)
            }
        }
    }
}

impl Channel {
    fn socket(&self) -> &Socket {
        match self {
            Self::Plain(socket) => socket,
            Self::Tls(tls) => tls.get_ref().0,
        }
    }
}

impl AsRawFd for Socket {
    fn as_raw_fd(&self) -> RawFd {
        match self {
            Self::Tcp(socket) => socket.as_raw_fd(),
            Self::Unix(socket) => socket.as_raw_fd(),
        }
    }
}

/// Reads and writes whatever of two kinds is there.
macro_rules! either {
    ($kind:ident: $one:ident | $other:ident) => {
        impl AsyncRead for $kind {
            fn poll_read(
                self: Pin<&mut Self>,
                cx: &mut Context<'_>,
                buf: &mut ReadBuf<'_>,
            ) -> Poll<io::Result<()>> {
                match self.get_mut() {
                    Self::$one(stream) => Pin::new(stream).poll_read(cx, buf),
                    Self::$other(stream) => Pin::new(stream).poll_read(cx, buf),
                }
            }
        }

        impl AsyncWrite for $kind {
            fn poll_write(
                self: Pin<&mut Self>,
                cx: &mut Context<'_>,
                data: &[u8],
            ) -> Poll<io::Result<usize>> {
                match self.get_mut() {
                    Self::$one(stream) => Pin::new(stream).poll_write(cx, data),
                    Self::$other(stream) => Pin::new(stream).poll_write(cx, data),
                }
            }

            fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
                match self.get_mut() {
                    Self::$one(stream) => Pin::new(stream).poll_flush(cx),
                    Self::$other(stream) => Pin::new(stream).poll_flush(cx),
                }
            }

            fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
                match self.get_mut() {
                    Self::$one(stream) => Pin::new(stream).poll_shutdown(cx),
                    Self::$other(stream) => Pin::new(stream).poll_shutdown(cx),
                }
            }
        }
    };
}

either!(Socket: Tcp | Unix);
either!(Channel: Plain | Tls);

impl AsyncRead for NodeStream {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        if this.ahead.hand_on(buf) {
            return Poll::Ready(Ok(()));
        }
        if !this.is_http2 {
            return Pin::new(&mut this.channel).poll_read(cx, buf);
        }
        ready!(this.arrivals.poll_more(cx));
        poll_sifted(&mut this.channel, cx, buf, |came| Some(this.arrivals.came(came, &mut this.frames)))
    }
}

impl AsyncWrite for NodeStream {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, data: &[u8]) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        let written = Pin::new(&mut this.channel).poll_write(cx, data);
        this.unless_refused(written, cx)
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        let flushed = Pin::new(&mut this.channel).poll_flush(cx);
        this.unless_refused(flushed, cx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().channel).poll_shutdown(cx)
    }
}

#[async_trait]
impl Shutdown for NodeStream {
    async fn shutdown(&mut self) {
        // The node may be gone already, which is what this asks for.
        let _ = AsyncWriteExt::shutdown(self).await;
    }
}

impl UniqueID for NodeStream {
    fn id(&self) -> UniqueIDType {
        self.channel.socket().as_raw_fd()
    }
}

impl GetTimingDigest for NodeStream {
    fn get_timing_digest(&self) -> Vec<Option<TimingDigest>> {
        Vec::new()
    }
}

impl GetProxyDigest for NodeStream {
    fn get_proxy_digest(&self) -> Option<Arc<ProxyDigest>> {
        None
    }
}

impl GetSocketDigest for NodeStream {
    fn get_socket_digest(&self) -> Option<Arc<SocketDigest>> {
        Some(Arc::clone(&self.digest))
    }
}

impl Ssl for NodeStream {}

impl Peek for NodeStream {}
