//! What a pool has besides some of its nodes, in numbers.

use serde::{Deserialize, Serialize};

use crate::drain;

/// What a pool has besides nodes that it is to do without; all rates in answers a second.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Rest {
    /// Others that can serve.
    pub available: usize,
    /// Nodes of the pool.
    pub nodes: usize,
    /// How many of the others have to be able to serve.
    pub min_available: usize,
    /// What the pool carries now.
    pub load: f64,
    /// What the others have shown that they can carry.
    pub rest: f64,
    /// `rest` less `load`; what is below 0 would be missing, as far as is known.
    pub spare: f64,
    /// `enough` if the others have carried the load, `lacking` if all were at their limits at less or the pool turns requests
    /// away as it is, else `unproven`.
    pub proof: String,
    /// The others that can serve.
    pub others: Vec<Carrier>,
}

/// A node that can serve; all rates in answers a second.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Carrier {
    /// What it is called.
    pub name: String,
    /// What it carries now.
    pub load: f64,
    /// The most that it gave for ten seconds without being late; 0 if it never has for so long.
    pub shown: f64,
    /// What it gives with more to do than it can; `None` if it never was at its limit.
    pub capacity: Option<f64>,
}

impl From<&drain::Rest> for Rest {
    fn from(rest: &drain::Rest) -> Self {
        Self {
            available: rest.able.len(),
            nodes: rest.all,
            min_available: rest.min_available,
            load: rest.load,
            rest: rest.rest,
            spare: rest.spare(),
            proof: rest.proof.as_str().to_owned(),
            others: rest.able.iter().map(Carrier::from).collect(),
        }
    }
}

impl From<&drain::Carrier> for Carrier {
    fn from(carrier: &drain::Carrier) -> Self {
        let drain::Carrier { node, load, shown, capacity } = carrier.clone();
        Self { name: node, load, shown, capacity }
    }
}
