//! When a message is tried again.

use std::time::Duration;

use fastrand::Rng;

/// The first pause.
const FIRST: Duration = Duration::from_secs(1);
/// The longest that is of our own making.
const LONGEST: Duration = Duration::from_secs(60);
/// The longest that a target can ask for.
const LONGEST_ASKED: Duration = Duration::from_secs(5 * 60);

/// How long to wait after so many attempts that failed, where the target asked for `asked`.
///
/// Doubled each time, less up to half of it by chance, so that many bookends do not come at once.
pub(super) fn pause(attempts: u32, asked: Option<Duration>, rng: &mut Rng) -> Duration {
    let doubled = 2_u32.saturating_pow(attempts.saturating_sub(1));
    let longest = FIRST.saturating_mul(doubled).min(LONGEST);
    let own = longest.mul_f64(0.5 + rng.f64() / 2.0);
    own.max(asked.unwrap_or_default().min(LONGEST_ASKED))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_double_up_to_a_minute() {
        let mut rng = Rng::with_seed(7);
        for (attempts, longest) in [(1, 1), (2, 2), (3, 4), (6, 32), (7, 60), (100, 60), (u32::MAX, 60)] {
            let longest = Duration::from_secs(longest);
            for _ in 0..100 {
                let pause = pause(attempts, None, &mut rng);
                assert!(longest / 2 <= pause && pause <= longest, "{attempts}: {pause:?}");
            }
        }
    }

    #[test]
    fn target_can_ask_for_more_but_not_for_ever() {
        let mut rng = Rng::with_seed(7);
        let mut asked = |seconds| pause(1, Some(Duration::from_secs(seconds)), &mut rng);
        assert!(asked(0) >= FIRST / 2);
        assert_eq!(asked(120), Duration::from_secs(120));
        assert_eq!(asked(u64::MAX), LONGEST_ASKED);
    }
}
