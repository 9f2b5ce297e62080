//! Opening a connection to a node.

use std::io;
use std::time::Duration;

use socket2::{SockRef, TcpKeepalive};
use tokio::net::{TcpStream, UnixStream};
use tokio::time::timeout;
use tokio_rustls::TlsConnector;

use super::stream::{NodeStream, Socket};
use super::{Link, Trouble};
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
        let Some(security) = &self.security else {
            return Err(Trouble::Unverified("nobody knows how to verify it".to_owned()));
        };
        let socket = match timeout(limits.connect, connect(place)).await {
            Ok(Ok(socket)) => socket,
            Ok(Err(why)) => return Err(Trouble::of_socket(why)),
            Err(_) => return Err(Trouble::Late { doing: "accept a connection", limit: limits.connect }),
        };
        if let Socket::Tcp(socket) = &socket {
            prepare(socket, limits.write).map_err(Trouble::of_socket)?;
        }
        let tls = TlsConnector::from(security.settings.clone());
        match timeout(limits.tls, tls.connect(security.server_name.clone(), socket)).await {
            Ok(Ok(tls)) => Ok(NodeStream::new(tls, place)),
            Ok(Err(why)) => Err(Trouble::of_tls(why, &security.server_name)),
            Err(_) => Err(Trouble::Late { doing: "agree on keys (TLS)", limit: limits.tls }),
        }
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
