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
    /// How often there was none, and how often one that cannot be shared.
    failed: AtomicU64,
    own: AtomicU64,
}

/// What came of waiting for whoever opens a connection.
pub(super) enum Turn<'a> {
    /// Nobody opens one.
    Ours(#[expect(dead_code, reason = "it is held")] tokio::sync::MutexGuard<'a, ()>),
    /// They are not shared, so everybody opens one.
    Everybodys,
    /// It could not be opened, and those who waited do not wait once more.
    Failed,
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

    /// Adds a connection that may be without a stream for `idle`, and has a place on it.
    pub(super) fn add(
        &self,
        key: u64,
        shared: Arc<Shared>,
        idle: Option<Duration>,
    ) -> Option<(Seat, SendRequest<Bytes>)> {
        if let Some(idle) = idle {
            shared.keep_for(idle);
        }
        let taken = shared.take();
        let mut groups = self.0.lock();
        groups.entry(key).or_default().open.push(shared);
        tidy(&mut groups);
        taken
    }

    /// Whose turn it is to open a connection.
    pub(super) fn opening(&self, key: u64) -> Arc<Opening> {
        let mut groups = self.0.lock();
        if !groups.contains_key(&key) {
            tidy(&mut groups);
        }
        Arc::clone(&groups.entry(key).or_default().opening)
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

/// Forgets connections on which no more streams can be opened.
fn tidy(groups: &mut HashMap<u64, Group>) {
    groups.retain(|_, group| {
        group.open.retain(|shared| !shared.is_retired());
        !group.open.is_empty() || Arc::strong_count(&group.opening) > 1
    });
}

impl Opening {
    /// Waits for whoever opens a connection.
    pub(super) async fn turn(&self) -> Turn<'_> {
        let before = (self.failed.load(Ordering::Relaxed), self.own.load(Ordering::Relaxed));
        let turn = self.turn.lock().await;
        match (self.failed.load(Ordering::Relaxed), self.own.load(Ordering::Relaxed)) {
            (failed, _) if failed != before.0 => Turn::Failed,
            (_, own) if own != before.1 => Turn::Everybodys,
            (_, _) => Turn::Ours(turn),
        }
    }

    /// There is no connection.
    pub(super) fn failed(&self) {
        self.failed.fetch_add(1, Ordering::Relaxed);
    }

    /// There is one that cannot be shared.
    pub(super) fn was_own(&self) {
        self.own.fetch_add(1, Ordering::Relaxed);
    }
}
