//! What goes wrong, as it is written down and told.
//!
//! An [`Incident`] is what belongs together of that, found by [`History`]; an [`Account`] tells its story.
//!
//! An [`Event`] is something that happened, with its time. An [`Alarm`] is something that is wrong for a while: it begins, is
//! told again while it lasts, and ends.
//!
//! All times are milliseconds since 1970, of a clock that does not jump while the process runs.

mod account;
mod alarm;
mod case;
mod cause;
mod date;
mod event;
mod history;
mod masked;
mod watched;
mod words;

pub use account::{Account, Counts, Line, Summary, post_mortem};
pub use alarm::{Alarm, AlarmKind, Alarms, Notice, Ringing, Silence, Stage};
pub use case::{Incident, Requests};
pub use event::{Event, What};
pub use history::{History, Turn};
pub use masked::{Cause, Masked, PoolCounts, Rate};
