//! The order of resort: which member a request tries first, and which next.
//!
//! Available members of tier 0, then those of the backup tiers, then suspects, resting ones, ejected ones, and those whose
//! checks fail (so that a broken check on every node takes nobody down), and at the very last those that a person drained,
//! unless they are barred.
//! What a full member of any tier cannot take goes to the next tier, but to none that something speaks against: it waits
//! instead. Where something speaks against all, nobody waits for one that is full while the next has room. Within one rank
//! the pool's [`Algorithm`] decides. A member that waits for its trial goes before the others of its tier, for one request
//! that can go on to another if it fails.

use std::sync::Arc;

use smallvec::SmallVec;

use super::ramp::limit_returns;
use super::{Algorithm, Availability, Clue, Contenders, Member, OverloadLine};
use crate::config::Balance;
use crate::model::Tier;

/// The members of one pool and how one of them is picked.
#[derive(Debug)]
pub struct Lineup {
    members: Box<[Arc<Member>]>,
    algorithm: Algorithm,
}

/// What one request has been offered so far.
#[derive(Debug, Default)]
pub struct Offers {
    offered: SmallVec<[usize; 4]>,
    contenders: Contenders,
    clue: Clue,
}

/// Who asks for a member.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Asker {
    /// A request that another node can serve if this one fails it.
    Repeatable,
    /// A request that has this one chance.
    Unrepeatable,
}

/// Where a member stands in the order of resort; the least is tried first.
type Rank = (Availability, Room, Tier, Turn);

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Room {
    Some,
    None,
}

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Turn {
    Trial,
    Usual,
}

/// How long a trial waits for a request that can be repeated before any will do, in milliseconds.
pub(super) const NO_OTHER_COMES: u64 = 2_000;

impl Offers {
    /// Nothing so far, for a request that brings this along.
    pub fn with(clue: Clue) -> Self {
        Self { clue, ..Self::default() }
    }
}

impl Lineup {
    /// A line-up of `members`, whose turns begin with the first.
    pub fn new(members: impl IntoIterator<Item = Arc<Member>>) -> Self {
        Self::balanced(members, &Balance::RoundRobin)
    }

    /// A line-up of `members`, in the order of the file, of whom `balance` picks.
    pub fn balanced(members: impl IntoIterator<Item = Arc<Member>>, balance: &Balance) -> Self {
        let members: Box<[_]> = members.into_iter().collect();
        let algorithm = Algorithm::new(balance, &members);
        Self { members, algorithm }
    }

    /// The same, but requests with a key go where the key belongs.
    pub fn keyed(self) -> Self {
        let algorithm = self.algorithm.keyed(&self.members);
        Self { members: self.members, algorithm }
    }

    /// Whether picking takes chance.
    pub fn draws(&self) -> bool {
        self.algorithm.draws()
    }

    /// The members, in the order of their numbers.
    pub fn members(&self) -> &[Arc<Member>] {
        &self.members
    }

    /// Offers the best member that this request was not offered yet, by its number, at `now` (milliseconds of the clock).
    ///
    /// The member offered before counts as refused: its turn is given back.
    pub fn offer(&self, offers: &mut Offers, asker: Asker, now: u64) -> Option<usize> {
        if let Some(&refused) = offers.offered.last() {
            self.algorithm.take_back(refused, &offers.contenders, &offers.clue);
        }
        offers.contenders.clear();
        limit_returns(&self.members, now);
        let mut best: Option<Rank> = None;
        for (number, member) in self.members.iter().enumerate() {
            if offers.offered.contains(&number) || member.node.is_barred() {
                continue;
            }
            let rank = rank(member, asker, now);
            if rank.1 == Room::None {
                member.node.load().passed_by();
            }
            if best.is_none_or(|best| rank < best) {
                best = Some(rank);
                offers.contenders.clear();
            }
            if best == Some(rank) {
                offers.contenders.push((number, weight(member, now)));
            }
        }
        let winner = self.algorithm.pick(&mut offers.contenders, &self.members, &mut offers.clue, now)?;
        offers.offered.push(winner);
        Some(winner)
    }
}

/// Lets as many go on from `line` as there is room for at `now`, at those of `members` that nothing speaks against, or at any
/// where something speaks against all: nobody waits for such a node while the next in the order of resort has room.
pub fn offer_room(members: &[Arc<Member>], line: &OverloadLine, now: u64) {
    if line.is_idle() {
        return;
    }
    limit_returns(members, now);
    let open = || members.iter().filter(|member| !member.node.is_barred());
    let is_sound = |member: &Arc<Member>| member.node.availability(now) == Availability::Available;
    let has_sound = open().any(is_sound);
    for member in open().filter(|member| !has_sound || is_sound(member)) {
        line.offer(member.node.key(), member.room());
    }
}

fn rank(member: &Member, asker: Asker, now: u64) -> Rank {
    let availability = member.node.availability(now);
    let room = if member.has_room() { Room::Some } else { Room::None };
    if availability == Availability::Ejected
        && let Some(waiting) = member.node.wants_trial(now)
        && (asker == Asker::Repeatable || waiting >= NO_OTHER_COMES)
    {
        return (Availability::Available, room, member.tier, Turn::Trial);
    }
    (availability, room, member.tier, Turn::Usual)
}

/// The weight that counts at `now`, in 256ths.
fn weight(member: &Member, now: u64) -> u32 {
    u32::from(member.weight.get()) * u32::from(member.node.share(now).get())
}

#[cfg(test)]
#[path = "lineup_tests.rs"]
mod tests;
