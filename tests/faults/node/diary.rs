//! What a node did, in a file that survives `kill -9`: one line an event, each written at once.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::path::Path;

use crate::clock::{self, Moment};

/// What happened to a request at a node.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Event {
    /// Its head was read.
    Arrived,
    /// It was read whole, and the node began to act on it.
    Executed,
    /// It was read whole, and its body is not the one that the client sent.
    Garbled,
}

const WORDS: [(Event, &str); 3] =
    [(Event::Arrived, "arrived"), (Event::Executed, "executed"), (Event::Garbled, "garbled")];

/// One line.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Entry {
    pub(crate) at: Moment,
    pub(crate) event: Event,
    pub(crate) id: u64,
}

/// The file, open for one more line.
pub(crate) struct Diary(File);

impl Diary {
    pub(crate) fn open(path: &Path) -> io::Result<Self> {
        OpenOptions::new().create(true).append(true).open(path).map(Self)
    }

    pub(crate) fn note(&self, event: Event, id: u64) {
        let word = WORDS.iter().find(|(one, _)| *one == event).map_or("", |(_, word)| word);
        let line = format!("{} {word} {id}\n", clock::now().micros());
        (&self.0).write_all(line.as_bytes()).expect("the diary can be written");
    }
}

/// Every line so far.
pub(crate) fn read(path: &Path) -> Vec<Entry> {
    let text = fs::read_to_string(path).unwrap_or_default();
    // The last line may be under way.
    let whole = text.rfind('\n').map_or("", |end| &text[..end]);
    whole.lines().map(|line| parse(line).unwrap_or_else(|| panic!("no entry: {line:?}"))).collect()
}

fn parse(line: &str) -> Option<Entry> {
    let mut words = line.split(' ');
    let at = Moment::from_micros(words.next()?.parse().ok()?);
    let word = words.next()?;
    let event = WORDS.iter().find(|(_, one)| *one == word)?.0;
    Some(Entry { at, event, id: words.next()?.parse().ok()? })
}
