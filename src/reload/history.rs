//! What became of the configurations so far.

use std::sync::Arc;
use std::time::SystemTime;

use parking_lot::Mutex;

use super::source::{LoadError, Source};
use crate::clock;

/// What became of the configurations so far.
#[derive(Debug)]
pub struct History {
    file: String,
    latest: Mutex<Latest>,
}

/// What became of the latest configurations.
#[derive(Clone, Debug)]
pub struct Latest {
    /// When the configuration in force came into force.
    pub in_force_at: SystemTime,
    /// The last configuration that was refused; it stays known after another came into force.
    pub refused: Option<Refused>,
}

/// A configuration that was refused.
#[derive(Clone, Debug)]
pub struct Refused {
    /// When.
    pub at: SystemTime,
    /// Why.
    pub why: Arc<LoadError>,
    /// Whether a configuration has come into force since.
    pub is_superseded: bool,
}

impl History {
    /// The history of what is loaded from `source`, which begins now.
    pub fn new(source: &Source) -> Self {
        let latest = Latest { in_force_at: clock::wall(), refused: None };
        Self { file: source.name(), latest: Mutex::new(latest) }
    }

    /// The source as people know it.
    pub fn file(&self) -> &str {
        &self.file
    }

    /// What became of the latest configurations.
    pub fn latest(&self) -> Latest {
        self.latest.lock().clone()
    }

    /// A configuration came into force; what was refused before it is mended.
    pub(super) fn in_force(&self) {
        let mut latest = self.latest.lock();
        latest.in_force_at = clock::wall();
        if let Some(refused) = &mut latest.refused {
            refused.is_superseded = true;
        }
    }

    pub(super) fn refused(&self, why: &Arc<LoadError>) {
        let refused = Refused { at: clock::wall(), why: Arc::clone(why), is_superseded: false };
        self.latest.lock().refused = Some(refused);
    }
}
