//! Choosing the node of the next attempt.

use std::cell::{Cell, OnceCell};
use std::sync::Arc;

use super::{Attempt, Attempts, Nowhere};
use crate::balance::Pool;
use crate::clock;
use crate::proxy::affinity::Affinity;
use crate::retry::Reach;
use crate::upstream::{Asker, Availability, Member, NodeKey, Pass, Tie, tie};

/// What those who wait in line leave to a request that comes later.
struct Leave<'a> {
    pool: &'a Pool,
    asker: Asker,
    /// Whether it is its turn, so that it may go anywhere.
    is_called: bool,
    now: u64,
    /// Whether there is a node that nothing speaks against, once somebody asked.
    has_sound: OnceCell<bool>,
    /// Whether there was a node whose places are kept for others.
    was_short: Cell<bool>,
    /// Whether there was one that something speaks against, and that is full.
    was_full: Cell<bool>,
}

impl Attempts {
    /// Picks the best node for the next attempt, takes a place there, and remembers it as tried.
    pub(super) fn next(&mut self, pool: &Pool, asker: Asker, affinity: Affinity) -> Result<(), Nowhere> {
        // What failed once already is not to try a node that has yet to show that it is back.
        let asker = if self.history.is_empty() { asker } else { Asker::Unrepeatable };
        let mut others = pool.members().len();
        loop {
            let since = clock::millis();
            let member = self.choose(pool, asker, affinity, since)?;
            if let Some(slot) = member.enter(since) {
                self.history.push(Attempt {
                    member,
                    reach: None,
                    is_over: false,
                    slot: Some(slot),
                    since,
                    open: None,
                });
                self.is_reserved = true;
                return Ok(());
            }
            let standing = member.node.availability(since);
            if standing == Availability::Available || others == 0 {
                return Err(self.without_place(standing));
            }
            // Somebody was quicker; it is full now, and the next in the order of resort may not be.
            others -= 1;
        }
    }

    /// The best node at `now` for the next attempt, whether or not there is a place.
    fn choose(
        &mut self,
        pool: &Pool,
        asker: Asker,
        affinity: Affinity,
        now: u64,
    ) -> Result<Arc<Member>, Nowhere> {
        if self.queued.is_none() {
            self.awaited = None;
        }
        let leave = Leave::new(pool, asker, self.is_called(), now);
        let behind = |attempts: &Self| attempts.without_place(Availability::Available);
        if leave.is_for_none() {
            return Err(behind(self));
        }
        if let Some(own) = self.own_node(affinity.pass, &leave)? {
            return if leave.is_for(&own) { Ok(own) } else { Err(behind(self)) };
        }
        let best = |accept: &dyn Fn(&Arc<Member>) -> bool| {
            pool.select(asker, affinity.key, |member| accept(member) && leave.takes(member))
        };
        if let Some(untried) = best(&|member| self.is_first_choice(member)) {
            return Ok(untried);
        }
        if leave.was_short() {
            return Err(behind(self));
        }
        if leave.was_full() {
            return Err(Nowhere::Refused);
        }
        best(&|member| !self.has_refused(member)).ok_or_else(|| match leave.was_short() {
            true => behind(self),
            false => Nowhere::Refused,
        })
    }

    /// The node of the request's session, if it has one that it may go to, or one that needs it more for once.
    fn own_node(&mut self, pass: Option<Pass>, leave: &Leave<'_>) -> Result<Option<Arc<Member>>, Nowhere> {
        self.is_lent = false;
        let Leave { pool, asker, now, .. } = *leave;
        let own = pool.sessions().zip(pass).and_then(|(sessions, pass)| sessions.member(&pass));
        let Some(own) = own.filter(|own| !self.has_tried(own)) else { return Ok(None) };
        let has_room = |member: &Member| member.has_room() && leave.is_for(member);
        match tie(&own, &pool.members(), asker, has_room, now) {
            Tie::Holds => Ok(Some(own)),
            Tie::Breaks => Ok(None),
            Tie::Waits if self.awaits(own.node.key()) => Err(Nowhere::Full),
            Tie::Waits => Ok(None),
            Tie::Lends => {
                let lonely = pool.select(asker, None, |member| member.node.wants_trial(now).is_some());
                self.is_lent = lonely.is_some();
                Ok(lonely.or(Some(own)))
            }
        }
    }

    /// Whether the request waits for the node of its session before it goes elsewhere: once, and not if it has been waiting
    /// for any node, or was anywhere.
    fn awaits(&mut self, own: NodeKey) -> bool {
        if self.queued.is_none() && self.parked.is_none() && self.history.is_empty() && !self.is_moving {
            self.awaited = Some(own);
        }
        self.awaited.is_some()
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
        member.node.is_barred() || refusals.any(|attempt| attempt.is_at(member) && attempt.is_refusal())
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

impl<'a> Leave<'a> {
    fn new(pool: &'a Pool, asker: Asker, is_called: bool, now: u64) -> Self {
        let (was_short, was_full) = (Cell::new(false), Cell::new(false));
        Self { pool, asker, is_called, now, has_sound: OnceCell::new(), was_short, was_full }
    }

    /// Whether nothing is left, wherever there is room.
    fn is_for_none(&self) -> bool {
        let is_wanted = |member: &Arc<Member>| !self.is_trial(member) && self.is_waited_for(member);
        !self.is_called && self.pool.line().keeps_all() && self.pool.members().iter().all(is_wanted)
    }

    /// Whether a place at the node is not kept for others.
    fn is_for(&self, member: &Member) -> bool {
        self.is_called
            || !self.pool.line().keeps(member.node.key())
            || self.is_trial(member)
            || !self.is_waited_for(member)
    }

    /// Whether those in line would go to the node. They wait for a place where nothing speaks against the node rather than
    /// go where something does; so those who have been refused by the first kind find the second kind free.
    fn is_waited_for(&self, member: &Member) -> bool {
        let has_sound = || self.pool.members().iter().any(|member| self.is_sound(member));
        self.is_sound(member) || !*self.has_sound.get_or_init(has_sound)
    }

    /// Whether the request takes the node, where the better ones were asked about before. It waits for one of those that
    /// are kept for others rather than go to one that is full, or that something speaks against. It waits for none that
    /// is full *and* that something speaks against.
    fn takes(&self, member: &Member) -> bool {
        if !self.is_for(member) {
            self.was_short.set(true);
            return false;
        }
        let (has_room, is_sound) = (member.has_room(), self.is_sound(member));
        if !has_room && !is_sound {
            self.was_full.set(true);
            return false;
        }
        !self.was_short.get() || self.is_trial(member) || has_room && is_sound
    }

    /// Whether a node whose places are kept for others was passed over.
    fn was_short(&self) -> bool {
        self.was_short.get()
    }

    /// Whether a node was passed over that is full, and that something speaks against.
    fn was_full(&self) -> bool {
        self.was_full.get()
    }

    fn is_sound(&self, member: &Member) -> bool {
        member.node.availability(self.now) == Availability::Available
    }

    /// Whether the request can try a node that was out, which those who wait may not be able to.
    fn is_trial(&self, member: &Member) -> bool {
        self.asker == Asker::Repeatable && member.node.wants_trial(self.now).is_some()
    }
}
