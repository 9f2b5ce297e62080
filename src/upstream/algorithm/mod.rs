//! How one is picked of several members that are equally good.
//!
//! [`Lineup`](super::Lineup) says who is equally good: the order of resort, full members and trials are its business. The
//! weights that an algorithm sees are those that count at the moment, with the share of a node that comes back.

mod first;
mod hash;
mod least_loaded;
mod power_of_two;
mod random;
mod round_robin;

use std::sync::Arc;

use fastrand::Rng;
use smallvec::SmallVec;

use self::hash::Hash;
pub use self::hash::key;
use self::least_loaded::LeastLoaded;
use self::round_robin::RoundRobin;
use super::Member;
use crate::config::Balance;

/// The members that a request may go to, by number, each with the weight that counts, in 256ths; never 0.
pub(super) type Contenders = SmallVec<[(usize, u32); 8]>;

/// What a request brings along for those algorithms that go by more than the members.
#[derive(Clone, Debug)]
pub struct Clue {
    /// Requests with the same key go to the same member.
    pub key: Option<u64>,
    /// Chance, for those that draw.
    pub rng: Rng,
}

impl Default for Clue {
    /// No key, and a chance that is always the same.
    fn default() -> Self {
        Self { key: None, rng: Rng::with_seed(0) }
    }
}

/// A way to pick, with what it remembers.
#[derive(Debug)]
pub(super) enum Algorithm {
    /// Each in turn.
    RoundRobin(RoundRobin),
    /// The one with the least to do.
    LeastLoaded(LeastLoaded),
    /// The better of two.
    PowerOfTwo,
    /// By the request's key.
    Hash(Hash),
    /// Any.
    Random,
    /// The first one.
    First,
}

impl Algorithm {
    /// The algorithm that `balance` names, among `members`.
    pub(in crate::upstream) fn new(balance: &Balance, members: &[Arc<Member>]) -> Self {
        match balance {
            Balance::RoundRobin => Self::RoundRobin(RoundRobin::new(members.len())),
            Balance::LeastLoaded => Self::LeastLoaded(LeastLoaded::new(members.len())),
            Balance::PowerOfTwo => Self::PowerOfTwo,
            Balance::Hash(_) => Self::new(&Balance::RoundRobin, members).keyed(members),
            Balance::Random => Self::Random,
            Balance::First => Self::First,
        }
    }

    /// The same for requests without a key; those with one go by [`Self::Hash`].
    pub(in crate::upstream) fn keyed(self, members: &[Arc<Member>]) -> Self {
        Self::Hash(Hash::new(members, self))
    }

    /// Whether it draws by chance.
    pub(in crate::upstream) fn draws(&self) -> bool {
        match self {
            Self::PowerOfTwo | Self::Random | Self::First => true,
            Self::Hash(hash) => hash.otherwise().draws(),
            Self::RoundRobin(_) | Self::LeastLoaded(_) => false,
        }
    }

    /// Picks one of the `contenders` at `now`, in milliseconds of the clock; `None` if there are none.
    ///
    /// What is left of the contenders are those among whom turns were taken, for [`Algorithm::take_back`].
    pub(in crate::upstream) fn pick(
        &self,
        contenders: &mut Contenders,
        members: &[Arc<Member>],
        clue: &mut Clue,
        now: u64,
    ) -> Option<usize> {
        match self {
            Self::RoundRobin(turns) => turns.pick(contenders),
            Self::LeastLoaded(least) => least.pick(contenders, members),
            Self::PowerOfTwo => power_of_two::pick(contenders, members, &mut clue.rng, now),
            Self::Hash(hash) => hash.pick(contenders, members, clue, now),
            Self::Random => random::pick(contenders, &mut clue.rng),
            Self::First => first::pick(contenders, members, &mut clue.rng),
        }
    }

    /// Takes back a pick of `winner` that was not used, with what was left of its contenders.
    pub(in crate::upstream) fn take_back(&self, winner: usize, contenders: &Contenders, clue: &Clue) {
        match self {
            Self::RoundRobin(turns) => turns.take_back(winner, contenders),
            Self::LeastLoaded(least) => least.take_back(winner, contenders),
            Self::Hash(hash) => hash.take_back(winner, contenders, clue),
            Self::PowerOfTwo | Self::Random | Self::First => {}
        }
    }
}

#[cfg(test)]
mod tests;
