//! How the client takes the answer on one stream.
//!
//! What a stream may send is the client's to say: it opens a window on each (RFC 9113, 5.2), and one that hardly opens it holds
//! the answer, its node and its place. A stream also waits while the whole connection does, which no stream can be blamed for;
//! how fast the client takes that is judged below.

use crate::listen::pace::{Pace, Pacer};
use crate::listen::presence::is_stalled;

/// An answer that is held to a pace, in the time in which the client could take it and does not.
#[derive(Debug, Default)]
pub(super) struct Download {
    pacer: Pacer,
    /// Bytes that are on their way to the client. It may have taken nearly all of them, which shows only once it has all.
    under_way: u64,
    /// How often the connection had begun or ended to stand still when that was last looked at.
    stalls: u64,
}

impl Download {
    /// So many bytes go out.
    pub(super) fn begins(&mut self, bytes: u64) {
        self.under_way = bytes;
    }

    /// The client is waited for at `now`, and the connection has begun or ended so often to stand still; says when it has to be
    /// judged.
    pub(super) fn waits(&mut self, pace: Pace, stalls: u64, now: u64) -> u64 {
        self.see(stalls);
        self.pacer.waits(pace, now)
    }

    /// Whether the client was too slow in the stretch that ends at `now`, if one does in which its connection did not stand
    /// still. In case of doubt it was not.
    pub(super) fn is_too_slow(&mut self, pace: Pace, stalls: u64, now: u64) -> bool {
        self.see(stalls);
        self.pacer.is_too_slow(pace.less(self.under_way), now)
    }

    /// What was under way has gone at `now`.
    pub(super) fn has_gone(&mut self, now: impl FnOnce() -> u64) {
        self.pacer.moved(std::mem::take(&mut self.under_way), now);
    }

    /// Begins a new stretch if the connection stands still or did since the last look.
    fn see(&mut self, stalls: u64) {
        if stalls != self.stalls || is_stalled(stalls) {
            self.stalls = stalls;
            self.pacer.end();
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn pace() -> Pace {
        Pace::new(1_000, Duration::from_secs(60)).expect("a pace")
    }

    /// Sends lots of so many bytes that take so long each; when the client was found to be too slow.
    fn play(lots: impl IntoIterator<Item = (u64, u64)>, stalls: impl Fn(u64) -> u64) -> Option<u64> {
        let (mut download, mut now) = (Download::default(), 0);
        for (bytes, takes) in lots {
            let gone = now + takes;
            download.begins(bytes);
            let mut judged = download.waits(pace(), stalls(now), now);
            while judged < gone {
                if download.is_too_slow(pace(), stalls(judged), judged) {
                    return Some(judged);
                }
                judged = download.waits(pace(), stalls(judged), judged);
            }
            now = gone;
            download.has_gone(|| now);
        }
        None
    }

    #[test]
    fn client_that_hardly_opens_its_window_is_found_out() {
        assert_eq!(play(vec![(100, 1_000); 100], |_| 0), Some(60_000));
        assert_eq!(play([(16_384, 100_000)], |_| 0), Some(60_000));
    }

    #[test]
    fn client_that_opens_it_fast_enough_may_go_on_for_ever() {
        assert_eq!(play(vec![(1_000, 999); 1_000], |_| 0), None);
        assert_eq!(play(vec![(16_384, 16_000); 1_000], |_| 0), None);
    }

    #[test]
    fn stream_is_not_blamed_for_a_connection_that_stands_still() {
        let always = |_| 1;
        assert_eq!(play(vec![(100, 1_000); 1_000], always), None);
        let now_and_then = |now| now / 30_000;
        assert_eq!(play(vec![(100, 1_000); 1_000], now_and_then), None);
        let once = |now: u64| if now < 90_000 { 1 } else { 2 };
        let found = play(vec![(100, 1_000); 1_000], once);
        assert!(found.is_some_and(|found| (90_000..=180_000).contains(&found)), "{found:?}");
    }
}
