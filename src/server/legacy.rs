//! What a predecessor knows of the nodes, and what it seals tickets with, as text.

use serde::{Deserialize, Serialize};

use crate::clock;
use crate::generation::{Current, Generation};
use crate::tls::{TicketKeys, Tls};
use crate::upstream;

/// What a successor would have to learn anew, and its clients to agree on anew.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct Legacies {
    nodes: Vec<Entry>,
    tickets: Vec<TicketKeys>,
}

/// What is known of one node.
#[derive(Debug, Serialize, Deserialize)]
struct Entry {
    pool: String,
    /// Its address.
    place: String,
    known: upstream::Legacy,
}

impl Legacies {
    /// All that is known in the generation in force, as text: a secret.
    pub(super) fn of(current: &Current) -> String {
        let (generation, now) = (current.load(), clock::millis());
        let mut nodes = Vec::new();
        for pool in generation.pools() {
            for member in pool.members().iter() {
                let (place, known) = (member.node.place().to_string(), member.node.legacy(now));
                nodes.push(Entry { pool: pool.name().to_string(), place, known });
            }
        }
        // Text and numbers can always be written.
        serde_json::to_string(&Self { nodes, tickets: current.tls().ticket_keys() }).unwrap_or_default()
    }

    /// What a text says; another version may know other things, and then all is learnt anew.
    pub(super) fn parse(text: &str) -> Self {
        serde_json::from_str(text).unwrap_or_default()
    }

    /// Lets clients of `tls` go on with the sessions that they have.
    pub(super) fn resume(&self, tls: &Tls) {
        tls.inherit(&self.tickets);
    }

    /// Lets the nodes of `generation` know, those that have not been told yet.
    pub(super) fn tell(&mut self, generation: &Generation) {
        let now = clock::millis();
        for pool in generation.pools() {
            for member in pool.members().iter() {
                let place = member.node.place().to_string();
                let is_it = |entry: &mut Entry| entry.pool == pool.name().as_str() && entry.place == place;
                for entry in self.nodes.extract_if(.., is_it) {
                    member.node.inherit(entry.known, now);
                }
            }
        }
    }
}
