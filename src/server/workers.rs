//! The threads that serve, one shard each.

use std::io;
use std::num::NonZeroUsize;
use std::sync::Arc;
use std::thread::{self, JoinHandle};

use tokio::runtime::Handle;
use tokio::sync::watch;

use super::{ServerError, runtime};
use crate::generation::Current;
use crate::listen::{Serve, Shard};
use crate::observe::Observer;
use crate::proxy::{Finishers, Proxy, Service};

/// The threads; they end, and whatever they still serve with them, on drop.
pub(super) struct Workers {
    workers: Vec<Worker>,
    end: watch::Sender<bool>,
}

struct Worker {
    thread: Option<JoinHandle<()>>,
    runtime: Handle,
    service: Arc<Service>,
}

/// One thread for each core unless told.
pub(super) fn count_threads(threads: Option<NonZeroUsize>) -> usize {
    threads.or_else(|| thread::available_parallelism().ok()).map_or(1, NonZeroUsize::get)
}

impl Workers {
    /// Starts `count` threads that serve what is in force, each with at most `pooled` idle connections to nodes.
    pub(super) fn start(
        count: usize,
        pooled: usize,
        current: &Arc<Current>,
        observer: &Arc<Observer>,
    ) -> Result<Self, ServerError> {
        let end = watch::Sender::new(false);
        let mut workers = Vec::with_capacity(count);
        let finishers = Finishers::new();
        for number in 0..count {
            let runtime = runtime()?;
            let handle = runtime.handle().clone();
            let service = Proxy::new(Arc::clone(current), Arc::clone(observer), finishers.clone());
            let mut ended = end.subscribe();
            let service = service.into_service(pooled).ok_or_else(|| ServerError::System {
                doing: "making the proxy",
                source: io::Error::other("Pingora does not give it away"),
            })?;
            let thread = thread::Builder::new()
                .name(format!("bookend-{number}"))
                .spawn(move || {
                    // An error here is the sender's end, which is the same.
                    let _ = runtime.block_on(ended.wait_for(|&ended| ended));
                })
                .map_err(|source| ServerError::System { doing: "starting a thread", source })?;
            workers.push(Worker { thread: Some(thread), runtime: handle, service: Arc::new(service) });
        }
        Ok(Self { workers, end })
    }

    /// Their shards, for the front door.
    pub(super) fn shards(&self) -> Vec<Shard> {
        let shard = |worker: &Worker| {
            Shard::new(worker.runtime.clone(), Arc::clone(&worker.service) as Arc<dyn Serve>)
        };
        self.workers.iter().map(shard).collect()
    }

    /// Their runtimes.
    pub(super) fn runtimes(&self) -> Vec<Handle> {
        self.workers.iter().map(|worker| worker.runtime.clone()).collect()
    }
}

impl Drop for Workers {
    fn drop(&mut self) {
        self.end.send_replace(true);
        for worker in &mut self.workers {
            // A thread that panicked has ended as well.
            let _ = worker.thread.take().map(JoinHandle::join);
        }
    }
}
