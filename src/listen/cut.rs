//! The end of connections that their clients would go on with.
//!
//! Dropping the task of a connection ends it as well, but tells nobody what became of its request: Pingora has no phase for
//! a request that is dropped. So the stream is told to fail, and the request ends in order, with an outcome and a line.

use std::future::poll_fn;
use std::pin::{Pin, pin};

use tokio::sync::watch;

use super::peer::Peer;

/// Which connections end though their clients would go on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u8)]
pub(super) enum Ending {
    /// None.
    None,
    /// Those on which no request is under way.
    Idle,
    /// All: they have had all the time there is.
    All,
}

/// Polls `serving` to its end, and has the streams of `peer` follow `ending`.
///
/// What is waited for is asked once for each change, which is enough to wake the task; after that a look costs one load. The
/// caller pins, as a future that takes another one in has room for it twice.
pub(super) async fn serve<T>(
    mut serving: Pin<&mut (impl Future<Output = T> + ?Sized)>,
    peer: &Peer,
    ending: watch::Receiver<Ending>,
) -> T {
    let mut signal = ending.clone();
    let mut signal = pin!(signal.wait_for(|&ending| ending == Ending::All));
    let mut followed = None;
    poll_fn(|cx| {
        loop {
            let now = match ending.has_changed() {
                Ok(false) => Ending::None,
                Ok(true) => *ending.borrow(),
                Err(_) => Ending::All,
            };
            if followed == Some(now) {
                break;
            }
            followed = Some(now);
            peer.end(now);
            if now < Ending::All {
                // What it says is seen in the next round, as is whatever changed before it was asked.
                let _ = signal.as_mut().poll(cx);
            }
        }
        serving.as_mut().poll(cx)
    })
    .await
}
