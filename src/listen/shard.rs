//! The threads that do the work, each with connections of its own.
//!
//! A connection stays on the thread that it began on: its task, its node's connection and its timers never change the
//! processor, and threads share nothing that they write for every request. Measured against one runtime whose threads
//! take work from each other, that saves about a quarter of the processor time at 64 connections (docs/decisions.md).

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use pingora::apps::ReusedHttpStream;
use pingora::protocols::http::ServerSession;
use tokio::runtime::Handle;
use tokio::sync::watch;

/// How many connections more than the least busy thread one may have before it hands new ones over.
const SLACK: usize = 4;

/// What becomes of a connection when its request is done.
pub type Served<'a> = Pin<Box<dyn Future<Output = Option<ReusedHttpStream>> + Send + 'a>>;

/// Whatever speaks HTTP.
pub trait Serve: Send + Sync + 'static {
    /// Serves one request; gives its connection back if that may have another one. `stopping` turns true when its listener
    /// closes.
    fn serve_request<'a>(&'a self, session: ServerSession, stopping: &'a watch::Receiver<bool>)
    -> Served<'a>;
}

/// One thread's share of the work.
pub struct Shard {
    runtime: Handle,
    serve: Arc<dyn Serve>,
    connections: Arc<AtomicUsize>,
}

/// A connection on a shard, counted until dropped.
#[derive(Debug)]
pub(super) struct Presence(Arc<AtomicUsize>);

impl Shard {
    /// The share of the thread that runs `runtime`.
    pub fn new(runtime: Handle, serve: Arc<dyn Serve>) -> Self {
        Self { runtime, serve, connections: Arc::default() }
    }

    pub(super) fn runtime(&self) -> &Handle {
        &self.runtime
    }

    pub(super) fn serve(&self) -> Arc<dyn Serve> {
        Arc::clone(&self.serve)
    }

    /// Counts a connection.
    pub(super) fn enter(&self) -> Presence {
        self.connections.fetch_add(1, Ordering::Relaxed);
        Presence(Arc::clone(&self.connections))
    }

    fn load(&self) -> usize {
        self.connections.load(Ordering::Relaxed)
    }
}

impl Drop for Presence {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

/// Where a connection goes that the kernel gave to shard number `own`: there, unless another has clearly fewer.
///
/// The kernel spreads connections by their addresses, which is even for many and may be anything for a few.
pub(super) fn place(shards: &[Shard], own: usize) -> usize {
    let load = |number: usize| shards.get(number).map_or(usize::MAX, Shard::load);
    let Some(idlest) = (0..shards.len()).min_by_key(|&number| load(number)) else { return own };
    let least = load(idlest);
    if load(own) > least.saturating_add(SLACK).saturating_add(least / 8) { idlest } else { own }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Nobody;

    impl Serve for Nobody {
        fn serve_request<'a>(&'a self, _: ServerSession, _: &'a watch::Receiver<bool>) -> Served<'a> {
            Box::pin(async { None })
        }
    }

    #[test]
    fn connections_stay_unless_another_thread_has_clearly_fewer() {
        let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
        let shard = || Shard::new(runtime.handle().clone(), Arc::new(Nobody));
        let shards = [shard(), shard()];
        let mut here: Vec<_> = (0..SLACK).map(|_| shards[0].enter()).collect();
        assert_eq!(place(&shards, 0), 0);
        here.push(shards[0].enter());
        assert_eq!(place(&shards, 0), 1);
        assert_eq!(place(&shards, 1), 1);
        drop(here);
        assert_eq!(place(&shards, 0), 0);
    }
}
