//! A mapping whose keys bookend knows.

use std::cell::RefCell;

use super::{Fault, Value, nearest};
use crate::config::tree::Tree;

/// A mapping whose keys bookend knows: the keys that are asked for are the ones it knows.
pub(in crate::config) struct Fields<'a> {
    value: &'a Value<'a>,
    entries: Vec<(usize, &'a str, &'a Tree)>,
    known: RefCell<Vec<&'static str>>,
}

impl<'a> Fields<'a> {
    pub(super) fn new(value: &'a Value<'a>, entries: &'a [(Tree, Tree)]) -> Self {
        Self { value, entries: value.text_keys(entries), known: RefCell::default() }
    }

    /// Reads the value at `key`; `None` if there is none, or it was reported.
    pub(in crate::config) fn read<T>(
        &self,
        key: &'static str,
        read: impl FnOnce(Value<'_>) -> Option<T>,
    ) -> Option<T> {
        read(self.find(key)?)
    }

    /// Reads the value at `key`, and reports that it is missing if there is none.
    pub(in crate::config) fn require<T>(
        &self,
        key: &'static str,
        example: &str,
        read: impl FnOnce(Value<'_>) -> Option<T>,
    ) -> Option<T> {
        match self.find(key) {
            Some(value) => read(value),
            None => {
                let fault = Fault::new(format!("the key `{key}` is missing"));
                self.value.fail(fault.help(example).on_key())
            }
        }
    }

    /// Reads the value at `key`, or takes `default` if there is none; `None` if it was reported.
    pub(in crate::config) fn read_or<T>(
        &self,
        key: &'static str,
        default: impl FnOnce() -> T,
        read: impl FnOnce(Value<'_>) -> Option<T>,
    ) -> Option<T> {
        match self.find(key) {
            Some(value) => read(value),
            None => Some(default()),
        }
    }

    /// Whether the file has `key`.
    pub(in crate::config) fn has(&self, key: &str) -> bool {
        self.entries.iter().any(|(_, name, _)| *name == key)
    }

    /// Reports every key of the file that was not asked for.
    pub(super) fn report_unknown(&self) {
        let known = self.known.borrow();
        for &(index, key, tree) in &self.entries {
            if self.value.findings.is_full() {
                return;
            }
            if known.contains(&key) {
                continue;
            }
            let fault = match nearest(key, known.iter().copied()) {
                Some(meant) => Fault::new(format!("unknown key; did you mean `{meant}`?")),
                None => {
                    Fault::new("unknown key").help(format!("keys that can stand here: {}", known.join(", ")))
                }
            };
            self.value.at_key(index, key, tree).report(fault.on_key());
        }
    }

    fn find(&self, key: &'static str) -> Option<Value<'_>> {
        self.known.borrow_mut().push(key);
        let found = self.entries.iter().find(|(_, name, _)| *name == key);
        self.value.findings.note_key(found.is_some(), || self.value.known_path(key));
        found.map(|&(index, key, tree)| self.value.at_key(index, key, tree))
    }
}
