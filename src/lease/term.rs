//! For how long, and what for.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

/// The shortest time of a lease.
pub const SHORTEST: Duration = Duration::from_secs(1);

/// Where nobody says.
pub const DEFAULT: Duration = Duration::from_secs(30 * 60);

/// The longest: who needs more has taken the node out for good, and that is for the configuration to say.
pub const LONGEST: Duration = Duration::from_secs(72 * 60 * 60);

/// The most characters of a reason.
const LONGEST_REASON: usize = 200;

/// The time of a lease: 1 second to 72 hours.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Term(Duration);

/// Why a text is no time of a lease.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TermError {
    /// It is no time at all.
    #[error("{0:?} is no time; write it as `30m`, `1h 30m` or `90s`")]
    NoTime(String),
    /// Shorter than a second, or longer than three days.
    #[error("a lease lasts from 1s to 72h")]
    OutOfBounds,
}

/// What a node is drained for: one line of 1 to 200 characters.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reason(String);

/// Why a text is no reason.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ReasonError {
    /// Nothing at all.
    #[error("say what for: whoever finds the node drained will want to know")]
    Empty,
    /// Too long.
    #[error("a reason has 200 characters at the most")]
    Long,
    /// Line ends and other things that are not seen.
    #[error("a reason is one line of text without control characters")]
    NoText,
}

impl Term {
    /// The longest there is.
    pub const LONGEST: Self = Self(LONGEST);

    /// The time in milliseconds.
    pub fn millis(self) -> u64 {
        u64::try_from(self.0.as_millis()).unwrap_or(u64::MAX)
    }
}

impl Default for Term {
    fn default() -> Self {
        Self(DEFAULT)
    }
}

impl TryFrom<Duration> for Term {
    type Error = TermError;

    fn try_from(time: Duration) -> Result<Self, Self::Error> {
        if (SHORTEST..=LONGEST).contains(&time) { Ok(Self(time)) } else { Err(TermError::OutOfBounds) }
    }
}

impl FromStr for Term {
    type Err = TermError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match humantime::parse_duration(text) {
            Ok(time) => time.try_into(),
            Err(humantime::DurationError::NumberOverflow) => Err(TermError::OutOfBounds),
            Err(_) => Err(TermError::NoTime(text.chars().take(40).collect())),
        }
    }
}

impl fmt::Display for Term {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", humantime::format_duration(self.0))
    }
}

impl Reason {
    /// The reason as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for Reason {
    type Err = ReasonError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let text = text.trim();
        if text.is_empty() {
            return Err(ReasonError::Empty);
        }
        if text.chars().any(is_unseen) {
            return Err(ReasonError::NoText);
        }
        if text.chars().count() > LONGEST_REASON {
            return Err(ReasonError::Long);
        }
        Ok(Self(text.to_owned()))
    }
}

/// Signs that move what is written around them on a terminal, or end a line.
fn is_unseen(c: char) -> bool {
    let is_direction =
        matches!(c, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    c.is_control() || is_direction || matches!(c, '\u{2028}' | '\u{2029}')
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}
