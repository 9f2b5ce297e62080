//! When people are told again of what is still wrong.

/// When, in milliseconds after it began; then each time after the last of them.
const AGAIN: [u64; 3] = [5 * 60_000, 60 * 60_000, LAST];
const LAST: u64 = 4 * 60 * 60_000;

/// How long something has to be wrong until people are told of it again, in milliseconds, who were told again so many times.
pub fn next_reminder(times: usize) -> u64 {
    let later = || LAST.saturating_mul((times + 2).saturating_sub(AGAIN.len()) as u64);
    AGAIN.get(times).copied().unwrap_or_else(later)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn after_four_hours_it_is_every_four_hours() {
        let minutes: Vec<u64> = (0..6).map(|times| next_reminder(times) / 60_000).collect();
        assert_eq!(minutes, [5, 60, 240, 480, 720, 960]);
    }
}
