//! The end of connections that have had all the time there is.
//!
//! Dropping the task of a connection ends it as well, but tells nobody what became of its request: Pingora has no phase for
//! a request that is dropped. So the stream is told to fail, and the request ends in order, with an outcome and a line.

use std::future::poll_fn;
use std::pin::pin;

use tokio::sync::watch;

use super::peer::Peer;

/// Polls `serving` to its end. From when `cutting` turns true, the streams of `peer` fail.
///
/// What is waited for is asked once, which is enough to wake the task; after that a look costs one load.
pub(super) async fn serve(serving: impl Future<Output = ()>, peer: &Peer, cutting: watch::Receiver<bool>) {
    let (mut serving, mut signal) = (pin!(serving), cutting.clone());
    let mut signal = pin!(signal.wait_for(|&is_cut| is_cut));
    let mut is_registered = false;
    poll_fn(|cx| {
        if !is_registered {
            is_registered = true;
            // What it says is seen below.
            let _ = signal.as_mut().poll(cx);
        }
        if cutting.has_changed().unwrap_or(true) {
            peer.cut();
        }
        serving.as_mut().poll(cx)
    })
    .await;
}
