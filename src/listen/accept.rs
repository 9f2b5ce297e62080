//! The accept loops of a listener, one for each shard.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use http::StatusCode;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::unconstrained;
use tokio::time::timeout;

use super::connection::Connection;
use super::limits::{Full, Limits, Seat};
use super::refusal::Refusal;
use super::shard::{Shard, place};
use super::stream::ClientStream;
use super::{cut, linger};
use crate::config;
use crate::observe::{Limit, Observer};

/// The pause after accepting failed for want of descriptors or memory.
const PAUSE: Duration = Duration::from_millis(50);

/// The accept loop of one listener on one shard.
pub(super) struct Acceptor {
    pub(super) address: SocketAddr,
    pub(super) settings: Arc<ArcSwap<config::Listener>>,
    pub(super) stopping: watch::Receiver<bool>,
    /// Turns true when what is under way has had its time.
    pub(super) cutting: watch::Receiver<bool>,
    pub(super) shards: Arc<[Shard]>,
    /// The number of its shard.
    pub(super) own: usize,
    pub(super) limits: Arc<Limits>,
    pub(super) observer: Arc<Observer>,
}

impl Acceptor {
    /// Accepts connections until the listener closes.
    pub(super) async fn run(mut self, socket: std::net::TcpListener) {
        let socket = match TcpListener::from_std(socket) {
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

    async fn accepted(&self, accepted: io::Result<(TcpStream, SocketAddr)>) {
        match accepted {
            Ok((tcp, client)) => self.admit(tcp, client),
            Err(why) if is_the_clients(&why) => {}
            Err(why) => {
                self.observer.accept_failed(&self.address, &why);
                tokio::time::sleep(PAUSE).await;
            }
        }
    }

    fn admit(&self, tcp: TcpStream, client: SocketAddr) {
        let settings = self.settings.load();
        let is_trusted = settings.trusted_proxies.iter().any(|network| network.contains(&client.ip()));
        let most = settings.limits.connections_per_client.filter(|_| !is_trusted);
        match self.limits.seat(client.ip(), most) {
            Ok(seat) => self.hand_over(tcp, client, seat),
            Err(full) => self.refuse(tcp, client, full),
        }
    }

    /// Gives the connection to its shard. A socket that fails here was broken by its client already.
    fn hand_over(&self, tcp: TcpStream, client: SocketAddr, seat: Seat) {
        let Ok(local) = tcp.local_addr() else { return };
        let connection =
            Arc::new(Connection::new(client, local, Arc::clone(&self.settings), self.stopping.clone()));
        let number = place(&self.shards, self.own);
        let Some(shard) = self.shards.get(number) else { return };
        let (observer, cutting) = (Arc::clone(&self.observer), self.cutting.clone());
        let (service, stopping, presence) = (shard.serve(), self.stopping.clone(), shard.enter());
        let serve = move |tcp| async move {
            let stream = ClientStream::new(tcp, Arc::clone(&connection), seat, observer);
            cut::serve(service.serve(Box::new(stream), &stopping), &connection, cutting).await;
            drop(presence);
        };
        if number == self.own {
            tokio::spawn(serve(tcp));
            return;
        }
        let Ok(tcp) = tcp.into_std() else { return };
        shard.runtime().spawn(async move {
            let Ok(tcp) = TcpStream::from_std(tcp) else { return };
            serve(tcp).await;
        });
    }

    fn refuse(&self, tcp: TcpStream, client: SocketAddr, full: Full) {
        let (limit, status) = match full {
            Full::InAll => (Limit::InAll, StatusCode::SERVICE_UNAVAILABLE),
            Full::ForClient => (Limit::ForClient, StatusCode::TOO_MANY_REQUESTS),
        };
        self.observer.connection_refused(&client.ip(), limit);
        // In a flood the rest is closed without a word.
        let Some(room) = self.limits.refuse() else { return };
        // A socket that was just accepted takes these few bytes or is broken anyway.
        let _ = tcp.try_write(&Refusal::new(status).bytes);
        linger::close(tcp, room);
    }
}

/// Errors of `accept` that concern one client that has left again, not the listener.
fn is_the_clients(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::ConnectionAborted | io::ErrorKind::ConnectionReset | io::ErrorKind::Interrupted
    )
}
