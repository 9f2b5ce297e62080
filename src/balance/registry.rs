//! The live state of every node, whatever configuration it is in.

use std::collections::HashMap;
use std::sync::{Arc, Weak};

use parking_lot::Mutex;

use crate::model::Name;
use crate::upstream::{Node, Place, Pulse};

/// All nodes that some pool holds, by pool and address. A node that a reload keeps keeps its state.
#[derive(Debug, Default)]
pub struct Registry {
    nodes: Mutex<HashMap<(Name, Place), Weak<Node>>>,
    pulses: Mutex<HashMap<Name, Weak<Pulse>>>,
}

impl Registry {
    /// The node of `pool` at `place`: the one that is known, or a new one.
    pub fn node(&self, pool: &Name, place: Place) -> Arc<Node> {
        let mut nodes = self.nodes.lock();
        let known = nodes.entry((pool.clone(), place.clone())).or_default();
        if let Some(node) = known.upgrade() {
            return node;
        }
        let node = Arc::new(Node::new(place, &self.pulse(pool)));
        *known = Arc::downgrade(&node);
        node
    }

    /// Forgets the nodes that no pool holds any more.
    pub fn forget_unused(&self) {
        self.nodes.lock().retain(|_, node| node.strong_count() > 0);
        self.pulses.lock().retain(|_, pulse| pulse.strong_count() > 0);
    }

    /// What the nodes of `pool` share.
    fn pulse(&self, pool: &Name) -> Arc<Pulse> {
        let mut pulses = self.pulses.lock();
        let known = pulses.entry(pool.clone()).or_default();
        if let Some(pulse) = known.upgrade() {
            return pulse;
        }
        let pulse = Arc::new(Pulse::default());
        *known = Arc::downgrade(&pulse);
        pulse
    }
}
