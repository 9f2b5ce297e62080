//! Agreeing on keys with a client, where a listener speaks TLS.

use std::future::poll_fn;
use std::io;
use std::time::Duration;

use http::StatusCode;
use tokio::time::{sleep, timeout};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::HandshakeKind;
use tokio_rustls::server::TlsStream;

use super::channel::Channel;
use super::peer::Security;
use super::refusal::Refusal;
use super::socket::Socket;
use crate::observe::Handshake;
use crate::tls::{Terminator, subject};

/// What a client and bookend have agreed on.
#[derive(Debug)]
pub(super) struct Agreed {
    pub(super) channel: Channel,
    pub(super) security: Security,
    /// How the handshake went.
    pub(super) how: Handshake,
    /// Whether HTTP/2 is spoken.
    pub(super) is_http2: bool,
}

/// A connection that did not come to be.
#[derive(Debug)]
pub(super) struct Broken {
    /// How the handshake ended.
    pub(super) how: Handshake,
    /// Why, in the words of the library; empty where `how` says it all.
    pub(super) why: String,
    /// The connection, where the client can still be told.
    pub(super) told: Option<Channel>,
}

/// How HTTP/2 begins; no request of HTTP/1 does.
const PREFACE: &[u8] = b"PRI * ";

/// How often a client is looked at that has said less than that.
const LOOK_AGAIN: Duration = Duration::from_millis(5);

/// Agrees on keys within `limit`.
pub(super) async fn secure(
    mut socket: Socket,
    terminator: &Terminator,
    limit: Duration,
) -> Result<Agreed, Broken> {
    let broken = |how, why: String| Broken { how, why, told: None };
    let shaking = async {
        let first = poll_fn(|cx| socket.poll_first(cx)).await;
        match first.map_err(|why| broken(Handshake::Gone, why.to_string()))? {
            None => Err(broken(Handshake::Gone, String::new())),
            // No record of TLS begins with a letter, and every method of HTTP does.
            Some(byte) if byte.is_ascii_alphabetic() => Err(plain(socket)),
            Some(_) => {
                let accepted = TlsAcceptor::from(terminator.server()).accept(socket).await;
                accepted.map_err(|why| broken(how(&why), why.to_string()))
            }
        }
    };
    match timeout(limit, shaking).await {
        Err(_) => Err(broken(Handshake::Late, String::new())),
        Ok(shaken) => shaken.map(agreed),
    }
}

/// Tells a client that speaks no TLS that this is wanted here.
fn plain(socket: Socket) -> Broken {
    let mut channel = Channel::Plain(socket);
    // A socket that was just accepted takes these few bytes or is broken anyway.
    channel.try_write(&Refusal::new(StatusCode::BAD_REQUEST).bytes);
    Broken { how: Handshake::Plain, why: String::new(), told: Some(channel) }
}

fn how(why: &io::Error) -> Handshake {
    match why.kind() {
        // What rustls has to say about what the client sent.
        io::ErrorKind::InvalidData => Handshake::Failed,
        _ => Handshake::Gone,
    }
}

fn agreed(tls: TlsStream<Socket>) -> Agreed {
    let (_, state) = tls.get_ref();
    let how = match state.handshake_kind() {
        Some(HandshakeKind::Resumed) => Handshake::Resumed,
        _ => Handshake::Full,
    };
    let leaf = state.peer_certificates().and_then(|chain| chain.first());
    let security = Security { client: leaf.and_then(|leaf| subject(leaf)) };
    let is_http2 = state.alpn_protocol() == Some(b"h2");
    Agreed { channel: Channel::sealed(tls), security, how, is_http2 }
}

/// Whether a client that speaks no TLS begins with HTTP/2, which it says with its first bytes (RFC 9113, 3.4); `None` if it
/// says nothing within `limit`, or leaves.
pub(super) async fn begins_http2(mut socket: Socket, limit: Duration) -> Option<(Socket, bool)> {
    let looking = async {
        loop {
            let mut bytes = [0; PREFACE.len()];
            let count =
                poll_fn(|cx| socket.poll_peek(cx, &mut bytes)).await.ok().filter(|&count| count > 0)?;
            let seen = bytes.get(..count).unwrap_or_default();
            if !PREFACE.starts_with(seen) || count == PREFACE.len() {
                return Some(seen == PREFACE);
            }
            // What is there stays there, so that nothing would wake us when more comes.
            sleep(LOOK_AGAIN).await;
        }
    };
    let is_http2 = timeout(limit, looking).await.ok()??;
    Some((socket, is_http2))
}
