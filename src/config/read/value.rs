//! One value of the tree, with its place.

use std::collections::HashMap;
use std::fmt;

use super::{Fault, Fields, Findings, nearest};
use crate::config::locate::Place;
use crate::config::tree::Tree;

/// A longer text is cut where it is shown.
const LONGEST_SHOWN: usize = 80;

/// One value of the tree, and how it was reached.
#[derive(Clone, Copy)]
pub(in crate::config) struct Value<'a> {
    pub(super) tree: &'a Tree,
    pub(super) findings: &'a Findings,
    parent: Option<&'a Value<'a>>,
    step: Step<'a>,
}

/// How a value is reached from the one around it.
#[derive(Clone, Copy)]
enum Step<'a> {
    /// It is the whole document.
    Root,
    /// It is the entry `.0` of a list.
    Item(usize),
    /// It stands at the key `.1`, which bookend knows, the entry `.0` of a mapping.
    Key(usize, &'a str),
    /// It stands at the key `.1`, a name that the file chose, the entry `.0` of a mapping.
    Named(usize, &'a str),
}

impl<'a> Value<'a> {
    /// The whole document.
    pub(in crate::config) fn root(tree: &'a Tree, findings: &'a Findings) -> Self {
        Self { tree, findings, parent: None, step: Step::Root }
    }

    /// Reports what is wrong with this value.
    pub(in crate::config) fn report(&self, fault: Fault) {
        let fault = if matches!(self.tree, Tree::Null) { fault.on_key() } else { fault };
        self.findings.add(self.place(), self.path(), fault);
    }

    /// Reports what is wrong with this value; always `None`, for readers to end with.
    pub(in crate::config) fn fail<T>(&self, fault: Fault) -> Option<T> {
        self.report(fault);
        None
    }

    /// Reports that this is not `what` was expected.
    pub(super) fn unexpected<T>(&self, what: &str) -> Option<T> {
        let fault = match self.tree {
            Tree::Null => Fault::new(format!("no value, but {what} must stand here"))
                .help("give it a value, or remove the key"),
            Tree::Tagged(_) => Fault::new(format!("expected {what}, found {self}"))
                .help("remove the tag: there are none here"),
            Tree::Bool(_)
            | Tree::Whole(_)
            | Tree::Real(_)
            | Tree::Text(_)
            | Tree::List(_)
            | Tree::Mapping(_) => Fault::new(format!("expected {what}, found {self}")),
        };
        self.fail(fault)
    }

    /// Whether this is a mapping.
    pub(in crate::config) fn is_mapping(&self) -> bool {
        matches!(self.tree, Tree::Mapping(_))
    }

    /// Whether this is text.
    pub(in crate::config) fn is_text(&self) -> bool {
        matches!(self.tree, Tree::Text(_))
    }

    /// Whether this is a list without values.
    pub(in crate::config) fn is_empty_list(&self) -> bool {
        matches!(self.tree, Tree::List(items) if items.is_empty())
    }

    /// Whether this is a mapping without entries.
    pub(in crate::config) fn is_empty_mapping(&self) -> bool {
        matches!(self.tree, Tree::Mapping(entries) if entries.is_empty())
    }

    /// Which entry of a list or mapping this is.
    pub(in crate::config) fn index(&self) -> Option<usize> {
        self.step.index()
    }

    /// The one of `words` that is most like `word`, unless there were too many problems already.
    pub(in crate::config) fn nearest<'w>(
        &self,
        word: &str,
        words: impl IntoIterator<Item = &'w str>,
    ) -> Option<&'w str> {
        if self.findings.is_full() { None } else { nearest(word, words) }
    }

    /// Reads a mapping whose keys bookend knows; a key that `read` does not look for is reported.
    pub(in crate::config) fn fields<T>(&self, what: &str, read: impl FnOnce(&Fields<'_>) -> T) -> Option<T> {
        let Tree::Mapping(entries) = self.tree else { return self.unexpected(what) };
        let fields = Fields::new(self, entries);
        let value = read(&fields);
        fields.report_unknown();
        Some(value)
    }

    /// Reads a mapping whose keys the file chooses; hands `read` each key and its value.
    pub(in crate::config) fn named<T>(
        &self,
        what: &str,
        read: impl Fn(&'a str, Value<'_>) -> Option<T>,
    ) -> Option<Vec<T>> {
        let Tree::Mapping(entries) = self.tree else { return self.unexpected(what) };
        let mut values = Vec::with_capacity(entries.len());
        for (index, name, tree) in self.text_keys(entries) {
            values.extend(read(name, self.child(tree, Step::Named(index, name))));
        }
        Some(values)
    }

    /// Reads a list; hands `read` each value of it.
    pub(in crate::config) fn each<T>(
        &self,
        what: &str,
        mut read: impl FnMut(Value<'_>) -> Option<T>,
    ) -> Option<Vec<T>> {
        let items = match self.tree {
            Tree::List(items) => items,
            Tree::Null => return self.unexpected(what),
            _ => {
                let fault = Fault::new(format!("expected {what}, found {self}"));
                return self.fail(fault.help("begin each entry of the list with `- `"));
            }
        };
        let items = items.iter().enumerate().take_while(|_| !self.findings.is_full());
        Some(items.filter_map(|(index, tree)| read(self.child(tree, Step::Item(index)))).collect())
    }

    /// Reads one value, or a list of them.
    pub(in crate::config) fn each_or_one<T>(
        &self,
        what: &str,
        mut read: impl FnMut(Value<'_>) -> Option<T>,
    ) -> Option<Vec<T>> {
        match self.tree {
            Tree::List(_) => self.each(what, read),
            _ => read(*self).map(|value| vec![value]),
        }
    }

    /// Reads one value, or a list of at least one.
    pub(in crate::config) fn one_or_each<T>(
        &self,
        what: &str,
        read: impl FnMut(Value<'_>) -> Option<T>,
    ) -> Option<Vec<T>> {
        if self.is_empty_list() {
            return self.fail(
                Fault::new(format!("an empty list, but {what} must stand here")).help("remove the key"),
            );
        }
        self.each_or_one(what, read)
    }

    /// Reports keys that are no text or stand here twice, and returns the others in order.
    pub(super) fn text_keys(&self, entries: &'a [(Tree, Tree)]) -> Vec<(usize, &'a str, &'a Tree)> {
        let mut first_at = HashMap::with_capacity(entries.len());
        let mut texts = Vec::with_capacity(entries.len());
        for (index, (key, tree)) in entries.iter().enumerate() {
            if self.findings.is_full() {
                break;
            }
            match key {
                Tree::Text(name) if name == "<<" => self.refuse_merge(index, name, tree),
                Tree::Text(name) => match first_at.insert(name.as_str(), index) {
                    None => texts.push((index, name.as_str(), tree)),
                    Some(first) => self.refuse_second(index, name, tree, first),
                },
                _ => self.refuse_key(index, key, tree),
            }
        }
        texts
    }

    /// The value of the entry `index` of this mapping, at a key that bookend knows.
    pub(super) fn at_key<'s>(&'s self, index: usize, key: &'s str, tree: &'s Tree) -> Value<'s> {
        self.child(tree, Step::Key(index, key))
    }

    /// How to get here from the root.
    pub(in crate::config) fn place(&self) -> Place {
        let mut place: Place = self.up().filter_map(|value| value.step.index()).collect();
        place.reverse();
        place
    }

    /// What this value is called, as in `pools.web.nodes[1]`.
    pub(in crate::config) fn path(&self) -> String {
        self.path_by(|path, step| match step {
            Step::Root => {}
            Step::Item(index) => path.push_str(&format!("[{index}]")),
            Step::Key(_, key) | Step::Named(_, key) => push_key(path, key),
        })
    }

    /// What the key `key` of values like this is called, whatever the names, as in `pools.*.nodes[].weight`.
    pub(super) fn known_path(&self, key: &str) -> String {
        let mut path = self.path_by(|path, step| match step {
            Step::Root => {}
            Step::Item(_) => path.push_str("[]"),
            Step::Key(_, key) => push_key(path, key),
            Step::Named(..) => path.push_str(".*"),
        });
        push_key(&mut path, key);
        path
    }

    fn path_by(&self, write: impl Fn(&mut String, Step<'a>)) -> String {
        let mut steps: Vec<_> = self.up().map(|value| value.step).collect();
        steps.reverse();
        let mut path = String::new();
        steps.into_iter().for_each(|step| write(&mut path, step));
        path
    }

    /// This value, the one around it, and so on.
    fn up(&self) -> impl Iterator<Item = &Value<'a>> {
        std::iter::successors(Some(self), |value| value.parent)
    }

    fn child<'s>(&'s self, tree: &'s Tree, step: Step<'s>) -> Value<'s> {
        Value { tree, findings: self.findings, parent: Some(self), step }
    }

    fn refuse_merge(&self, index: usize, name: &str, tree: &Tree) {
        let fault = Fault::new("merging with `<<` is not supported")
            .help("write the keys out, or let an alias (`*name`) stand for a whole value");
        self.child(tree, Step::Key(index, name)).report(fault.on_key());
    }

    fn refuse_second(&self, index: usize, name: &str, tree: &Tree, first: usize) {
        let mut first_place = self.place();
        first_place.push(first);
        let fault = Fault::new("the same key twice; it already stands").first(first_place);
        let fault = fault.help("keep one of them");
        self.child(tree, Step::Key(index, name)).report(fault.on_key());
    }

    fn refuse_key(&self, index: usize, key: &Tree, tree: &Tree) {
        let found = match key {
            Tree::Null => "`null`".to_owned(),
            _ => Value { tree: key, ..*self }.to_string(),
        };
        let name = match key {
            Tree::Null => "null".to_owned(),
            Tree::Bool(value) => value.to_string(),
            Tree::Whole(value) => value.to_string(),
            Tree::Real(value) => value.to_string(),
            Tree::Text(_) | Tree::List(_) | Tree::Mapping(_) | Tree::Tagged(_) => "?".to_owned(),
        };
        let fault = Fault::new(format!("a key must be text, found {found}"));
        let fault = match key {
            Tree::Null | Tree::Bool(_) | Tree::Whole(_) | Tree::Real(_) => fault.help("put it in quotes"),
            Tree::Text(_) | Tree::List(_) | Tree::Mapping(_) | Tree::Tagged(_) => fault,
        };
        self.child(tree, Step::Key(index, &name)).report(fault.on_key());
    }
}

impl fmt::Display for Value<'_> {
    /// Writes what this is, as in "the text `x`".
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.tree {
            Tree::Null => f.write_str("nothing"),
            Tree::Bool(value) => write!(f, "`{value}`"),
            Tree::Whole(value) => write!(f, "the number {value}"),
            Tree::Real(value) => write!(f, "the number {value}"),
            Tree::Text(text) => write!(f, "the text `{}`", shown(text)),
            Tree::List(_) => f.write_str("a list"),
            Tree::Mapping(_) => f.write_str("a mapping"),
            Tree::Tagged(tag) => write!(f, "a value with the tag `!{}`", shown(tag)),
        }
    }
}

impl Step<'_> {
    fn index(self) -> Option<usize> {
        match self {
            Step::Root => None,
            Step::Item(index) | Step::Key(index, _) | Step::Named(index, _) => Some(index),
        }
    }
}

/// `text` in one line, cut where it is long.
pub(in crate::config) fn shown(text: &str) -> String {
    let mut shown: String = text.chars().take(LONGEST_SHOWN).flat_map(escaped).collect();
    if text.chars().nth(LONGEST_SHOWN).is_some() {
        shown.push('…');
    }
    shown
}

fn escaped(c: char) -> impl Iterator<Item = char> {
    let (plain, escape) = if c.is_control() { (None, Some(c.escape_debug())) } else { (Some(c), None) };
    plain.into_iter().chain(escape.into_iter().flatten())
}

fn push_key(path: &mut String, key: &str) {
    if !path.is_empty() {
        path.push('.');
    }
    let is_plain =
        !key.is_empty() && key.chars().all(|c| c.is_alphanumeric() || matches!(c, '_' | '-' | '*'));
    match is_plain {
        true => path.push_str(&shown(key)),
        false => path.push_str(&format!("\"{}\"", shown(key))),
    }
}
