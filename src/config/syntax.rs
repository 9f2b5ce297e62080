//! What a text that is no YAML is told about it.
//!
//! libyaml says what its parser waited for. That is the truth, and no help at night; so the usual slips are told apart
//! by what stands at the place.

use std::sync::Arc;

use saphyr_parser::ScanError;

use super::problem::Problem;
use super::source::at;

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

/// What a slip looks like, and what is said about it.
struct Slip {
    message: String,
    help: &'static str,
}

fn problem(file: &Arc<str>, text: &str, said: &str, place: (usize, usize)) -> Problem {
    if said.contains(RECURSION) {
        return too_deep(file, place);
    }
    let line = text.split('\n').nth(place.0.saturating_sub(1)).unwrap_or_default();
    match slip(said, line, place.1) {
        Some(slip) => at(file, place, slip.message, Some(slip.help)),
        None => at(file, place, format!("not YAML: {}", without_place(said)), None),
    }
}

/// The slip behind what the reader `said` about `column` of `line`.
fn slip(said: &str, line: &str, column: usize) -> Option<Slip> {
    let here = line.chars().nth(column.saturating_sub(1));
    let is_tab = here == Some('\t') || line.trim_start_matches(' ').starts_with('\t');
    let (message, help) = if is_tab {
        (
            "a tab stands where YAML allows only spaces",
            "indent with spaces; no tabs at the beginning of a line",
        )
    } else if line.contains("[:") || line.contains("]:") {
        ("not YAML: `[` begins a list", "put an IPv6 address in quotes, as in `\"[::1]:8080\"`")
    } else if said.contains("scanning an alias") || said.contains("unknown anchor") {
        ("a value that begins with `*` is an alias, and nothing has this name", STAR)
    } else if said.contains("cannot start any token") {
        return Some(Slip {
            message: format!("a value cannot begin with `{}`", here.unwrap_or(' ')),
            help: "put the value in quotes",
        });
    } else if said.contains("mapping values are not allowed") {
        ("a `:` stands where no key can be", INDENT_OR_QUOTE)
    } else if said.contains("scanning a quoted scalar") && said.contains("end of stream") {
        ("a quote is opened and never closed", "look for the `\"` or `'` that stands alone above")
    } else if said.contains("flow sequence") || said.contains("flow mapping") {
        ("a bracket is not closed, or a comma is missing", "look for the `[` or `{` above that has no end")
    } else if said.contains("expected key") || said.contains("expected '-' indicator") {
        ("this does not fit the lines above it", INDENT)
    } else if said.contains("expected ':'") {
        ("a key has no `:` after it", "write `key: value`")
    } else {
        return None;
    };
    Some(Slip { message: message.to_owned(), help })
}

const STAR: &str = "put it in quotes, as in `\"*.example.com\"`";
const INDENT: &str = "indent the keys of one mapping, and the `-` of one list, by the same number of spaces";
const INDENT_OR_QUOTE: &str = "\
indent the keys of one mapping by the same number of spaces
put a value that holds `: ` in quotes";

/// What the reader said, without the place, which is told anyway.
fn without_place(said: &str) -> &str {
    said.split(" at line ").next().unwrap_or(said)
}
