//! The better of two that are drawn by weight: the one with the lower latency times requests in flight, for its weight.
//!
//! For nodes that are not alike, or not always: mixed machines, a neighbour that takes the processor away, garbage
//! collection, a cold cache. A node that slows down gets less from the first slow answer on, well before it fails. Two that
//! are drawn (Mitzenmacher 2001) instead of the best of all keep a pool, and several bookends, from all running to the same
//! node at once. It wants requests that are much alike, since it takes a long answer for a slow node: long polls and
//! reports belong in a pool of their own. With few requests at a time nearly all go to the node that is a little faster.
//!
//! The latency is a [peak-sensitive average](crate::upstream::Latency) (Finagle's and Linkerd's peak EWMA), in which a
//! failure counts as a slow answer. Multiplied by the requests in flight, as they do it, that makes a node with sixteen in
//! flight as bad as an idle one that is sixteen times as slow, though the sixteen are answered as fast as ever: some requests
//! always go where they take sixteen times as long; and one answer that was slow by chance is remembered for seconds. So where
//! one of the two is expected to take more than twice as long as the other, what is expected decides: the mean of the last
//! answers, which grows with the requests in flight only beyond those that are usual there. The product decides between
//! nodes that are more alike.
//!
//! A node of which nothing is known gets one request to find out, and no second one before the first was answered if another
//! node can take it.

use std::sync::Arc;

use fastrand::Rng;

use super::Contenders;
use super::random::draw;
use crate::upstream::Member;
use crate::upstream::standing::Share;

/// What a request is taken to cost at a node that has one and has not answered any yet, in microseconds: more than any
/// that has.
const UNKNOWN: f64 = 1e12;

/// Nodes are alike if a request is expected to take no more than so many times as long at one as at the other.
const ALIKE: f64 = 2.0;

/// What one more request would cost at a node, in microseconds.
#[derive(Clone, Copy)]
struct Cost {
    /// How long it is expected to take.
    expected: f64,
    /// The latency times the requests in flight, with it, for the node's weight.
    product: f64,
    /// The node has less than its weight: it comes back, step by step however fast it is.
    is_returning: bool,
}

/// Picks the better of two of the `contenders` at `now`, in milliseconds of the clock.
pub(super) fn pick(
    contenders: &Contenders,
    members: &[Arc<Member>],
    rng: &mut Rng,
    now: u64,
) -> Option<usize> {
    let first = draw(contenders, None, rng)?;
    let Some(second) = draw(contenders, Some(first), rng) else { return Some(first.0) };
    let is_better = cost(second, members, now).is_less(cost(first, members, now));
    Some(if is_better { second.0 } else { first.0 })
}

fn cost((number, weight): (usize, u32), members: &[Arc<Member>], now: u64) -> Cost {
    let Some(member) = members.get(number) else { return Cost::alike(f64::INFINITY) };
    let in_flight = member.node.load().in_flight();
    let is_returning = member.node.share(now) < Share::FULL;
    let (weight, requests) = (f64::from(weight), f64::from(in_flight) + 1.0);
    match member.node.latency().outlook(in_flight, now) {
        Some(outlook) => {
            let product = f64::from(outlook.peak) * requests / weight;
            Cost { expected: f64::from(outlook.expected), product, is_returning }
        }
        None if in_flight == 0 => Cost::alike(0.0),
        None => Cost::alike(UNKNOWN * requests / weight),
    }
}

impl Cost {
    /// By either measure.
    fn alike(cost: f64) -> Self {
        Self { expected: cost, product: cost, is_returning: false }
    }

    fn is_less(self, other: Self) -> bool {
        let (faster, slower) = if self.expected < other.expected { (self, other) } else { (other, self) };
        match faster.is_returning || slower.expected <= faster.expected * ALIKE {
            true => self.product < other.product,
            false => self.expected < other.expected,
        }
    }
}
