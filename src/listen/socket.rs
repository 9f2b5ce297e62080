//! The two kinds of socket that clients connect to: TCP, and Unix sockets for those on this machine.

use std::io;
use std::net::SocketAddr;
use std::os::fd::{AsRawFd, OwnedFd, RawFd};
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use rustix::net::{RecvFlags, recv};
use socket2::SockRef;
use tokio::io::{AsyncRead, AsyncWrite, Interest, ReadBuf};
use tokio::net::{TcpListener, TcpStream, UnixListener, UnixStream};

/// A socket that accepts, without a runtime.
#[derive(Debug)]
pub(super) enum Bound {
    Tcp(std::net::TcpListener),
    Unix(std::os::unix::net::UnixListener),
}

/// A socket that accepts.
#[derive(Debug)]
pub(super) enum Listening {
    Tcp(TcpListener),
    Unix(UnixListener),
}

/// A client's connection.
#[derive(Debug)]
pub(super) enum Socket {
    Tcp(TcpStream),
    Unix(UnixStream),
}

/// A client's connection on its way from one runtime to another.
#[derive(Debug)]
pub(super) enum Moving {
    Tcp(std::net::TcpStream),
    Unix(std::os::unix::net::UnixStream),
}

impl Bound {
    /// The same socket once more.
    pub(super) fn try_clone(&self) -> io::Result<Self> {
        Ok(match self {
            Self::Tcp(bound) => Self::Tcp(bound.try_clone()?),
            Self::Unix(bound) => Self::Unix(bound.try_clone()?),
        })
    }
}

impl From<Bound> for OwnedFd {
    fn from(bound: Bound) -> Self {
        match bound {
            Bound::Tcp(bound) => bound.into(),
            Bound::Unix(bound) => bound.into(),
        }
    }
}

impl Listening {
    /// Begins to accept on `bound` with the runtime that this runs on.
    pub(super) fn from_bound(bound: Bound) -> io::Result<Self> {
        Ok(match bound {
            Bound::Tcp(bound) => Self::Tcp(TcpListener::from_std(bound)?),
            Bound::Unix(bound) => Self::Unix(UnixListener::from_std(bound)?),
        })
    }

    /// The next connection, with the address of its client where that has one.
    pub(super) async fn accept(&self) -> io::Result<(Socket, Option<SocketAddr>)> {
        match self {
            Self::Tcp(listener) => {
                listener.accept().await.map(|(tcp, client)| (Socket::Tcp(tcp), Some(client)))
            }
            Self::Unix(listener) => listener.accept().await.map(|(unix, _)| (Socket::Unix(unix), None)),
        }
    }
}

impl Moving {
    /// Gives the connection to the runtime that this runs on.
    pub(super) fn arrive(self) -> io::Result<Socket> {
        Ok(match self {
            Self::Tcp(tcp) => Socket::Tcp(TcpStream::from_std(tcp)?),
            Self::Unix(unix) => Socket::Unix(UnixStream::from_std(unix)?),
        })
    }
}

impl Socket {
    /// Takes the connection from the runtime that has it.
    pub(super) fn leave(self) -> io::Result<Moving> {
        Ok(match self {
            Self::Tcp(tcp) => Moving::Tcp(tcp.into_std()?),
            Self::Unix(unix) => Moving::Unix(unix.into_std()?),
        })
    }

    /// The address that the client connected to; a Unix socket has none.
    pub(super) fn local_addr(&self) -> io::Result<Option<SocketAddr>> {
        match self {
            Self::Tcp(tcp) => tcp.local_addr().map(Some),
            Self::Unix(_) => Ok(None),
        }
    }

    /// Writes what it takes at once.
    pub(super) fn try_write(&self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Self::Tcp(tcp) => tcp.try_write(bytes),
            Self::Unix(unix) => unix.try_write(bytes),
        }
    }

    /// Ready once there is something to read, the client's end or an error; now and then for nothing. Costs no system call.
    pub(super) fn poll_readable(&self, cx: &mut Context<'_>) -> Poll<()> {
        match self {
            Self::Tcp(tcp) => tcp.poll_read_ready(cx),
            Self::Unix(unix) => unix.poll_read_ready(cx),
        }
        .map(drop)
    }

    /// Ready with the number of bytes that can be read now, 1 at the most, and takes none away; 0 is the client's end.
    pub(super) fn poll_look(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<usize>> {
        self.poll_peek(cx, &mut [0])
    }

    /// Ready with the number of bytes that can be read now, which are in `bytes` and stay where they are; 0 is the client's
    /// end.
    pub(super) fn poll_peek(&mut self, cx: &mut Context<'_>, bytes: &mut [u8]) -> Poll<io::Result<usize>> {
        match self {
            Self::Tcp(tcp) => tcp.poll_peek(cx, &mut ReadBuf::new(bytes)),
            Self::Unix(unix) => loop {
                ready!(unix.poll_read_ready(cx))?;
                let look = || Ok(recv(&*unix, &mut *bytes, RecvFlags::PEEK)?.0);
                match unix.try_io(Interest::READABLE, look) {
                    Err(why) if why.kind() == io::ErrorKind::WouldBlock => {}
                    looked => return Poll::Ready(looked),
                }
            },
        }
    }

    /// Ready with the first byte that can be read, which stays; `None` is the client's end.
    pub(super) fn poll_first(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<Option<u8>>> {
        let mut byte = [0];
        let count = ready!(self.poll_peek(cx, &mut byte))?;
        Poll::Ready(Ok((count > 0).then_some(byte[0])))
    }

    /// Makes it end with a reset, so that the client can tell that something is missing. A Unix socket knows no resets:
    /// where neither length nor chunks tell, its client cannot.
    pub(super) fn reset_at_end(&self) {
        if let Self::Tcp(tcp) = self {
            let _ = SockRef::from(tcp).set_linger(Some(Duration::ZERO));
        }
    }
}

impl AsyncRead for Socket {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Tcp(tcp) => Pin::new(tcp).poll_read(cx, buf),
            Self::Unix(unix) => Pin::new(unix).poll_read(cx, buf),
        }
    }
}

impl AsyncWrite for Socket {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, data: &[u8]) -> Poll<io::Result<usize>> {
        match self.get_mut() {
            Self::Tcp(tcp) => Pin::new(tcp).poll_write(cx, data),
            Self::Unix(unix) => Pin::new(unix).poll_write(cx, data),
        }
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        // Neither has a buffer of its own.
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Tcp(tcp) => Pin::new(tcp).poll_shutdown(cx),
            Self::Unix(unix) => Pin::new(unix).poll_shutdown(cx),
        }
    }
}

impl AsRawFd for Socket {
    fn as_raw_fd(&self) -> RawFd {
        match self {
            Self::Tcp(tcp) => tcp.as_raw_fd(),
            Self::Unix(unix) => unix.as_raw_fd(),
        }
    }
}
