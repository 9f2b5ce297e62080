//! What a client's bytes go over: a socket as it is, or TLS on top of it.

use std::io;
use std::os::fd::{AsRawFd, RawFd};
use std::pin::Pin;
use std::task::{Context, Poll, Waker, ready};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio_rustls::server::TlsStream;

use super::socket::Socket;

/// How far is read ahead to see whether a client has left.
const AHEAD: usize = 1024;

/// What a client's bytes go over.
#[derive(Debug)]
pub(super) enum Channel {
    /// The socket as it is.
    Plain(Socket),
    /// TLS, once keys were agreed on.
    Tls(Box<Sealed>),
}

/// TLS over a socket.
#[derive(Debug)]
pub(super) struct Sealed {
    tls: TlsStream<Socket>,
    /// What was read to see whether the client has left, and nobody has asked for yet.
    ahead: Vec<u8>,
}

impl Channel {
    pub(super) fn sealed(tls: TlsStream<Socket>) -> Self {
        Self::Tls(Box::new(Sealed { tls, ahead: Vec::new() }))
    }

    fn socket(&self) -> &Socket {
        match self {
            Self::Plain(socket) => socket,
            Self::Tls(sealed) => sealed.tls.get_ref().0,
        }
    }

    /// Writes what it takes at once.
    pub(super) fn try_write(&mut self, bytes: &[u8]) {
        match self {
            Self::Plain(socket) => {
                let _ = socket.try_write(bytes);
            }
            Self::Tls(sealed) => {
                let mut cx = Context::from_waker(Waker::noop());
                let _ = Pin::new(&mut sealed.tls).poll_write(&mut cx, bytes);
                let _ = Pin::new(&mut sealed.tls).poll_flush(&mut cx);
            }
        }
    }

    /// Ready once it is worth while to read. A socket that `is_new` is asked, as it counts as ready until it was.
    pub(super) fn poll_begins(&mut self, is_new: bool, cx: &mut Context<'_>) -> Poll<()> {
        match self {
            Self::Plain(socket) if is_new => socket.poll_look(cx).map(drop),
            Self::Plain(socket) => socket.poll_readable(cx),
            // What can be read of the socket may be of TLS alone.
            Self::Tls(sealed) => sealed.poll_look(cx).map(drop),
        }
    }

    /// Ready with whether there is anything to read; if not, the client has ended. Takes nothing from whoever reads.
    pub(super) fn poll_look(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<bool>> {
        match self {
            Self::Plain(socket) => socket.poll_look(cx).map_ok(|count| count > 0),
            Self::Tls(sealed) => sealed.poll_look(cx),
        }
    }

    /// Makes it end with a reset, so that the client can tell that something is missing.
    pub(super) fn reset_at_end(&self) {
        self.socket().reset_at_end();
    }

    /// Tells the client that nothing is missing, as far as there is room for that at once (RFC 8446, 6.1).
    pub(super) fn say_the_end(&mut self) {
        if let Self::Tls(sealed) = self {
            let (socket, state) = sealed.tls.get_mut();
            state.send_close_notify();
            let mut bytes = Vec::new();
            while state.wants_write() && state.write_tls(&mut bytes).is_ok_and(|count| count > 0) {}
            // A client that takes nothing or has gone does not need to know.
            let _ = socket.try_write(&bytes);
        }
    }
}

impl Sealed {
    fn poll_look(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<bool>> {
        if self.ahead.is_empty() {
            let mut bytes = [0; AHEAD];
            let mut buf = ReadBuf::new(&mut bytes);
            ready!(Pin::new(&mut self.tls).poll_read(cx, &mut buf))?;
            self.ahead.extend_from_slice(buf.filled());
        }
        Poll::Ready(Ok(!self.ahead.is_empty()))
    }

    fn poll_read(&mut self, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        if self.ahead.is_empty() {
            return Pin::new(&mut self.tls).poll_read(cx, buf);
        }
        let count = self.ahead.len().min(buf.remaining());
        buf.put_slice(self.ahead.get(..count).unwrap_or_default());
        self.ahead.drain(..count);
        Poll::Ready(Ok(()))
    }
}

impl AsyncRead for Channel {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Plain(socket) => Pin::new(socket).poll_read(cx, buf),
            Self::Tls(sealed) => sealed.poll_read(cx, buf),
        }
    }
}

impl AsyncWrite for Channel {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, data: &[u8]) -> Poll<io::Result<usize>> {
        match self.get_mut() {
            Self::Plain(socket) => Pin::new(socket).poll_write(cx, data),
            Self::Tls(sealed) => Pin::new(&mut sealed.tls).poll_write(cx, data),
        }
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Plain(socket) => Pin::new(socket).poll_flush(cx),
            Self::Tls(sealed) => Pin::new(&mut sealed.tls).poll_flush(cx),
        }
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Plain(socket) => Pin::new(socket).poll_shutdown(cx),
            Self::Tls(sealed) => Pin::new(&mut sealed.tls).poll_shutdown(cx),
        }
    }
}

impl AsRawFd for Channel {
    fn as_raw_fd(&self) -> RawFd {
        self.socket().as_raw_fd()
    }
}
