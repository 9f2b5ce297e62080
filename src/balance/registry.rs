//! The live state of every node, whatever configuration it is in.

use std::collections::HashMap;
use std::sync::{Arc, Weak};

use parking_lot::Mutex;

use crate::model::Name;
use crate::upstream::{Node, OverloadLine, Parking, Place, Pulse, Resort};

/// All nodes that some pool holds, by pool and address. A node that a reload keeps keeps its state.
#[derive(Debug, Default)]
pub struct Registry {
    nodes: Mutex<HashMap<(Name, Place), Weak<Node>>>,
    pulses: Mutex<HashMap<Name, Weak<Pulse>>>,
    parkings: Mutex<HashMap<Name, Weak<Parking>>>,
    lines: Mutex<HashMap<Name, Weak<OverloadLine>>>,
    drained: Mutex<HashMap<(Name, String), Resort>>,
}

impl Registry {
    /// The node of `pool` at `place`: the one that is known, or a new one.
    pub fn node(&self, pool: &Name, place: Place) -> Arc<Node> {
        let mut nodes = self.nodes.lock();
        let known = nodes.entry((pool.clone(), place.clone())).or_default();
        if let Some(node) = known.upgrade() {
            return node;
        }
        let node = Node::new(place, &self.pulse(pool)).with_line(self.line(pool));
        let node = Arc::new(node);
        *known = Arc::downgrade(&node);
        node
    }

    /// Forgets the nodes that no pool holds any more.
    pub fn forget_unused(&self) {
        self.nodes.lock().retain(|_, node| node.strong_count() > 0);
        self.pulses.lock().retain(|_, pulse| pulse.strong_count() > 0);
        self.parkings.lock().retain(|_, parking| parking.strong_count() > 0);
        self.lines.lock().retain(|_, line| line.strong_count() > 0);
    }

    /// Takes what is drained from now on, by pool and name: new addresses of these nodes get no work either.
    pub fn set_drained(&self, drained: HashMap<(Name, String), Resort>) {
        *self.drained.lock() = drained;
    }

    /// What the node may still get that `pool` knows by this name, if it is drained.
    pub fn drained(&self, pool: &Name, name: &str) -> Option<Resort> {
        let drained = self.drained.lock();
        if drained.is_empty() {
            return None;
        }
        drained.get(&(pool.clone(), name.to_owned())).copied()
    }

    /// What the nodes of `pool` share: those of older configurations as well.
    pub fn pulse(&self, pool: &Name) -> Arc<Pulse> {
        shared(&self.pulses, pool)
    }

    /// Where the requests of `pool` wait for a place at a node: those that came under an older configuration as well.
    pub fn line(&self, pool: &Name) -> Arc<OverloadLine> {
        shared(&self.lines, pool)
    }

    /// Where the requests of `pool` wait for a node to come back: those that came under an older configuration as well.
    pub fn parking(&self, pool: &Name) -> Arc<Parking> {
        shared(&self.parkings, pool)
    }
}

/// What everything shares that belongs to `pool`: what there is, or something new.
fn shared<T: Default>(known: &Mutex<HashMap<Name, Weak<T>>>, pool: &Name) -> Arc<T> {
    let mut known = known.lock();
    let known = known.entry(pool.clone()).or_default();
    if let Some(shared) = known.upgrade() {
        return shared;
    }
    let new = Arc::new(T::default());
    *known = Arc::downgrade(&new);
    new
}
