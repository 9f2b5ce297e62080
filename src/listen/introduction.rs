//! Hearing from a balancer whose connection it passes on (the PROXY protocol), before anything else is said on it.

use std::future::poll_fn;
use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use tokio::io::AsyncReadExt;
use tokio::time::timeout;

use super::socket::Socket;
use crate::config;
use crate::observe::Introduction;
use crate::proxy_protocol::{Header, Source, TELLING, is_begun_by};

/// How much is looked at in one go; headers are hardly ever longer.
const PIECE: usize = 512;

/// How a connection began on which nothing can follow.
#[derive(Debug)]
pub(super) struct Unheard {
    pub(super) how: Introduction,
    /// What is wrong; empty where `how` says it all.
    pub(super) why: String,
}

/// Hears the header that `socket` begins with, and takes no byte behind it.
pub(super) async fn hear(socket: &mut Socket, limit: Duration) -> Result<Source, Unheard> {
    let mut header = Header::default();
    match timeout(limit, read(socket, &mut header)).await {
        Ok(heard) => heard,
        Err(_) => Err(Unheard::without_a_word(Introduction::Late)),
    }
}

async fn read(socket: &mut Socket, header: &mut Header) -> Result<Source, Unheard> {
    let mut bytes = [0; PIECE];
    loop {
        let there = poll_fn(|cx| socket.poll_peek(cx, &mut bytes)).await.map_err(Unheard::by_its_end)?;
        if there == 0 {
            return Err(match header.has_begun() {
                true => Unheard { how: Introduction::Malformed, why: "it breaks off".to_owned() },
                false => Unheard::without_a_word(Introduction::Gone),
            });
        }
        let heard = header.read(bytes.get(..there).unwrap_or_default());
        let heard = heard.map_err(|flaw| Unheard { how: flaw.into(), why: flaw.to_string() })?;
        let its = heard.map_or(there, |(_, its)| its);
        // They are there, so this does not wait.
        socket.read_exact(bytes.get_mut(..its).unwrap_or_default()).await.map_err(Unheard::by_its_end)?;
        if let Some((source, _)) = heard {
            return Ok(source);
        }
    }
}

/// Makes sure that somebody who may not introduce others does not: they are told apart from a client that sends nonsense,
/// because most of them are balancers that the configuration forgot. Takes no byte.
pub(super) async fn refuse(socket: &mut Socket, limit: Duration) -> Result<(), Unheard> {
    let mut first = [0; TELLING];
    match timeout(limit, poll_fn(|cx| socket.poll_peek(cx, &mut first))).await {
        Ok(Ok(count)) if is_begun_by(first.get(..count).unwrap_or_default()) => {
            Err(Unheard::without_a_word(Introduction::Untrusted))
        }
        // Whoever says nothing has had the time for the head of a request.
        Ok(Ok(0) | Err(_)) | Err(_) => Err(Unheard::without_a_word(Introduction::Gone)),
        Ok(Ok(_)) => Ok(()),
    }
}

/// What `peer` has to do before anything else, by the settings of its listener.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Duty {
    /// To say whose connection this is.
    Introduce,
    /// Not to say whose connection this is.
    SpeakForItself,
    /// Nothing: the listener knows no introductions.
    Nothing,
}

impl Duty {
    pub(super) fn of(peer: Option<SocketAddr>, settings: &config::Listener) -> Self {
        match &settings.proxy_protocol {
            None => Self::Nothing,
            Some(proxy) if proxy.from.trust(peer.map(|peer| peer.ip())) => Self::Introduce,
            Some(_) => Self::SpeakForItself,
        }
    }
}

impl Unheard {
    fn without_a_word(how: Introduction) -> Self {
        Self { how, why: String::new() }
    }

    fn by_its_end(_: io::Error) -> Self {
        Self::without_a_word(Introduction::Gone)
    }
}
