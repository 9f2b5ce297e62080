//! A client's connection on which HTTP/2 is spoken, by prior knowledge, and one exchange among others on it.

use std::future::poll_fn;
use std::io;
use std::net::{Ipv4Addr, SocketAddr};

use bytes::Bytes;
use h2::client::{self, ResponseFuture, SendRequest};
use h2::{Reason, RecvStream, SendStream};
use http::{HeaderMap, header};

use super::answer::judge;
use super::ask::{Ask, Protocol};
use super::call;
use super::connection;
use super::record::Outcome;

/// What may be under way to us, of one answer and of all: enough that no answer waits for its neighbour.
const WINDOW: u32 = 1 << 20;
const WINDOW_OF_ALL: u32 = 8 << 20;

/// A connection to the site that requests share.
#[derive(Clone)]
pub(super) struct Multiplexed(SendRequest<Bytes>);

/// The site ended the connection before it took the request (GOAWAY), which is sent on another one then.
pub(super) struct Unprocessed;

/// What became of a request, and the node that answered.
type Fate = (Outcome, Option<String>);

impl Multiplexed {
    pub(super) async fn open_from(client: Ipv4Addr, site: SocketAddr) -> io::Result<Self> {
        let stream = connection::connect(client, site).await?;
        let mut settings = client::Builder::new();
        settings.initial_window_size(WINDOW).initial_connection_window_size(WINDOW_OF_ALL).enable_push(false);
        let (sender, connection) = settings.handshake(stream).await.map_err(io::Error::other)?;
        // It ends with the last request, or with the site; those who wait are told.
        tokio::spawn(connection);
        Ok(Self(sender))
    }

    /// Whether it takes another request: the site has not ended it.
    pub(super) async fn is_alive(&self) -> bool {
        self.0.clone().ready().await.is_ok()
    }

    /// Sends a request and reads its answer, at the same time: a whole answer ends the sending.
    pub(super) async fn exchange(mut self, ask: &Ask) -> Result<Fate, Unprocessed> {
        let body = ask.body();
        // What is announced as a stream may end without a byte.
        let is_bare = body.as_ref().is_none_or(|body| body.is_empty() && !ask.sends_chunked);
        let (head, stream) = match self.0.send_request(ask.request(), is_bare) {
            Ok(begun) => begun,
            Err(error) => return fate_of(&error),
        };
        let mut reading = Box::pin(read(head, ask));
        tokio::select! {
            answer = &mut reading => answer,
            // Where sending fails, an answer may be there all the same.
            _ = send(stream, body.filter(|_| !is_bare)) => reading.await,
        }
    }
}

/// What an error before the head of an answer comes to.
fn fate_of(error: &h2::Error) -> Result<Fate, Unprocessed> {
    let ends_in_order = error.is_go_away() && error.is_remote() && error.reason() == Some(Reason::NO_ERROR);
    if ends_in_order { Err(Unprocessed) } else { Ok((Outcome::NoAnswer(error.to_string()), None)) }
}

async fn send(mut stream: SendStream<Bytes>, body: Option<Bytes>) -> Result<(), h2::Error> {
    let Some(mut left) = body else { return Ok(()) };
    while !left.is_empty() {
        stream.reserve_capacity(left.len());
        let Some(room) = poll_fn(|context| stream.poll_capacity(context)).await.transpose()? else {
            return Ok(());
        };
        let piece = left.split_to(room.min(left.len()));
        stream.send_data(piece, false)?;
    }
    stream.send_data(Bytes::new(), true)
}

async fn read(head: ResponseFuture, ask: &Ask) -> Result<Fate, Unprocessed> {
    let answer = match head.await {
        Ok(answer) => answer,
        Err(error) => return fate_of(&error),
    };
    let (head, mut stream) = answer.into_parts();
    let mut body = Vec::new();
    let trailers = match read_body(&mut stream, &mut body).await {
        Ok(trailers) => Some(trailers),
        Err(error) if is_end(&error) && is_all(&head.headers, &body) => Some(HeaderMap::new()),
        Err(_) => None,
    };
    let node = head.headers.get("x-node").and_then(|node| node.to_str().ok()).map(str::to_owned);
    let outcome = match ask.speaks {
        Protocol::Http1 | Protocol::Http2 => judge(ask, head.status.as_u16(), &body, trailers.is_some()),
        Protocol::Grpc => {
            let (status, headers) = (head.status, &head.headers);
            call::judge(ask, &call::Answer { status, headers, messages: &body, trailers })
        }
    };
    Ok((outcome, node))
}

/// Reads a whole body and returns its trailers; what was there until it broke off stays in `body`.
async fn read_body(stream: &mut RecvStream, body: &mut Vec<u8>) -> Result<HeaderMap, h2::Error> {
    while let Some(piece) = stream.data().await.transpose()? {
        stream.flow_control().release_capacity(piece.len())?;
        body.extend_from_slice(&piece);
    }
    Ok(stream.trailers().await?.unwrap_or_default())
}

/// Whether the site only says that it wants no more of the request, after a whole answer (RFC 9113, 8.1).
fn is_end(error: &h2::Error) -> bool {
    error.is_reset() && error.is_remote() && error.reason() == Some(Reason::NO_ERROR)
}

/// Whether this is all that was announced, if a length was.
fn is_all(headers: &HeaderMap, body: &[u8]) -> bool {
    let length = headers.get(header::CONTENT_LENGTH).and_then(|length| length.to_str().ok()?.parse().ok());
    length.is_none_or(|length: usize| length == body.len())
}
