//! Connections that requests share, and where they are found.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use bytes::Bytes;
use h2::client::SendRequest;
use parking_lot::Mutex;

use super::shared::{Seat, Shared};

/// Connections by what they are grouped by.
#[derive(Debug, Default)]
pub(super) struct Shelf(Mutex<HashMap<u64, Group>>);

/// The connections to one node.
#[derive(Debug, Default)]
struct Group {
    open: Vec<Arc<Shared>>,
    opening: Arc<Opening>,
}

/// Whoever opens a connection; the others wait for it rather than open one each.
#[derive(Debug, Default)]
pub(super) struct Opening {
    turn: tokio::sync::Mutex<()>,
    failures: AtomicU64,
}

impl Shelf {
    /// A place on a connection that is there and alive; it is asked for a sign of life for `limit` at the most.
    pub(super) async fn find(&self, key: u64, limit: Duration) -> Option<(Seat, SendRequest<Bytes>)> {
        loop {
            let (seat, sender) = self.take(key)?;
            if seat.shared().is_alive(limit).await {
                return Some((seat, sender));
            }
            seat.shared().retire();
        }
    }

    /// Adds a connection, and has a place on it.
    pub(super) fn add(&self, key: u64, shared: Arc<Shared>) -> Option<(Seat, SendRequest<Bytes>)> {
        let taken = shared.take();
        self.0.lock().entry(key).or_default().open.push(shared);
        taken
    }

    /// Whose turn it is to open a connection.
    pub(super) fn opening(&self, key: u64) -> Arc<Opening> {
        Arc::clone(&self.0.lock().entry(key).or_default().opening)
    }

    /// Forgets connections on which no more streams can be opened.
    pub(super) fn tidy(&self) {
        self.0.lock().retain(|_, group| {
            group.open.retain(|shared| !shared.is_retired());
            !group.open.is_empty() || Arc::strong_count(&group.opening) > 1
        });
    }

    fn take(&self, key: u64) -> Option<(Seat, SendRequest<Bytes>)> {
        let mut groups = self.0.lock();
        let group = groups.get_mut(&key)?;
        let taken = group.open.iter().find_map(Shared::take);
        if taken.is_none() {
            group.open.retain(|shared| !shared.is_retired());
        }
        taken
    }
}

impl Opening {
    /// Waits for whoever opens a connection. `None` if that went wrong: then everybody tries by itself, so that those who
    /// wait for a node that is gone do not wait for one another.
    pub(super) async fn turn(&self) -> Option<tokio::sync::MutexGuard<'_, ()>> {
        let before = self.failures.load(Ordering::Relaxed);
        let turn = self.turn.lock().await;
        (self.failures.load(Ordering::Relaxed) == before).then_some(turn)
    }

    /// The connection could not be opened.
    pub(super) fn failed(&self) {
        self.failures.fetch_add(1, Ordering::Relaxed);
    }
}
