//! What was found to be wrong, before it is known where in the file that is.

use std::cell::{Cell, RefCell};
use std::collections::BTreeSet;
use std::sync::Arc;

use crate::config::locate::{Locations, Place};
use crate::config::problem::{Problem, Problems};

/// After so many problems reading ends: nobody reads on, and a broken file must not cost more than a good one.
const MOST_PROBLEMS: usize = 1000;

/// What is wrong with one value.
pub(in crate::config) struct Fault {
    message: String,
    help: Option<String>,
    /// Where the value stands that this one is in conflict with.
    first: Option<Place>,
    is_about_key: bool,
}

/// The problems of a file as they are found.
#[derive(Default)]
pub(in crate::config) struct Findings {
    found: RefCell<Vec<Found>>,
    is_cut: Cell<bool>,
    /// The keys that were looked for and those that were there; kept only where a test asks.
    keys: Option<RefCell<Keys>>,
}

/// Paths of keys, with `*` for a name and `[]` for a place in a list.
#[derive(Debug, Default)]
pub(in crate::config) struct Keys {
    /// The keys that a reader looked for.
    pub(in crate::config) known: BTreeSet<String>,
    /// Those of them that the file has.
    pub(in crate::config) present: BTreeSet<String>,
}

struct Found {
    place: Place,
    path: String,
    fault: Fault,
}

impl Fault {
    /// A value that is wrong, with what is wrong about it.
    pub(in crate::config) fn new(message: impl Into<String>) -> Self {
        Self { message: message.into(), help: None, first: None, is_about_key: false }
    }

    /// Adds how to mend it.
    pub(in crate::config) fn help(self, help: impl Into<String>) -> Self {
        Self { help: Some(help.into()), ..self }
    }

    /// Adds the place of the value that was there first.
    pub(in crate::config) fn first(self, place: Place) -> Self {
        Self { first: Some(place), ..self }
    }

    /// Points at the key instead of the value.
    pub(in crate::config) fn on_key(self) -> Self {
        Self { is_about_key: true, ..self }
    }
}

impl Findings {
    /// Findings that also keep the keys.
    #[cfg(test)]
    pub(in crate::config) fn with_keys() -> Self {
        Self { keys: Some(RefCell::default()), ..Self::default() }
    }

    /// The keys, if they were kept.
    #[cfg(test)]
    pub(in crate::config) fn into_keys(self) -> Keys {
        self.keys.map(RefCell::into_inner).unwrap_or_default()
    }

    /// Whether so much was found that reading shall end.
    pub(in crate::config) fn is_full(&self) -> bool {
        self.is_cut.get()
    }

    /// Adds a problem with the value at `place`, which is called `path`.
    pub(super) fn add(&self, place: Place, path: String, fault: Fault) {
        let mut found = self.found.borrow_mut();
        if found.len() < MOST_PROBLEMS {
            found.push(Found { place, path, fault });
        } else {
            self.is_cut.set(true);
        }
    }

    /// Notes that a reader looked for a key; `path` is asked only where keys are kept.
    pub(super) fn note_key(&self, is_present: bool, path: impl FnOnce() -> String) {
        let Some(keys) = &self.keys else { return };
        let (mut keys, path) = (keys.borrow_mut(), path());
        if is_present {
            keys.present.insert(path.clone());
        }
        keys.known.insert(path);
    }

    /// Ends the search: `value` if nothing is wrong, else every problem with its place in `text`.
    pub(in crate::config) fn finish<T>(
        &self,
        file: &Arc<str>,
        text: &str,
        value: Option<T>,
    ) -> Result<T, Problems> {
        let found = self.found.take();
        match value {
            Some(value) if found.is_empty() => Ok(value),
            Some(_) | None => {
                let locations = Locations::of(text);
                let problems = found.into_iter().map(|found| found.locate(file, &locations)).collect();
                Err(Problems::new(problems, self.is_full()))
            }
        }
    }
}

impl Found {
    fn locate(self, file: &Arc<str>, locations: &Locations) -> Problem {
        let Self { place, path, fault } = self;
        let (line, column) = if fault.is_about_key { locations.key(&place) } else { locations.value(&place) };
        let message = match fault.first {
            Some(first) => format!("{} in line {}", fault.message, locations.key(&first).0),
            None => fault.message,
        };
        Problem { file: Arc::clone(file), line, column, path, message, help: fault.help }
    }
}
