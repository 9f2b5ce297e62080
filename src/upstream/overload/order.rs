//! Whose turn it is: clients go in rounds, and within a round by when they came.
//!
//! A round lasts for as many turns as there were clients when it began, and gives nobody two. So a client with ten thousand
//! requests delays each of a hundred others by one turn a round, and where every client has one request, they simply go in
//! the order in which they came, or the newest first.

use std::collections::{BTreeMap, BTreeSet};

use crate::model::ClientNetwork;

/// Those who wait, by numbers that rise as they come. Every step is `O(log n)`, the beginning of a round `O(1)` a turn.
#[derive(Debug, Default)]
pub(super) struct Order {
    clients: BTreeMap<ClientNetwork, BTreeSet<u64>>,
    /// The clients that have had no turn in this round, by the oldest and by the newest of their numbers.
    due_by_oldest: BTreeMap<u64, ClientNetwork>,
    due_by_newest: BTreeMap<u64, ClientNetwork>,
    /// The others that there were.
    served: BTreeSet<ClientNetwork>,
    /// How many each client has.
    counts: BTreeSet<(usize, ClientNetwork)>,
    /// Turns until the next round.
    left: usize,
}

/// Which of two goes first that are due alike.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum First {
    /// The one that has waited longer.
    #[default]
    Oldest,
    /// The one that still has the most of its time.
    Newest,
}

impl Order {
    /// Whether nobody waits.
    pub(super) fn is_empty(&self) -> bool {
        self.clients.is_empty()
    }

    /// How many `client` has.
    pub(super) fn count(&self, client: ClientNetwork) -> usize {
        self.clients.get(&client).map_or(0, BTreeSet::len)
    }

    /// The most that one client has, and its newest.
    pub(super) fn most(&self) -> Option<(usize, u64)> {
        let (count, client) = self.counts.last()?;
        Some((*count, *self.clients.get(client)?.last()?))
    }

    /// Adds one of `client`.
    pub(super) fn add(&mut self, number: u64, client: ClientNetwork) {
        if self.clients.is_empty() {
            self.served.clear();
            self.left = 0;
        }
        self.change(client, |numbers| numbers.insert(number));
    }

    /// Adds one again whose turn was of no use: its client is as due as it was.
    pub(super) fn put_back(&mut self, number: u64, client: ClientNetwork) {
        self.unlist(client);
        self.served.remove(&client);
        self.list(client);
        self.add(number, client);
    }

    /// Takes one away.
    pub(super) fn remove(&mut self, number: u64, client: ClientNetwork) {
        self.change(client, |numbers| numbers.remove(&number));
    }

    /// Takes away the one whose turn it is.
    pub(super) fn next(&mut self, first: First) -> Option<u64> {
        if self.left == 0 || self.due_by_oldest.is_empty() {
            self.begin_round();
        }
        let (&number, &client) = match first {
            First::Oldest => self.due_by_oldest.first_key_value()?,
            First::Newest => self.due_by_newest.last_key_value()?,
        };
        self.left = self.left.saturating_sub(1);
        self.unlist(client);
        self.served.insert(client);
        self.list(client);
        self.remove(number, client);
        Some(number)
    }

    fn begin_round(&mut self) {
        self.left = self.clients.len();
        for client in std::mem::take(&mut self.served) {
            self.unlist(client);
            self.list(client);
        }
    }

    fn change(&mut self, client: ClientNetwork, change: impl FnOnce(&mut BTreeSet<u64>) -> bool) {
        self.unlist(client);
        let numbers = self.clients.entry(client).or_default();
        change(numbers);
        if numbers.is_empty() {
            self.clients.remove(&client);
        }
        self.list(client);
    }

    fn unlist(&mut self, client: ClientNetwork) {
        let Some(numbers) = self.clients.get(&client) else { return };
        self.counts.remove(&(numbers.len(), client));
        if let (Some(oldest), Some(newest)) = (numbers.first(), numbers.last()) {
            self.due_by_oldest.remove(oldest);
            self.due_by_newest.remove(newest);
        }
    }

    fn list(&mut self, client: ClientNetwork) {
        let Some(numbers) = self.clients.get(&client) else { return };
        self.counts.insert((numbers.len(), client));
        if let (false, Some(&oldest), Some(&newest)) =
            (self.served.contains(&client), numbers.first(), numbers.last())
        {
            self.due_by_oldest.insert(oldest, client);
            self.due_by_newest.insert(newest, client);
        }
    }
}
