//! What arrives: independent clients, so many a second on average, at random distances.

use std::net::Ipv4Addr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use crate::client::{Answers, Ask, Kind, Protocol, Script};
use crate::node::{Order, Place};
use crate::row::{Clients, Meanwhile, Methods, Row};

/// The largest body.
const LARGEST: usize = 30_000;
/// What uploads are.
const UPLOAD: usize = 100_000;

/// Longer than people wait.
const PATIENCE: Duration = Duration::from_secs(10);
/// As long as a client waits that leaves, and the part of the requests that are of such.
const LEAVES_AFTER: Duration = Duration::from_millis(100);
const LEAVE: f64 = 0.5;

/// The client that sends nearly everything, where one does.
const FLOODS: u32 = 0;
const OTHERS: u32 = 100;
/// What the others send together, of what a node can carry.
const OF_OTHERS: f64 = 0.1;

/// The traffic of a row.
pub(crate) struct Traffic {
    row: Row,
    rate: Rate,
    rng: fastrand::Rng,
    due: Duration,
}

/// How much arrives each second, in thousandths of a request: it can be changed while it arrives.
#[derive(Clone)]
pub(crate) struct Rate(Arc<AtomicU64>);

impl Rate {
    pub(crate) fn new(per_second: f64) -> Self {
        let rate = Self(Arc::default());
        rate.set(per_second);
        rate
    }

    pub(crate) fn set(&self, per_second: f64) {
        self.0.store((per_second * 1e3) as u64, Ordering::Relaxed);
    }

    fn per_second(&self) -> f64 {
        self.0.load(Ordering::Relaxed) as f64 / 1e3
    }
}

impl Traffic {
    pub(crate) fn new(row: &Row, rate: Rate, seed: u64) -> Self {
        Self { row: *row, rate, rng: fastrand::Rng::with_seed(seed), due: Duration::ZERO }
    }

    fn client(&mut self) -> Ipv4Addr {
        let number = match self.row.clients {
            Clients::Alike(number) => 1 + self.rng.u32(..number),
            Clients::OneFloods => {
                let of_others = OF_OTHERS * f64::from(self.row.capacity) / self.rate.per_second();
                if self.rng.f64() < of_others { 1 + self.rng.u32(..OTHERS) } else { FLOODS }
            }
        };
        address(number)
    }
}

/// Whether this client is the one that floods.
pub(crate) fn floods(client: Ipv4Addr) -> bool {
    client == address(FLOODS)
}

fn address(number: u32) -> Ipv4Addr {
    Ipv4Addr::from(u32::from(Ipv4Addr::new(127, 0, 1, 1)) + number)
}

fn plain(kind: Kind, id: u64, sent: usize) -> Ask {
    let order = Order { place: Place::Own, id, sent, wanted: 200, chunked: false, etag: false };
    Ask {
        speaks: Protocol::Http1,
        kind,
        order,
        deadline: None,
        client: address(FLOODS),
        sends_chunked: false,
        is_fresh: false,
    }
}

impl Script for Traffic {
    fn due(&mut self) -> Duration {
        // The distances of a Poisson process.
        let apart = -(1.0 - self.rng.f64()).ln() / self.rate.per_second();
        self.due += Duration::from_secs_f64(apart);
        self.due
    }

    fn ask(&mut self, id: u64) -> Ask {
        let client = self.client();
        let is_fresh = self.rng.f64() < self.row.fresh;
        let ask = match self.row.methods {
            Methods::Mixed => Ask::random(id, Protocol::Http1, Answers::Mixed, LARGEST, &mut self.rng),
            Methods::Get => plain(Kind::Get, id, 0),
            Methods::Uploads => plain(Kind::Post, id, UPLOAD),
        };
        Ask { client, is_fresh, ..ask }
    }

    fn patience(&mut self) -> Duration {
        let leaves = self.row.meanwhile == Meanwhile::ClientsLeave && self.rng.f64() < LEAVE;
        if leaves { LEAVES_AFTER } else { PATIENCE }
    }
}
