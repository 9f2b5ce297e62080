//! Requests with the same key go to the same member, unless that has far more to do than the others.
//!
//! For nodes that remember: caches that hold a part of everything, rate limits and sessions in memory, anything that is
//! fast or right only where it was before. Rendezvous hashing by weight (Thaler and Ravishankar 1998; Schindelhauer and
//! Schomaker 2005): every member has a score for the key and the highest wins, so what a member leaves goes to all the
//! others, and no other key moves. Scores come from the member's address alone, so that every bookend on every machine,
//! now and after a restart, gives the same answer, whatever the nodes are called and in whatever order they stand.
//!
//! Loads are bounded (Mirrokni, Thorup and Zadimoghaddam 2016): a member that has a quarter more than its part of what is
//! in flight leaves the next request to the one with the next score. A key that everybody asks for is served by as many
//! nodes as it takes. Requests without a key are balanced by another algorithm.

use std::sync::Arc;

use highway::{HighwayHash, HighwayHasher};

use super::{Algorithm, Clue, Contenders};
use crate::upstream::Member;

/// By how much more than its part a member may have: 5/4.
const MOST: (u64, u64) = (5, 4);

/// So many requests a member takes in any case: with two or three in flight in all, parts mean nothing.
const SPARE: u64 = 4;

/// Where the members sit in the space of keys.
#[derive(Debug)]
pub(in crate::upstream) struct Hash {
    seats: Box<[u64]>,
    otherwise: Box<Algorithm>,
}

impl Hash {
    /// Seats for `members`; requests without a key go by `otherwise`.
    pub(super) fn new(members: &[Arc<Member>], otherwise: Algorithm) -> Self {
        let seats = members.iter().map(|member| key(&[member.node.place().to_string().as_bytes()])).collect();
        Self { seats, otherwise: Box::new(otherwise) }
    }

    /// How requests without a key are balanced.
    pub(super) fn otherwise(&self) -> &Algorithm {
        &self.otherwise
    }

    /// Picks the member with the best score among those that have no more to do than they should.
    pub(super) fn pick(
        &self,
        contenders: &mut Contenders,
        members: &[Arc<Member>],
        clue: &mut Clue,
        now: u64,
    ) -> Option<usize> {
        let Some(key) = clue.key else { return self.otherwise.pick(contenders, members, clue, now) };
        let in_flight =
            |number: usize| members.get(number).map_or(0, |member| u64::from(member.node.load().in_flight()));
        let (requests, weights) = contenders.iter().fold((1, 0), |(requests, weights), &(number, weight)| {
            (requests + in_flight(number), weights + u64::from(weight))
        });
        let has_room =
            |&&(number, weight): &&(usize, u32)| in_flight(number) < most(requests, weight, weights);
        let best = |one: &&(usize, u32), other: &&(usize, u32)| {
            self.score(key, **one).total_cmp(&self.score(key, **other))
        };
        let within = contenders.iter().filter(has_room).max_by(best);
        // Somebody always is, unless loads change meanwhile.
        within.or_else(|| contenders.iter().max_by(best)).map(|&(number, _)| number)
    }

    pub(super) fn take_back(&self, winner: usize, contenders: &Contenders, clue: &Clue) {
        if clue.key.is_none() {
            self.otherwise.take_back(winner, contenders, clue);
        }
    }

    /// How well the key and the member go together: never negative, and higher by chance in proportion to its weight.
    fn score(&self, key: u64, (number, weight): (usize, u32)) -> f64 {
        let seat = self.seats.get(number).copied().unwrap_or_default();
        #[expect(clippy::cast_precision_loss, reason = "the upper 53 bits are as good as all")]
        let between_zero_and_one = ((mix(key ^ seat) >> 11) as f64 + 0.5) / (1u64 << 53) as f64;
        -f64::from(weight) / between_zero_and_one.ln()
    }
}

/// What a member of this weight may have of `requests`.
fn most(requests: u64, weight: u32, weights: u64) -> u64 {
    let (more, than) = MOST;
    let part = u128::from(requests) * u128::from(weight) * u128::from(more);
    let most = part.div_ceil(u128::from(weights.max(1)) * u128::from(than));
    u64::try_from(most).unwrap_or(u64::MAX).max(SPARE)
}

/// The key that is made of `parts`; the same on every machine, for ever.
pub fn key(parts: &[&[u8]]) -> u64 {
    let mut hasher = HighwayHasher::new(highway::Key([0; 4]));
    for part in parts {
        hasher.append(part);
        // So that "a", "b" is not "ab".
        hasher.append(&(part.len() as u64).to_le_bytes());
    }
    hasher.finalize64()
}

/// Spreads what differs in one bit over all (the end of MurmurHash3).
fn mix(mut value: u64) -> u64 {
    value = (value ^ (value >> 33)).wrapping_mul(0xff51_afd7_ed55_8ccd);
    value = (value ^ (value >> 33)).wrapping_mul(0xc4ce_b9fe_1a85_ec53);
    value ^ (value >> 33)
}
