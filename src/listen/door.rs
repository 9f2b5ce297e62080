//! The listeners: bound before anything changes, opened and closed as configurations come and go.

use std::collections::HashMap;
use std::io;
use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;

use arc_swap::ArcSwap;
use tokio::sync::watch;
use tokio::task::JoinHandle;

use super::accept::Acceptor;
use super::bind::bind;
use super::limits::Limits;
use super::shard::Shard;
use crate::config;
use crate::observe::Observer;

/// An address that could not be bound.
#[derive(Debug, thiserror::Error)]
#[error("listening on {address}")]
pub struct BindError {
    address: SocketAddr,
    source: io::Error,
}

/// All listeners.
pub struct FrontDoor {
    doors: HashMap<SocketAddr, Door>,
    /// Accept loops that were told to stop and may still hold their address.
    closing: Vec<JoinHandle<()>>,
    /// Turns true when what is under way has had its time.
    cutting: watch::Sender<bool>,
    shards: Arc<[Shard]>,
    limits: Arc<Limits>,
    observer: Arc<Observer>,
}

/// Listeners that are bound and accept nothing yet.
#[must_use]
pub struct Prepared {
    bound: Vec<(config::Listener, Vec<TcpListener>)>,
    kept: Vec<config::Listener>,
}

struct Door {
    settings: Arc<ArcSwap<config::Listener>>,
    stopping: watch::Sender<bool>,
    accepting: Vec<JoinHandle<()>>,
}

impl FrontDoor {
    /// A front door without listeners, whose connections are served by `shards`.
    pub fn new(shards: Vec<Shard>, limits: Arc<Limits>, observer: Arc<Observer>) -> Self {
        let (closing, cutting) = (Vec::new(), watch::Sender::new(false));
        Self { doors: HashMap::new(), closing, cutting, shards: shards.into(), limits, observer }
    }

    /// Binds those of `listeners` that are not open yet. If one of them cannot be bound nothing has changed.
    pub async fn prepare(&mut self, listeners: &[config::Listener]) -> Result<Prepared, BindError> {
        self.closed().await;
        let (kept, new): (Vec<_>, Vec<_>) =
            listeners.iter().cloned().partition(|listener| self.doors.contains_key(&listener.address));
        let mut bound = Vec::with_capacity(new.len());
        for listener in new {
            let address = listener.address;
            let sockets = bind(address, self.shards.len()).map_err(|source| BindError { address, source })?;
            bound.push((listener, sockets));
        }
        Ok(Prepared { bound, kept })
    }

    /// Opens what was prepared and closes every listener that was neither prepared nor kept.
    pub fn open(&mut self, prepared: Prepared) {
        let Prepared { bound, kept } = prepared;
        let stays = |address: &SocketAddr| kept.iter().any(|listener| listener.address == *address);
        for (address, door) in self.doors.extract_if(|address, _| !stays(address)) {
            self.observer.stopped_listening(&address);
            self.closing.extend(door.close());
        }
        for listener in kept {
            if let Some(door) = self.doors.get(&listener.address) {
                door.settings.store(Arc::new(listener));
            }
        }
        for (listener, sockets) in bound {
            self.observer.listening(&listener.address);
            let address = listener.address;
            let door = self.accept(listener, sockets);
            self.doors.insert(address, door);
        }
    }

    /// Closes every listener, and returns once all that the kernel had let in has been accepted; connections that are open
    /// go on until their request is done.
    pub async fn close(&mut self) {
        self.closing.extend(self.doors.drain().flat_map(|(_, door)| door.close()));
        self.closed().await;
    }

    /// Ends every connection, whatever it is doing; its request ends with an outcome.
    pub fn cut(&self) {
        self.cutting.send_replace(true);
    }

    /// Returns once the accept loops that were told to stop have let go of their addresses.
    async fn closed(&mut self) {
        for closed in self.closing.drain(..) {
            // A loop that panicked has let go as well.
            let _ = closed.await;
        }
    }

    fn accept(&self, listener: config::Listener, sockets: Vec<TcpListener>) -> Door {
        let address = listener.address;
        let settings = Arc::new(ArcSwap::from_pointee(listener));
        let stopping = watch::Sender::new(false);
        let accepting =
            sockets.into_iter().zip(self.shards.iter()).enumerate().map(|(own, (socket, shard))| {
                let acceptor = Acceptor {
                    address,
                    settings: Arc::clone(&settings),
                    stopping: stopping.subscribe(),
                    cutting: self.cutting.subscribe(),
                    shards: Arc::clone(&self.shards),
                    own,
                    limits: Arc::clone(&self.limits),
                    observer: Arc::clone(&self.observer),
                };
                shard.runtime().spawn(acceptor.run(socket))
            });
        let accepting = accepting.collect();
        Door { settings, stopping, accepting }
    }
}

impl Door {
    fn close(self) -> Vec<JoinHandle<()>> {
        self.stopping.send_replace(true);
        self.accepting
    }
}
