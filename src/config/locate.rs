//! Where in a file its values stand.
//!
//! `serde_yaml` does not tell for a value that it could read. So a file with problems is read a second time, by a
//! reader that keeps places; a file without problems never is.

use std::collections::HashMap;

use saphyr_parser::{Event, Parser, Span};

/// The entries to descend, from the root: the n-th of a list or of a mapping.
pub(super) type Place = Vec<usize>;

/// A line and a column, both from 1; the column in characters.
pub(super) type LineColumn = (usize, usize);

/// The places of all values of a text.
pub(super) struct Locations {
    values: Vec<Located>,
    documents: Vec<LineColumn>,
    first_alias: Option<LineColumn>,
}

/// One value, and where it is.
struct Located {
    at: LineColumn,
    /// For an alias, the value it stands for, if it stands before it.
    target: Option<usize>,
    /// For a list its values, for a mapping its keys and values in turn.
    children: Vec<usize>,
    is_mapping: bool,
}

impl Locations {
    /// Finds the places of all values of `text`, as far as it can be read.
    pub(super) fn of(text: &str) -> Self {
        let mut locations = Self { values: Vec::new(), documents: Vec::new(), first_alias: None };
        let mut anchors = HashMap::new();
        let mut open: Vec<usize> = Vec::new();
        for (event, span) in Parser::new_from_str(text).map_while(Result::ok) {
            match event {
                Event::DocumentStart(_) => locations.documents.push(start(span)),
                Event::Alias(anchor) => {
                    locations.first_alias.get_or_insert(start(span));
                    let alias = locations.add(span, false, &open);
                    if let Some(value) = locations.values.get_mut(alias) {
                        value.target = anchors.get(&anchor).copied();
                    }
                }
                Event::Scalar(_, _, anchor, _) => {
                    anchors.insert(anchor, locations.add(span, false, &open));
                }
                Event::SequenceStart(anchor, _) | Event::MappingStart(anchor, _) => {
                    let is_mapping = matches!(event, Event::MappingStart(..));
                    let value = locations.add(span, is_mapping, &open);
                    anchors.insert(anchor, value);
                    open.push(value);
                }
                Event::SequenceEnd | Event::MappingEnd => {
                    open.pop();
                }
                Event::StreamStart | Event::StreamEnd | Event::DocumentEnd | Event::Nothing => {}
            }
        }
        locations
    }

    /// Where the value at `place` begins.
    ///
    /// Where the two readers of YAML disagree about the text, the place of what is around it.
    pub(super) fn value(&self, place: &[usize]) -> LineColumn {
        self.find(place, 1)
    }

    /// Where the key of the value at `place` begins; the value itself in a list, which has no keys.
    pub(super) fn key(&self, place: &[usize]) -> LineColumn {
        self.find(place, 0)
    }

    /// Where the second document begins, if there is one.
    pub(super) fn second_document(&self) -> LineColumn {
        self.documents.get(1).copied().unwrap_or((1, 1))
    }

    /// Where the first alias stands, if there is one.
    pub(super) fn first_alias(&self) -> LineColumn {
        self.first_alias.unwrap_or((1, 1))
    }

    /// Walks down `place`; in the last mapping on the way takes the key (`part` 0) or the value (`part` 1).
    fn find(&self, place: &[usize], part: usize) -> LineColumn {
        let Some(mut value) = self.values.first() else { return (1, 1) };
        for (depth, &entry) in place.iter().enumerate() {
            let part = if depth + 1 == place.len() { part } else { 1 };
            let holder = value.target.and_then(|target| self.values.get(target)).unwrap_or(value);
            let child = if holder.is_mapping { 2 * entry + part } else { entry };
            match holder.children.get(child).and_then(|&child| self.values.get(child)) {
                Some(child) => value = child,
                None => break,
            }
        }
        value.at
    }

    /// Adds a value to the innermost of `open`, and returns its index.
    fn add(&mut self, span: Span, is_mapping: bool, open: &[usize]) -> usize {
        let index = self.values.len();
        let value = Located { at: start(span), target: None, children: Vec::new(), is_mapping };
        self.values.push(value);
        if let Some(parent) = open.last().and_then(|&parent| self.values.get_mut(parent)) {
            parent.children.push(index);
        }
        index
    }
}

fn start(span: Span) -> LineColumn {
    (span.start.line().max(1), span.start.col() + 1)
}
