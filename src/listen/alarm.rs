//! A timer for deadlines that mostly move away before they are due.

use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::time::{Instant, Sleep};

use crate::clock;

/// A timer is never set further away than this, in milliseconds: it rings for nothing then and is set again.
const FURTHEST: u64 = 24 * 60 * 60 * 1000;

/// Rings at a deadline that may change at every look.
///
/// Setting a timer costs more than all else that a waiting connection does, and nearly every deadline is replaced by a
/// later one before it is due. So the timer is left where it stands as long as it rings early enough, and set again when
/// it has rung for nothing: about once in the length of a time-out, however many requests pass.
#[derive(Debug, Default)]
pub(super) struct Alarm {
    sleep: Option<Pin<Box<Sleep>>>,
    /// When `sleep` rings, in milliseconds of the clock.
    rings_at: u64,
}

impl Alarm {
    /// Ready when `deadline` (milliseconds of the clock) has come; else the task is woken in time.
    pub(super) fn poll(&mut self, cx: &mut Context<'_>, deadline: u64) -> Poll<()> {
        loop {
            if let Some(sleep) = &mut self.sleep
                && self.rings_at <= deadline
            {
                ready!(sleep.as_mut().poll(cx));
            }
            let now = clock::millis();
            if now >= deadline {
                return Poll::Ready(());
            }
            self.set(deadline, now);
        }
    }

    fn set(&mut self, deadline: u64, now: u64) {
        let wait = deadline.saturating_sub(now).min(FURTHEST);
        let at = Instant::from_std(clock::now() + Duration::from_millis(wait));
        self.rings_at = now.saturating_add(wait);
        match &mut self.sleep {
            Some(sleep) => sleep.as_mut().reset(at),
            None => self.sleep = Some(Box::pin(tokio::time::sleep_until(at))),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::future::poll_fn;

    use super::*;

    async fn ring(alarm: &mut Alarm, mut deadline: impl FnMut() -> u64) -> u64 {
        poll_fn(|cx| alarm.poll(cx, deadline())).await;
        clock::millis()
    }

    #[tokio::test]
    async fn rings_at_its_deadline() {
        let deadline = clock::millis() + 20;
        assert!(ring(&mut Alarm::default(), || deadline).await >= deadline);
    }

    #[tokio::test]
    async fn a_deadline_that_moved_away_is_waited_for() {
        let first = clock::millis() + 10;
        let mut looks = 0;
        let moved = || {
            looks += 1;
            if looks == 1 { first } else { first + 20 }
        };
        assert!(ring(&mut Alarm::default(), moved).await >= first + 20);
    }

    #[tokio::test]
    async fn a_deadline_that_came_nearer_is_kept() {
        let far = clock::millis() + 60_000;
        let near = clock::millis() + 10;
        let mut alarm = Alarm::default();
        poll_fn(|cx| {
            assert!(alarm.poll(cx, far).is_pending());
            Poll::Ready(())
        })
        .await;
        let rang = ring(&mut alarm, || near).await;
        assert!(rang >= near && rang < far, "{rang}");
    }

    #[tokio::test]
    async fn a_deadline_at_the_end_of_time_is_none() {
        let mut alarm = Alarm::default();
        poll_fn(|cx| {
            assert!(alarm.poll(cx, u64::MAX).is_pending());
            Poll::Ready(())
        })
        .await;
    }
}
