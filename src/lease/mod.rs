//! Leases: a node that a person takes out comes back by itself.
//!
//! A [`Lease`] keeps new work from one node until its time is over; it has an owner and a reason, so that nobody has to
//! guess who took a node out and what for. [`Leases`] are all of them, and those that are over and whose nodes are not back
//! yet; what comes to pass with them is a [`Fact`]. A pool under [`Strain`] takes its nodes back before their time,
//! unless what it suffers is [`Usual`].
//!
//! All times are milliseconds since 1970, of a clock that does not jump.

mod held;
mod recall;
mod target;
mod term;
mod usual;

#[cfg(test)]
mod tests;

pub use held::{Fact, Leases, Recalled, Return, Sight};
pub use recall::{Plight, Requests, Strain};
pub use target::{Target, TargetError};
pub use term::{DEFAULT, LONGEST, Reason, ReasonError, SHORTEST, Term, TermError};
pub use usual::Usual;

/// A node gets no new work until then.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lease {
    /// The node.
    pub target: Target,
    /// Who asked for it.
    pub owner: String,
    /// What for.
    pub reason: Reason,
    /// Since when.
    pub since: u64,
    /// When its time was last set.
    pub renewed: u64,
    /// When it ends.
    pub until: u64,
    /// How many reminders of this time were given.
    pub reminded: u8,
    /// Since when the node has no request any more; `None` while it has, or before anybody looked.
    pub empty_since: Option<u64>,
    /// Whether the node is not taken back before its time, whatever becomes of the others, and gets no request even if they
    /// take none.
    pub never_recall: bool,
    /// What became of the pool's requests before one of its nodes was drained, as far as that is known.
    pub usual: Requests,
}

impl Lease {
    /// A lease that begins now.
    pub fn new(target: Target, owner: String, reason: Reason, term: Term, now: u64) -> Self {
        let until = now.saturating_add(term.millis());
        Self {
            target,
            owner,
            reason,
            since: now,
            renewed: now,
            until,
            reminded: 0,
            empty_since: None,
            never_recall: false,
            usual: Requests::default(),
        }
    }

    /// Gives it another time, from now on.
    pub fn renew(&mut self, term: Term, now: u64) {
        self.renewed = now;
        self.until = now.saturating_add(term.millis());
        self.reminded = 0;
    }

    /// How much of its time is left, in milliseconds.
    pub fn left(&self, now: u64) -> u64 {
        self.until.saturating_sub(now)
    }

    /// The same with all times later by so many milliseconds, or earlier: as another clock would have it.
    pub fn shifted(mut self, by: i64) -> Self {
        for time in [&mut self.since, &mut self.renewed, &mut self.until] {
            *time = time.saturating_add_signed(by);
        }
        self.empty_since = self.empty_since.map(|time| time.saturating_add_signed(by));
        self
    }

    /// The same as far as it can be believed: whatever a clock did while nobody looked, no more is left than was ever
    /// given. `None` if it is over.
    pub fn believed(mut self, now: u64) -> Option<Self> {
        let given = self.until.saturating_sub(self.renewed).min(Term::LONGEST.millis());
        let left = self.left(now).min(given);
        self.until = now.saturating_add(left);
        self.renewed = self.until.saturating_sub(given);
        self.since = self.since.min(now);
        (left > 0).then_some(self)
    }
}
