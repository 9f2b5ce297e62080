//! A connection that many requests share (HTTP/2, RFC 9113).

use std::fmt;
use std::future::poll_fn;
use std::pin::pin;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Weak};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use bytes::Bytes;
use h2::client::{Builder, Connection, ResponseFuture, SendRequest};
use h2::{Ping, PingPong, RecvStream};
use parking_lot::Mutex;
use pingora::protocols::{Digest, GetSocketDigest};
use tokio::sync::{Notify, oneshot};
use tokio::time::{MissedTickBehavior, interval, timeout};

use super::arrivals::Arrivals;
use super::inbox::Inbox;
use super::leftovers::Leftovers;
use super::stream::NodeStream;
use super::trouble::Trouble;
use crate::clock;
use crate::config;

/// How much of one answer may wait for its client. All answers of a connection together may fill theirs, so that none that
/// waits keeps the others from coming.
const WINDOW: u32 = 512 * 1024;

/// How many streams that were reset here are remembered, so that what the node had under way for them is let pass; one that is
/// forgotten is reset once more by each frame. Whoever gives up many at once is a crowd of clients that leave, and not the
/// node: no number of them ends the connection of all others.
const RESET_STREAMS: usize = 1_024;

/// For how long one is: what is under way may wait behind the answers of others.
const RESET_TIME: Duration = Duration::from_secs(10);

/// What small pieces of answers may cost beside themselves before the library ends the connection of all: whatever they cost. Those
/// that no client takes are put together, and those of streams that were reset, which are let pass, it counts for ever.
const SMALL_PIECES: usize = usize::MAX;

/// The longest head of an answer.
const LONGEST_HEAD: u32 = 256 * 1024;

/// How often a connection is looked at.
const LOOK: Duration = Duration::from_millis(250);

/// How long a node has to answer a ping.
const PATIENCE: Duration = Duration::from_secs(5);

/// For how long a connection is taken to be alive without another word, in milliseconds.
const FRESH: u64 = 1_000;

/// A connection that requests share.
pub(super) struct Shared {
    /// What opens streams; gone when no more may be opened.
    sender: Mutex<Option<SendRequest<Bytes>>>,
    most: usize,
    streams: AtomicUsize,
    /// Since when there is no stream, in milliseconds of the clock, and for how long there may be none.
    idle_since: AtomicU64,
    idle_limit: AtomicU64,
    arrivals: Arc<Arrivals>,
    /// Those who wait for a sign of life.
    asking: Mutex<Vec<oneshot::Sender<()>>>,
    is_asked: Notify,
    leftovers: Mutex<Leftovers<ResponseFuture>>,
    /// Bodies of answers on their way; some may be gone.
    inboxes: Mutex<Vec<Weak<Inbox>>>,
    digest: Digest,
    is_tls: bool,
}

/// A place for one stream, until dropped.
#[derive(Debug)]
pub(super) struct Seat(Arc<Shared>);

/// How a connection stands.
enum Standing {
    Good,
    /// It has had no stream for so long that it is closed.
    Idle,
    /// Nothing has come for so long that the node is asked whether it is there.
    Quiet,
}

impl Shared {
    /// Begins to speak HTTP/2 on `stream`, once the node has shown within `limit` that it does as well.
    pub(super) async fn begin(
        stream: NodeStream,
        settings: config::Http2,
        limit: Duration,
    ) -> Result<Arc<Self>, Trouble> {
        let (arrivals, socket, is_tls) = (stream.arrivals(), stream.get_socket_digest(), stream.is_tls());
        let most = settings.max_streams;
        let all = WINDOW.saturating_mul(u32::try_from(most).unwrap_or(u32::MAX)).min((1 << 31) - 1);
        let began = Builder::new()
            .enable_push(false)
            .initial_max_send_streams(most)
            .initial_window_size(WINDOW)
            .initial_connection_window_size(all)
            .max_header_list_size(LONGEST_HEAD)
            .max_concurrent_reset_streams(RESET_STREAMS)
            .reset_stream_duration(RESET_TIME)
            .max_local_error_reset_streams(None)
            .data_frame_budget(SMALL_PIECES)
            .handshake::<_, Bytes>(stream)
            .await;
        let (sender, mut connection) = began.map_err(|why| Trouble::of_http2(&why))?;
        let Some(mut pings) = connection.ping_pong() else {
            return Err(Trouble::Http2("nobody can ask whether it is alive".to_owned()));
        };
        prove(&mut connection, &mut pings, limit).await?;
        let shared = Arc::new(Self {
            sender: Mutex::new(Some(sender)),
            most,
            streams: AtomicUsize::new(0),
            idle_since: AtomicU64::new(clock::millis()),
            idle_limit: AtomicU64::new(clock::to_millis(limit)),
            arrivals,
            asking: Mutex::default(),
            is_asked: Notify::new(),
            leftovers: Mutex::default(),
            inboxes: Mutex::default(),
            digest: Digest { socket_digest: socket, ..Digest::default() },
            is_tls,
        });
        // It ends with the connection, which ends when nobody has a stream or may open one.
        tokio::spawn(drive(connection, pings, Arc::clone(&shared), settings.ping_interval));
        Ok(shared)
    }

    /// What opens a stream, and the place for it; `None` if there is no room for one more.
    pub(super) fn take(self: &Arc<Self>) -> Option<(Seat, SendRequest<Bytes>)> {
        let mut sender = self.sender.lock();
        let ready = sender.as_mut()?.poll_ready(&mut Context::from_waker(Waker::noop()));
        if let Poll::Ready(Err(_)) = ready {
            // The node has said that it takes no more, or is gone.
            *sender = None;
        }
        let sender = sender.as_ref()?;
        let most = self.most.min(sender.current_max_send_streams());
        // What is not reset yet takes room at the node as well.
        if self.streams.load(Ordering::Relaxed) + self.leftovers.lock().len() >= most {
            return None;
        }
        // Nobody else takes one while the lock is held.
        self.streams.fetch_add(1, Ordering::Relaxed);
        Some((Seat(Arc::clone(self)), sender.clone()))
    }

    /// Whether something has come a moment ago, or comes within `limit` when asked for.
    pub(super) async fn is_alive(&self, limit: Duration) -> bool {
        if clock::millis().saturating_sub(self.arrivals.last()) < FRESH {
            return true;
        }
        let (told, alive) = oneshot::channel();
        self.asking.lock().push(told);
        self.is_asked.notify_one();
        matches!(timeout(limit, alive).await, Ok(Ok(())))
    }

    /// No more streams are opened; it ends with those that are there.
    pub(super) fn retire(&self) {
        *self.sender.lock() = None;
    }

    /// Whether no more streams can be opened.
    pub(super) fn is_retired(&self) -> bool {
        self.sender.lock().is_none()
    }

    /// Nobody waits for this answer any more: its stream is reset, but not many at once while nothing comes.
    pub(super) fn leave(&self, answer: ResponseFuture) {
        let heard = self.arrivals.last();
        if clock::millis().saturating_sub(heard) >= FRESH {
            let told = self.leftovers.lock().keep(answer, heard);
            // It is reset as it goes, and nobody else waits for the lock meanwhile.
            drop(told);
        }
    }

    /// Resets what was left, as far as that is good for those who still wait.
    fn tell_of_leftovers(&self) {
        let heard = self.arrivals.last();
        let is_left_by_all = self.streams.load(Ordering::Relaxed) == 0;
        let told = {
            let mut leftovers = self.leftovers.lock();
            if is_left_by_all { leftovers.clear() } else { leftovers.release(heard) }
        };
        drop(told);
    }

    /// What takes the body of an answer.
    pub(super) fn keep(&self, body: RecvStream) -> Arc<Inbox> {
        let inbox = Arc::new(Inbox::new(body));
        if !inbox.is_at_end() {
            self.inboxes.lock().push(Arc::downgrade(&inbox));
        }
        inbox
    }

    /// Puts together what the clients of answers have not come for.
    fn join_bodies(&self) {
        let waiting: Vec<_> = {
            let mut inboxes = self.inboxes.lock();
            inboxes.retain(|inbox| inbox.strong_count() > 0);
            inboxes.iter().filter_map(Weak::upgrade).collect()
        };
        waiting.iter().for_each(|inbox| inbox.join());
    }

    /// For how long it may be without a stream.
    pub(super) fn keep_for(&self, idle: Duration) {
        self.idle_limit.store(clock::to_millis(idle), Ordering::Relaxed);
    }

    /// Whether it goes by TLS.
    pub(super) fn is_tls(&self) -> bool {
        self.is_tls
    }

    /// Where it goes.
    pub(super) fn digest(&self) -> &Digest {
        &self.digest
    }

    fn standing(&self, ping_interval: Duration) -> Standing {
        let now = clock::millis();
        let since = |at: &AtomicU64| now.saturating_sub(at.load(Ordering::Relaxed));
        let is_idle = self.streams.load(Ordering::Relaxed) == 0;
        if is_idle && since(&self.idle_since) >= self.idle_limit.load(Ordering::Relaxed) {
            return Standing::Idle;
        }
        match now.saturating_sub(self.arrivals.last()) >= clock::to_millis(ping_interval) {
            true => Standing::Quiet,
            false => Standing::Good,
        }
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        self.0.idle_since.store(clock::millis(), Ordering::Relaxed);
        self.0.streams.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Seat {
    /// The connection that it is on.
    pub(super) fn shared(&self) -> &Arc<Shared> {
        &self.0
    }
}

impl fmt::Debug for Shared {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Shared").field("streams", &self.streams).finish_non_exhaustive()
    }
}

/// Whether the node speaks HTTP/2 on `stream`.
pub(super) async fn greet(stream: NodeStream, limit: Duration) -> Result<(), Trouble> {
    let began = Builder::new().enable_push(false).handshake::<_, Bytes>(stream).await;
    // What opens streams is kept: the connection ends with it.
    let (_sender, mut connection) = began.map_err(|why| Trouble::of_http2(&why))?;
    match connection.ping_pong() {
        Some(mut pings) => prove(&mut connection, &mut pings, limit).await,
        None => Ok(()),
    }
}

/// Has the node answer a ping, and so its settings before that (RFC 9113, 3.4): how many streams it takes is known then,
/// and that it speaks HTTP/2 at all.
async fn prove(
    connection: &mut Connection<NodeStream, Bytes>,
    pings: &mut PingPong,
    limit: Duration,
) -> Result<(), Trouble> {
    let proven = async {
        tokio::select! {
            biased;
            pong = pings.ping(Ping::opaque()) => pong.map(drop),
            ended = connection => ended,
        }
    };
    match timeout(limit, proven).await {
        Ok(Ok(())) => Ok(()),
        Ok(Err(why)) => Err(Trouble::of_http2(&why)),
        Err(_) => Err(Trouble::Late { doing: "begin to speak HTTP/2", limit }),
    }
}

/// Moves what is to be written and read, until the connection ends.
async fn drive(
    connection: Connection<NodeStream, Bytes>,
    mut pings: PingPong,
    shared: Arc<Shared>,
    ping_interval: Duration,
) {
    let mut connection = pin!(connection);
    let mut looks = interval(LOOK);
    looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut pinged_at = None;
    loop {
        let is_wanted = tokio::select! {
            _ = &mut connection => break,
            _ = poll_fn(|cx| pings.poll_pong(cx)), if pinged_at.is_some() => {
                pinged_at = None;
                for asking in shared.asking.lock().drain(..) {
                    // Whoever asked may not wait any more.
                    let _ = asking.send(());
                }
                false
            }
            () = shared.is_asked.notified() => true,
            () = shared.arrivals.are_many() => {
                shared.join_bodies();
                false
            }
            _ = looks.tick() => {
                shared.tell_of_leftovers();
                shared.join_bodies();
                if shared.arrivals.are_spoilt() {
                    shared.retire();
                }
                match shared.standing(ping_interval) {
                    Standing::Good => false,
                    Standing::Quiet => true,
                    Standing::Idle => {
                        shared.retire();
                        false
                    }
                }
            }
        };
        if is_wanted && pinged_at.is_none() {
            pinged_at = pings.send_ping(Ping::opaque()).is_ok().then(clock::millis);
        }
        let limit = clock::to_millis(PATIENCE);
        if pinged_at.is_some_and(|at| clock::millis().saturating_sub(at) > limit) {
            // The node, or the way to it, is gone without a word. What is there may still be answered, and has its own time.
            shared.retire();
            if shared.streams.load(Ordering::Relaxed) == 0 {
                break;
            }
        }
    }
    shared.retire();
    shared.asking.lock().clear();
}
