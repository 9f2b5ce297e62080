//! HTTP/2 (RFC 9113): one connection, and each of its streams a request of its own.
//!
//! Pingora's own loop would do, but it has no deadline, and no limit on what a client may begin and give up again. Here
//! each stream gets a [`Connection`] of its own, as if it had come alone, so that all above treats both versions alike; the
//! time that it may wait is kept by what is laid over its session ([`Timed`]).

mod download;
mod ledger;
mod streams;
mod timed;
mod watched;

use std::future::poll_fn;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use h2::Reason;
use h2::server::Connection as Wire;
use pingora::protocols::http::ServerSession;
use pingora::protocols::http::v2::server::{H2Accept, H2Options, HttpSession, handshake};
use pingora::protocols::{Digest, Stream};
use tokio::sync::watch;
use tokio::time::timeout;

use self::streams::{Place, Streams};
use self::timed::Timed;
use self::watched::Watched;
use super::alarm::Alarm;
use super::connection::Connection;
use super::cut::{self, Ending};
use super::peer::Peer;
use super::shard::Serve;
use super::stream::{ClientStream, hidden};
use crate::clock;
use crate::headers;
use crate::observe::{Flood, Observer};
use crate::session;

/// How much of a body a client may send ahead, on one stream and on all of them.
const STREAM_WINDOW: u32 = 256 * 1024;
const CONNECTION_WINDOW: u32 = 1024 * 1024;

/// What small pieces of bodies may cost beside themselves while nobody has taken them: 256 bytes each, which are 16,000 messages
/// of a call that a client sends in one go.
const SMALL_PIECES: usize = 4 * 1024 * 1024;

/// How long a client that was told that the connection ends has to close it.
const LAST_WORDS: Duration = Duration::from_secs(1);

/// A connection that speaks HTTP/2.
pub(super) struct Http2 {
    pub(super) peer: Arc<Peer>,
    /// What is known of the connection below its streams.
    pub(super) connection: Arc<Connection>,
    pub(super) service: Arc<dyn Serve>,
    pub(super) stopping: watch::Receiver<bool>,
    pub(super) ending: watch::Receiver<Ending>,
    pub(super) observer: Arc<Observer>,
}

/// What happened on a connection.
enum Event {
    /// Its listener closes.
    Stopping,
    /// A request came.
    Request(Box<HttpSession>),
    /// What came is none.
    Malformed,
    /// A stream has ended, or the client has shown what it is.
    Changed,
    /// Nothing, for as long as that may go on.
    Quiet,
    /// The reader of frames has had enough of the client.
    Flood,
    /// The connection is over.
    Over,
}

impl Http2 {
    /// Serves `stream` until the connection is done, and all of its requests with it.
    pub(super) async fn serve(self, stream: ClientStream) {
        let (options, head) = {
            let listener = self.peer.listener();
            (options(listener.limits.streams, listener.limits.head), listener.timeouts.head)
        };
        let streams = Arc::<Streams>::default();
        let stream = Box::new(Watched::new(stream, Arc::clone(&streams)));
        // Who cannot even begin is nobody's client.
        let Ok(Ok(wire)) = timeout(head, handshake(stream, Some(options))).await else { return };
        self.accept(wire, &streams, head).await;
        streams.all_ended().await;
    }

    async fn accept(&self, mut wire: Wire<Stream, Bytes>, streams: &Arc<Streams>, first_request: Duration) {
        let (mut stopping, mut alarm) = (self.stopping.clone(), Alarm::default());
        let mut stopping = pin!(stopping.wait_for(|&is_stopping| is_stopping));
        let mut is_ending = false;
        let mut quiet_until = in_millis(first_request);
        let mut next = self.next();
        loop {
            let event = tokio::select! {
                biased;
                _ = &mut stopping, if !is_ending => Event::Stopping,
                event = request(&mut wire, &next.1, streams.have_room(self.most())) => event,
                () = streams.changed() => Event::Changed,
                () = poll_fn(|cx| alarm.poll(cx, quiet_until)) => Event::Quiet,
            };
            match event {
                Event::Request(session) => {
                    quiet_until = u64::MAX;
                    let (connection, _) = std::mem::replace(&mut next, self.next());
                    self.spawn(session, connection, streams.enter());
                }
                Event::Malformed => streams.malformed(clock::millis()),
                Event::Changed if streams.are_none() => {
                    let limit = if is_ending { LAST_WORDS } else { self.peer.listener().timeouts.keep_alive };
                    quiet_until = in_millis(limit);
                }
                Event::Changed => {}
                Event::Stopping | Event::Quiet if !is_ending => {
                    is_ending = true;
                    wire.graceful_shutdown();
                    quiet_until = if streams.are_none() { in_millis(LAST_WORDS) } else { u64::MAX };
                }
                Event::Flood => return self.tell(Flood::Frames),
                Event::Stopping | Event::Quiet | Event::Over => return,
            }
            if let Some(flood) = streams.flood() {
                return self.turn_away(wire, flood).await;
            }
        }
    }

    fn most(&self) -> usize {
        self.peer.listener().limits.streams as usize
    }

    /// What the next stream is known by, to the phases above.
    fn next(&self) -> (Arc<Connection>, Arc<Digest>) {
        let connection = Arc::new(Connection::new(Arc::clone(&self.peer)));
        let digest = Digest {
            ssl_digest: None,
            timing_digest: Vec::new(),
            proxy_digest: hidden(&connection),
            socket_digest: None,
        };
        (connection, Arc::new(digest))
    }

    fn spawn(&self, mut session: Box<HttpSession>, connection: Arc<Connection>, place: Place) {
        // Of all that takes its time only the writing waits where nothing of ours is asked.
        session.set_write_timeout(Some(connection.listener().timeouts.write));
        connection.await_body();
        let is_call = headers::is_grpc(&session.req_header().headers);
        let real = Box::new(ServerSession::new_http2(*session));
        let (service, peer) = (Arc::clone(&self.service), Arc::clone(&self.peer));
        let (stopping, ending) = (self.stopping.clone(), self.ending.clone());
        let timed = Timed::new(connection, Arc::clone(&self.connection), place, Arc::clone(&self.observer));
        // Whoever makes a call takes its messages when it is done with those before, as it sends them.
        let timed = if is_call { timed.at_will() } else { timed };
        tokio::spawn(async move {
            let session = session::overlay(real, timed);
            // It has no connection of its own that could be used again.
            let mut request = service.serve_request(session, &stopping);
            // A stream is not used again.
            let _ = cut::serve(request.as_mut(), &peer, ending).await;
        });
    }

    /// Ends the connection of a client that does nothing but harm.
    async fn turn_away(&self, mut wire: Wire<Stream, Bytes>, flood: Flood) {
        self.tell(flood);
        wire.abrupt_shutdown(Reason::ENHANCE_YOUR_CALM);
        let _ = timeout(LAST_WORDS, poll_fn(|cx| wire.poll_closed(cx))).await;
    }

    /// Tells of a client whose connection ends with a word to it.
    fn tell(&self, flood: Flood) {
        self.observer.flooded(self.peer.client().map(|client| client.ip()), flood);
        self.connection.hear_out();
    }
}

/// The next request; without room for one, the end of the connection. Either drives all of its streams.
async fn request(wire: &mut Wire<Stream, Bytes>, digest: &Arc<Digest>, has_room: bool) -> Event {
    if !has_room {
        return match poll_fn(|cx| wire.poll_closed(cx)).await {
            Err(why) if is_flood(&why) => Event::Flood,
            Ok(()) | Err(_) => Event::Over,
        };
    }
    match HttpSession::from_h2_conn(wire, Arc::clone(digest)).await {
        Ok(Some(H2Accept::Session(session))) => Event::Request(Box::new(session)),
        Ok(Some(H2Accept::Rejected)) => Event::Malformed,
        Err(why) if why.root_cause().downcast_ref().is_some_and(is_flood) => Event::Flood,
        Ok(None) | Err(_) => Event::Over,
    }
}

/// Whether the reader of frames has told the client to calm down: streams that are reset before anybody has seen them, fields
/// without end, pieces of a body that are hardly any.
fn is_flood(why: &h2::Error) -> bool {
    why.is_library() && why.reason() == Some(Reason::ENHANCE_YOUR_CALM)
}

fn options(streams: u32, head: u64) -> H2Options {
    let mut options = H2Options::new();
    options
        .max_concurrent_streams(streams)
        .max_header_list_size(u32::try_from(head).unwrap_or(u32::MAX))
        .initial_window_size(STREAM_WINDOW)
        .initial_connection_window_size(CONNECTION_WINDOW)
        .data_frame_budget(SMALL_PIECES);
    options
}

/// So long from now, in milliseconds of the clock.
fn in_millis(time: Duration) -> u64 {
    clock::millis().saturating_add(clock::to_millis(time))
}
