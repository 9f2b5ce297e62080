//! Opening a connection to a node.

use std::io;
use std::time::Duration;

use socket2::{SockRef, TcpKeepalive};
use tokio::net::{TcpStream, UnixStream};
use tokio::time::timeout;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use super::shared;
use super::stream::{Channel, NodeStream, Socket};
use super::{HTTP2, Link, Security, Trouble};
use crate::config::Protocol;
use crate::upstream::Place;

/// How long a connection may take to open, and when the kernel gives it up.
#[derive(Clone, Debug)]
pub struct Limits {
    /// To be accepted.
    pub connect: Duration,
    /// To agree on keys.
    pub tls: Duration,
    /// For what was sent to be acknowledged.
    pub write: Duration,
}

/// When the kernel begins to ask whether a silent node is still there, and how often.
const KEEPALIVE_IDLE: Duration = Duration::from_secs(60);
const KEEPALIVE_INTERVAL: Duration = Duration::from_secs(10);
const KEEPALIVE_PROBES: u32 = 3;

impl Link {
    /// Opens a connection to the node at `place`. Nothing of a request is sent before it is verified.
    ///
    /// # Errors
    ///
    /// If the node cannot be reached in time, or cannot be verified.
    pub async fn dial(&self, place: &Place, limits: &Limits) -> Result<NodeStream, Trouble> {
        if matches!(self.security, Security::Unknown) {
            return Err(Trouble::Unverified("nobody knows how to verify it".to_owned()));
        }
        let socket = match timeout(limits.connect, connect(place)).await {
            Ok(Ok(socket)) => socket,
            Ok(Err(why)) => return Err(Trouble::of_socket(why)),
            Err(_) => return Err(Trouble::Late { doing: "accept a connection", limit: limits.connect }),
        };
        if let Socket::Tcp(socket) = &socket {
            prepare(socket, limits.write).map_err(Trouble::of_socket)?;
        }
        let Security::Tls(security) = &self.security else {
            return Ok(NodeStream::new(Channel::Plain(socket), place, self.protocol == Protocol::Http2));
        };
        let tls = TlsConnector::from(security.settings.clone());
        match timeout(limits.tls, tls.connect(security.server_name.clone(), socket)).await {
            Ok(Ok(tls)) => self.agreed(tls, place),
            Ok(Err(why)) => Err(Trouble::of_tls(why, &security.server_name)),
            Err(_) => Err(Trouble::Late { doing: "agree on keys (TLS)", limit: limits.tls }),
        }
    }

    /// Whether the node at `place` takes a connection and speaks its protocol.
    ///
    /// # Errors
    ///
    /// If it does not, in time.
    pub async fn greet(&self, place: &Place, limits: &Limits) -> Result<(), Trouble> {
        let stream = self.dial(place, limits).await?;
        match stream.is_http2() {
            true => shared::greet(stream, limits.connect).await,
            false => Ok(()),
        }
    }

    /// The connection on which keys were agreed on, and with them the protocol (RFC 7301).
    fn agreed(&self, tls: TlsStream<Socket>, place: &Place) -> Result<NodeStream, Trouble> {
        let is_http2 = tls.get_ref().1.alpn_protocol() == Some(HTTP2);
        if self.protocol == Protocol::Http2 && !is_http2 {
            let help = "write `protocol: auto`, or `http1`";
            return Err(Trouble::Http2(format!("it speaks TLS, but does not offer HTTP/2 in it: {help}")));
        }
        Ok(NodeStream::new(Channel::Tls(Box::new(tls)), place, is_http2))
    }
}

async fn connect(place: &Place) -> io::Result<Socket> {
    match place {
        Place::Tcp(address) => TcpStream::connect(address).await.map(Socket::Tcp),
        Place::Unix(path) => UnixStream::connect(path).await.map(Socket::Unix),
    }
}

/// A node that vanished without a word, or that stopped reading in the middle of an upload, is found out by the kernel.
fn prepare(socket: &TcpStream, write: Duration) -> io::Result<()> {
    socket.set_nodelay(true)?;
    let keepalive = TcpKeepalive::new()
        .with_time(KEEPALIVE_IDLE)
        .with_interval(KEEPALIVE_INTERVAL)
        .with_retries(KEEPALIVE_PROBES);
    let socket = SockRef::from(socket);
    socket.set_tcp_keepalive(&keepalive)?;
    socket.set_tcp_user_timeout(Some(write))
}
