//! Where the picture is shown: a terminal, in which it is drawn over itself, or anything else, which gets lines.

use std::env;
use std::io::{self, IsTerminal, Write};
use std::time::Duration;

use super::picture::{Abilities, End, Picture};

/// Begins a drawing: all at once where the terminal can, no cursor, no line that runs on into the next.
const BEGIN: &str = "\x1b[?2026h\x1b[?25l\x1b[?7l";
/// Ends a drawing.
const END: &str = "\x1b[?7h\x1b[?2026l";
/// As the terminal was before.
const RESTORE: &str = "\x1b[?7h\x1b[?25h";
/// Lines of a terminal that does not say.
const USUAL_HEIGHT: u16 = 24;

/// The standard output.
#[derive(Debug)]
pub(super) struct Screen {
    abilities: Abilities,
    /// Lines of the picture that stand above the cursor; `None` if this is no terminal.
    drawn: Option<usize>,
    /// Events that need not be shown again.
    told: usize,
    /// When progress is told next, and how often.
    next: Duration,
    every: Duration,
}

impl Screen {
    pub(super) fn new() -> Self {
        let is_set = |name| env::var_os(name).is_some_and(|value| !value.is_empty());
        let is_dumb = env::var("TERM").is_ok_and(|terminal| terminal == "dumb");
        let is_live = io::stdout().is_terminal() && !is_set("NO_COLOR") && !is_dumb;
        let abilities = Abilities { has_colour: is_live, has_bars: is_live && speaks_unicode() };
        Self { abilities, drawn: is_live.then_some(0), told: 0, next: Duration::ZERO, every: Duration::MAX }
    }

    /// Nothing has been told of the pictures to come; lines say how far it is each time that `every` has passed.
    pub(super) fn begin(&mut self, every: Duration) {
        (self.told, self.next, self.every) = (0, every, every);
    }

    /// Shows how it is now.
    pub(super) fn draw(&mut self, mut picture: Picture) -> io::Result<()> {
        let Some(drawn) = self.drawn else { return self.tell(&picture) };
        picture.events.drain(..self.told.min(picture.events.len()));
        let lines = picture.draw(self.abilities, height());
        let mut text = String::from(BEGIN);
        text.push_str(&back(drawn));
        for line in &lines {
            text.push_str(line);
            text.push_str("\x1b[K\n");
        }
        text.push_str("\x1b[J");
        text.push_str(END);
        self.drawn = Some(lines.len());
        show(&text)
    }

    /// Says something that stays, in place of the picture.
    pub(super) fn say(&mut self, lines: &[String]) -> io::Result<()> {
        let mut text = String::new();
        if let Some(drawn) = &mut self.drawn {
            text.push_str(&format!("{}\x1b[J{RESTORE}", back(*drawn)));
            *drawn = 0;
        }
        for line in lines {
            text.push_str(line);
            text.push('\n');
        }
        show(&text)
    }

    /// Says at the end what it all came to. What happened until then is not shown again.
    pub(super) fn report(&mut self, picture: &Picture) -> io::Result<()> {
        if self.drawn.is_none() {
            self.tell(picture)?;
        }
        let lines = picture.report(self.told, self.abilities);
        self.told = picture.events.len();
        self.say(&lines)
    }

    /// In lines: what happened since, and now and then how far it is.
    fn tell(&mut self, picture: &Picture) -> io::Result<()> {
        let mut text = String::new();
        for event in picture.events.iter().skip(self.told) {
            for line in event.lines(self.abilities) {
                text.push_str(&line);
                text.push('\n');
            }
        }
        self.told = picture.events.len();
        if picture.age >= self.next && picture.end != End::WhenInterrupted {
            self.next = picture.age + self.every;
            text.push_str(&picture.progress());
            text.push('\n');
        }
        show(&text)
    }
}

impl Drop for Screen {
    fn drop(&mut self) {
        if self.drawn.is_some() {
            // Nobody is left to tell.
            let _ = show(RESTORE);
        }
    }
}

/// To the beginning of what was drawn.
fn back(lines: usize) -> String {
    if lines == 0 { "\r".to_owned() } else { format!("\r\x1b[{lines}A") }
}

/// Lines that fit: one stays free for the cursor.
fn height() -> usize {
    let size = rustix::termios::tcgetwinsize(io::stdout());
    let rows = size.map_or(0, |size| size.ws_row);
    usize::from(if rows == 0 { USUAL_HEIGHT } else { rows }).saturating_sub(1)
}

/// Whether the language of the user is written in letters beyond ASCII's.
fn speaks_unicode() -> bool {
    let names = ["LC_ALL", "LC_CTYPE", "LANG"];
    let value = names.iter().filter_map(|name| env::var(name).ok()).find(|value| !value.is_empty());
    value.is_some_and(|value| {
        let value = value.to_ascii_lowercase();
        value.contains("utf-8") || value.contains("utf8")
    })
}

/// Writes all of it at once, so that the terminal never shows half a picture.
fn show(text: &str) -> io::Result<()> {
    let mut out = io::stdout().lock();
    out.write_all(text.as_bytes())?;
    out.flush()
}
