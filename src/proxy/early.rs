//! Nodes that read no more of an upload: because they refuse it, or because they are silent.
//!
//! Pingora does not read a node's answer while it writes a piece of the body. A node that refuses (413, 401, 403) and
//! leaves the rest unread would be heard only when the write has timed out. So a long upload is watched: once a refusal
//! has waited for a while and nothing more could be written, our side of the connection is closed, the write fails, and
//! Pingora reads the answer. If the upload is stuck for as long as others wait for their answers, and the node is found to
//! be silent, the connection is closed for good, and the upload goes to another node. The same when the last of it is with
//! the node and no answer comes: if Pingora's pipe to the node was full as the last piece came, it does not listen to the
//! front door's stream, which keeps the time of all others.

use std::net::{Shutdown, TcpStream};
use std::os::fd::{AsRawFd, BorrowedFd, RawFd};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use http::StatusCode;
use parking_lot::Mutex;
use pingora::protocols::l4::ext::get_tcp_info;
use tokio::task::JoinHandle;

use crate::clock;
use crate::framing::{STATUS, begins_refusal};
use crate::link::Overseer;
use crate::listen::Connection;
use crate::upstream::{Node, PATIENCE, Patience, Vigil};

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
    signs: Arc<Signs>,
}

/// What the attempt and whoever looks at its connection tell each other.
#[derive(Debug, Default)]
struct Signs {
    /// The refusal has been read, and is passed on.
    is_heard: AtomicBool,
    /// The last of the body is on its way.
    is_all_sent: AtomicBool,
    /// The node was given up while it took nothing, or said nothing.
    is_given_up: AtomicBool,
    /// The node had its time to answer and did not.
    is_late: AtomicBool,
}

/// Looks after a body on a connection that others share, of which the node takes nothing more. Closing the connection would
/// end the others, so whoever writes asks.
#[derive(Debug)]
pub(super) struct Oversight {
    node: Arc<Node>,
    patience: Patience,
    vigil: Mutex<Option<Vigil>>,
    /// That of its client.
    connection: Option<Arc<Connection>>,
}

impl Oversight {
    /// Over a body for `node`, which waits so long for it, and for no longer than the client on `connection` does.
    pub(super) fn new(node: Arc<Node>, patience: Patience, connection: Option<Arc<Connection>>) -> Self {
        Self { node, patience, vigil: Mutex::default(), connection }
    }
}

impl Overseer for Oversight {
    fn gives_up(&self, since: u64) -> bool {
        let now = clock::millis();
        if self.connection.as_ref().is_some_and(|connection| connection.ends_call(now)) {
            return true;
        }
        if now.saturating_sub(since) < PATIENCE {
            return false;
        }
        let new = || Vigil::new(&self.node, self.patience, since, false);
        self.vigil.lock().get_or_insert_with(new).look(now)
    }

    fn goes_on(&self) {
        *self.vigil.lock() = None;
    }
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

    /// Whether the connection should be looked at, now that so many bytes of the body are on their way; called while the
    /// attempt goes on.
    pub(super) fn is_due(&self, bytes: u64) -> bool {
        bytes > SHORT && self.connection.is_some()
    }

    /// Begins to look at the connection; `patience` is how long the upload waits for `node`, before and after the last of it
    /// is on its way, and `first_byte` how long for its answer.
    pub(super) fn begin(&mut self, node: Arc<Node>, patience: [Patience; 2], first_byte: Duration) {
        // Without a descriptor to spare it goes unwatched.
        if let Some(connection) = self.connection.take().and_then(duplicate) {
            let signs = Arc::<Signs>::default();
            let upload = Upload { connection, node, patience, first_byte, signs: Arc::clone(&signs) };
            self.looking = Some(Looking { task: tokio::spawn(upload.look()), signs });
        }
    }

    /// The last of the body is on its way: what is not written yet may be at any moment.
    pub(super) fn all_sent(&self) {
        if let Some(looking) = &self.looking {
            looking.signs.is_all_sent.store(true, Ordering::Relaxed);
        }
    }

    /// Whether the node was given up while it took nothing, or said nothing.
    pub(super) fn is_given_up(&self) -> bool {
        self.looking.as_ref().is_some_and(|looking| looking.signs.is_given_up.load(Ordering::Relaxed))
    }

    /// Whether the node had its time to answer and did not.
    pub(super) fn is_late(&self) -> bool {
        self.looking.as_ref().is_some_and(|looking| looking.signs.is_late.load(Ordering::Relaxed))
    }

    /// The node's answer goes to the client. After a refusal the watch goes on: clients that send all before they read
    /// wait for the node to take the rest.
    pub(super) fn heard(&mut self, status: StatusCode) {
        if status.is_success() {
            *self = Self::default();
        } else if let Some(looking) = &self.looking {
            looking.signs.is_heard.store(!status.is_informational(), Ordering::Relaxed);
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

/// An upload that is looked at. Unix sockets tell nothing of how it goes.
struct Upload {
    connection: TcpStream,
    node: Arc<Node>,
    patience: [Patience; 2],
    first_byte: Duration,
    signs: Arc<Signs>,
}

impl Upload {
    /// Closes the connection once it has been stuck behind a refusal, or before a node that is silent.
    async fn look(self) {
        let (mut taken, mut refused, mut vigil) = (None, 0, None);
        let mut quiet_since = clock::millis();
        while let Ok(state) = get_tcp_info(self.connection.as_raw_fd()) {
            let is_quiet = taken == Some(state.tcpi_bytes_acked);
            let is_stuck = is_quiet && state.tcpi_notsent_bytes > 0;
            let is_all_sent = self.signs.is_all_sent.load(Ordering::Relaxed);
            if !is_quiet || !is_stuck && !is_all_sent {
                quiet_since = clock::millis();
                vigil = None;
            }
            let is_refusal = self.signs.is_heard.load(Ordering::Relaxed) || is_refused(&self.connection);
            refused = if is_stuck && is_refusal { refused + 1 } else { 0 };
            if refused == LOOKS {
                // The node has reset it already if this fails.
                let _ = self.connection.shutdown(Shutdown::Write);
                return;
            }
            let waited = clock::millis().saturating_sub(quiet_since);
            if waited >= PATIENCE && !is_refusal && self.gives_up(&mut vigil, quiet_since, is_stuck) {
                return self.end(&self.signs.is_given_up);
            }
            if is_all_sent && waited >= clock::to_millis(self.first_byte) && !is_refusal {
                return self.end(&self.signs.is_late);
            }
            taken = Some(state.tcpi_bytes_acked);
            tokio::time::sleep(PAUSE).await;
        }
    }

    /// Closes the connection for good, for this reason.
    fn end(&self, why: &AtomicBool) {
        why.store(true, Ordering::Relaxed);
        let _ = self.connection.shutdown(Shutdown::Both);
    }

    /// Says whether the node is given up, and bears witness against it if it takes nothing. Against one that says nothing
    /// the front door's stream does.
    fn gives_up(&self, vigil: &mut Option<Vigil>, quiet_since: u64, is_stuck: bool) -> bool {
        if is_stuck {
            let new = || Vigil::new(&self.node, Patience::Endless, quiet_since, false);
            vigil.get_or_insert_with(new).look(clock::millis());
        }
        let [before, after] = self.patience;
        let is_all_sent = self.signs.is_all_sent.load(Ordering::Relaxed);
        self.node.is_given_up(if is_all_sent { after } else { before })
    }
}

/// Whether the head of an answer waits to be read that says no.
fn is_refused(connection: &TcpStream) -> bool {
    let mut head = [0; STATUS];
    // Pingora has it in a mode in which nothing is waited for.
    connection.peek(&mut head).is_ok_and(|length| begins_refusal(head.get(..length).unwrap_or_default()))
}
