//! Who is taken out by what traffic says, and who is let in again.
//!
//! One session at a time for a pool, so that two nodes cannot each be found to have another one left.

use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use smallvec::SmallVec;

use super::standing::Stay;
use super::{Availability, Fault, Member, Node, Slot, Transition, Why};
use crate::config;

/// Attempts in ten seconds from which on their share of successes means something.
const ENOUGH: u32 = 20;

/// How many of a hundred attempts have to succeed at the other nodes for one that fails every second time to be the
/// culprit.
const CLEARLY_BETTER: u64 = 80;

/// Decides about the nodes of one pool.
#[derive(Debug)]
pub struct Jury {
    /// `None`: nobody is taken out.
    rules: Option<config::Ejection>,
    /// In milliseconds.
    slow_start: u64,
    session: Mutex<()>,
}

/// What the jury changed: which members, and how.
pub type Verdicts = SmallVec<[(Arc<Member>, Transition); 1]>;

impl Jury {
    /// A jury that goes by `rules`, for nodes that come back over `slow_start`.
    pub fn new(rules: Option<config::Ejection>, slow_start: Duration) -> Self {
        let slow_start = u64::try_from(slow_start.as_millis()).unwrap_or(u64::MAX);
        Self { rules, slow_start, session: Mutex::new(()) }
    }

    /// A node began to answer, not badly, `waited` milliseconds after the request was with it. A node that was out is
    /// let in, if the attempt began since.
    #[must_use]
    pub fn answered(&self, slot: &mut Slot, waited: u64, now: u64) -> Option<Transition> {
        slot.end_trial();
        let node = slot.node();
        node.silence().answered(waited, now);
        node.answered(now);
        let stay = {
            let mut traffic = node.traffic();
            traffic.evidence.succeeded(now);
            traffic.standing.stay()
        };
        match stay {
            Stay::Out { since, .. } if slot.since() >= since => {}
            Stay::In | Stay::Out { .. } | Stay::Returning { .. } => return None,
        }
        node.change(|traffic| {
            traffic.evidence.forget();
            traffic.standing.let_in(self.slow_start, now);
        });
        Some(Transition::Returning)
    }

    /// An attempt at the node of `culprit` failed that began at `since`. Whether that takes the node out is for the other
    /// members to say as well: never the last one that is available.
    ///
    /// If it is the last, the request of a doubt is settled the other way: those that were taken out for failures like
    /// its own are let in again, since none is better.
    #[must_use]
    pub fn failed(
        &self,
        members: &[Arc<Member>],
        culprit: &Arc<Member>,
        since: u64,
        fault: Fault,
        (now, chance): (u64, f64),
    ) -> Verdicts {
        let _session = self.session.lock();
        let node = &culprit.node;
        let Some(rules) = &self.rules else {
            node.failed(fault, now);
            return Verdicts::new();
        };
        if let Stay::Out { until, .. } = node.stay() {
            if since >= until {
                let why = if fault == Fault::Unreachable { Why::Unreachable(1) } else { Why::Failing(1) };
                node.change(|traffic| traffic.standing.eject(why, rules, now, chance));
            }
            return Verdicts::new();
        }
        node.failed(fault, now);
        let Some(why) = deserved(members, node, fault, rules, now) else { return Verdicts::new() };
        if !has_another(members, node, now) {
            return pardon(members, why, now);
        }
        node.change(|traffic| {
            traffic.standing.eject(why, rules, now, chance);
            traffic.evidence.forget();
        });
        node.fell(now);
        std::iter::once((Arc::clone(culprit), Transition::Ejected(why))).collect()
    }

    /// Looks at what time alone changes: who is silent, who has been for too long, who is back, who has more to do than it can.
    ///
    /// Where nobody stirs ([`Pulse::take_unrest`](super::Pulse::take_unrest)) there is nothing to see; whoever time may
    /// change further stirs again.
    #[must_use]
    pub fn review(&self, members: &[Arc<Member>], now: u64, mut chance: impl FnMut() -> f64) -> Verdicts {
        let mut verdicts = Verdicts::new();
        for member in members {
            if let Some(transition) = self.review_one(members, member, now, &mut chance) {
                verdicts.push((Arc::clone(member), transition));
            }
            let news = member.node.load().limit().review(now);
            // What was learnt of it does not count where the configuration says how many it takes.
            if let Some(transition) = news.filter(|_| member.max_in_flight.is_none()) {
                verdicts.push((Arc::clone(member), transition));
            }
            if !member.node.is_at_rest() {
                member.node.stir();
            }
        }
        verdicts
    }

    fn review_one(
        &self,
        members: &[Arc<Member>],
        member: &Arc<Member>,
        now: u64,
        chance: &mut impl FnMut() -> f64,
    ) -> Option<Transition> {
        let node = &member.node;
        if node.is_returning() && node.change(|traffic| traffic.standing.settle(now)) {
            return Some(Transition::Returned);
        }
        let is_on_trial = node.is_on_trial(now);
        // Then there is no news in its silence but for those that wait at it since before.
        let is_out = node.is_out() && !is_on_trial;
        if is_out && node.is_out_for_silence() {
            return None;
        }
        let became_suspect =
            node.is_waited_for() && node.silence().review(is_on_trial, node.failed_check(), now);
        if became_suspect {
            node.check_call().call();
        }
        let is_over = node.silence().is_over(now) || (became_suspect && is_on_trial);
        if !is_over {
            return (became_suspect && !is_out).then_some(Transition::Suspect);
        }
        node.silence().clear();
        let _session = self.session.lock();
        let rules = self.rules.as_ref().filter(|_| has_another(members, node, now))?;
        if is_out {
            node.change(|traffic| traffic.standing.fell_silent());
            return None;
        }
        node.change(|traffic| {
            traffic.standing.eject(Why::Silent, rules, now, chance());
            traffic.evidence.forget();
        });
        node.fell(now);
        (!is_on_trial).then_some(Transition::Ejected(Why::Silent))
    }
}

/// Why `node` deserves to be taken out, if it does.
fn deserved(
    members: &[Arc<Member>],
    node: &Arc<Node>,
    fault: Fault,
    rules: &config::Ejection,
    now: u64,
) -> Option<Why> {
    let (row, is_unreachable, (good, bad)) = {
        let mut traffic = node.traffic();
        let evidence = &mut traffic.evidence;
        (evidence.in_a_row(now), evidence.is_unreachable(), evidence.counts(now))
    };
    if row >= rules.failures {
        if is_unreachable {
            return Some(Why::Unreachable(row));
        }
        // What only one node was asked may be the fault of the request: then the others fail it as well.
        let is_its_own =
            fault != Fault::Unconfirmed || others(members, node, now).any(|other| other.row == 0);
        return is_its_own.then_some(Why::Failing(row));
    }
    let own = good + bad;
    if own < ENOUGH || good * 2 >= own {
        return None;
    }
    let (good, all) = others(members, node, now).fold((0, 0), |(good, all), other| {
        (good + u64::from(other.good), all + u64::from(other.good + other.bad))
    });
    let is_clear = all >= u64::from(ENOUGH) && good * 100 >= all * CLEARLY_BETTER;
    is_clear.then_some(Why::Flaky { all: own, failed: bad })
}

/// What traffic says of a node that is available.
struct Other {
    row: u32,
    good: u32,
    bad: u32,
}

fn others<'a>(members: &'a [Arc<Member>], node: &'a Arc<Node>, now: u64) -> impl Iterator<Item = Other> + 'a {
    available(members, node, now).map(move |other| {
        let mut traffic = other.node.traffic();
        let (good, bad) = traffic.evidence.counts(now);
        Other { row: traffic.evidence.in_a_row(now), good, bad }
    })
}

fn available<'a>(
    members: &'a [Arc<Member>],
    node: &'a Arc<Node>,
    now: u64,
) -> impl Iterator<Item = &'a Arc<Member>> + 'a {
    members.iter().filter(move |member| {
        !Arc::ptr_eq(&member.node, node) && member.node.availability(now) == Availability::Available
    })
}

/// Whether another node can serve: one that is available, or a backup that only waits to be needed, as one does whose checks
/// pass again, or one that was drained.
fn has_another(members: &[Arc<Member>], node: &Arc<Node>, now: u64) -> bool {
    let is_spare = |member: &&Arc<Member>| {
        let is_by_checks = matches!(member.node.stay(), Stay::Out { why: Why::Checks | Why::Drained, .. });
        is_by_checks && !Arc::ptr_eq(&member.node, node) && member.node.wants_trial(now).is_some()
    };
    available(members, node, now).next().is_some() || members.iter().any(|member| is_spare(&member))
}

/// The last available node fails as those did that were taken out: they are no worse than it is.
fn pardon(members: &[Arc<Member>], why: Why, now: u64) -> Verdicts {
    if matches!(why, Why::Unreachable(_)) {
        return Verdicts::new();
    }
    let is_pardoned = |member: &&Arc<Member>| {
        matches!(member.node.stay(), Stay::Out { why: Why::Failing(_) | Why::Flaky { .. }, .. })
    };
    members
        .iter()
        .filter(is_pardoned)
        .map(|member| {
            member.node.change(|traffic| traffic.standing.pardon(now));
            (Arc::clone(member), Transition::Returned)
        })
        .collect()
}

#[cfg(test)]
#[path = "jury_tests.rs"]
mod tests;
