//! Round robin as Pingora's `BackendSelection`.
//!
//! Pingora's own sends bursts to heavy nodes (A A B), and its walk past a dead node moves the counter that all requests
//! share, so that the dead node's neighbour gets more than its part. Ours is smooth and exact.

use std::collections::BTreeSet;
use std::sync::Arc;

use pingora_load_balancing::Backend;
use pingora_load_balancing::selection::{BackendIter, BackendSelection};

use crate::clock;
use crate::upstream::{Asker, Lineup, Member, Offers};

/// Nodes in turn, smoothly by weight, in the order of resort.
pub struct RoundRobin {
    lineup: Lineup,
    /// The backend of each member of `lineup`, by its number.
    backends: Box<[Backend]>,
}

/// The nodes in the order in which one request tries them.
pub struct Turns {
    selector: Arc<RoundRobin>,
    offers: Offers,
    asker: Asker,
    now: u64,
}

/// What a request that can be repeated at another node gives for a key, which round robin has no other use for.
const REPEATABLE: &[u8] = b"repeatable";

/// The key of a request for the balancer.
pub(super) fn key(asker: Asker) -> &'static [u8] {
    match asker {
        Asker::Repeatable => REPEATABLE,
        Asker::Unrepeatable => b"",
    }
}

/// The member whose backend this is.
pub(super) fn member(backend: &Backend) -> Option<&Arc<Member>> {
    backend.ext.get::<Arc<Member>>()
}

impl BackendSelection for RoundRobin {
    type Iter = Turns;
    type Config = ();

    fn build(backends: &BTreeSet<Backend>) -> Self {
        let (backends, members): (Vec<_>, Vec<_>) = backends
            .iter()
            .filter_map(|backend| Some((backend.clone(), Arc::clone(member(backend)?))))
            .unzip();
        Self { lineup: Lineup::new(members), backends: backends.into_boxed_slice() }
    }

    fn iter(self: &Arc<Self>, key: &[u8]) -> Self::Iter {
        let asker = if key == REPEATABLE { Asker::Repeatable } else { Asker::Unrepeatable };
        Turns { selector: Arc::clone(self), offers: Offers::default(), asker, now: clock::millis() }
    }
}

impl BackendIter for Turns {
    fn next(&mut self) -> Option<&Backend> {
        let number = self.selector.lineup.offer(&mut self.offers, self.asker, self.now)?;
        self.selector.backends.get(number)
    }
}
