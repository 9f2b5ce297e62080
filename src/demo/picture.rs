//! What is shown: the picture that is drawn again and again, and the report at the end. Text alone.

use std::time::Duration;

use super::story::Story;
use super::tally::Tally;
use crate::admin::status::NodeState;
use crate::terminal::{Cell, Colour, aligned, grouped, paint, seconds, wrapped};

/// Heights of a bar, from nearly nothing to full.
const BARS: [char; 8] = ['▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];
/// Where no bar stands.
const NOTHING: char = '·';

/// Signs of a process id, or of what stands in its place; so that columns stay where they are.
const WIDEST_PID: usize = 7;

/// Signs of a line.
const WIDTH: usize = 80;

/// Everything at one moment.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Picture {
    pub(super) story: Story,
    pub(super) age: Duration,
    pub(super) end: End,
    /// PROTECTED, EXPOSED or DOWN, once bookend has said so.
    pub(super) redundancy: Option<String>,
    pub(super) nodes: Vec<Column>,
    /// Requests that bookend counted.
    pub(super) counted: u64,
    /// Those of them that a retry saved.
    pub(super) saved: u64,
    /// Those of them that failed, turned away or not.
    pub(super) failed: u64,
    /// Those of them that were turned away because every node was full.
    pub(super) shed: u64,
    /// How many of those a second, column after column.
    pub(super) shed_rates: Vec<f64>,
    /// What the clients saw.
    pub(super) tally: Tally,
    pub(super) events: Vec<Event>,
}

/// When the story is at its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum End {
    /// After so long.
    After(Duration),
    /// When all of it has happened.
    WhenTold,
    /// When somebody interrupts it. Until then the clients are others, of whom only bookend knows.
    WhenInterrupted,
}

/// A node at one moment.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Column {
    pub(super) name: String,
    /// Its process, if it lives.
    pub(super) pid: Option<u32>,
    /// What bookend thinks of it, once it has said so.
    pub(super) state: Option<NodeState>,
    pub(super) served: u64,
    /// Requests a second, column after column.
    pub(super) rates: Vec<f64>,
}

/// Something that happened.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Event {
    /// How long after the beginning.
    pub(super) at: Duration,
    pub(super) what: String,
}

/// What a terminal can show.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Abilities {
    pub(super) has_colour: bool,
    /// Whether there are bars among its letters.
    pub(super) has_bars: bool,
}

impl Picture {
    /// Columns of bars.
    pub(super) const COLUMNS: usize = 26;

    /// The picture, at most `height` lines of at most 80 signs.
    pub(super) fn draw(&self, abilities: Abilities, height: usize) -> Vec<String> {
        let mut lines = vec![self.title(abilities), String::new()];
        lines.extend(self.table(abilities));
        lines.push(String::new());
        lines.extend(self.figures(abilities));
        lines.push(String::new());
        let room = height.saturating_sub(lines.len());
        let events: Vec<String> = self.events.iter().flat_map(|event| event.lines(abilities)).collect();
        lines.extend(events.into_iter().rev().take(room).rev());
        lines.truncate(height);
        lines
    }

    /// All that is left to say when the load has ended, to one who has been told of so many events.
    pub(super) fn report(&self, told: usize, abilities: Abilities) -> Vec<String> {
        let mut lines = Vec::new();
        if told < self.events.len() {
            lines.extend([paint("What happened", Colour::Bold, abilities.has_colour), String::new()]);
            lines.extend(self.events.iter().skip(told).flat_map(|event| event.lines(abilities)));
        }
        lines.push(String::new());
        lines.extend(self.table(abilities));
        lines.push(String::new());
        lines.extend(self.figures(abilities));
        lines.extend(self.tally.failures.iter().map(|how| format!("             {how}")));
        lines
    }

    /// A line for those who see lines only.
    pub(super) fn progress(&self) -> String {
        let nodes: Vec<String> =
            self.nodes.iter().map(|node| format!("{} served {}", node.name, grouped(node.served))).collect();
        let turned_away = match self.may_turn_away() {
            true => format!(", {} turned away", grouped(self.seen_turned_away())),
            false => String::new(),
        };
        format!(
            "{}  {}, {} saved{turned_away}, {} failed",
            time(self.age),
            nodes.join(", "),
            grouped(self.saved),
            grouped(self.seen_failed())
        )
    }

    /// Requests that a client saw fail, other than by being turned away.
    pub(super) fn seen_failed(&self) -> u64 {
        match self.end {
            End::After(_) | End::WhenTold => self.tally.failed,
            End::WhenInterrupted => self.failed.saturating_sub(self.shed),
        }
    }

    fn seen_turned_away(&self) -> u64 {
        match self.end {
            End::After(_) | End::WhenTold => self.tally.turned_away,
            End::WhenInterrupted => self.shed,
        }
    }

    /// Whether it belongs to the story, or to what came after it, that clients are turned away.
    fn may_turn_away(&self) -> bool {
        self.story == Story::Forgotten || self.seen_turned_away() > 0
    }

    fn title(&self, abilities: Abilities) -> String {
        let age = self.age.as_secs_f64().floor();
        let when = match self.end {
            End::After(length) => format!("{age:.0} of {} s", length.as_secs()),
            End::WhenTold => format!("{age:.0} s"),
            End::WhenInterrupted => "until Ctrl-C".to_owned(),
        };
        let (name, title) = ("bookend demo", self.story.title());
        let state = self.redundancy.as_deref().unwrap_or_default();
        let used = name.len() + ": ".len() + title.len() + state.len() + when.len();
        let gap = " ".repeat((WIDTH - 2).saturating_sub(used + "  ".len()));
        let colour = if state == "PROTECTED" { Colour::Green } else { Colour::Red };
        let shown = |text, colour| paint(text, colour, abilities.has_colour);
        format!("{}: {title}{gap}{}  {when}", shown(name, Colour::Bold), shown(state, colour))
    }

    fn table(&self, abilities: Abilities) -> Vec<String> {
        let heading = |cell: Cell| cell.in_colour(Colour::Dim);
        let mut head = vec![
            heading(Cell::text("NODE")),
            heading(Cell::text(format!("{:<1$}", "PID", WIDEST_PID))),
            heading(Cell::text("BOOKEND SAYS")),
            heading(Cell::number("SERVED")),
            heading(Cell::number("A SECOND")),
        ];
        if abilities.has_bars {
            head.push(heading(Cell::text("LATELY")));
        }
        let mut rows = vec![head];
        rows.extend(self.nodes.iter().map(|node| node.row(self.story, abilities)));
        if self.may_turn_away() {
            rows.push(self.row_of_shed(abilities));
        }
        aligned(&rows, abilities.has_colour).lines().map(str::to_owned).collect()
    }

    /// What no node got, below what they did.
    fn row_of_shed(&self, abilities: Abilities) -> Vec<Cell> {
        let rate = self.shed_rates.last().copied().unwrap_or_default();
        let mut row = vec![
            Cell::text("503"),
            Cell::text(""),
            Cell::text("turned away").in_colour(Colour::Yellow),
            Cell::number(grouped(self.shed)),
            Cell::number(grouped(rate.round() as u64)),
        ];
        if abilities.has_bars {
            row.push(Cell::text(bars(&self.shed_rates, self.story.rate())));
        }
        row
    }

    fn figures(&self, abilities: Abilities) -> Vec<String> {
        let failed = self.seen_failed();
        let colour = if failed == 0 { Colour::Green } else { Colour::Red };
        let number = |number, colour| paint(&format!("{:>9}", grouped(number)), colour, abilities.has_colour);
        let (ended, requests) = match self.end {
            End::WhenInterrupted => (self.counted, "requests as bookend counts them".to_owned()),
            End::After(_) | End::WhenTold => {
                (self.tally.ended, format!("requests as the clients count them{}", self.latencies()))
            }
        };
        let mut lines = vec![
            format!("  {}  {requests}", number(ended, Colour::Bold)),
            format!("  {}  saved by a retry on another node", number(self.saved, Colour::Bold)),
        ];
        let failed = number(failed, colour);
        if self.may_turn_away() {
            let turned_away = number(self.seen_turned_away(), Colour::Bold);
            lines.push(format!("  {turned_away}  turned away: 503 and when to come again{}", self.waits()));
            lines.push(format!("  {failed}  seen to fail in any other way"));
        } else {
            lines.push(format!("  {failed}  seen to fail by a client"));
        }
        lines
    }

    /// How long it took until those knew who were turned away.
    fn waits(&self) -> String {
        match self.tally.told_within(0.99) {
            Some(time) if self.end != End::WhenInterrupted => {
                format!("; 99 % within {}", seconds(time.as_secs_f64()))
            }
            _ => String::new(),
        }
    }

    fn latencies(&self) -> String {
        let within = |share| self.tally.within(share).map(|time: Duration| seconds(time.as_secs_f64()));
        match (within(0.5), within(0.99)) {
            (Some(half), Some(most)) => format!("; half in {half}, 99 % in {most}"),
            _ => String::new(),
        }
    }
}

impl Column {
    fn row(&self, story: Story, abilities: Abilities) -> Vec<Cell> {
        let process = match self.pid {
            Some(pid) => Cell::text(pid.to_string()),
            None => Cell::text("killed").in_colour(Colour::Red),
        };
        let state = match self.state {
            None => Cell::text("-"),
            Some(state) => Cell::text(state.as_str()).in_colour(state.colour()),
        };
        let rate = self.rates.last().copied().unwrap_or_default();
        let mut row = vec![
            Cell::text(&self.name),
            process,
            state,
            Cell::number(grouped(self.served)),
            Cell::number(grouped(rate.round() as u64)),
        ];
        if abilities.has_bars {
            row.push(Cell::text(bars(&self.rates, story.rate())));
        }
        row
    }
}

impl Event {
    /// The event as lines, of which all but the first begin below its first word.
    pub(super) fn lines(&self, abilities: Abilities) -> Vec<String> {
        let time = time(self.at);
        let margin = " ".repeat(time.chars().count());
        let pieces = wrapped(&self.what, WIDTH - 2 - margin.len());
        let line = |(index, piece): (usize, String)| match index {
            0 => format!("{}  {piece}", paint(&time, Colour::Dim, abilities.has_colour)),
            _ => format!("{margin}  {piece}"),
        };
        pieces.into_iter().enumerate().map(line).collect()
    }
}

/// A time as it stands at the beginning of a line.
fn time(time: Duration) -> String {
    format!("{:>6.1} s", time.as_secs_f64())
}

/// A bar for each number; one of `full` is a full one, and so is one of more.
fn bars(rates: &[f64], full: u32) -> String {
    let bar = |rate: &f64| {
        let eighths = (rate / f64::from(full) * BARS.len() as f64).round().max(1.0) as usize;
        match rate {
            rate if *rate > 0.0 => BARS.get(eighths.min(BARS.len()) - 1).copied().unwrap_or(NOTHING),
            _ => NOTHING,
        }
    };
    rates.iter().map(bar).collect()
}

#[cfg(test)]
#[path = "picture_tests.rs"]
mod tests;
