//! One request at a node, and what becomes of it.

use std::io;
use std::process;
use std::time::Duration;

use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpStream;
use tokio::time::{sleep, timeout};

use super::Node;
use super::behaviour::Behaviour;
use super::diary::Event;
use super::order::{Order, Place};
use super::works::Works;
use crate::payload::{self, Way};
use crate::wire::{self, Framing, Head};

/// How long the one slow URL takes.
const REPORT_TAKES: Duration = Duration::from_secs(10);
const POLL_TAKES: Duration = Duration::from_secs(4);
const EVENTS: usize = 30;
const BETWEEN_EVENTS: Duration = Duration::from_millis(200);

/// Pieces of a body that trickles, and the time between two.
const PIECES: usize = 20;
const BETWEEN_PIECES: Duration = Duration::from_millis(100);

/// How long what is left of a refused upload is read.
const LINGER: Duration = Duration::from_secs(1);

/// What becomes of the connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Next {
    Keep,
    Close,
}

type Stream = BufReader<TcpStream>;

/// A request that was read whole.
struct Request {
    method: String,
    order: Order,
    range: Option<usize>,
    closes: bool,
}

impl Node {
    /// Reads one request and does with it as the node does now.
    pub(crate) async fn exchange(&self, stream: &mut Stream) -> io::Result<Next> {
        let Some(head) = wire::read_head(stream).await? else { return Ok(Next::Close) };
        let mut words = head.first_line.split(' ');
        let method = words.next().unwrap_or_default().to_owned();
        let Some(order) = words.next().and_then(Order::parse) else {
            return respond(stream, "404 Not Found", "").await;
        };
        let behaviour = *self.behaviour.borrow();
        if order.place == Place::Health {
            return self.check(stream, behaviour).await;
        }
        self.diary.note(Event::Arrived, order.id);
        if behaviour == Behaviour::ResetsBeforeBody {
            return reset(stream);
        }
        if behaviour == Behaviour::RefusesUploads && order.sent > 0 {
            return refuse_upload(stream).await;
        }
        let is_whole = self.read_body(stream, &head, order).await?;
        if !is_whole {
            return respond(stream, "418 Not What Was Sent", "").await;
        }
        let request = Request { method, order, range: wanted_from(&head, order), closes: head.closes() };
        match order.place {
            Place::Own | Place::Health => self.behave(stream, &request, behaviour).await,
            Place::Poison => respond(stream, "500 Poisoned", "").await,
            Place::Crash => process::abort(),
            Place::Report => {
                sleep(REPORT_TAKES).await;
                self.answer(stream, &request).await
            }
            Place::LongPoll => {
                sleep(POLL_TAKES).await;
                self.answer(stream, &request).await
            }
            Place::Events => self.tell_events(stream).await,
        }
    }

    async fn check(&self, stream: &mut Stream, behaviour: Behaviour) -> io::Result<Next> {
        match behaviour {
            Behaviour::FailsCheck => respond(stream, "500 Unwell", "").await,
            _ => respond(stream, "200 OK", "").await,
        }
    }

    /// Reads the body and notes the execution; `false` if it is not what was sent.
    async fn read_body(&self, stream: &mut Stream, head: &Head, order: Order) -> io::Result<bool> {
        let mut body = Vec::with_capacity(order.sent);
        wire::read_body(stream, head.framing(Framing::Length(0)), &mut body).await?;
        let is_whole = body == payload::of(order.id, Way::ToNode, order.sent);
        self.diary.note(if is_whole { Event::Executed } else { Event::Garbled }, order.id);
        Ok(is_whole)
    }

    /// Does with a whole request as `behaviour` says.
    async fn behave(&self, stream: &mut Stream, request: &Request, behaviour: Behaviour) -> io::Result<Next> {
        match behaviour {
            Behaviour::Healthy
            | Behaviour::Refuses
            | Behaviour::BlackHole
            | Behaviour::FailsCheck
            | Behaviour::RefusesUploads
            | Behaviour::EndsInOrder
            | Behaviour::Unavailable
            | Behaviour::UnavailableAfterMessage
            | Behaviour::ResetsBeforeBody => self.answer(stream, request).await,
            Behaviour::ResetsAfterRequest | Behaviour::RefusesStreams => reset(stream),
            Behaviour::ResetsOnce => {
                self.behaviour.send_if_modified(|now| {
                    *now = Behaviour::Healthy;
                    true
                });
                reset(stream)
            }
            Behaviour::ResetsOneInTen if fastrand::u8(..10) == 0 => reset(stream),
            Behaviour::ResetsOneInTen => self.answer(stream, request).await,
            Behaviour::Closes => Ok(Next::Close),
            Behaviour::Silent | Behaviour::Vanishes => self.be_silent(stream).await,
            Behaviour::Garbage => say_and_close(stream, b"\x16\x03\x01 this is no HTTP\r\n\r\n").await,
            Behaviour::HalfHead => say_and_close(stream, b"HTTP/1.1 200 OK\r\nContent-Le").await,
            Behaviour::HalfBody => self.answer_half(stream, request).await,
            Behaviour::Answers(status) => respond(stream, &format!("{status} Broken"), "").await,
            Behaviour::AsksForPause => respond(stream, "503 Busy", "Retry-After: 1\r\n").await,
            Behaviour::Slow(millis) => {
                sleep(Duration::from_millis(millis)).await;
                self.answer(stream, request).await
            }
            Behaviour::Works(works) => match self.plant.work(|| self.works().unwrap_or(works)).await {
                true => self.answer(stream, request).await,
                false => respond(stream, "503 Full", "").await,
            },
            Behaviour::Trickles => self.trickle(stream, request).await,
            Behaviour::ClosesIdle => {
                self.answer(stream, request).await?;
                let moment = Duration::from_micros(fastrand::u64(..20_000));
                let is_asked = timeout(moment, stream.fill_buf()).await.is_ok();
                Ok(if is_asked { Next::Keep } else { Next::Close })
            }
        }
    }

    /// What it can do now, if that is limited.
    fn works(&self) -> Option<Works> {
        match *self.behaviour.borrow() {
            Behaviour::Works(works) => Some(works),
            _ => None,
        }
    }

    /// Answers as it should.
    async fn answer(&self, stream: &mut Stream, request: &Request) -> io::Result<Next> {
        // A node that takes no new connections lets those that it has run out.
        let closes = request.closes || !self.behaviour.borrow().accepts();
        stream.write_all(self.head(request, closes).as_bytes()).await?;
        if request.method != "HEAD" {
            let body = request.body();
            match request.order.chunked {
                true => wire::write_chunked(stream, body).await?,
                false => stream.write_all(body).await?,
            }
        }
        Ok(if closes { Next::Close } else { Next::Keep })
    }

    /// Announces a whole answer, gives half of its body and is gone: half of the time orderly, half of it not.
    async fn answer_half(&self, stream: &mut Stream, request: &Request) -> io::Result<Next> {
        let body = request.body();
        if request.method == "HEAD" || body.is_empty() {
            return self.answer(stream, request).await;
        }
        stream.write_all(self.head(request, false).as_bytes()).await?;
        let half = &body[..body.len() / 2];
        match request.order.chunked {
            true => wire::write_chunk(stream, half).await?,
            false => stream.write_all(half).await?,
        }
        // What a reset overtakes is lost; that would be a fault of another kind.
        sleep(Duration::from_millis(20)).await;
        if request.order.id.is_multiple_of(2) { reset(stream) } else { Ok(Next::Close) }
    }

    async fn trickle(&self, stream: &mut Stream, request: &Request) -> io::Result<Next> {
        if request.method == "HEAD" {
            return self.answer(stream, request).await;
        }
        stream.write_all(self.head(request, false).as_bytes()).await?;
        let body = request.body();
        for piece in body.chunks(body.len().div_ceil(PIECES).max(1)) {
            sleep(BETWEEN_PIECES).await;
            match request.order.chunked {
                true => wire::write_chunk(stream, piece).await?,
                false => stream.write_all(piece).await?,
            }
        }
        if request.order.chunked {
            stream.write_all(b"0\r\n\r\n").await?;
        }
        Ok(Next::Keep)
    }

    async fn tell_events(&self, stream: &mut Stream) -> io::Result<Next> {
        let head = format!(
            "HTTP/1.1 200 OK\r\nX-Node: {}\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n",
            self.name
        );
        stream.write_all(head.as_bytes()).await?;
        for number in 0..EVENTS {
            wire::write_chunk(stream, format!("data: {number}\n\n").as_bytes()).await?;
            sleep(BETWEEN_EVENTS).await;
        }
        stream.write_all(b"0\r\n\r\n").await?;
        Ok(Next::Keep)
    }

    /// Does nothing while the node is silent; then it has forgotten the request, as one that was restarted has.
    async fn be_silent(&self, stream: &Stream) -> io::Result<Next> {
        let mut behaviour = self.behaviour.subscribe();
        let _ = behaviour.wait_for(|now| now.answers()).await;
        reset(stream)
    }

    fn head(&self, request: &Request, closes: bool) -> String {
        let order = request.order;
        let (status, length) = match request.range {
            Some(from) => ("206 Partial Content", order.wanted - from),
            None => ("200 OK", order.wanted),
        };
        let mut head = format!("HTTP/1.1 {status}\r\nX-Node: {}\r\nContent-Type: text/plain\r\n", self.name);
        match order.chunked {
            true => head.push_str("Transfer-Encoding: chunked\r\n"),
            false => head.push_str(&format!("Content-Length: {length}\r\n")),
        }
        if order.etag {
            head.push_str(&format!("ETag: {}\r\n", etag(order)));
        }
        if let Some(from) = request.range {
            let (last, total) = (order.wanted - 1, order.wanted);
            head.push_str(&format!("Content-Range: bytes {from}-{last}/{total}\r\n"));
        }
        head.push_str(if closes { "Connection: close\r\n\r\n" } else { "\r\n" });
        head
    }
}

impl Request {
    fn body(&self) -> &'static [u8] {
        let whole = payload::of(self.order.id, Way::ToClient, self.order.wanted);
        &whole[self.range.unwrap_or_default()..]
    }
}

fn etag(order: Order) -> String {
    format!("\"{}-{}\"", order.id, order.wanted)
}

/// Where the answer begins if a part is asked for that can be given: `bytes=N-`, of the version that we have.
fn wanted_from(head: &Head, order: Order) -> Option<usize> {
    let from = head.header("range")?.strip_prefix("bytes=")?.strip_suffix('-')?.parse().ok()?;
    let is_same = head.header("if-range").is_none_or(|version| version == etag(order));
    (order.etag && is_same && from < order.wanted).then_some(from)
}

fn reset(stream: &Stream) -> io::Result<Next> {
    wire::resets_when_dropped(stream.get_ref());
    Ok(Next::Close)
}

async fn say_and_close(stream: &mut Stream, bytes: &[u8]) -> io::Result<Next> {
    stream.write_all(bytes).await?;
    Ok(Next::Close)
}

/// Answers early, and closes as servers do: what is still on its way is read for a while, or a reset would overtake the
/// answer.
async fn refuse_upload(stream: &mut Stream) -> io::Result<Next> {
    respond(stream, "413 Too Much", "Connection: close\r\n").await?;
    stream.shutdown().await?;
    let _ = timeout(LINGER, tokio::io::copy(stream, &mut tokio::io::sink())).await;
    Ok(Next::Close)
}

/// Answers with a status and no body.
async fn respond(stream: &mut Stream, status: &str, headers: &str) -> io::Result<Next> {
    let answer = format!("HTTP/1.1 {status}\r\n{headers}Content-Length: 0\r\n\r\n");
    stream.write_all(answer.as_bytes()).await?;
    Ok(Next::Keep)
}
