//! The accept loops of a listener, one for each shard.

use std::io;
use std::net::SocketAddr;
use std::num::NonZeroUsize;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use arc_swap::{ArcSwap, ArcSwapOption};
use http::StatusCode;
use tokio::sync::watch;
use tokio::task::unconstrained;
use tokio::time::timeout;

use super::channel::Channel;
use super::connection::Connection;
use super::cut::{self, Ending};
use super::handshake::{Agreed, Broken, begins_http2, secure};
use super::http2::Http2;
use super::introduction::{self, Duty, Unheard};
use super::limits::{Full, Limits, Seat};
use super::peer::{Peer, Security};
use super::refusal::Refusal;
use super::shard::{Serve, Shard, place};
use super::socket::{Bound, Listening, Socket};
use super::stream::ClientStream;
use super::{http1, linger};
use crate::config;
use crate::model::ListenAddress;
use crate::observe::{Introduction, Limit, Observer};
use crate::proxy_protocol::Source;
use crate::tls::Terminator;

/// The pause after accepting failed for want of descriptors or memory.
const PAUSE: Duration = Duration::from_millis(50);

/// The accept loop of one listener on one shard.
pub(super) struct Acceptor {
    pub(super) address: ListenAddress,
    pub(super) settings: Arc<ArcSwap<config::Listener>>,
    /// How TLS is spoken; empty where it is not.
    pub(super) tls: Arc<ArcSwapOption<Terminator>>,
    pub(super) stopping: watch::Receiver<bool>,
    /// Which of its connections end though their clients would go on.
    pub(super) ending: watch::Receiver<Ending>,
    pub(super) shards: Arc<[Shard]>,
    /// The number of its shard.
    pub(super) own: usize,
    pub(super) limits: Arc<Limits>,
    pub(super) observer: Arc<Observer>,
}

impl Acceptor {
    /// Accepts connections until the listener closes.
    pub(super) async fn run(mut self, bound: Bound) {
        let socket = match Listening::from_bound(bound) {
            Ok(socket) => socket,
            Err(why) => return self.observer.accept_failed(&self.address, &why),
        };
        loop {
            tokio::select! {
                biased;
                _ = self.stopping.changed() => break,
                accepted = socket.accept() => self.accepted(accepted).await,
            }
        }
        // Whoever the kernel has let in is served; closing the socket now would reset them.
        // Unconstrained: a task that has done much is told that nothing is ready, and then the rest would be reset.
        while let Ok(Ok(accepted)) = timeout(Duration::ZERO, unconstrained(socket.accept())).await {
            self.accepted(Ok(accepted)).await;
        }
    }

    async fn accepted(&self, accepted: io::Result<(Socket, Option<SocketAddr>)>) {
        match accepted {
            Ok((socket, client)) => self.admit(socket, client),
            Err(why) if is_the_clients(&why) => {}
            Err(why) => {
                self.observer.accept_failed(&self.address, &why);
                tokio::time::sleep(PAUSE).await;
            }
        }
    }

    fn admit(&self, socket: Socket, peer: Option<SocketAddr>) {
        let settings = self.settings.load();
        let duty = Duty::of(peer, &settings);
        // Whose connection it is shows later where somebody else passes it on.
        let most = most_for(peer, &settings).filter(|_| duty != Duty::Introduce);
        match self.limits.seat(peer.map(|peer| peer.ip()), most) {
            Ok(seat) => self.hand_over(socket, peer, duty, seat),
            Err(full) => {
                let refusal = Refused { client: peer, full, is_plain: self.tls.load().is_none() };
                refusal.tell(socket, &self.limits, &self.observer);
            }
        }
    }

    /// Gives the connection to its shard. A socket that fails here was broken by its client already.
    fn hand_over(&self, socket: Socket, peer: Option<SocketAddr>, duty: Duty, seat: Seat) {
        let number = place(&self.shards, self.own);
        let Some(shard) = self.shards.get(number) else { return };
        let arrived = Arrived {
            client: peer,
            duty,
            seat,
            settings: Arc::clone(&self.settings),
            tls: self.tls.load_full(),
            stopping: self.stopping.clone(),
            ending: self.ending.clone(),
            observer: Arc::clone(&self.observer),
        };
        let (service, presence) = (shard.serve(), shard.enter());
        let serve = move |socket| async move {
            arrived.serve(socket, service).await;
            drop(presence);
        };
        if number == self.own {
            tokio::spawn(serve(socket));
            return;
        }
        let Ok(moving) = socket.leave() else { return };
        shard.runtime().spawn(async move {
            let Ok(socket) = moving.arrive() else { return };
            serve(socket).await;
        });
    }
}

/// A client that has come in.
struct Arrived {
    /// Whoever connected, until somebody else is introduced.
    client: Option<SocketAddr>,
    duty: Duty,
    seat: Seat,
    settings: Arc<ArcSwap<config::Listener>>,
    tls: Option<Arc<Terminator>>,
    stopping: watch::Receiver<bool>,
    ending: watch::Receiver<Ending>,
    observer: Arc<Observer>,
}

impl Arrived {
    /// Hears whose connection it is, agrees on keys where TLS is spoken, and serves it until it is done.
    ///
    /// What only some connections need is in boxes: a future has room for the largest of its branches, and there are as many
    /// of these as there are idle clients.
    async fn serve(mut self, socket: Socket, service: Arc<dyn Serve>) {
        let Ok(local) = socket.local_addr() else { return };
        let socket = match self.duty {
            Duty::Nothing => socket,
            Duty::Introduce | Duty::SpeakForItself => match Box::pin(self.introduce(socket)).await {
                Some(socket) => socket,
                None => return,
            },
        };
        let Some((channel, security, is_http2)) = self.agree(socket).await else { return };
        let Self { client, seat, settings, stopping, ending, observer, .. } = self;
        let peer = Arc::new(Peer::new(client, local, settings, security, stopping.clone()));
        let connection = Arc::new(Connection::new(Arc::clone(&peer)));
        let stream = ClientStream::new(channel, Arc::clone(&connection), seat, Arc::clone(&observer));
        if is_http2 {
            connection.await_nothing();
            let http2 = Http2 {
                peer: Arc::clone(&peer),
                connection,
                service,
                stopping,
                ending: ending.clone(),
                observer,
            };
            cut::serve(Box::pin(http2.serve(stream)).as_mut(), &peer, ending).await;
        } else {
            cut::serve(pin!(http1::serve(stream, &*service, &stopping)), &peer, ending).await;
        }
    }

    /// Agrees on keys where TLS is spoken, and on the version of HTTP; `None` if there is nobody to serve.
    async fn agree(&mut self, socket: Socket) -> Option<(Channel, Option<Security>, bool)> {
        if self.tls.is_some() {
            let agreed = Box::pin(self.secure(socket)).await?;
            return Some((agreed.channel, Some(agreed.security), agreed.is_http2));
        }
        if !self.settings.load().http2 {
            return Some((Channel::Plain(socket), None, false));
        }
        let limit = self.settings.load().timeouts.head;
        let begins = tokio::select! {
            begins = Box::pin(begins_http2(socket, limit)) => begins?,
            // Its request may be on its way, as that of any other connection without one.
            _ = self.ending.wait_for(|&ending| ending != Ending::None) => return None,
        };
        Some((Channel::Plain(begins.0), None, begins.1))
    }

    /// `None` if there is nobody to serve.
    async fn introduce(&mut self, mut socket: Socket) -> Option<Socket> {
        let settings = self.settings.load_full();
        let heard = match (self.duty, &settings.proxy_protocol) {
            (Duty::Nothing, _) | (_, None) => return Some(socket),
            (Duty::Introduce, Some(proxy)) => tokio::select! {
                heard = introduction::hear(&mut socket, proxy.timeout) => heard,
                _ = self.ending.wait_for(|&ending| ending == Ending::All) => return None,
            },
            (Duty::SpeakForItself, Some(_)) => tokio::select! {
                heard = introduction::refuse(&mut socket, settings.timeouts.head) => match heard {
                    Ok(()) => return Some(socket),
                    Err(unheard) => Err(unheard),
                },
                _ = self.ending.wait_for(|&ending| ending == Ending::All) => return None,
            },
        };
        match heard {
            Ok(Source::Client(client)) => {
                self.observer.introduced(Introduction::Client);
                self.client = Some(client);
            }
            Ok(Source::Sender) => self.observer.introduced(Introduction::Sender),
            Err(Unheard { how, why }) => {
                let peer = self.client.map(|peer| peer.ip());
                self.observer.introduction_refused(peer, how, &why);
                return None;
            }
        }
        self.take_seat(socket, &settings)
    }

    /// Counts the connection as one of the client that was introduced, if that may have another one.
    fn take_seat(&mut self, socket: Socket, settings: &config::Listener) -> Option<Socket> {
        let most = most_for(self.client, settings);
        let Err(full) = self.seat.belong_to(self.client.map(|client| client.ip()), most) else {
            return Some(socket);
        };
        let refusal = Refused { client: self.client, full, is_plain: self.tls.is_none() };
        refusal.tell(socket, self.seat.limits(), &self.observer);
        None
    }

    /// `None` if there is nobody to serve.
    async fn secure(&mut self, socket: Socket) -> Option<Agreed> {
        let terminator = self.tls.as_ref()?;
        let limit = self.settings.load().timeouts.handshake;
        let shaken = tokio::select! {
            shaken = secure(socket, terminator, limit) => shaken,
            _ = self.ending.wait_for(|&ending| ending == Ending::All) => return None,
        };
        match shaken {
            Ok(agreed) => {
                self.observer.shaken(agreed.how);
                Some(agreed)
            }
            Err(Broken { how, why, told }) => {
                self.observer.handshake_broken(self.client.map(|client| client.ip()), how, &why);
                if let Some(channel) = told {
                    linger::close(channel, ());
                }
                None
            }
        }
    }
}

/// How many connections a client may have at a listener with these settings; `None` is no limit.
fn most_for(client: Option<SocketAddr>, settings: &config::Listener) -> Option<NonZeroUsize> {
    let is_trusted = settings.trusted_proxies.trust(client.map(|client| client.ip()));
    settings.limits.connections_per_client.filter(|_| !is_trusted)
}

/// A connection for which there is no place.
struct Refused {
    client: Option<SocketAddr>,
    full: Full,
    /// There is no TLS, so that its client can be told.
    is_plain: bool,
}

impl Refused {
    fn tell(self, socket: Socket, limits: &Limits, observer: &Observer) {
        let (limit, status) = match self.full {
            Full::InAll => (Limit::InAll, StatusCode::SERVICE_UNAVAILABLE),
            Full::ForClient => (Limit::ForClient, StatusCode::TOO_MANY_REQUESTS),
        };
        observer.connection_refused(self.client.map(|client| client.ip()), limit);
        // In a flood the rest is closed without a word, and before keys were agreed on there is none to say it with.
        let Some(room) = limits.refuse().filter(|_| self.is_plain) else { return };
        // A socket that was just accepted takes these few bytes or is broken anyway.
        let _ = socket.try_write(&Refusal::new(status).bytes);
        linger::close(Channel::Plain(socket), room);
    }
}

/// Errors of `accept` that concern one client that has left again, not the listener.
fn is_the_clients(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::ConnectionAborted | io::ErrorKind::ConnectionReset | io::ErrorKind::Interrupted
    )
}
