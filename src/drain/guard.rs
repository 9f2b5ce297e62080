//! Whether the rest of a pool can do without a node.

use std::fmt;

use super::roll::Roll;
use crate::lease::Target;
use crate::upstream::Availability;

/// Nodes that are named when there are many.
const MOST_NAMED: usize = 5;

/// What a pool has besides one of its nodes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rest {
    target: Target,
    /// Its nodes, that one among them.
    all: usize,
    /// The others that can serve.
    able: usize,
    /// The others that cannot, and how they stand.
    unable: Vec<(String, &'static str)>,
}

/// No other node could serve.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Shortfall(Rest);

impl Rest {
    /// How many nodes the pool has.
    pub fn all(&self) -> usize {
        self.all
    }

    /// How many can serve besides that one.
    pub fn able(&self) -> usize {
        self.able
    }
}

/// What the pool of `target` has besides it.
pub(super) fn rest(roll: &Roll, target: &Target, now: u64) -> Rest {
    let nodes = roll.pool_of(target);
    let (mut able, mut unable) = (0, Vec::new());
    for (other, present) in nodes.iter().filter(|(other, _)| *other != target) {
        match word(present.availability(now)) {
            None => able += 1,
            Some(word) => unable.push((other.node.clone(), word)),
        }
    }
    Rest { target: target.clone(), all: nodes.len(), able, unable }
}

/// What keeps a node from serving; `None` if nothing does.
fn word(availability: Option<Availability>) -> Option<&'static str> {
    match availability {
        Some(Availability::Available | Availability::Suspect | Availability::Resting) => None,
        Some(Availability::Ejected) => Some("ejected"),
        Some(Availability::CheckFailed) => Some("down"),
        Some(Availability::Drained) => Some("drained"),
        None => Some("without an address"),
    }
}

/// Says no if nothing is left.
pub(super) fn check(rest: &Rest) -> Result<(), Shortfall> {
    if rest.able > 0 { Ok(()) } else { Err(Shortfall(rest.clone())) }
}

impl fmt::Display for Shortfall {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Rest { target, all, unable, .. } = &self.0;
        let plural = if *all == 1 { "" } else { "s" };
        write!(f, "pool {} has {all} node{plural}", target.pool)?;
        for (number, (node, word)) in unable.iter().take(MOST_NAMED).enumerate() {
            let sign = if number == 0 { ": " } else { ", " };
            write!(f, "{sign}{node} is {word}")?;
        }
        if let Some(more) = unable.len().checked_sub(MOST_NAMED).filter(|more| *more > 0) {
            write!(f, ", and {more} more cannot serve")?;
        }
        write!(f, "; without {} that leaves 0 of {all} (`--force` drains it all the same)", target.node)
    }
}
