//! Agreeing on keys with a client, where a listener speaks TLS.

use std::future::poll_fn;
use std::io;
use std::time::Duration;

use http::StatusCode;
use tokio::time::timeout;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::HandshakeKind;
use tokio_rustls::server::TlsStream;

use super::channel::Channel;
use super::connection::Security;
use super::refusal::Refusal;
use super::socket::Socket;
use crate::observe::Handshake;
use crate::tls::{Terminator, subject};

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

/// Agrees on keys within `limit`.
pub(super) async fn secure(
    mut socket: Socket,
    terminator: &Terminator,
    limit: Duration,
) -> Result<(Channel, Security, Handshake), Broken> {
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

fn agreed(tls: TlsStream<Socket>) -> (Channel, Security, Handshake) {
    let (_, state) = tls.get_ref();
    let how = match state.handshake_kind() {
        Some(HandshakeKind::Resumed) => Handshake::Resumed,
        _ => Handshake::Full,
    };
    let leaf = state.peer_certificates().and_then(|chain| chain.first());
    let security = Security { client: leaf.and_then(|leaf| subject(leaf)) };
    (Channel::sealed(tls), security, how)
}
