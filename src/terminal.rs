//! Text for a terminal: columns that stand below each other, words in colour, numbers as people read them.

use std::fmt::Write;

pub use crate::model::{counted, grouped};

/// A colour of a terminal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Colour {
    /// The terminal's own.
    Plain,
    /// The terminal's own, in bold.
    Bold,
    /// The terminal's own, in the background.
    Dim,
    /// All is well.
    Green,
    /// Somebody should look.
    Yellow,
    /// Something is wrong.
    Red,
}

/// One cell.
#[derive(Clone, Debug)]
pub struct Cell {
    text: String,
    colour: Colour,
    is_number: bool,
}

impl Cell {
    /// A text, which stands at the left.
    pub fn text(text: impl Into<String>) -> Self {
        Self { text: text.into(), colour: Colour::Plain, is_number: false }
    }

    /// A number, which stands at the right.
    pub fn number(text: impl Into<String>) -> Self {
        Self { is_number: true, ..Self::text(text) }
    }

    /// The same in a colour.
    pub fn in_colour(self, colour: Colour) -> Self {
        Self { colour, ..self }
    }
}

/// The rows with their columns aligned, each line indented by two; coloured only if `has_colour`.
pub fn aligned(rows: &[Vec<Cell>], has_colour: bool) -> String {
    let columns = rows.iter().map(Vec::len).max().unwrap_or_default();
    let widths: Vec<usize> = (0..columns)
        .map(|column| rows.iter().filter_map(|row| row.get(column)).map(width).max().unwrap_or_default())
        .collect();
    let mut text = String::new();
    for row in rows {
        let mut line = String::from(" ");
        for (cell, wide) in row.iter().zip(&widths) {
            let gap = " ".repeat(wide.saturating_sub(width(cell)));
            let shown = paint(&cell.text, cell.colour, has_colour);
            let _ = match cell.is_number {
                true => write!(line, " {gap}{shown} "),
                false => write!(line, " {shown}{gap} "),
            };
        }
        text.push_str(line.trim_end());
        text.push('\n');
    }
    text
}

/// The text in a colour, if there are colours.
pub fn paint(text: &str, colour: Colour, has_colour: bool) -> String {
    let code = match colour {
        _ if !has_colour => return text.to_owned(),
        Colour::Plain => return text.to_owned(),
        Colour::Bold => 1,
        Colour::Dim => 2,
        Colour::Green => 32,
        Colour::Yellow => 33,
        Colour::Red => 31,
    };
    format!("\x1b[{code}m{text}\x1b[0m")
}

/// The text in lines of at most `width` signs, broken between words; a word that is longer has a line of its own.
pub fn wrapped(text: &str, width: usize) -> Vec<String> {
    let mut lines = vec![String::new()];
    for word in text.split(' ') {
        match lines.last_mut() {
            Some(line) if line.is_empty() => line.push_str(word),
            Some(line) if line.chars().count() + 1 + word.chars().count() <= width => {
                line.push(' ');
                line.push_str(word);
            }
            _ => lines.push(word.to_owned()),
        }
    }
    lines
}

/// A short time, given in seconds.
pub fn seconds(seconds: f64) -> String {
    match seconds {
        s if s < 0.01 => format!("{:.1}ms", s * 1_000.0),
        s if s < 1.0 => format!("{:.0}ms", s * 1_000.0),
        s => format!("{s:.1}s"),
    }
}

fn width(cell: &Cell) -> usize {
    cell.text.chars().count()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_easy_to_read() {
        let cases = [(0, "0"), (999, "999"), (1_000, "1,000"), (1_234_567, "1,234,567")];
        for (number, wanted) in cases {
            assert_eq!(grouped(number), wanted);
        }
        let said = [counted(0, "node"), counted(1, "node"), counted(2_000, "node")];
        assert_eq!(said, ["0 nodes", "1 node", "2,000 nodes"]);
    }

    #[test]
    fn columns_stand_below_each_other() {
        let row = |name: &str, count: &str| vec![Cell::text(name), Cell::number(count), Cell::text("x")];
        let text = aligned(&[row("a", "1"), row("bcd", "234")], false);
        assert_eq!(text, "  a      1  x\n  bcd  234  x\n");
    }

    #[test]
    fn colour_does_not_move_columns() {
        let rows = [vec![Cell::text("a").in_colour(Colour::Red), Cell::text("b")], vec![Cell::text("cc")]];
        assert_eq!(aligned(&rows, true), "  \x1b[31ma\x1b[0m   b\n  cc\n");
    }

    #[test]
    fn long_lines_are_broken_between_words() {
        assert_eq!(wrapped("one two three", 7), ["one two", "three"]);
        assert_eq!(wrapped("one", 7), ["one"]);
        assert_eq!(wrapped("", 7), [""]);
        assert_eq!(wrapped("a loooooong word", 5), ["a", "loooooong", "word"]);
        assert_eq!(wrapped("äöü äöü", 7), ["äöü äöü"]);
    }

    #[test]
    fn short_times_are_easy_to_read() {
        let cases = [(0.0004, "0.4ms"), (0.25, "250ms"), (2.0, "2.0s")];
        for (number, wanted) in cases {
            assert_eq!(seconds(number), wanted);
        }
    }
}
