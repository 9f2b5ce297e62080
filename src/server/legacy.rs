//! What a predecessor knows of the nodes, as text.

use serde::{Deserialize, Serialize};

use crate::clock;
use crate::generation::Generation;
use crate::upstream;

/// What is known of nodes.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(super) struct Legacies(Vec<Entry>);

/// What is known of one node.
#[derive(Debug, Serialize, Deserialize)]
struct Entry {
    pool: String,
    /// Its address.
    place: String,
    known: upstream::Legacy,
}

impl Legacies {
    /// All that is known of the nodes of a generation, as text.
    pub(super) fn of(generation: &Generation) -> String {
        let now = clock::millis();
        let mut entries = Vec::new();
        for pool in generation.pools() {
            for member in pool.members().iter() {
                let (place, known) = (member.node.place().to_string(), member.node.legacy(now));
                entries.push(Entry { pool: pool.name().to_string(), place, known });
            }
        }
        // Text and numbers can always be written.
        serde_json::to_string(&Self(entries)).unwrap_or_default()
    }

    /// What a text says; another version may know other things, and then all is learnt anew.
    pub(super) fn parse(text: &str) -> Self {
        serde_json::from_str(text).unwrap_or_default()
    }

    /// Lets the nodes of `generation` know, those that have not been told yet.
    pub(super) fn tell(&mut self, generation: &Generation) {
        let now = clock::millis();
        for pool in generation.pools() {
            for member in pool.members().iter() {
                let place = member.node.place().to_string();
                let is_it = |entry: &mut Entry| entry.pool == pool.name().as_str() && entry.place == place;
                for entry in self.0.extract_if(.., is_it) {
                    member.node.inherit(entry.known, now);
                }
            }
        }
    }
}
