//! From bytes to text that is safe to hand to a YAML reader.
//!
//! libyaml, which `serde_yaml` stands on, takes minutes for a megabyte of nested brackets and half a minute for one
//! of `%TAG` lines. What it cannot read in time is refused here, in one pass each.

use std::sync::Arc;

use saphyr_parser::{Event, Parser};

use super::problem::Problem;
use super::syntax;

/// The largest file in bytes: room for more than ten thousand routes.
pub const LARGEST_FILE: usize = 2 * 1024 * 1024;
/// How deep lists and mappings may be nested; a configuration needs seven levels.
const DEEPEST: usize = 64;
/// The smallest file that works, shown to who has an empty one.
const SMALLEST_FILE: &str = "\
the smallest file that works:
listeners:
  - address: 0.0.0.0:8080
pools:
  web:
    nodes:
      - 127.0.0.1:8001
      - 127.0.0.1:8002
routes:
  - pool: web";

/// The text in `bytes`, without a byte order mark.
pub(super) fn text<'a>(file: &Arc<str>, bytes: &'a [u8]) -> Result<&'a str, Problem> {
    check_size(file, bytes)?;
    let bytes = bytes.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(bytes);
    let text = std::str::from_utf8(bytes).map_err(|error| not_utf8(file, bytes, error.valid_up_to()))?;
    check_characters(file, text)?;
    check_directives(file, text)?;
    check_depth(file, text)?;
    Ok(text)
}

/// The problem of a file that says nothing.
pub(super) fn empty(file: &Arc<str>) -> Problem {
    at(file, (1, 1), "the file is empty", Some(SMALLEST_FILE))
}

/// A problem of the file at a `(line, column)` rather than at one of its keys.
pub(super) fn at(
    file: &Arc<str>,
    (line, column): (usize, usize),
    message: impl Into<String>,
    help: Option<&str>,
) -> Problem {
    let (message, help) = (message.into(), help.map(str::to_owned));
    Problem { file: Arc::clone(file), line, column, path: String::new(), message, help }
}

/// The line and column, from 1, right after `before`, with the line ends that YAML knows: `\n`, `\r\n` and `\r`.
pub(super) fn after(before: &str) -> (usize, usize) {
    let line_start = before.rfind(['\n', '\r']).map_or(0, |index| index + 1);
    let line = before.matches(['\n', '\r']).count() - before.matches("\r\n").count() + 1;
    let column = before.get(line_start..).map_or(0, |rest| rest.chars().count()) + 1;
    (line, column)
}

fn check_size(file: &Arc<str>, bytes: &[u8]) -> Result<(), Problem> {
    if bytes.len() <= LARGEST_FILE {
        return Ok(());
    }
    let message =
        format!("the file has {} bytes, but a configuration has at most {LARGEST_FILE}", bytes.len());
    Err(at(file, (1, 1), message, Some("check that this is the right file")))
}

fn not_utf8(file: &Arc<str>, bytes: &[u8], valid_up_to: usize) -> Problem {
    let (valid, rest) = bytes.split_at(valid_up_to);
    let place = after(std::str::from_utf8(valid).unwrap_or_default());
    let byte = rest.first().copied().unwrap_or_default();
    let message = format!("the file is not UTF-8: byte {valid_up_to} is 0x{byte:02X}");
    let is_utf16 = matches!(bytes, [0xFF, 0xFE, ..] | [0xFE, 0xFF, ..]);
    let help = if is_utf16 {
        "it looks like UTF-16; save it as UTF-8"
    } else {
        "save the file as UTF-8; it may be in Latin-1 or no text at all"
    };
    at(file, place, message, Some(help))
}

/// Refuses what YAML forbids, and the line ends that only some readers of YAML take for line ends.
fn check_characters(file: &Arc<str>, text: &str) -> Result<(), Problem> {
    let Some((index, odd)) = text.char_indices().find(|&(_, c)| !is_allowed(c)) else {
        return Ok(());
    };
    let place = after(text.get(..index).unwrap_or_default());
    let message = format!("the character U+{:04X} cannot stand in a configuration", u32::from(odd));
    let help = match odd {
        '\0' => "remove it; a file with zero bytes may be damaged or no text at all",
        _ => "remove it; editors show it as a space or not at all",
    };
    Err(at(file, place, message, Some(help)))
}

fn is_allowed(c: char) -> bool {
    match c {
        '\t' | '\n' | '\r' | ' '..='~' => true,
        '\u{2028}' | '\u{2029}' | '\u{FEFF}' | '\u{FFFE}' | '\u{FFFF}' => false,
        _ => c >= '\u{A0}',
    }
}

/// Refuses `%YAML` and `%TAG` lines.
fn check_directives(file: &Arc<str>, text: &str) -> Result<(), Problem> {
    let found = match text.starts_with('%') {
        true => Some(0),
        false => text.find("\n%").or_else(|| text.find("\r%")).map(|index| index + 1),
    };
    let Some(index) = found else { return Ok(()) };
    let place = after(text.get(..index).unwrap_or_default());
    let message = "a line that begins with `%` is a YAML directive, and there are none here";
    Err(at(file, place, message, Some("remove the line; if it belongs to a text, put that in quotes")))
}

/// Refuses deep nesting before libyaml sees it.
///
/// Only brackets nest deeply on the cheap, so most files need no second reading.
fn check_depth(file: &Arc<str>, text: &str) -> Result<(), Problem> {
    if open_at_once(text) <= DEEPEST {
        return Ok(());
    }
    let mut depth = 0_usize;
    for step in Parser::new_from_str(text) {
        let (event, span) = step.map_err(|error| syntax::explain_scan(file, text, &error))?;
        match event {
            Event::SequenceStart(..) | Event::MappingStart(..) => depth += 1,
            Event::SequenceEnd | Event::MappingEnd => depth = depth.saturating_sub(1),
            _ => {}
        }
        if depth > DEEPEST {
            return Err(syntax::too_deep(file, (span.start.line(), span.start.col() + 1)));
        }
    }
    Ok(())
}

/// The most brackets that can be open at once, or more: wherever something else may have been closed, nothing was.
///
/// Outside of brackets, words and texts may have any of them, and what they open is taken for open. Within brackets only
/// quotes, comments and tags can have one that closes nothing, so from the first of those on none does.
fn open_at_once(text: &str) -> usize {
    let (mut open, mut most, mut is_sure) = (0_usize, 0, true);
    for byte in text.bytes() {
        match byte {
            b'[' | b'{' => {
                open += 1;
                most = most.max(open);
            }
            b']' | b'}' if is_sure => open = open.saturating_sub(1),
            b'"' | b'\'' | b'#' | b'!' if open > 0 => is_sure = false,
            _ => {}
        }
    }
    most
}

#[cfg(test)]
mod tests {
    use proptest::collection::vec;
    use proptest::prelude::*;
    use proptest::sample::select;

    use super::*;

    #[test]
    fn brackets_that_are_closed_are_not_open() {
        let text = "a: [1, {b: 2}, [3]]\nc: {d: [e]} # [\n";
        assert_eq!(open_at_once(text), 2);
        assert_eq!(open_at_once(&"- { a: [b, c] }\n".repeat(1_000)), 2);
        assert_eq!(open_at_once("no: one # see [1], ]]] or 'a'\nyes: [[[]]]"), 3);
    }

    #[test]
    fn what_may_close_nothing_closes_nothing() {
        for hidden in ["\"]\"", "']'", "# ]\n", "!<]> a"] {
            assert_eq!(open_at_once(&format!("[{hidden}, ").repeat(100)), 100, "{hidden}");
        }
        assert_eq!(open_at_once("a]]]: ]]\nb: |\n ]]]\nc: [[[["), 4);
    }

    /// How deep the lists of `text` are nested, as far as it can be read.
    fn depth(text: &str) -> usize {
        let (mut depth, mut deepest) = (0_usize, 0);
        for (event, _) in Parser::new_from_str(text).map_while(Result::ok) {
            match event {
                Event::SequenceStart(..) => depth += 1,
                Event::SequenceEnd => depth -= 1,
                _ => {}
            }
            deepest = deepest.max(depth);
        }
        deepest
    }

    const PIECES: &[&str] = &[
        "[", "[", "[", "]", "]", "a", "a ", ", ", " ,", "\"]\"", "\"]", "']'", "]'", " # ]\n", "\n", "!<]> ",
        "!a ", "&a ",
    ];

    proptest! {
        #[test]
        fn nothing_is_deeper_than_was_taken_for_open(pieces in vec(select(PIECES), 1..40)) {
            let text = format!("[{}", pieces.concat());
            prop_assert!(depth(&text) <= open_at_once(&text), "{text:?}");
        }
    }
}
