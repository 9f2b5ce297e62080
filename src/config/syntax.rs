//! What a text that is no YAML is told about it.
//!
//! libyaml says what its parser waited for. That is the truth, and no help at night; so the usual slips are told apart
//! by what stands at the place.

use std::sync::Arc;

use saphyr_parser::ScanError;

use super::problem::Problem;
use super::source::{after, at};

/// What YAML's own readers say when aliases multiply, or hold themselves.
const REPETITION: &str = "repetition limit exceeded";
const RECURSION: &str = "recursion limit exceeded";

/// The problem behind an error of `serde_yaml`; `first_alias` is where an error without a place is put.
pub(super) fn explain(
    file: &Arc<str>,
    text: &str,
    error: &serde_yaml::Error,
    first_alias: impl FnOnce() -> (usize, usize),
) -> Problem {
    let said = error.to_string();
    if said.contains(REPETITION) {
        return too_much(file, first_alias());
    }
    let place = error.location().map_or((1, 1), |place| (place.line(), place.column()));
    problem(file, text, &said, place)
}

/// The problem behind an error of the reader that looks at nesting.
pub(super) fn explain_scan(file: &Arc<str>, text: &str, error: &ScanError) -> Problem {
    problem(file, text, error.info(), (error.marker().line().max(1), error.marker().col() + 1))
}

/// The problem of values nested beyond all need.
pub(super) fn too_deep(file: &Arc<str>, place: (usize, usize)) -> Problem {
    let help = "look for brackets that are never closed, or an alias inside the value it stands for";
    at(file, place, "lists and mappings are nested too deeply", Some(help))
}

/// The problem of aliases that multiply beyond all need.
pub(super) fn too_much(file: &Arc<str>, place: (usize, usize)) -> Problem {
    let message = "too much: the file holds more values than a configuration can need";
    at(file, place, message, Some("aliases (`*name`) count as if written out; do not nest them"))
}

fn problem(file: &Arc<str>, text: &str, said: &str, place: (usize, usize)) -> Problem {
    // At the end of a text libyaml begins another line, whether or not the text does.
    let place = place.min(after(text));
    if said.contains(RECURSION) {
        return too_deep(file, place);
    }
    let line = text.split('\n').nth(place.0.saturating_sub(1)).unwrap_or_default();
    if let Some((message, help)) = slip_in(said, line, place.1) {
        return at(file, place, message, Some(help));
    }
    match SLIPS.iter().find(|slip| said.contains(slip.said)) {
        Some(slip) => {
            let place = opened_at(said).filter(|_| slip.is_where_it_opened).unwrap_or(place);
            at(file, place, slip.message, Some(slip.help))
        }
        None => at(file, place, format!("not YAML: {}", without_place(said)), None),
    }
}

/// The slip that shows in what stands at `column` of `line`.
fn slip_in(said: &str, line: &str, column: usize) -> Option<(String, &'static str)> {
    let here = line.chars().nth(column.saturating_sub(1));
    if here == Some('\t') || line.trim_start_matches(' ').starts_with('\t') {
        let message = "a tab stands where YAML allows only spaces".to_owned();
        return Some((message, "indent with spaces; no tabs at the beginning of a line"));
    }
    if line.contains("[:") || line.contains("]:") {
        let message = "not YAML: `[` begins a list".to_owned();
        return Some((message, "put an IPv6 address in quotes, as in `\"[::1]:8080\"`"));
    }
    let odd = here.filter(|_| said.contains("cannot start any token"))?;
    Some((format!("a value cannot begin with `{odd}`"), "put the value in quotes"))
}

/// A slip that shows in what the reader says.
struct Slip {
    said: &'static str,
    message: &'static str,
    help: &'static str,
    /// Whether it is to be mended where the reader began, not where it gave up.
    is_where_it_opened: bool,
}

impl Slip {
    const fn new(said: &'static str, message: &'static str, help: &'static str) -> Self {
        Self { said, message, help, is_where_it_opened: false }
    }

    const fn where_it_opened(self) -> Self {
        Self { is_where_it_opened: true, ..self }
    }
}

const STAR: &str = "put it in quotes, as in `\"*.example.com\"`";
const INDENT: &str = "\
indent the keys of one mapping, and the `-` of one list, by the same number of spaces
write a space after `:` and `-`";

/// The usual slips; the first that fits is told.
const SLIPS: [Slip; 9] = [
    Slip::new(
        "scanning an alias",
        "a value that begins with `*` is an alias, and nothing has this name",
        STAR,
    ),
    Slip::new("unknown anchor", "a value that begins with `*` is an alias, and nothing has this name", STAR),
    Slip::new(
        "mapping values are not allowed",
        "a `:` stands where no key can be",
        "indent the keys of one mapping by the same number of spaces\nput a value that holds `: ` in quotes",
    ),
    Slip::new("scanning a quoted scalar", "a quote is opened here and never closed", "add the closing quote")
        .where_it_opened(),
    Slip::new(
        "flow sequence",
        "the list that begins here has no end, or a comma is missing in it",
        "add the closing `]`",
    )
    .where_it_opened(),
    Slip::new(
        "flow mapping",
        "the mapping that begins here has no end, or a comma is missing in it",
        "add the closing `}`",
    )
    .where_it_opened(),
    Slip::new("expected key", "this does not fit the lines above it", INDENT),
    Slip::new("expected '-' indicator", "this does not fit the lines above it", INDENT),
    Slip::new("expected ':'", "a key has no `:` after it", "write `key: value`"),
];

/// What the reader said, without the place, which is told anyway.
fn without_place(said: &str) -> &str {
    said.split(" at line ").next().unwrap_or(said)
}

/// Where that began which the reader was in when it gave up.
fn opened_at(said: &str) -> Option<(usize, usize)> {
    let (_, context) = said.split_once(", while ")?;
    let (_, place) = context.split_once(" at line ")?;
    let (line, column) = place.split_once(" column ")?;
    Some((line.parse().ok()?, column.parse().ok()?))
}
