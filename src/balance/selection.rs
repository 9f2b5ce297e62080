//! The order of resort as Pingora's `BackendSelection`.
//!
//! Pingora's own round robin sends bursts to heavy nodes (A A B), and its walk past a dead node moves the counter that all
//! requests share, so that the dead node's neighbour gets more than its part. Its hashing knows no bound for a hot key, and
//! none of its ways knows what a node has to do. Ours are in [`upstream`](crate::upstream); this adds the time,
//! chance and what a request brings along.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use fastrand::Rng;
use pingora_load_balancing::Backend;
use pingora_load_balancing::selection::{BackendIter, BackendSelection};
use smallvec::SmallVec;

use crate::clock;
use crate::config::{self, Balance};
use crate::upstream::{Asker, Clue, Lineup, Member, Offers};

/// The nodes of a pool in the order of resort, and whichever of them its algorithm picks.
pub struct Selector {
    lineup: Lineup,
    /// The backend of each member of `lineup`, by its number.
    backends: Box<[Backend]>,
}

/// How a pool picks nodes.
pub struct Way {
    balance: Balance,
    /// Whether sessions that move go by their keys.
    is_sticky: bool,
    /// Where in the file each node stands, by its name.
    places: HashMap<String, usize>,
}

/// The nodes in the order in which one request tries them.
pub struct Turns {
    selector: Arc<Selector>,
    offers: Offers,
    asker: Asker,
    now: u64,
}

/// What the balancer takes for a key: one byte for who asks, and the key of the request, if it has one.
pub(super) type Key = SmallVec<[u8; 9]>;

const REPEATABLE: u8 = b'r';
const UNREPEATABLE: u8 = b'u';

/// The key of a request for the balancer.
pub(super) fn key(asker: Asker, key: Option<u64>) -> Key {
    let asker = match asker {
        Asker::Repeatable => REPEATABLE,
        Asker::Unrepeatable => UNREPEATABLE,
    };
    let mut bytes = Key::from_slice(&[asker]);
    bytes.extend(key.into_iter().flat_map(u64::to_le_bytes));
    bytes
}

fn read(key: &[u8]) -> (Asker, Option<u64>) {
    let (asker, rest) = key.split_first().unwrap_or((&UNREPEATABLE, &[]));
    let asker = if *asker == REPEATABLE { Asker::Repeatable } else { Asker::Unrepeatable };
    (asker, rest.try_into().ok().map(u64::from_le_bytes))
}

/// The member whose backend this is.
pub(super) fn member(backend: &Backend) -> Option<&Arc<Member>> {
    backend.ext.get::<Arc<Member>>()
}

impl Way {
    pub(super) fn of(pool: &config::Pool) -> Self {
        let places = pool.nodes.iter().enumerate().map(|(place, node)| (node.name.clone(), place)).collect();
        Self { balance: pool.balance.clone(), is_sticky: pool.sticky.is_some(), places }
    }
}

impl BackendSelection for Selector {
    type Iter = Turns;
    type Config = Way;

    fn build_with_config(backends: &BTreeSet<Backend>, way: &Way) -> Self {
        let mut sorted: Vec<_> = backends
            .iter()
            .filter_map(|backend| Some((backend.clone(), Arc::clone(member(backend)?))))
            .collect();
        // The set is in the order of addresses; those that one name has stay in it.
        sorted.sort_by_key(|(_, member)| way.places.get(&member.name));
        let (backends, members): (Vec<_>, Vec<_>) = sorted.into_iter().unzip();
        let lineup = Lineup::balanced(members, &way.balance);
        let lineup = if way.is_sticky { lineup.keyed() } else { lineup };
        Self { lineup, backends: backends.into_boxed_slice() }
    }

    fn build(backends: &BTreeSet<Backend>) -> Self {
        Self::build_with_config(
            backends,
            &Way { balance: Balance::default(), is_sticky: false, places: HashMap::new() },
        )
    }

    fn iter(self: &Arc<Self>, key: &[u8]) -> Self::Iter {
        let (asker, key) = read(key);
        let rng = Rng::with_seed(if self.lineup.draws() { fastrand::u64(..) } else { 0 });
        let offers = Offers::with(Clue { key, rng });
        Turns { selector: Arc::clone(self), offers, asker, now: clock::millis() }
    }
}

impl BackendIter for Turns {
    fn next(&mut self) -> Option<&Backend> {
        let number = self.selector.lineup.offer(&mut self.offers, self.asker, self.now)?;
        self.selector.backends.get(number)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn key_comes_out_as_it_went_in() {
        for asker in [Asker::Repeatable, Asker::Unrepeatable] {
            for number in [None, Some(0), Some(u64::MAX), Some(0x0102_0304)] {
                assert_eq!(read(&key(asker, number)), (asker, number));
            }
        }
        assert_eq!(read(b""), (Asker::Unrepeatable, None));
    }
}
