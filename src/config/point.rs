//! What turns out to be wrong with a file only after it was read: what it names is not there, or not good.

use std::fmt;
use std::sync::Arc;

use super::locate::{Locations, Place};
use super::problem::{Problem, Problems};
use super::tree::Tree;

/// One step on the way from the whole of a configuration to a value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    /// The value at a key.
    Key(&'static str),
    /// The value at a name that the file chose.
    Named(String),
    /// An entry of a list, from 0.
    Item(usize),
}

/// What is wrong with what a value names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FileFault {
    /// The way to the value.
    pub at: Vec<Step>,
    /// What is wrong.
    pub message: String,
    /// How to mend it.
    pub help: String,
}

impl fmt::Display for FileFault {
    /// Writes `listeners[0].tls: what is wrong; how to mend it`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}; {}", path(&self.at), self.message, self.help)
    }
}

/// Finds the places of `faults`, at least one, in the `bytes` of a file that could be read; `file` is what it is called.
pub fn locate(file: &str, bytes: &[u8], faults: Vec<FileFault>) -> Problems {
    let text = String::from_utf8_lossy(bytes);
    let (file, tree, locations): (Arc<str>, _, _) =
        (file.into(), Tree::read(&text).ok(), Locations::of(&text));
    let problem = |fault: FileFault| {
        let place = tree.as_ref().map(|tree| place(tree, &fault.at)).unwrap_or_default();
        let (line, column) = locations.value(&place);
        let (file, path) = (Arc::clone(&file), path(&fault.at));
        Problem { file, line, column, path, message: fault.message, help: Some(fault.help) }
    };
    Problems::new(faults.into_iter().map(problem).collect(), false)
}

/// The way as entries to descend, as far as it can be gone.
fn place(tree: &Tree, steps: &[Step]) -> Place {
    let (mut tree, mut place) = (tree, Place::new());
    for step in steps {
        let entry = match (step, tree) {
            (Step::Key(key), Tree::Mapping(entries)) => entry(entries, key),
            (Step::Named(name), Tree::Mapping(entries)) => entry(entries, name),
            (Step::Item(index), Tree::List(items)) => items.get(*index).map(|item| (*index, item)),
            _ => None,
        };
        let Some((index, below)) = entry else { break };
        place.push(index);
        tree = below;
    }
    place
}

/// The entry at `key`, with its number.
fn entry<'a>(entries: &'a [(Tree, Tree)], key: &str) -> Option<(usize, &'a Tree)> {
    let is_it = |(name, _): &(Tree, Tree)| matches!(name, Tree::Text(name) if name == key);
    entries.iter().position(is_it).and_then(|index| Some((index, &entries.get(index)?.1)))
}

/// The way as people read it, as in `listeners[0].tls`.
fn path(steps: &[Step]) -> String {
    steps.iter().fold(String::new(), |path, step| match step {
        Step::Key(key) if path.is_empty() => (*key).to_owned(),
        Step::Key(key) => format!("{path}.{key}"),
        Step::Named(name) => format!("{path}.{name}"),
        Step::Item(index) => format!("{path}[{index}]"),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fault_that_shows_late_has_its_line_all_the_same() {
        let text = b"a: 1\nlisteners:\n  - address: x\n  - address: y\n    tls:\n      key: /none\n";
        let at = [Step::Key("listeners"), Step::Item(1), Step::Key("tls"), Step::Key("key")].to_vec();
        let (message, help) = ("it is not there".to_owned(), "make it".to_owned());
        let problems = locate("b.yaml", text, vec![FileFault { at, message, help }]);
        assert_eq!(
            problems.to_string(),
            "b.yaml:6:12: listeners[1].tls.key: it is not there\n  help: make it"
        );
    }
}
