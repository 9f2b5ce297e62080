//! Room for connections, of which nobody can keep others out by saying nothing.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Weak};
use std::time::Duration;

use parking_lot::Mutex;
use tokio::sync::{Notify, OwnedSemaphorePermit, Semaphore};
use tokio::time::timeout;

/// How long one who was told to go is waited for.
const A_MOMENT: Duration = Duration::from_millis(100);

/// Places for connections. While all are taken, whoever has been there for longest without having asked gives up its place.
#[derive(Debug)]
pub(super) struct Crowd {
    places: Arc<Semaphore>,
    /// In the order in which they came; some may be gone.
    guests: Mutex<VecDeque<Weak<Guest>>>,
}

/// A connection's place, until dropped.
#[derive(Debug)]
pub(super) struct Guest {
    has_asked: AtomicBool,
    must_go: Notify,
    _place: OwnedSemaphorePermit,
}

impl Crowd {
    /// With so many places.
    pub(super) fn new(most: usize) -> Self {
        Self { places: Arc::new(Semaphore::new(most)), guests: Mutex::default() }
    }

    /// Takes a place, which somebody else may have to leave; waits while all have asked something.
    pub(super) async fn enter(&self) -> Option<Arc<Guest>> {
        let place = loop {
            if self.places.available_permits() == 0 {
                self.make_room();
            }
            let place = Arc::clone(&self.places).acquire_owned();
            // Whoever was told to go may have asked just then.
            if let Ok(place) = timeout(A_MOMENT, place).await {
                // It is never closed.
                break place.ok()?;
            }
        };
        let guest =
            Arc::new(Guest { has_asked: AtomicBool::new(false), must_go: Notify::new(), _place: place });
        let mut guests = self.guests.lock();
        guests.retain(|guest| guest.strong_count() > 0);
        guests.push_back(Arc::downgrade(&guest));
        Some(guest)
    }

    fn make_room(&self) {
        let mut guests = self.guests.lock();
        while let Some(guest) = guests.pop_front() {
            // Whoever has asked is done when it is answered, and does not come back in line.
            if let Some(guest) = guest.upgrade().filter(|guest| !guest.has_asked.load(Ordering::Relaxed)) {
                return guest.must_go.notify_one();
            }
        }
    }
}

impl Guest {
    /// The head of its request is there.
    pub(super) fn asks(&self) {
        self.has_asked.store(true, Ordering::Relaxed);
    }

    /// Ends when it has to give up its place.
    pub(super) async fn must_go(&self) {
        self.must_go.notified().await;
        if self.has_asked.load(Ordering::Relaxed) {
            // Just in time; what it asked may be done already.
            std::future::pending().await
        }
    }
}

#[cfg(test)]
mod tests {
    use tokio::task::yield_now;

    use super::*;

    #[tokio::test]
    async fn who_has_said_nothing_for_longest_makes_room() {
        let crowd = Crowd::new(2);
        let (first, second) = (crowd.enter().await.unwrap(), crowd.enter().await.unwrap());
        first.asks();
        let leaves = tokio::spawn(async move { second.must_go().await });
        let third = crowd.enter().await.unwrap();
        assert!(leaves.await.is_ok());
        third.asks();
        tokio::select! {
            biased;
            _ = crowd.enter() => panic!("both are being answered"),
            () = yield_now() => {}
        }
        drop(first);
        assert!(crowd.enter().await.is_some());
    }
}
