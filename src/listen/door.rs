//! The listeners: bound before anything changes, opened and closed as configurations come and go.

use std::collections::HashMap;
use std::io;
use std::sync::Arc;

use arc_swap::{ArcSwap, ArcSwapOption};
use tokio::sync::watch;
use tokio::task::JoinHandle;

use super::accept::Acceptor;
use super::bind::{Sockets, bind};
use super::cut::Ending;
use super::limits::Limits;
use super::shard::Shard;
use super::socket::Bound;
use crate::config;
use crate::model::ListenAddress;
use crate::observe::Observer;
use crate::passed::{Given, Passed};
use crate::tls::{Terminator, Tls};

/// An address that could not be bound.
#[derive(Debug, thiserror::Error)]
#[error("listening on {address}")]
pub struct BindError {
    address: ListenAddress,
    source: io::Error,
}

/// All listeners.
pub struct FrontDoor {
    doors: HashMap<ListenAddress, Door>,
    /// Accept loops that were told to stop and may still hold their address.
    closing: Vec<JoinHandle<()>>,
    /// Turns true when what is under way has had its time.
    ending: watch::Sender<Ending>,
    shards: Arc<[Shard]>,
    limits: Arc<Limits>,
    passed: Arc<Passed>,
    observer: Arc<Observer>,
}

/// Listeners that are bound and accept nothing yet.
#[must_use]
pub struct Prepared {
    bound: Vec<(config::Listener, Sockets, Vec<Bound>)>,
    kept: Vec<config::Listener>,
}

struct Door {
    settings: Arc<ArcSwap<config::Listener>>,
    tls: Arc<ArcSwapOption<Terminator>>,
    stopping: watch::Sender<bool>,
    accepting: Vec<JoinHandle<()>>,
    sockets: Sockets,
}

impl FrontDoor {
    /// A front door without listeners, whose connections are served by `shards`; listeners at addresses of sockets that were
    /// `passed` adopt them.
    pub fn new(
        shards: Vec<Shard>,
        passed: Arc<Passed>,
        limits: Arc<Limits>,
        observer: Arc<Observer>,
    ) -> Self {
        let (closing, ending) = (Vec::new(), watch::Sender::new(Ending::None));
        Self { doors: HashMap::new(), closing, ending, shards: shards.into(), limits, passed, observer }
    }

    /// Binds those of `listeners` that are not open yet. If one of them cannot be bound nothing has changed.
    pub async fn prepare(&mut self, listeners: &[config::Listener]) -> Result<Prepared, BindError> {
        self.closed().await;
        let (kept, new): (Vec<_>, Vec<_>) =
            listeners.iter().cloned().partition(|listener| self.doors.contains_key(&listener.address));
        let mut bound = Vec::with_capacity(new.len());
        for listener in new {
            let count = self.shards.len();
            let sockets = bind(&listener, count, &self.passed)
                .and_then(|sockets| sockets.spread(count).map(|each| (sockets, each)));
            let (sockets, each) =
                sockets.map_err(|source| BindError { address: listener.address.clone(), source })?;
            bound.push((listener, sockets, each));
        }
        Ok(Prepared { bound, kept })
    }

    /// Opens what was prepared and closes every listener that was neither prepared nor kept; those of them that `tls` has
    /// speak it.
    pub fn open(&mut self, prepared: Prepared, tls: &Tls) {
        let Prepared { bound, kept } = prepared;
        let stays = |address: &ListenAddress| kept.iter().any(|listener| listener.address == *address);
        for (address, door) in self.doors.extract_if(|address, _| !stays(address)) {
            self.observer.stopped_listening(&address);
            self.closing.extend(door.close());
        }
        for listener in kept {
            if let Some(door) = self.doors.get(&listener.address) {
                self.follow(door, listener);
            }
        }
        self.secure(tls);
        for (listener, sockets, each) in bound {
            self.observer.listening(&listener.address);
            let address = listener.address.clone();
            let door = self.accept(listener, sockets, each, tls.of(&address).cloned());
            self.doors.insert(address, door);
        }
    }

    /// The sockets of every listener, and those that systemd passed, to be passed on.
    ///
    /// # Errors
    ///
    /// If there are no more descriptors.
    pub fn to_pass_on(&self) -> io::Result<Vec<Given>> {
        let mut sockets = self.passed.to_pass_on()?;
        for door in self.doors.values() {
            sockets.extend(door.sockets.to_pass_on()?);
        }
        Ok(sockets)
    }

    /// Whether the listeners are another process's as well, so that closing them here ends nothing.
    pub fn leave(&mut self, is_left: bool) {
        for file in self.doors.values_mut().filter_map(|door| door.sockets.file.as_mut()) {
            file.leave(is_left);
        }
    }

    /// Closes every listener, and returns once all that the kernel had let in has been accepted; connections that are open
    /// go on until their request is done.
    pub async fn close(&mut self) {
        self.closing.extend(self.doors.drain().flat_map(|(_, door)| door.close()));
        self.closed().await;
    }

    /// Ends every connection that has no request under way, and each of the others when it has none any more.
    pub fn end_idle(&self) {
        self.ending.send_replace(Ending::Idle);
    }

    /// Ends every connection, whatever it is doing; its request ends with an outcome.
    pub fn cut(&self) {
        self.ending.send_replace(Ending::All);
    }

    /// Returns once the accept loops that were told to stop have let go of their addresses.
    async fn closed(&mut self) {
        for closed in self.closing.drain(..) {
            // A loop that panicked has let go as well.
            let _ = closed.await;
        }
    }

    /// Gives `door` these settings.
    fn follow(&self, door: &Door, listener: config::Listener) {
        let is_new = door.settings.load().socket_mode != listener.socket_mode;
        if let Some(file) = door.sockets.file.as_ref().filter(|_| is_new)
            && let Err(why) = file.set_mode(listener.socket_mode)
        {
            self.observer.socket_mode_kept(&listener.address, &why);
        }
        door.settings.store(Arc::new(listener));
    }

    /// Has the listeners speak TLS like this with those who connect from now on.
    pub fn secure(&self, tls: &Tls) {
        for (address, door) in &self.doors {
            door.tls.store(tls.of(address).cloned());
        }
    }

    fn accept(
        &self,
        listener: config::Listener,
        sockets: Sockets,
        each: Vec<Bound>,
        tls: Option<Arc<Terminator>>,
    ) -> Door {
        let tls = Arc::new(ArcSwapOption::new(tls));
        let address = listener.address.clone();
        let settings = Arc::new(ArcSwap::from_pointee(listener));
        let stopping = watch::Sender::new(false);
        let accepting =
            each.into_iter().zip(self.shards.iter().enumerate().cycle()).map(|(socket, (own, shard))| {
                let acceptor = Acceptor {
                    address: address.clone(),
                    settings: Arc::clone(&settings),
                    tls: Arc::clone(&tls),
                    stopping: stopping.subscribe(),
                    ending: self.ending.subscribe(),
                    shards: Arc::clone(&self.shards),
                    own,
                    limits: Arc::clone(&self.limits),
                    observer: Arc::clone(&self.observer),
                };
                shard.runtime().spawn(acceptor.run(socket))
            });
        let accepting = accepting.collect();
        Door { settings, tls, stopping, accepting, sockets }
    }
}

impl Door {
    /// Tells its accept loops to stop. A Unix socket's file goes first: whoever comes now finds nobody, and those who are
    /// waiting already are let in.
    fn close(self) -> Vec<JoinHandle<()>> {
        drop(self.sockets);
        self.stopping.send_replace(true);
        self.accepting
    }
}
