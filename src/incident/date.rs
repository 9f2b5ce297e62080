//! Times as people write them, in UTC.

use crate::model::counted;

/// Milliseconds of a day.
const DAY: u64 = 24 * 60 * 60 * 1_000;

/// The day of a moment, as in `2026-11-22`.
pub(super) fn day(at: u64) -> String {
    let (year, month, day) = civil(at / DAY);
    format!("{year:04}-{month:02}-{day:02}")
}

/// The time of day, as in `14:05:09`.
pub(super) fn clock(at: u64) -> String {
    let seconds = at % DAY / 1_000;
    format!("{:02}:{:02}:{:02}", seconds / 3_600, seconds / 60 % 60, seconds % 60)
}

/// Day and time for machines (RFC 3339).
pub(super) fn stamp(at: u64) -> String {
    format!("{}T{}Z", day(at), clock(at))
}

/// Day and time for people, as in `2026-11-22 14:05:09`.
pub(super) fn moment(at: u64) -> String {
    format!("{} {}", day(at), clock(at))
}

/// A time that passed, by its two largest units, in words.
pub(super) fn span(millis: u64) -> String {
    let seconds = (millis + 500) / 1_000;
    let (days, hours, minutes) = (seconds / 86_400, seconds / 3_600 % 24, seconds / 60 % 60);
    let two = |(first, one), (second, other)| match second {
        0 => counted(first, one),
        _ => format!("{} {}", counted(first, one), counted(second, other)),
    };
    match (days, hours, minutes) {
        (0, 0, 0) => counted(seconds, "second"),
        (0, 0, _) => two((minutes, "minute"), (seconds % 60, "second")),
        (0, _, _) => two((hours, "hour"), (minutes, "minute")),
        (_, _, _) => two((days, "day"), (hours, "hour")),
    }
}

/// Year, month and day of a day since 1970, by Howard Hinnant's `civil_from_days`.
fn civil(days: u64) -> (u64, u64, u64) {
    let days = days.saturating_add(719_468);
    let (era, of_era) = (days / 146_097, days % 146_097);
    let year = (of_era - of_era / 1_460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year + year / 4 - year / 100);
    let from_march = (5 * of_year + 2) / 153;
    let day = of_year - (153 * from_march + 2) / 5 + 1;
    let month = if from_march < 10 { from_march + 3 } else { from_march - 9 };
    (year + era * 400 + u64::from(month <= 2), month, day)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_those_of_the_calendar() {
        let cases = [
            (0, "1970-01-01T00:00:00Z"),
            (951_782_400_000, "2000-02-29T00:00:00Z"),
            (1_795_386_309_999, "2026-11-22T22:25:09Z"),
            (4_107_542_399_000, "2100-02-28T23:59:59Z"),
        ];
        for (at, wanted) in cases {
            assert_eq!(stamp(at), wanted);
        }
        assert!(!stamp(u64::MAX).is_empty());
    }

    #[test]
    fn spans_are_easy_to_read() {
        let cases = [
            (0, "0 seconds"),
            (1_000, "1 second"),
            (60_000, "1 minute"),
            (200_000, "3 minutes 20 seconds"),
            (3_661_000, "1 hour 1 minute"),
            (30 * 3_600_000, "1 day 6 hours"),
        ];
        for (millis, wanted) in cases {
            assert_eq!(span(millis), wanted);
        }
    }
}
