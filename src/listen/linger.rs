//! Closing so that the client can read the last answer.
//!
//! A socket that is closed while data from the client is still unread sends a reset, and the reset may reach the client
//! before it has read the answer (RFC 9112, 9.6). So the sending side is closed first, and what still comes is thrown away
//! for a while.

use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::channel::Channel;

/// How long, and how many bytes, a client may go on sending to a connection that has been answered and closed.
const LONGEST: Duration = Duration::from_secs(2);
const MOST: usize = 16 * 1024 * 1024;

/// Closes `channel` once the client has, or when it has had its time.
///
/// Called where the stream is dropped; without a runtime (at the very end of the process) it is closed at once.
pub(super) fn close(mut channel: Channel, holding: impl Send + 'static) {
    let Ok(runtime) = tokio::runtime::Handle::try_current() else { return };
    runtime.spawn(async move {
        let _ = tokio::time::timeout(LONGEST, drain(&mut channel)).await;
        drop(holding);
    });
}

async fn drain(channel: &mut Channel) -> std::io::Result<()> {
    channel.shutdown().await?;
    let mut scrap = vec![0; 16 * 1024];
    let mut total = 0;
    while total < MOST {
        match channel.read(&mut scrap).await? {
            0 => return Ok(()),
            count => total += count,
        }
    }
    Ok(())
}
