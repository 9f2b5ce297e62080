//! Nodes that refuse an upload and read no more of it.
//!
//! Pingora does not read a node's answer while it writes a piece of the body. A node that refuses (413, 401, 403) and
//! leaves the rest unread would be heard only when the write has timed out. So a long upload is watched: once a refusal
//! has waited for a while and nothing more could be written, our side of the connection is closed, the write fails, and
//! Pingora reads the answer.

use std::net::{Shutdown, TcpStream};
use std::os::fd::{AsRawFd, BorrowedFd, RawFd};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use http::StatusCode;
use pingora::protocols::l4::ext::get_tcp_info;
use tokio::task::JoinHandle;

/// So much of a body is taken for written: it finds room in the buffers of any connection.
const SHORT: u64 = 64 * 1024;

/// How often a connection is looked at.
const PAUSE: Duration = Duration::from_millis(100);

/// How often in a row it must be found stuck.
const LOOKS: u32 = 5;

/// The watch over one attempt.
#[derive(Debug, Default)]
pub(super) struct Watch {
    /// The connection that the attempt goes out on, until it is looked at.
    connection: Option<RawFd>,
    looking: Option<Looking>,
}

/// Somebody looks at the connection; ends on drop.
#[derive(Debug)]
struct Looking {
    task: JoinHandle<()>,
    /// The refusal has been read, and is passed on.
    is_heard: Arc<AtomicBool>,
}

impl Drop for Looking {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Watch {
    /// The watch over an attempt that goes out on this connection.
    pub(super) fn over(connection: RawFd) -> Self {
        Self { connection: Some(connection), looking: None }
    }

    /// So many bytes of the body are on their way; called while the attempt goes on.
    pub(super) fn sent(&mut self, bytes: u64) {
        if bytes <= SHORT {
            return;
        }
        // Without a descriptor to spare it goes unwatched.
        if let Some(connection) = self.connection.take().and_then(duplicate) {
            let is_heard = Arc::<AtomicBool>::default();
            let task = tokio::spawn(look(connection, Arc::clone(&is_heard)));
            self.looking = Some(Looking { task, is_heard });
        }
    }

    /// The node's answer goes to the client. After a refusal the watch goes on: clients that send all before they read
    /// wait for the node to take the rest.
    pub(super) fn heard(&mut self, status: StatusCode) {
        if status.is_success() {
            *self = Self::default();
        } else if let Some(looking) = &self.looking {
            looking.is_heard.store(!status.is_informational(), Ordering::Relaxed);
        }
    }
}

/// A second descriptor, so that the first one's number may go to another connection meanwhile.
#[expect(unsafe_code, reason = "Pingora lends a connection's descriptor by its number alone")]
fn duplicate(connection: RawFd) -> Option<TcpStream> {
    // SAFETY: Pingora holds the connection open for as long as the attempt goes on, and this is called by its phases.
    let connection = unsafe { BorrowedFd::borrow_raw(connection) };
    connection.try_clone_to_owned().ok().map(TcpStream::from)
}

/// Closes our side of the connection once it has been stuck behind a refusal. Unix sockets tell nothing of that.
async fn look(connection: TcpStream, is_heard: Arc<AtomicBool>) {
    let (mut taken, mut stuck) = (None, 0);
    while let Ok(state) = get_tcp_info(connection.as_raw_fd()) {
        let is_stuck = taken == Some(state.tcpi_bytes_acked) && state.tcpi_notsent_bytes > 0;
        let is_refusal = is_heard.load(Ordering::Relaxed) || is_refused(&connection);
        stuck = if is_stuck && is_refusal { stuck + 1 } else { 0 };
        if stuck == LOOKS {
            // The node has reset it already if this fails.
            let _ = connection.shutdown(Shutdown::Write);
            return;
        }
        taken = Some(state.tcpi_bytes_acked);
        tokio::time::sleep(PAUSE).await;
    }
}

/// Whether the head of an answer waits to be read that says no. One that says yes, or go on, may belong to an exchange in
/// which both sides talk.
fn is_refused(connection: &TcpStream) -> bool {
    let mut head = [0; 10];
    // Pingora has it in a mode in which nothing is waited for.
    let is_there = connection.peek(&mut head).is_ok_and(|length| length == head.len());
    let status = head.strip_prefix(b"HTTP/1.1 ").or_else(|| head.strip_prefix(b"HTTP/1.0 "));
    is_there && status.is_some_and(|class| matches!(class, b"3" | b"4" | b"5"))
}
