//! Choosing the node of the next attempt.

use std::sync::Arc;

use super::{Attempt, Attempts, Nowhere};
use crate::balance::Pool;
use crate::clock;
use crate::proxy::affinity::Affinity;
use crate::retry::Reach;
use crate::upstream::{Asker, Availability, Member, Pass, Tie, tie};

impl Attempts {
    /// Picks the best node for the next attempt, takes a place there, and remembers it as tried.
    pub(super) fn next(&mut self, pool: &Pool, asker: Asker, affinity: Affinity) -> Result<(), Nowhere> {
        // What failed once already is not to try a node that has yet to show that it is back.
        let asker = if self.history.is_empty() { asker } else { Asker::Unrepeatable };
        if !self.may_enter(pool, asker == Asker::Repeatable) {
            return Err(self.without_place(Availability::Available));
        }
        let key = affinity.key;
        let member = self
            .own_node(pool, asker, affinity.pass)
            .or_else(|| pool.select(asker, key, |member| self.is_first_choice(member)))
            .or_else(|| pool.select(asker, key, |member| !self.has_refused(member)))
            .ok_or(Nowhere::Refused)?;
        let since = clock::millis();
        let place = member.enter(since);
        let slot = Some(place.ok_or_else(|| self.without_place(member.node.availability(since)))?);
        self.history.push(Attempt { member, reach: None, slot, since, open: None });
        self.is_reserved = true;
        Ok(())
    }

    /// The node of the request's session, if it has one that it may go to, or one that needs it more for once.
    fn own_node(&mut self, pool: &Pool, asker: Asker, pass: Option<Pass>) -> Option<Arc<Member>> {
        self.is_lent = false;
        let own = pool.sessions()?.member(&pass?)?;
        if self.has_tried(&own) {
            return None;
        }
        let now = clock::millis();
        match tie(&own, &pool.members(), asker, now) {
            Tie::Holds => Some(own),
            Tie::Breaks | Tie::Waits => None,
            Tie::Lends => {
                let lonely = pool.select(asker, None, |member| member.node.wants_trial(now).is_some());
                self.is_lent = lonely.is_some();
                lonely.or(Some(own))
            }
        }
    }

    /// Why there is no place at a node that stands like this. Nobody stands in line before one that something speaks against:
    /// whoever is there is to be refused, and those who wait for it to come back have more time, and go at its pace.
    fn without_place(&self, standing: Availability) -> Nowhere {
        let is_refused = standing != Availability::Available || self.parked.is_some();
        if is_refused { Nowhere::Refused } else { Nowhere::Full }
    }

    pub(super) fn has_untried(&self, pool: &Pool) -> bool {
        pool.members().iter().any(|member| !self.has_tried(member))
    }

    pub(super) fn has_tried(&self, member: &Arc<Member>) -> bool {
        self.has_refused(member)
            || self
                .history
                .iter()
                .any(|attempt| attempt.is_at(member) && attempt.reach != Some(Reach::NotSent))
    }

    /// Whether the node refused the request, since it last waited for one to come back, or takes none at all.
    pub(super) fn has_refused(&self, member: &Arc<Member>) -> bool {
        let from = self.refusals_from();
        let mut refusals = self.history.iter().skip(from);
        member.node.is_barred()
            || refusals.any(|attempt| attempt.is_at(member) && attempt.reach == Some(Reach::NotSent))
    }

    pub(super) fn has_answered(&self, member: &Arc<Member>) -> bool {
        let answered = |attempt: &Attempt| matches!(attempt.reach, Some(Reach::Answered(_)));
        self.history.iter().any(|attempt| attempt.is_at(member) && answered(attempt))
    }

    /// Whether the next attempt is rather at this member than at others.
    pub(super) fn is_first_choice(&self, member: &Arc<Member>) -> bool {
        // An answer that was set aside is worth asking for again.
        if self.returns == 0 { !self.has_tried(member) } else { self.has_answered(member) }
    }
}
