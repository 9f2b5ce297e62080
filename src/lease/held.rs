//! All leases, and what comes to pass with them.

use std::collections::BTreeMap;

use super::{Lease, Plight, Target, Term};
use crate::model::{Name, next_reminder};

/// Leases at once.
const MOST: usize = 16_384;

/// How long a node has to come back after its lease before somebody is told, in milliseconds.
const PATIENCE: u64 = 10_000;

/// For how long people are shown that a node was recalled, in milliseconds.
const SHOWN: u64 = 60 * 60_000;

/// How a node is at a moment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Sight {
    /// No configuration has it.
    Absent,
    /// It has so many requests.
    Busy(u32),
    /// It has none.
    Empty,
}

/// How a node is whose lease is over.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Return {
    /// It gets work again, or no configuration has it.
    Back,
    /// It waits for a request that tries it.
    OnTrial,
    /// It does not come back: why.
    Missing(String),
}

/// A node that was taken back before its time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Recalled {
    /// Its lease, which is over.
    pub lease: Lease,
    /// When.
    pub at: u64,
    /// What was wrong without it.
    pub plight: Plight,
    /// The other nodes that could serve then.
    pub others: Vec<String>,
}

/// What came to pass.
#[derive(Clone, Debug, PartialEq, Eq)]
#[must_use = "what nobody is told of is forgotten"]
pub enum Fact {
    /// The node has no request any more.
    Empty(Lease),
    /// So many tenths of the lease are over.
    Reminder(Lease, u8),
    /// The lease is over, and the node may come back.
    Ended(Lease),
    /// The lease has been over for so many milliseconds, and the node is not back: why.
    NotBack(Lease, u64, String),
    /// The node is back.
    Back(Lease),
}

/// A lease that is over, and whose node is not back yet.
#[derive(Clone, Debug)]
struct Ending {
    lease: Lease,
    since: u64,
    told: usize,
}

/// All leases.
#[derive(Clone, Debug, Default)]
pub struct Leases {
    held: BTreeMap<Target, Lease>,
    endings: BTreeMap<Target, Ending>,
    recalled: BTreeMap<Target, Recalled>,
}

impl Leases {
    /// The leases that were kept somewhere, as far as they can be believed, and those of them that are over.
    pub fn restored(kept: Vec<Lease>, now: u64) -> (Self, Vec<Lease>) {
        let (mut leases, mut over) = (Self::default(), Vec::new());
        for lease in kept.into_iter().take(MOST) {
            match lease.clone().believed(now) {
                Some(lease) => drop(leases.held.insert(lease.target.clone(), lease)),
                None => over.push(lease),
            }
        }
        (leases, over)
    }

    /// Those that run, by pool and node.
    pub fn iter(&self) -> impl Iterator<Item = &Lease> {
        self.held.values()
    }

    /// The lease of a node.
    pub fn of(&self, target: &Target) -> Option<&Lease> {
        self.held.get(target)
    }

    /// Whether there is nothing to look after.
    pub fn is_empty(&self) -> bool {
        self.held.is_empty() && self.endings.is_empty()
    }

    /// Whether one more can be taken.
    pub fn has_room(&self) -> bool {
        self.held.len() < MOST
    }

    /// The nodes that are not back although their leases are over, once somebody was told.
    pub fn missed(&self) -> impl Iterator<Item = &Target> {
        self.endings.values().filter(|ending| ending.told > 0).map(|ending| &ending.lease.target)
    }

    /// Takes a lease; one that the node had before is over without a word.
    pub fn take(&mut self, lease: Lease) {
        self.endings.remove(&lease.target);
        self.recalled.remove(&lease.target);
        self.held.insert(lease.target.clone(), lease);
    }

    /// Gives a lease another time, from now on.
    pub fn renew(&mut self, target: &Target, term: Term, now: u64) -> Option<&Lease> {
        let lease = self.held.get_mut(target)?;
        lease.renew(term, now);
        Some(lease)
    }

    /// Ends a lease before its time.
    pub fn end(&mut self, target: &Target, now: u64) -> Option<Lease> {
        let lease = self.held.remove(target)?;
        self.endings.insert(target.clone(), Ending { lease: lease.clone(), since: now, told: 0 });
        Some(lease)
    }

    /// Ends a lease of `pool` before its time because the other nodes are not enough: the oldest of those whose nodes may
    /// come back. Who drained a node a minute ago is likely to be at work on it; who did so days ago may have forgotten it.
    pub fn recall(
        &mut self,
        pool: &Name,
        (plight, others): (Plight, Vec<String>),
        may_come_back: impl Fn(&Target) -> bool,
        now: u64,
    ) -> Option<Lease> {
        let is_meant = |lease: &&Lease| lease.target.pool == *pool && !lease.never_recall;
        let mut candidates: Vec<_> = self.held.values().filter(is_meant).collect();
        candidates.sort_by_key(|lease| lease.since);
        let target =
            candidates.iter().map(|lease| &lease.target).find(|target| may_come_back(target))?.clone();
        let lease = self.end(&target, now)?;
        self.recalled.retain(|_, recalled| recalled.is_recent(now));
        self.recalled.insert(target, Recalled { lease: lease.clone(), at: now, plight, others });
        Some(lease)
    }

    /// The nodes that were recalled in the last hour and not drained since.
    pub fn recalled(&self, now: u64) -> impl Iterator<Item = &Recalled> {
        self.recalled.values().filter(move |recalled| recalled.is_recent(now))
    }

    /// Looks at each lease and says what came to pass. `sight` is how a node is, and `back` how one is whose lease is over.
    pub fn review(
        &mut self,
        now: u64,
        sight: impl Fn(&Target) -> Sight,
        back: impl Fn(&Target) -> Return,
    ) -> Vec<Fact> {
        let mut facts = Vec::new();
        self.endings.retain(|target, ending| {
            let state = back(target);
            facts.extend(ending.review(now, &state));
            state != Return::Back
        });
        for lease in self.held.values_mut() {
            facts.extend(lease.emptied(now, &sight(&lease.target)));
            facts.extend(lease.remind(now));
        }
        let over: Vec<_> = self.held.values().filter(|lease| lease.left(now) == 0).cloned().collect();
        for lease in over {
            self.end(&lease.target, now);
            facts.push(Fact::Ended(lease));
        }
        facts
    }
}

impl Lease {
    /// Notes whether the node has requests, and says when the last of them ended.
    fn emptied(&mut self, now: u64, sight: &Sight) -> Option<Fact> {
        match (sight, self.empty_since) {
            (Sight::Empty, None) => {
                self.empty_since = Some(now);
                Some(Fact::Empty(self.clone()))
            }
            (Sight::Busy(_) | Sight::Absent, _) => {
                self.empty_since = None;
                None
            }
            (Sight::Empty, Some(_)) => None,
        }
    }

    /// The latest reminder that is due; one that is late replaces those before it.
    fn remind(&mut self, now: u64) -> Option<Fact> {
        let given = self.until.saturating_sub(self.renewed);
        let over = now.saturating_sub(self.renewed);
        let (due, tenths) = match over.saturating_mul(10) {
            over if over >= given.saturating_mul(9) => (2, 9),
            over if over >= given.saturating_mul(5) => (1, 5),
            _ => (0, 0),
        };
        if due <= self.reminded || self.left(now) == 0 {
            return None;
        }
        self.reminded = due;
        Some(Fact::Reminder(self.clone(), tenths))
    }
}

impl Recalled {
    fn is_recent(&self, now: u64) -> bool {
        now.saturating_sub(self.at) < SHOWN
    }
}

impl Ending {
    fn review(&mut self, now: u64, state: &Return) -> Option<Fact> {
        let late = now.saturating_sub(self.since);
        match state {
            Return::Back => Some(Fact::Back(self.lease.clone())),
            Return::OnTrial => None,
            Return::Missing(why) if late >= self.next() => {
                self.told += 1;
                Some(Fact::NotBack(self.lease.clone(), late, why.clone()))
            }
            Return::Missing(_) => None,
        }
    }

    /// How late the node has to be for the next word about it.
    fn next(&self) -> u64 {
        let Some(before) = self.told.checked_sub(1) else { return PATIENCE };
        next_reminder(before)
    }
}
