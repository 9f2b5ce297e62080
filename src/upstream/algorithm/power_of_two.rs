//! The better of two that are drawn by weight: the one with the lower latency times requests in flight, for its weight.
//!
//! For nodes that are not alike, or not always: mixed machines, a neighbour that takes the processor away, garbage
//! collection, a cold cache. A node that slows down gets less from the first slow answer on, well before it fails. Two that
//! are drawn (Mitzenmacher 2001) instead of the best of all keep a pool, and several bookends, from all running to the same
//! node at once. It wants requests that are much alike, since it takes a long answer for a slow node: long polls and
//! reports belong in a pool of their own. With few requests at a time nearly all go to the node that is a little faster.
//!
//! The latency is a [peak-sensitive average](crate::upstream::Latency) (Finagle's and Linkerd's peak EWMA), in which a
//! failure counts as a slow answer. A node of which nothing is known gets one request to find out, and no second one before
//! the first was answered if another node can take it.

use std::sync::Arc;

use fastrand::Rng;

use super::Contenders;
use super::random::draw;
use crate::upstream::Member;

/// What a request is taken to cost at a node that has one and has not answered any yet, in microseconds: more than any
/// that has.
const UNKNOWN: f64 = 1e12;

/// Picks the better of two of the `contenders` at `now`, in milliseconds of the clock.
pub(super) fn pick(
    contenders: &Contenders,
    members: &[Arc<Member>],
    rng: &mut Rng,
    now: u64,
) -> Option<usize> {
    let first = draw(contenders, None, rng)?;
    let Some(second) = draw(contenders, Some(first), rng) else { return Some(first.0) };
    let is_better = cost(second, members, now) < cost(first, members, now);
    Some(if is_better { second.0 } else { first.0 })
}

/// What one more request would cost there.
fn cost((number, weight): (usize, u32), members: &[Arc<Member>], now: u64) -> f64 {
    let Some(member) = members.get(number) else { return f64::INFINITY };
    let in_flight = f64::from(member.node.load().in_flight());
    match member.node.latency().micros(now) {
        Some(latency) => f64::from(latency) * (in_flight + 1.0) / f64::from(weight),
        None if in_flight == 0.0 => 0.0,
        None => UNKNOWN * (in_flight + 1.0) / f64::from(weight),
    }
}
