//! Columns that stand below each other, and words in colour.

use std::fmt::Write;

/// A colour of a terminal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Colour {
    Plain,
    Bold,
    Dim,
    Green,
    Yellow,
    Red,
}

/// One cell.
#[derive(Clone, Debug)]
pub(super) struct Cell {
    text: String,
    colour: Colour,
    is_number: bool,
}

impl Cell {
    pub(super) fn text(text: impl Into<String>) -> Self {
        Self { text: text.into(), colour: Colour::Plain, is_number: false }
    }

    /// A number, which stands at the right.
    pub(super) fn number(text: impl Into<String>) -> Self {
        Self { is_number: true, ..Self::text(text) }
    }

    pub(super) fn in_colour(self, colour: Colour) -> Self {
        Self { colour, ..self }
    }
}

/// The rows with their columns aligned, each line indented by two; coloured only if `has_colour`.
pub(super) fn aligned(rows: &[Vec<Cell>], has_colour: bool) -> String {
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
pub(super) fn paint(text: &str, colour: Colour, has_colour: bool) -> String {
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

fn width(cell: &Cell) -> usize {
    cell.text.chars().count()
}

#[cfg(test)]
mod tests {
    use super::*;

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
}
