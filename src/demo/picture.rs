//! What is shown: the picture that is drawn again and again, and the report at the end. Text alone.

use std::time::Duration;

use super::load::RATE;
use super::tally::Tally;
use crate::admin::status::NodeState;
use crate::terminal::{Cell, Colour, aligned, grouped, paint, seconds};

/// Heights of a bar, from nearly nothing to full.
const BARS: [char; 8] = ['▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];
/// Where no bar stands.
const NOTHING: char = '·';

/// Signs of a process id, or of what stands in its place; so that columns stay where they are.
const WIDEST_PID: usize = 7;

/// Everything at one moment.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Picture {
    pub(super) age: Duration,
    /// How long the whole takes; `None` until interrupted.
    pub(super) length: Option<Duration>,
    pub(super) nodes: Vec<Column>,
    /// Requests that bookend counted.
    pub(super) counted: u64,
    /// Those of them that a retry saved.
    pub(super) saved: u64,
    /// Those of them that failed.
    pub(super) failed: u64,
    /// What the clients saw.
    pub(super) tally: Tally,
    pub(super) events: Vec<Event>,
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
        let from = self.events.len().saturating_sub(room);
        lines.extend(self.events.iter().skip(from).map(|event| event.line(abilities)));
        lines.truncate(height);
        lines
    }

    /// All that is left to say when the load has ended.
    pub(super) fn report(&self, abilities: Abilities) -> Vec<String> {
        let mut lines = vec![paint("What happened", Colour::Bold, abilities.has_colour), String::new()];
        lines.extend(self.events.iter().map(|event| event.line(abilities)));
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
        let saved = grouped(self.saved);
        format!(
            "{}  {}, {saved} saved, {} failed",
            time(self.age),
            nodes.join(", "),
            grouped(self.seen_failed())
        )
    }

    /// Requests that a client saw fail.
    pub(super) fn seen_failed(&self) -> u64 {
        match self.length {
            Some(_) => self.tally.failed,
            // The clients are others now, of whom only bookend knows.
            None => self.failed,
        }
    }

    fn title(&self, abilities: Abilities) -> String {
        let name = paint("bookend demo", Colour::Bold, abilities.has_colour);
        let when = match self.length {
            Some(length) => format!("{:.0} of {} s", self.age.as_secs_f64().floor(), length.as_secs()),
            None => "until Ctrl-C".to_owned(),
        };
        format!("{name}{when:>66}")
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
        rows.extend(self.nodes.iter().map(|node| node.row(abilities)));
        aligned(&rows, abilities.has_colour).lines().map(str::to_owned).collect()
    }

    fn figures(&self, abilities: Abilities) -> Vec<String> {
        let failed = self.seen_failed();
        let colour = if failed == 0 { Colour::Green } else { Colour::Red };
        let number = |number, colour| paint(&format!("{:>9}", grouped(number)), colour, abilities.has_colour);
        let requests = match self.length {
            Some(_) => format!("requests as the clients count them{}", self.latencies()),
            None => "requests as bookend counts them".to_owned(),
        };
        let ended = if self.length.is_some() { self.tally.ended } else { self.counted };
        vec![
            format!("  {}  {requests}", number(ended, Colour::Bold)),
            format!("  {}  saved by a retry on another node", number(self.saved, Colour::Bold)),
            format!("  {}  seen to fail by a client", number(failed, colour)),
        ]
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
    fn row(&self, abilities: Abilities) -> Vec<Cell> {
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
            row.push(Cell::text(bars(&self.rates)));
        }
        row
    }
}

impl Event {
    /// The event as a line.
    pub(super) fn line(&self, abilities: Abilities) -> String {
        format!("{}  {}", paint(&time(self.at), Colour::Dim, abilities.has_colour), self.what)
    }
}

/// What there is to be tried.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Advice {
    /// What this program was called when it was started.
    pub(super) program: String,
    /// Where the site is, as a URL.
    pub(super) site: String,
    /// What is known only while it stays up.
    pub(super) staying: Option<Staying>,
}

/// A site that stays up.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Staying {
    /// The process of a node.
    pub(super) pid: u32,
    pub(super) configuration: String,
    pub(super) socket: String,
}

impl Advice {
    /// What to try next.
    pub(super) fn lines(&self) -> Vec<String> {
        let Self { program, site, .. } = self;
        let mut lines = vec![String::new()];
        match self.staying {
            None => {
                lines.push("What to try next:".to_owned());
                lines.push(format!("  {program} demo --stay    # keeps it up for these:"));
            }
            Some(_) => lines.push("The site stays up until Ctrl-C. In another terminal, try:".to_owned()),
        }
        lines.push(format!("  curl -i {site}/                # X-Node says who answers"));
        lines.push(format!("  wrk -t2 -c64 -d30s {site}/     # load"));
        if let Some(Staying { pid, configuration, socket }) = &self.staying {
            lines.push(format!("  kill -9 {pid}    # a node, meanwhile; it is started again after a while"));
            lines.push(format!("  {program} status --socket {socket}"));
            lines.push(format!("  {program} reload --socket {socket}"));
            lines.push(format!("  # after a change of {configuration}"));
            lines.push(String::new());
        }
        lines
    }
}

/// A time as it stands at the beginning of a line.
fn time(time: Duration) -> String {
    format!("{:>6.1} s", time.as_secs_f64())
}

/// A bar for each number; a full one is the whole steady load, or more.
fn bars(rates: &[f64]) -> String {
    let bar = |rate: &f64| {
        let eighths = (rate / f64::from(RATE) * BARS.len() as f64).round().max(1.0) as usize;
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
