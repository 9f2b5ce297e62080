//! What is wrong with a file, for the person who has to mend it.

use std::fmt;
use std::sync::Arc;

/// One thing that is wrong with a configuration file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// The file, as the caller of [`parse`](super::parse) named it.
    pub file: Arc<str>,
    /// The line, from 1.
    pub line: usize,
    /// The column in characters, from 1.
    pub column: usize,
    /// The key it is about, as in `pools.web.nodes[1].address`; empty when it is the file as a whole.
    pub path: String,
    /// What is wrong.
    pub message: String,
    /// How to mend it, in one or more lines; `None` where the message says it all.
    pub help: Option<String>,
}

/// Everything that is wrong with a configuration file, in the order of the file; never empty.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problems {
    found: Vec<Problem>,
    is_cut: bool,
}

impl Problems {
    /// The problems `found`, at least one; `is_cut` when reading ended because there were too many.
    pub(super) fn new(mut found: Vec<Problem>, is_cut: bool) -> Self {
        found.sort_by_key(|problem| (problem.line, problem.column));
        Self { found, is_cut }
    }

    /// The problems, in the order of the file.
    pub fn iter(&self) -> std::slice::Iter<'_, Problem> {
        self.found.iter()
    }

    /// How many problems there are, at least 1.
    #[expect(clippy::len_without_is_empty, reason = "it never is")]
    pub fn len(&self) -> usize {
        self.found.len()
    }
}

impl From<Problem> for Problems {
    fn from(problem: Problem) -> Self {
        Self { found: vec![problem], is_cut: false }
    }
}

impl<'a> IntoIterator for &'a Problems {
    type Item = &'a Problem;
    type IntoIter = std::slice::Iter<'a, Problem>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

impl fmt::Display for Problem {
    /// Writes `file:line:column: path: what is wrong`, and the help below it; no line end after the last line.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}:{}: ", self.file, self.line, self.column)?;
        if !self.path.is_empty() {
            write!(f, "{}: ", self.path)?;
        }
        f.write_str(&self.message)?;
        let mut lead = "  help: ";
        for line in self.help.iter().flat_map(|help| help.lines()) {
            write!(f, "\n{lead}{line}")?;
            lead = "        ";
        }
        Ok(())
    }
}

impl fmt::Display for Problems {
    /// Writes one problem below the other; no line end after the last line.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, problem) in self.found.iter().enumerate() {
            let line_end = if index == 0 { "" } else { "\n" };
            write!(f, "{line_end}{problem}")?;
        }
        if self.is_cut {
            write!(f, "\nand more: reading ended after {} problems", self.found.len())?;
        }
        Ok(())
    }
}

impl std::error::Error for Problem {}

impl std::error::Error for Problems {}
