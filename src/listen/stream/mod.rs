//! The client's side of a connection, as Pingora reads and writes it.

mod told;

use std::any::Any;
use std::io;
use std::os::fd::AsRawFd;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use http::StatusCode;
use pingora::http::ResponseHeader;
use pingora::protocols::raw_connect::ProxyDigest;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::alarm::Alarm;
use super::channel::Channel;
use super::connection::{Connection, Late, Look, Waiting};
use super::intake::{Intake, with_room};
use super::limits::Seat;
use super::linger;
use super::refusal::{Refusal, status_of};
use super::uptake::{Patience, Uptake};
use crate::clock;
use crate::framing::Flaw;
use crate::observe::{Observer, TooSlow};

/// Answers up to this size leave in one system call, head and body together.
const WRITE_BUFFER: usize = 16 * 1024;

/// A client's connection with the deadlines, limits and the write buffer that Pingora has not.
///
/// Pingora asks to read whenever it waits, for the client or for a node, so this is where all time runs out.
#[derive(Debug)]
pub(super) struct ClientStream {
    /// Taken only on drop.
    channel: Option<Channel>,
    connection: Arc<Connection>,
    observer: Arc<Observer>,
    alarm: Alarm,
    intake: Intake,
    /// Written by Pingora, not yet by us.
    unwritten: Vec<u8>,
    /// How the client takes its answer.
    uptake: Uptake,
    /// An answer of ours stands for the one that Pingora would have given; what it still writes is dropped.
    is_refused: bool,
    seat: Option<Seat>,
    proxy_digest: Option<Arc<ProxyDigest>>,
}

impl ClientStream {
    pub(super) fn new(
        channel: Channel,
        connection: Arc<Connection>,
        seat: Seat,
        observer: Arc<Observer>,
    ) -> Self {
        let proxy_digest = hidden(&connection);
        let intake = Intake::new(connection.bounds());
        Self {
            channel: Some(channel),
            connection,
            observer,
            alarm: Alarm::default(),
            intake,
            unwritten: Vec::new(),
            uptake: Uptake::default(),
            is_refused: false,
            seat: Some(seat),
            proxy_digest,
        }
    }

    /// Ready once something of the next request can be read, or with `false` if there will be none. Reads nothing.
    pub(super) fn poll_begins(&mut self, cx: &mut Context<'_>) -> Poll<bool> {
        if ready!(self.poll_unwritten(cx)).is_err() {
            return Poll::Ready(false);
        }
        if self.connection.is_over_when_idle() {
            return Poll::Ready(false);
        }
        let is_new = self.connection.waiting() == Waiting::Head;
        let Some(channel) = &mut self.channel else { return Poll::Ready(false) };
        if !self.intake.is_empty() || channel.poll_begins(is_new, cx).is_ready() {
            return Poll::Ready(true);
        }
        // Whoever idles keeps no more than it has to.
        self.unwritten = Vec::new();
        self.connection.poll_wait(&mut self.alarm, cx).map(|_| false)
    }

    /// Reads on in the request, or only looks whether the client has left while a node is waited for: what the client sends
    /// by then is its next request.
    fn poll_channel(&mut self, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        match self.connection.waiting() {
            Waiting::Request | Waiting::Head => self.poll_request(cx, buf),
            Waiting::Body | Waiting::Continue if !self.intake.is_between() => self.poll_request(cx, buf),
            Waiting::Body | Waiting::Continue | Waiting::Node => self.poll_leaving(cx),
            Waiting::Nothing if self.intake.give_all(buf) => Poll::Ready(Ok(())),
            Waiting::Nothing => self.poll_more(cx, buf).map_ok(drop),
        }
    }

    /// Reads until something of the request may go on to Pingora.
    fn poll_request(&mut self, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let before = buf.filled().len();
        match self.intake.begin_next() {
            Ok(Some(bytes)) => self.connection.read_some(bytes),
            Ok(None) => {}
            Err(flaw) => return Poll::Ready(Err(self.reject(flaw))),
        }
        while buf.filled().len() == before && !self.intake.give(buf) {
            if self.is_head_too_large() {
                self.refuse(StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE);
                return Poll::Ready(Err(io::Error::other("the head of the request is too large")));
            }
            let count = match self.intake.is_at_beginning() {
                true => ready!(self.poll_beginning(cx, buf))?,
                false => ready!(self.poll_rest(cx, buf))?,
            };
            if count == 0 {
                break;
            }
        }
        Poll::Ready(Ok(()))
    }

    /// Reads what there is of a request that begins, and how much that is; 0 bytes are the end of it.
    fn poll_beginning(&mut self, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<usize>> {
        with_room(|read| {
            let count = ready!(self.poll_more(cx, read))?;
            self.intake.begin(read.filled(), buf).map_err(|flaw| self.reject(flaw))?;
            Poll::Ready(Ok(count))
        })
    }

    /// The same of one that has begun.
    fn poll_rest(&mut self, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<usize>> {
        let before = buf.filled().len();
        let count = ready!(self.poll_more(cx, buf))?;
        self.intake.take(buf, before).map_err(|flaw| self.reject(flaw))?;
        Poll::Ready(Ok(count))
    }

    /// Whether nothing of the next request has come.
    fn is_idle(&self) -> bool {
        match self.connection.waiting() {
            Waiting::Request => true,
            Waiting::Head => self.connection.head_bytes() == 0,
            _ => false,
        }
    }

    fn is_head_too_large(&self) -> bool {
        self.connection.waiting() == Waiting::Head
            && self.connection.head_bytes() > self.connection.listener().limits.head
    }

    /// Reads whatever comes; 0 bytes are the end of it.
    fn poll_more(&mut self, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<usize>> {
        let Some(channel) = &mut self.channel else { return Poll::Ready(Ok(0)) };
        let before = buf.filled().len();
        ready!(Pin::new(channel).poll_read(cx, buf))?;
        let count = buf.filled().len() - before;
        self.connection.read_some(count);
        Poll::Ready(Ok(count))
    }

    /// Ready when the client is known to have left; that it has closed its side is noted.
    fn poll_leaving(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let Some(channel) = &mut self.channel else { return Poll::Ready(Ok(())) };
        if !ready!(channel.poll_look(cx))? {
            if self.connection.has_no_end() {
                return Poll::Ready(Ok(()));
            }
            self.connection.presence().closed_its_side();
        }
        Poll::Pending
    }

    /// Ends a request that cannot be read in one way. If it is under way already, the phases above answer.
    fn reject(&mut self, flaw: Flaw) -> io::Error {
        let client = self.connection.client().map(|client| client.ip().to_canonical());
        self.observer.request_malformed(client, flaw);
        if matches!(self.connection.waiting(), Waiting::Request | Waiting::Head) {
            self.refuse(flaw.status());
        }
        io::Error::new(io::ErrorKind::InvalidData, flaw)
    }

    /// What happens when whoever is waited for has had its time.
    fn expire(&mut self) -> io::Result<()> {
        match self.connection.waiting() {
            // Pingora takes the end of the stream as the client's leaving.
            Waiting::Request | Waiting::Nothing => Ok(()),
            Waiting::Head if self.is_idle() => Ok(()),
            Waiting::Head => {
                self.refuse(StatusCode::REQUEST_TIMEOUT);
                Err(io::Error::new(io::ErrorKind::TimedOut, "the head of the request took too long"))
            }
            Waiting::Body => Err(self.connection.give_up_client()),
            Waiting::Node | Waiting::Continue => Err(self.connection.give_up_node(Late::Node)),
        }
    }

    /// Ready when whoever is waited for has had its time, or will not use it.
    fn poll_wait(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match ready!(self.connection.poll_wait(&mut self.alarm, cx)) {
            Look::GivenUp => Poll::Ready(Err(self.connection.give_up_node(Late::GivenUp))),
            Look::CallIsOver => Poll::Ready(Err(self.connection.give_up_call())),
            // Pingora takes the end of the stream as the client's leaving.
            Look::HasLeft => Poll::Ready(Ok(())),
            Look::GoesOn | Look::TimeIsUp => Poll::Ready(self.expire()),
        }
    }

    /// Puts an answer of ours in the place of the one that Pingora would give.
    fn refuse(&mut self, status: StatusCode) {
        if !self.is_refused {
            self.is_refused = true;
            if status == StatusCode::REQUEST_TIMEOUT {
                self.too_slow(TooSlow::Head);
            }
            let refusal = Refusal::new(status);
            refusal.report(
                self.connection.client().map(|client| client.ip()),
                self.connection.waited(),
                &self.observer,
            );
            self.unwritten.extend(refusal.bytes);
        }
    }

    fn too_slow(&self, with: TooSlow) {
        self.observer.client_too_slow(self.connection.client().map(|client| client.ip()), with);
    }

    fn poll_unwritten(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        while !self.unwritten.is_empty() {
            let Some(channel) = &mut self.channel else { break };
            let written = Pin::new(channel).poll_write(cx, &self.unwritten);
            let count = ready!(self.watch_stall(cx, written))?;
            self.connection.presence().took_something();
            self.unwritten.drain(..count);
        }
        // TLS keeps what the socket does not take; a socket keeps nothing.
        if let Some(channel @ Channel::Tls(_)) = &mut self.channel {
            let flushed = Pin::new(channel).poll_flush(cx).map_ok(|()| 1);
            ready!(self.watch_stall(cx, flushed))?;
        }
        if self.unwritten.capacity() > WRITE_BUFFER / 4 {
            self.unwritten = Vec::new();
        }
        Poll::Ready(Ok(()))
    }

    /// Lets a write wait for the client no longer than it may.
    fn watch_stall(
        &mut self,
        cx: &mut Context<'_>,
        written: Poll<io::Result<usize>>,
    ) -> Poll<io::Result<usize>> {
        match written {
            Poll::Ready(Ok(0)) => Poll::Ready(Err(io::ErrorKind::WriteZero.into())),
            Poll::Ready(Ok(count)) => {
                if self.uptake.written(count as u64, clock::millis) {
                    // The node could not be read meanwhile; its time begins again.
                    self.connection.progressed();
                    self.connection.presence().set_stalled(false);
                }
                Poll::Ready(Ok(count))
            }
            Poll::Ready(Err(why)) => Poll::Ready(Err(why)),
            Poll::Pending if self.connection.is_cut() => Poll::Ready(Err(cut())),
            Poll::Pending => self.poll_stall(cx).map(Err),
        }
    }

    /// Ready when the client has been too slow to take its answer.
    fn poll_stall(&mut self, cx: &mut Context<'_>) -> Poll<io::Error> {
        self.connection.pause_body();
        self.connection.presence().set_stalled(true);
        let patience = Patience::of(&self.connection.listener());
        let socket = self.channel.as_ref().map_or(-1, AsRawFd::as_raw_fd);
        loop {
            let judged = self.uptake.waits(patience, socket, clock::millis());
            ready!(self.alarm.poll(cx, judged));
            if self.uptake.is_over(patience, socket, clock::millis()) {
                self.too_slow(TooSlow::Answer);
                self.unwritten.clear();
                // A reset, so that the system keeps nothing for it either.
                self.connection.break_off();
                return Poll::Ready(io::Error::new(io::ErrorKind::TimedOut, "the client takes no data"));
            }
        }
    }
}

/// Where the proxy's phases find the connection; the head is what the type asks for and nobody reads.
pub(super) fn hidden(connection: &Arc<Connection>) -> Option<Arc<ProxyDigest>> {
    let head = ResponseHeader::build(StatusCode::OK, Some(0)).ok()?;
    let connection: Box<dyn Any + Send + Sync> = Box::new(Arc::clone(connection));
    Some(Arc::new(ProxyDigest::new(Box::new(head), Some(connection))))
}

pub(super) fn cut() -> io::Error {
    io::Error::new(io::ErrorKind::ConnectionAborted, "bookend stops")
}

impl AsyncRead for ClientStream {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        // Pingora waits: what it has written so far must not wait with it.
        if let Poll::Ready(Err(why)) = this.poll_unwritten(cx) {
            return Poll::Ready(Err(why));
        }
        if this.connection.is_cut() {
            return Poll::Ready(Err(cut()));
        }
        if this.is_idle() && this.connection.is_over_when_idle() {
            // Pingora takes the end of the stream as the client's leaving.
            return Poll::Ready(Ok(()));
        }
        if let Poll::Ready(read) = this.poll_channel(cx, buf) {
            if this.is_refused {
                let _ = this.poll_unwritten(cx);
            }
            return Poll::Ready(read);
        }
        let expired = ready!(this.poll_wait(cx));
        let _ = this.poll_unwritten(cx);
        Poll::Ready(expired)
    }
}

impl AsyncWrite for ClientStream {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, data: &[u8]) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        if this.connection.waiting() == Waiting::Head {
            // No request has been read, so this is Pingora's answer to one that cannot be.
            this.refuse(status_of(data));
        }
        if this.is_refused {
            return Poll::Ready(Ok(data.len()));
        }
        if this.unwritten.len() + data.len() > WRITE_BUFFER {
            ready!(this.poll_unwritten(cx))?;
        }
        if data.len() > WRITE_BUFFER {
            let Some(channel) = &mut this.channel else { return Poll::Ready(Ok(data.len())) };
            let written = Pin::new(channel).poll_write(cx, data);
            let written = this.watch_stall(cx, written);
            if written.is_ready() {
                this.connection.presence().took_something();
            }
            return written;
        }
        this.unwritten.extend_from_slice(data);
        Poll::Ready(Ok(data.len()))
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.get_mut().poll_unwritten(cx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        ready!(this.poll_unwritten(cx))?;
        match &mut this.channel {
            Some(channel) => Pin::new(channel).poll_shutdown(cx),
            None => Poll::Ready(Ok(())),
        }
    }
}

impl Drop for ClientStream {
    fn drop(&mut self) {
        let Some(mut channel) = self.channel.take() else { return };
        if !self.unwritten.is_empty() {
            // Pingora drops a stream on errors without a flush.
            channel.try_write(&self.unwritten);
        }
        let is_between = matches!(self.connection.waiting(), Waiting::Request | Waiting::Head);
        if self.connection.is_broken_off() || self.connection.is_cut() && !is_between {
            // A plain end would make the answer look complete.
            channel.reset_at_end();
        } else if self.is_refused
            || self.connection.is_heard_out()
            || matches!(self.connection.waiting(), Waiting::Body | Waiting::Continue)
        {
            linger::close(channel, self.seat.take());
        } else {
            channel.say_the_end();
        }
    }
}
