//! What goes wrong, as it is written down and told.
//!
//! An [`Event`] is something that happened, with its time. An [`Alarm`] is something that is wrong for a while: it begins, is
//! told again while it lasts, and ends.
//!
//! All times are milliseconds since 1970, of a clock that does not jump while the process runs.

mod alarm;
mod event;
mod masked;

pub use alarm::{Alarm, AlarmKind, Alarms, Notice, Ringing, Silence, Stage};
pub use event::{Event, What};
pub use masked::{Cause, Masked, PoolCounts, Rate};
