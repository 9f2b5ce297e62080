//! What is known of a client's connection, by the stream below Pingora and by the phases above it.

use std::io;
use std::ops::Deref;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU8, AtomicU64, Ordering};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use parking_lot::Mutex;

use super::alarm::Alarm;
use super::pace::{Pace, Upload};
use super::peer::Peer;
use super::presence::Presence;
use crate::clock;
use crate::upstream::{PATIENCE, Vigil};

/// What a connection waits for, and so whose time is running.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Waiting {
    /// The client, to begin its next request.
    Request,
    /// The client, to finish the head of a request.
    Head,
    /// The client, to go on with the body of a request.
    Body,
    /// A node, to begin or go on with its answer.
    Node,
    /// A node, to say that it wants the body that its client holds back (`Expect: 100-continue`).
    Continue,
    /// Nobody: the connection was upgraded, has streams that wait for themselves, or its answer has no end to wait for.
    Nothing,
}

/// Whose time ran out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Late {
    /// The client did not go on with the body of its request.
    Client = 1,
    /// The node did not begin or go on with its answer.
    Node = 2,
    /// The node is given up before its time is over: all that is known of it says that nothing will come.
    GivenUp = 3,
    /// The time is over that the client gives for its call.
    Call = 4,
}

/// What looking after a wait found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Look {
    /// There is still hope.
    GoesOn,
    /// The node will not answer.
    GivenUp,
    /// Whoever is waited for has had its time.
    TimeIsUp,
    /// The time is over that the client gives for its call.
    CallIsOver,
    /// The client has closed its side, and takes nothing.
    HasLeft,
}

/// How often a node that is waited for is looked after, in milliseconds.
const LOOK_AGAIN: u64 = 50;

/// A client's connection; with HTTP/2 one of its streams, each of which waits for itself.
///
/// Shared between the stream, which keeps the time, and the proxy, which knows what the connection waits for.
#[derive(Debug)]
pub struct Connection {
    peer: Arc<Peer>,
    waiting: AtomicU8,
    /// When the wait began or last made progress, in milliseconds of the clock.
    since: AtomicU64,
    /// How long it may go on without progress, in milliseconds.
    limit: AtomicU64,
    /// When the request ends whatever it waits for, in milliseconds of the clock.
    ends_at: AtomicU64,
    /// How the body of the request comes.
    upload: Mutex<Upload>,
    /// Bytes read while waiting for a head.
    head_bytes: AtomicU64,
    /// Whose time ran out; the phases above see an error on this stream and ask here.
    late: AtomicU8,
    /// Who looks after the node while its answer is waited for, and when they look next, in milliseconds of the clock.
    vigil: Mutex<Option<Vigil>>,
    look_at: AtomicU64,
    /// The answer broke off and its client could not tell by the end of the connection alone.
    is_broken_off: AtomicBool,
    /// Its client is told why it ends, and may still send meanwhile.
    is_heard_out: AtomicBool,
    presence: Presence,
}

impl Deref for Connection {
    type Target = Peer;

    fn deref(&self) -> &Peer {
        &self.peer
    }
}

impl Connection {
    pub(super) fn new(peer: Arc<Peer>) -> Self {
        let connection = Self {
            peer,
            waiting: AtomicU8::new(0),
            since: AtomicU64::new(0),
            limit: AtomicU64::new(0),
            ends_at: AtomicU64::new(u64::MAX),
            upload: Mutex::default(),
            head_bytes: AtomicU64::new(0),
            late: AtomicU8::new(0),
            vigil: Mutex::new(None),
            look_at: AtomicU64::new(u64::MAX),
            is_broken_off: AtomicBool::new(false),
            is_heard_out: AtomicBool::new(false),
            presence: Presence::default(),
        };
        // A client that connects has its first head's time to begin and to finish it.
        let head = connection.listener().timeouts.head;
        connection.begin(Waiting::Head, head);
        connection
    }

    /// Bytes that were read for the last head and whatever came along with it.
    pub fn head_bytes(&self) -> u64 {
        self.head_bytes.load(Ordering::Relaxed)
    }

    /// How long the wait has lasted, or how long it is since its last progress.
    pub(super) fn waited(&self) -> Duration {
        Duration::from_millis(clock::millis().saturating_sub(self.since.load(Ordering::Relaxed)))
    }

    /// The head is there; the rest of the request may follow.
    pub fn await_body(&self) {
        let limit = self.listener().timeouts.body;
        self.begin(Waiting::Body, limit);
    }

    /// The body of the request has to come this fast; `None` is at will.
    pub fn hold_to(&self, pace: Option<Pace>) {
        self.upload.lock().hold_to(pace);
    }

    /// The client cannot be listened to: until it is again, its body loses no time.
    pub(super) fn pause_body(&self) {
        self.upload.lock().pause();
    }

    /// The client holds its body back; the node has `limit` to ask for it or to answer without it.
    pub fn await_continue(&self, limit: Duration) {
        self.begin(Waiting::Continue, limit);
    }

    /// The node answers while the body is still coming: what either of them sends gives both their time again, which is
    /// the longer of `limit` and the client's. What the client has to say may depend on what it hears.
    pub fn await_either(&self, limit: Duration) {
        self.hold_to(None);
        let limit = self.listener().timeouts.body.max(limit);
        self.begin(Waiting::Body, limit);
    }

    /// The request is complete, or its answer goes on: the node has `limit` for its next byte.
    pub fn await_node(&self, limit: Duration) {
        self.begin(Waiting::Node, limit);
    }

    /// The request is complete at `now`, in milliseconds of the clock, and `vigil` looks after the node that has `limit` to
    /// answer.
    pub fn await_head(&self, limit: Duration, vigil: Vigil, now: u64) {
        self.begin_at(Waiting::Node, limit, now);
        *self.vigil.lock() = Some(vigil);
        self.look_at.store(now.saturating_add(PATIENCE), Ordering::Relaxed);
    }

    /// The request is complete, and its answer goes on that began before: the node has what it had for its next byte.
    pub fn await_rest(&self) {
        self.begin(Waiting::Node, Duration::from_millis(self.limit.load(Ordering::Relaxed)));
    }

    /// The head is there, or the attempt is over: nobody needs to look after the node any more.
    pub fn end_vigil(&self) {
        if self.look_at.load(Ordering::Relaxed) != u64::MAX {
            self.look_at.store(u64::MAX, Ordering::Relaxed);
            *self.vigil.lock() = None;
        }
    }

    /// Nobody's time is running any more.
    pub fn await_nothing(&self) {
        self.begin(Waiting::Nothing, Duration::MAX);
    }

    /// The client gives its request time until then, in milliseconds of the clock, whatever it waits for.
    pub fn end_by(&self, at: u64) {
        self.ends_at.store(at, Ordering::Relaxed);
    }

    /// Whether the call is over at `now`, in milliseconds of the clock, and ends because of it; for who does not wait for it
    /// here.
    pub fn ends_call(&self, now: u64) -> bool {
        let is_over = now >= self.call_ends_at();
        if is_over {
            // Whoever asks has an error of its own.
            let _ = self.give_up_call();
        }
        is_over
    }

    /// The answer is complete; the client may begin its next request.
    pub fn await_request(&self) {
        self.end_by(u64::MAX);
        self.head_bytes.store(0, Ordering::Relaxed);
        let limit = self.listener().timeouts.keep_alive;
        self.begin(Waiting::Request, limit);
    }

    /// Whose time ran out since this was last asked, if anyone's did.
    pub fn take_late(&self) -> Option<Late> {
        match self.late.swap(0, Ordering::Relaxed) {
            0 => None,
            1 => Some(Late::Client),
            2 => Some(Late::Node),
            3 => Some(Late::GivenUp),
            _ => Some(Late::Call),
        }
    }

    /// The answer broke off: the connection is reset when it ends, so that the client can tell.
    pub fn break_off(&self) {
        self.is_broken_off.store(true, Ordering::Relaxed);
    }

    pub(super) fn is_broken_off(&self) -> bool {
        self.is_broken_off.load(Ordering::Relaxed)
    }

    /// What still comes is read for a moment when the connection ends, so that no reset overtakes what the client is told.
    pub(super) fn hear_out(&self) {
        self.is_heard_out.store(true, Ordering::Relaxed);
    }

    pub(super) fn is_heard_out(&self) -> bool {
        self.is_heard_out.load(Ordering::Relaxed)
    }

    /// Whether the client still listens.
    pub(super) fn presence(&self) -> &Presence {
        &self.presence
    }

    /// What the connection waits for.
    pub fn waiting(&self) -> Waiting {
        match self.waiting.load(Ordering::Relaxed) {
            0 => Waiting::Request,
            1 => Waiting::Head,
            2 => Waiting::Body,
            3 => Waiting::Node,
            4 => Waiting::Continue,
            _ => Waiting::Nothing,
        }
    }

    pub(super) fn read_some(&self, bytes: usize) {
        match self.waiting() {
            Waiting::Request => {
                let limit = self.listener().timeouts.head;
                self.begin(Waiting::Head, limit);
                self.count_head(bytes);
            }
            Waiting::Head => self.count_head(bytes),
            Waiting::Continue => self.await_body(),
            Waiting::Body => {
                let now = clock::millis();
                self.upload.lock().came(bytes as u64, now);
                self.progressed_at(now);
            }
            Waiting::Node | Waiting::Nothing => self.progressed(),
        }
    }

    /// Something moved: whoever is waited for has all of its time again.
    pub fn progressed(&self) {
        self.progressed_at(clock::millis());
    }

    /// Something moved at `now`, in milliseconds of the clock.
    pub fn progressed_at(&self, now: u64) {
        self.since.store(now, Ordering::Relaxed);
    }

    /// Ready when whoever is waited for has had its time, or will not use it; never with [`Look::GoesOn`].
    pub(super) fn poll_wait(&self, alarm: &mut Alarm, cx: &mut Context<'_>) -> Poll<Look> {
        loop {
            ready!(alarm.poll(cx, self.deadline()));
            match self.look(clock::millis()) {
                Look::GoesOn => {}
                over => return Poll::Ready(over),
            }
        }
    }

    /// The client has had its time to go on with the body of its request.
    pub(super) fn give_up_client(&self) -> io::Error {
        self.is_late(Late::Client);
        io::Error::new(io::ErrorKind::TimedOut, "the body of the request took too long")
    }

    /// Ends the wait for a node.
    pub(super) fn give_up_node(&self, why: Late) -> io::Error {
        self.is_late(why);
        self.end_vigil();
        // The next attempt, or the answer that says so, gets time of its own.
        self.progressed();
        io::Error::new(io::ErrorKind::TimedOut, "the node took too long")
    }

    /// Ends a call that has had the time that its client gives it.
    pub(super) fn give_up_call(&self) -> io::Error {
        self.is_late(Late::Call);
        self.end_vigil();
        // Told once; what follows from it may be read and written.
        self.end_by(u64::MAX);
        io::Error::new(io::ErrorKind::TimedOut, "the call took longer than its client gives it")
    }

    /// When the time is over that the client gives for its call, in milliseconds of the clock.
    pub(super) fn call_ends_at(&self) -> u64 {
        self.ends_at.load(Ordering::Relaxed)
    }

    fn is_late(&self, late: Late) {
        self.late.store(late as u8, Ordering::Relaxed);
    }

    /// When there is something to do: the wait ends, the node is looked after, or it shows whether the client is too slow; in
    /// milliseconds of the clock.
    fn deadline(&self) -> u64 {
        let is_body = self.waiting() == Waiting::Body;
        let judged = if is_body { self.upload.lock().waits(clock::millis()) } else { u64::MAX };
        let ends = self.end().min(self.call_ends_at()).min(self.presence.leaves_at());
        ends.min(self.look_at.load(Ordering::Relaxed)).min(judged)
    }

    /// Looks after the node that is waited for, and says whose time is over at `now`, if anyone's is.
    fn look(&self, now: u64) -> Look {
        if now >= self.call_ends_at() {
            return Look::CallIsOver;
        }
        if self.presence.has_left(now) {
            return Look::HasLeft;
        }
        let is_body = self.waiting() == Waiting::Body;
        if now >= self.end() || is_body && self.upload.lock().is_too_slow(now) {
            return Look::TimeIsUp;
        }
        let mut vigil = self.vigil.lock();
        if vigil.as_mut().is_some_and(|vigil| vigil.look(now)) {
            return Look::GivenUp;
        }
        let next = if vigil.is_some() { now.saturating_add(LOOK_AGAIN) } else { u64::MAX };
        self.look_at.store(next, Ordering::Relaxed);
        Look::GoesOn
    }

    /// Whether what is waited for may never come: a turn at a node, or an event.
    pub(super) fn has_no_end(&self) -> bool {
        self.limit.load(Ordering::Relaxed) == u64::MAX
    }

    fn end(&self) -> u64 {
        self.since.load(Ordering::Relaxed).saturating_add(self.limit.load(Ordering::Relaxed))
    }

    fn count_head(&self, bytes: usize) {
        self.head_bytes.fetch_add(bytes as u64, Ordering::Relaxed);
    }

    fn begin(&self, waiting: Waiting, limit: Duration) {
        self.begin_at(waiting, limit, clock::millis());
    }

    fn begin_at(&self, waiting: Waiting, limit: Duration, now: u64) {
        self.end_vigil();
        self.progressed_at(now);
        self.limit.store(clock::to_millis(limit), Ordering::Relaxed);
        self.waiting.store(waiting as u8, Ordering::Relaxed);
    }
}
