//! A node that can do only so much: its workers, each busy with one request for a while, and the line before them.
//!
//! Whatever is in it takes memory. When there is too much it slows down, as a machine that swaps does, and in the end the
//! system kills it. It does not notice who has left: most servers look at a connection only to write the answer.

use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Mutex, OnceLock};
use std::time::Duration;

use rustix::process::{Signal, getpid, kill_process};
use serde::{Deserialize, Serialize};
use tokio::sync::Semaphore;
use tokio::time::{Instant, sleep_until};

/// What a node can do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Works {
    /// Requests that it works on at once; the same as long as its process lives.
    pub(crate) workers: u32,
    /// How long each takes while there is enough memory.
    pub(crate) takes: Duration,
    /// With so many requests in it each takes twice as long. From half of that on it gets slower in proportion.
    pub(crate) slows_at: u32,
    /// How many may be in it.
    pub(crate) holds: u32,
    /// What happens when there are more.
    pub(crate) overfilled: Overfilled,
}

/// What happens to a node when more is in it than its memory holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Overfilled {
    /// The system kills it.
    Dies,
    /// It knows, and answers 503 at once.
    Says503,
}

impl Works {
    /// One that is never short of memory.
    pub(crate) const fn roomy(workers: u32, takes: Duration) -> Self {
        Self { workers, takes, slows_at: u32::MAX, holds: u32::MAX, overfilled: Overfilled::Dies }
    }

    /// How long one request takes a worker with so many in the node.
    fn takes_with(self, inside: u32) -> Duration {
        let half = f64::from(self.slows_at) / 2.0;
        let excess = (f64::from(inside) - half).max(0.0);
        self.takes.mul_f64(1.0 + excess / half)
    }
}

/// The workers of a node and what is in it.
#[derive(Default)]
pub(super) struct Plant {
    line: OnceLock<Semaphore>,
    /// When each worker that waits for work was done with its last.
    free: Mutex<Vec<Instant>>,
    inside: AtomicU32,
}

impl Plant {
    /// Returns when a worker is done with one more request, or at once with `false` if none will be; `works` says what the
    /// node can do at that time.
    pub(super) async fn work(&self, works: impl Fn() -> Works) -> bool {
        let arrived = Instant::now();
        let workers = works().workers;
        let line = self.line.get_or_init(|| {
            self.free.lock().unwrap().extend((0..workers).map(|_| arrived));
            Semaphore::new(usize::try_from(workers).unwrap())
        });
        let inside = self.inside.fetch_add(1, Ordering::Relaxed) + 1;
        if inside > works().holds {
            match works().overfilled {
                Overfilled::Dies => die_of_memory(),
                Overfilled::Says503 => {
                    self.inside.fetch_sub(1, Ordering::Relaxed);
                    return false;
                }
            }
        }
        let permit = line.acquire().await.unwrap();
        let free_since = self.free.lock().unwrap().pop().unwrap();
        // A timer is up to a millisecond late. What it is late the worker makes up for with the next request, or a node of
        // short requests could do less than it should.
        let done = arrived.max(free_since) + works().takes_with(self.inside.load(Ordering::Relaxed));
        sleep_until(done).await;
        self.free.lock().unwrap().push(done);
        self.inside.fetch_sub(1, Ordering::Relaxed);
        drop(permit);
        true
    }
}

/// As the system does to a process when there is no memory left.
fn die_of_memory() -> ! {
    let _ = kill_process(getpid(), Signal::KILL);
    std::process::abort()
}
