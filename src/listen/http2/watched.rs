//! A client's stream whose frames are counted on their way.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use async_trait::async_trait;
use pingora::protocols::raw_connect::ProxyDigest;
use pingora::protocols::{
    GetProxyDigest, GetSocketDigest, GetTimingDigest, Peek, Shutdown, SocketDigest, Ssl, TimingDigest,
    UniqueID, UniqueIDType,
};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::ledger::Ledger;
use super::streams::Streams;
use crate::clock;
use crate::link::poll_sifted;
use crate::listen::stream::ClientStream;

/// The stream of a client that speaks HTTP/2, which is not read any more once it is a flood.
#[derive(Debug)]
pub(super) struct Watched {
    stream: ClientStream,
    ledger: Ledger,
    streams: Arc<Streams>,
    is_flood: bool,
}

impl Watched {
    /// What `stream` brings counts as the conduct of the client of `streams`.
    pub(super) fn new(stream: ClientStream, streams: Arc<Streams>) -> Self {
        Self { stream, ledger: Ledger::default(), streams, is_flood: false }
    }
}

impl AsyncRead for Watched {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        if this.is_flood {
            return Poll::Pending;
        }
        poll_sifted(&mut this.stream, cx, buf, |came| {
            let left = this.ledger.received(came, clock::millis);
            if left.is_none() {
                this.is_flood = true;
                // Wakes whoever accepts the requests of this connection, who ends it.
                this.streams.idle_frames();
            }
            left
        })
    }
}

impl AsyncWrite for Watched {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, data: &[u8]) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        let count = ready!(Pin::new(&mut this.stream).poll_write(cx, data))?;
        this.ledger.sent(data.get(..count).unwrap_or_default());
        Poll::Ready(Ok(count))
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().stream).poll_flush(cx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().stream).poll_shutdown(cx)
    }
}

#[async_trait]
impl Shutdown for Watched {
    async fn shutdown(&mut self) {
        self.stream.shutdown().await;
    }
}

impl UniqueID for Watched {
    fn id(&self) -> UniqueIDType {
        self.stream.id()
    }
}

impl GetTimingDigest for Watched {
    fn get_timing_digest(&self) -> Vec<Option<TimingDigest>> {
        self.stream.get_timing_digest()
    }
}

impl GetProxyDigest for Watched {
    fn get_proxy_digest(&self) -> Option<Arc<ProxyDigest>> {
        self.stream.get_proxy_digest()
    }
}

impl GetSocketDigest for Watched {
    fn get_socket_digest(&self) -> Option<Arc<SocketDigest>> {
        self.stream.get_socket_digest()
    }
}

impl Ssl for Watched {}

impl Peek for Watched {}

#[cfg(test)]
mod tests {
    use std::future::poll_fn;

    use tokio::io::{AsyncReadExt, AsyncWriteExt, duplex};

    const BEGINNING: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0";
    const PING: &[u8] = b"\0\0\x08\x06\0\0\0\0\0a client";

    /// How much fits on its way to either side.
    const ROOM: usize = 1024;

    // What is counted here is how much work a client makes; that what it makes is not kept without bound is h2's part.
    #[tokio::test]
    async fn client_that_reads_no_answer_to_its_frames_is_soon_not_read_from() {
        let (mut client, server) = duplex(ROOM);
        client.write_all(BEGINNING).await.expect("room");
        let mut wire = h2::server::handshake(server).await.expect("a beginning");
        let serving = tokio::spawn(async move { poll_fn(|cx| wire.poll_closed(cx)).await });
        let mut sent = 0;
        let flood = async {
            while client.write_all(PING).await.is_ok() {
                sent += PING.len();
            }
        };
        tokio::select! {
            biased;
            () = flood => panic!("the connection ended"),
            // Polled only when the flood waits, and then often enough for the other side to do all that it can.
            () = async { for _ in 0..1_000 { tokio::task::yield_now().await; } } => {}
        }
        assert!(sent < 64 * 1024, "{sent} bytes were read and not answered");
        let mut answer = [0; ROOM];
        client.read_exact(&mut answer).await.expect("answers that waited");
        serving.abort();
    }
}
