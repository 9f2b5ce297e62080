//! The order of resort: which member a request tries first, and which next.
//!
//! Available members of tier 0, then those of the backup tiers, then resting ones, then those whose checks fail (so that
//! a broken check on every node takes nobody down). Within one rank the [`Rotation`] decides.

use std::sync::Arc;

use smallvec::SmallVec;

use super::{Availability, Member, Rotation};
use crate::model::{Tier, Weight};

/// The members of one pool and whose turn it is.
#[derive(Debug)]
pub struct Lineup {
    members: Box<[Arc<Member>]>,
    rotation: Rotation,
}

/// What one request has been offered so far.
#[derive(Debug, Default)]
pub struct Offers {
    offered: SmallVec<[usize; 4]>,
    contenders: SmallVec<[(usize, Weight); 8]>,
}

/// Where a member stands in the order of resort; the least is tried first.
type Rank = (Availability, Tier);

impl Lineup {
    /// A line-up of `members`, whose turns begin with the first.
    pub fn new(members: impl IntoIterator<Item = Arc<Member>>) -> Self {
        let members: Box<[_]> = members.into_iter().collect();
        let rotation = Rotation::new(members.len());
        Self { members, rotation }
    }

    /// The members, in the order of their numbers.
    pub fn members(&self) -> &[Arc<Member>] {
        &self.members
    }

    /// Offers the best member that this request was not offered yet, by its number, at `now` (milliseconds of the clock).
    ///
    /// The member offered before counts as refused: its turn is given back.
    pub fn offer(&self, offers: &mut Offers, now: u64) -> Option<usize> {
        if let Some(&refused) = offers.offered.last() {
            self.rotation.take_back(refused, &offers.contenders);
        }
        offers.contenders.clear();
        let mut best: Option<Rank> = None;
        for (number, member) in self.members.iter().enumerate() {
            if offers.offered.contains(&number) {
                continue;
            }
            let rank = (member.node.availability(now), member.tier);
            if best.is_none_or(|best| rank < best) {
                best = Some(rank);
                offers.contenders.clear();
            }
            if best == Some(rank) {
                offers.contenders.push((number, member.weight));
            }
        }
        let winner = self.rotation.pick(&offers.contenders)?;
        offers.offered.push(winner);
        Some(winner)
    }
}

#[cfg(test)]
#[path = "lineup_tests.rs"]
mod tests;
