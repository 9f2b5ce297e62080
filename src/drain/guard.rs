//! Whether the rest of a pool can do without a node.

use std::fmt;

use super::roll::Roll;
use crate::generation::Generation;
use crate::lease::Target;
use crate::model::Name;
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
    let nodes = roll.pool(&target.pool);
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
    availability.map_or(Some("without an address"), Availability::obstacle)
}

/// Says no if nothing is left.
pub(super) fn check(rest: &Rest) -> Result<(), Shortfall> {
    if rest.able > 0 { Ok(()) } else { Err(Shortfall(rest.clone())) }
}

/// A pool of a configuration none of whose nodes can serve, where one could before.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "pool {pool} would have no node that can serve: {}; {} can serve now (`bookend reload --force` loads it all the same)",
    standing(.unable),
    .able.join(", ")
)]
pub struct Loss {
    pool: Name,
    /// The nodes that there would be, and how they stand.
    unable: Vec<(String, &'static str)>,
    /// Those that serve now.
    able: Vec<String>,
}

/// Says no to `next` if a pool that `before` can serve with would not be served any more. What is not known yet counts as
/// good: a new node, or a name that was not looked up.
pub fn compare(before: &Generation, next: &Generation, now: u64) -> Result<(), Loss> {
    let (before, next) = (Roll::call(before), Roll::call(next));
    for pool in next.pools() {
        let (mut able, mut unable) = (Vec::new(), Vec::new());
        for (target, present) in before.pool(pool) {
            if present.availability(now).is_some_and(|availability| word(Some(availability)).is_none()) {
                able.push(target.node.clone());
            }
        }
        for (target, present) in next.pool(pool) {
            let availability = present.availability(now).unwrap_or(Availability::Available);
            unable.extend(word(Some(availability)).map(|word| (target.node.clone(), word)));
        }
        if !able.is_empty() && unable.len() == next.pool(pool).len() {
            able.truncate(MOST_NAMED);
            return Err(Loss { pool: pool.clone(), unable, able });
        }
    }
    Ok(())
}

/// Nodes and how they stand, as far as they can all be named.
fn standing(unable: &[(String, &'static str)]) -> String {
    let named = unable.iter().take(MOST_NAMED).map(|(node, word)| format!("{node} is {word}"));
    let named = named.collect::<Vec<_>>().join(", ");
    match unable.len().checked_sub(MOST_NAMED) {
        None | Some(0) => named,
        Some(more) => format!("{named}, and {more} more cannot serve"),
    }
}

impl fmt::Display for Shortfall {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Rest { target, all, unable, .. } = &self.0;
        let plural = if *all == 1 { "" } else { "s" };
        let colon = if unable.is_empty() { "" } else { ": " };
        write!(f, "pool {} has {all} node{plural}{colon}{}", target.pool, standing(unable))?;
        write!(f, "; without {} that leaves 0 of {all} (`--force` drains it all the same)", target.node)
    }
}
