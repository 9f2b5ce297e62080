//! How many connections there may be, in all and for one client.

use std::collections::HashMap;
use std::net::IpAddr;
use std::num::NonZeroUsize;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use parking_lot::Mutex;
use tokio::sync::{Notify, OwnedSemaphorePermit, Semaphore};

use crate::model::ClientNetwork;

/// Connections of refused clients that may linger, so that a flood of them holds no more descriptors than that.
const MOST_REFUSED: usize = 128;

/// The connections that are open, and how many may be.
#[derive(Debug)]
pub struct Limits {
    /// What the descriptors are good for.
    possible: NonZeroUsize,
    most: AtomicUsize,
    open: AtomicUsize,
    by_client: Mutex<HashMap<ClientNetwork, usize>>,
    emptied: Notify,
    refused: Arc<Semaphore>,
}

/// A place for one connection; freed on drop.
#[derive(Debug)]
pub struct Seat {
    limits: Arc<Limits>,
    client: Option<ClientNetwork>,
}

/// Why a connection gets no place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Full {
    /// There are as many connections as the process may have.
    InAll,
    /// This client has as many as one may have.
    ForClient,
}

impl Limits {
    /// Room for as many connections in all as are `possible`.
    pub fn new(possible: NonZeroUsize) -> Self {
        Self {
            possible,
            most: AtomicUsize::new(possible.get()),
            open: AtomicUsize::new(0),
            by_client: Mutex::default(),
            emptied: Notify::new(),
            refused: Arc::new(Semaphore::new(MOST_REFUSED)),
        }
    }

    /// Changes how many connections there may be in all, to `wanted` or to as many as are possible; those that are open
    /// stay.
    pub fn allow(&self, wanted: Option<NonZeroUsize>) {
        let most = wanted.map_or(self.possible, |wanted| wanted.min(self.possible));
        self.most.store(most.get(), Ordering::Relaxed);
    }

    /// Room for a refused connection to linger in; `None` in a flood of them.
    pub(super) fn refuse(&self) -> Option<OwnedSemaphorePermit> {
        Arc::clone(&self.refused).try_acquire_owned().ok()
    }

    /// Connections that are open.
    pub fn open(&self) -> usize {
        self.open.load(Ordering::Relaxed)
    }

    /// Returns once no connection is open.
    pub async fn emptied(&self) {
        loop {
            let emptied = self.emptied.notified();
            if self.open() == 0 {
                return;
            }
            emptied.await;
        }
    }

    /// A place for a connection of `client`, which may have `most_for_client`; where either is `None` it counts in all only.
    pub fn seat(
        self: &Arc<Self>,
        client: Option<IpAddr>,
        most_for_client: Option<NonZeroUsize>,
    ) -> Result<Seat, Full> {
        if self.open.fetch_add(1, Ordering::Relaxed) >= self.most.load(Ordering::Relaxed) {
            self.leave();
            return Err(Full::InAll);
        }
        let mut seat = Seat { limits: Arc::clone(self), client: None };
        seat.belong_to(client, most_for_client)?;
        Ok(seat)
    }

    fn leave(&self) {
        if self.open.fetch_sub(1, Ordering::Relaxed) == 1 {
            self.emptied.notify_waiters();
        }
    }
}

impl Seat {
    /// From now on it counts as one of `client`, which may have `most_for_client`; not, where either is `None`.
    pub(super) fn belong_to(
        &mut self,
        client: Option<IpAddr>,
        most_for_client: Option<NonZeroUsize>,
    ) -> Result<(), Full> {
        let (Some(client), Some(most)) = (client, most_for_client) else { return Ok(()) };
        let client = ClientNetwork::of(client);
        let mut by_client = self.limits.by_client.lock();
        let count = by_client.entry(client).or_default();
        if *count >= most.get() {
            return Err(Full::ForClient);
        }
        *count += 1;
        self.client = Some(client);
        Ok(())
    }

    /// Those that it is one of.
    pub(super) fn limits(&self) -> &Limits {
        &self.limits
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        if let Some(client) = self.client {
            let mut by_client = self.limits.by_client.lock();
            if let Some(count) = by_client.get_mut(&client) {
                *count = count.saturating_sub(1);
                if *count == 0 {
                    by_client.remove(&client);
                }
            }
        }
        self.limits.leave();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn count(count: usize) -> NonZeroUsize {
        NonZeroUsize::new(count).expect("not zero")
    }

    fn address(text: &str) -> Option<IpAddr> {
        Some(text.parse().expect("an address"))
    }

    #[test]
    fn a_seat_is_free_again_once_it_is_left() {
        let limits = Arc::new(Limits::new(count(1)));
        let seat = limits.seat(address("10.0.0.1"), None).expect("room");
        assert_eq!(limits.seat(address("10.0.0.2"), None).err(), Some(Full::InAll));
        drop(seat);
        assert!(limits.seat(address("10.0.0.2"), None).is_ok());
        assert_eq!(limits.open(), 0);
    }

    #[test]
    fn one_client_leaves_room_for_the_others() {
        let limits = Arc::new(Limits::new(count(9)));
        let _seat = limits.seat(address("10.0.0.1"), Some(count(1))).expect("room");
        assert_eq!(limits.seat(address("10.0.0.1"), Some(count(1))).err(), Some(Full::ForClient));
        assert!(limits.seat(address("10.0.0.2"), Some(count(1))).is_ok());
        assert_eq!(limits.open(), 1);
    }

    #[test]
    fn one_network_of_ipv6_is_one_client() {
        let limits = Arc::new(Limits::new(count(9)));
        let _seat = limits.seat(address("2001:db8::1"), Some(count(1))).expect("room");
        assert_eq!(limits.seat(address("2001:db8::2"), Some(count(1))).err(), Some(Full::ForClient));
        assert!(limits.seat(address("2001:db8:0:1::1"), Some(count(1))).is_ok());
    }

    #[test]
    fn no_more_are_allowed_than_are_possible() {
        let limits = Arc::new(Limits::new(count(2)));
        limits.allow(Some(count(9)));
        let _seats = [limits.seat(address("10.0.0.1"), None), limits.seat(address("10.0.0.1"), None)];
        assert_eq!(limits.seat(address("10.0.0.1"), None).err(), Some(Full::InAll));
        limits.allow(Some(count(1)));
        assert_eq!(limits.open(), 2);
        limits.allow(None);
        assert_eq!(limits.most.load(Ordering::Relaxed), 2);
    }

    #[test]
    fn seat_that_found_its_client_counts_for_it() {
        let limits = Arc::new(Limits::new(count(9)));
        let mut seats = [(); 2].map(|()| limits.seat(address("10.0.0.9"), None).expect("room"));
        assert_eq!(seats[0].belong_to(address("192.0.2.1"), Some(count(1))), Ok(()));
        assert_eq!(seats[1].belong_to(address("192.0.2.1"), Some(count(1))), Err(Full::ForClient));
        drop(seats);
        assert!(limits.by_client.lock().is_empty());
        assert_eq!(limits.open(), 0);
    }

    #[test]
    fn clients_that_left_are_forgotten() {
        let limits = Arc::new(Limits::new(count(9)));
        drop(limits.seat(address("10.0.0.1"), Some(count(1))));
        assert!(limits.by_client.lock().is_empty());
    }
}
