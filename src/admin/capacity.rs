//! What nodes have shown that they can carry, and what their pool would lack without the largest.

use std::sync::Arc;

use super::status;
use crate::balance::Pool;
use crate::upstream::{Headroom, Member, Proof};

/// What the pool could carry without its largest node at `now`; `None` if no node can serve.
pub(super) fn headroom(pool: &Pool, now: u64) -> Option<status::Headroom> {
    let (headroom, largest) = Headroom::of_members(&pool.members(), now)?;
    Some(status::Headroom {
        without: largest.name.clone(),
        load: headroom.load,
        rest: headroom.rest,
        spare: headroom.spare(),
        proof: headroom.proof.as_str().to_owned(),
    })
}

/// The same as numbers: what there is to spare, and whether that is proven.
pub(super) fn spare(pool: &Pool, now: u64) -> (f64, bool) {
    let headroom = Headroom::of_members(&pool.members(), now);
    headroom.map_or((0.0, false), |(headroom, _)| (headroom.spare(), headroom.proof != Proof::Unproven))
}

/// The most answers in a second that these gave together for ten seconds without being late.
pub(super) fn shown(members: &[&Arc<Member>]) -> f64 {
    members.iter().map(|member| member.node.load().limit().shown().rate).sum()
}

/// Answers in a second that these give with more to do than they can; `None` if one of them never was at its limit.
pub(super) fn capacity(members: &[&Arc<Member>]) -> Option<f64> {
    let known: Option<Vec<f64>> =
        members.iter().map(|member| member.node.load().limit().shown().capacity).collect();
    known.filter(|known| !known.is_empty()).map(|known| known.iter().sum())
}
