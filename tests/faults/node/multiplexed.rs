//! A connection on which HTTP/2 is spoken, by prior knowledge: many requests at once, each with the node's behaviour.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use bytes::Bytes;
use h2::server::{self, SendResponse};
use h2::{Reason, RecvStream, SendStream};
use http::{Method, Request, Response};
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::net::TcpStream;
use tokio::sync::mpsc;
use tokio::time::sleep;

use super::Node;
use super::behaviour::Behaviour;
use super::call::{self, Status};
use super::diary::Event;
use super::order::{Order, Place};
use crate::payload::{self, Way};

/// What such a connection begins with (RFC 9113, 3.4).
const PREFACE: &[u8] = b"PRI * HTTP/2.0";

/// What a request does to the connection that it came on.
enum End {
    /// It ends once those that are under way are answered, and the client is told.
    InOrder,
    /// It ends at once.
    Now,
    /// It ends if nothing is under way.
    IfIdle,
}

/// What the requests of a connection share.
struct Shared {
    node: Arc<Node>,
    under_way: AtomicUsize,
    end: mpsc::UnboundedSender<End>,
}

/// Whether HTTP/2 is spoken on `stream`.
pub(super) async fn is_spoken(stream: &mut BufReader<TcpStream>) -> bool {
    stream.fill_buf().await.is_ok_and(|begin| begin.starts_with(PREFACE))
}

/// Answers the requests of one connection until it ends, whoever ends it.
pub(super) async fn keep(node: Arc<Node>, stream: BufReader<TcpStream>) {
    let Ok(mut connection) = server::handshake(stream).await else { return };
    let (end, mut ends) = mpsc::unbounded_channel();
    let shared = Arc::new(Shared { node, under_way: AtomicUsize::new(0), end });
    loop {
        tokio::select! {
            come = connection.accept() => {
                let Some(Ok((request, answer))) = come else { return };
                shared.under_way.fetch_add(1, Ordering::SeqCst);
                let shared = Arc::clone(&shared);
                tokio::spawn(async move {
                    // A client that has left is no error of the node's.
                    let _ = shared.exchange(request, answer).await;
                    shared.under_way.fetch_sub(1, Ordering::SeqCst);
                });
            }
            Some(end) = ends.recv() => match end {
                End::InOrder => connection.graceful_shutdown(),
                End::IfIdle if shared.under_way.load(Ordering::SeqCst) > 0 => {}
                End::Now | End::IfIdle => return,
            },
        }
    }
}

/// What an answer depends on.
struct Asked {
    order: Order,
    is_head: bool,
    is_call: bool,
}

impl Shared {
    async fn exchange(
        &self,
        request: Request<RecvStream>,
        answer: SendResponse<Bytes>,
    ) -> Result<(), h2::Error> {
        let (head, body) = request.into_parts();
        let target = head.uri.path_and_query().map_or("/", |target| target.as_str());
        let Some(order) = Order::parse(target) else { return respond(answer, 404) };
        let asked =
            Asked { order, is_head: head.method == Method::HEAD, is_call: call::is_call(&head.headers) };
        let behaviour = *self.node.behaviour.borrow();
        if order.place == Place::Health {
            return respond(answer, if behaviour == Behaviour::FailsCheck { 500 } else { 200 });
        }
        self.node.diary.note(Event::Arrived, order.id);
        match behaviour {
            Behaviour::RefusesStreams => return reset(answer, Reason::REFUSED_STREAM),
            Behaviour::ResetsBeforeBody => return reset(answer, Reason::INTERNAL_ERROR),
            Behaviour::Unavailable if order.id.is_multiple_of(2) => {
                return call::end(answer, Status::Unavailable);
            }
            _ => {}
        }
        let body = read(body, order.sent).await?;
        if behaviour == Behaviour::Unavailable {
            return call::end(answer, Status::Unavailable);
        }
        let is_whole = body == asked.body(Way::ToNode);
        self.node.diary.note(if is_whole { Event::Executed } else { Event::Garbled }, order.id);
        if !is_whole {
            return respond(answer, 418);
        }
        self.behave(answer, &asked, behaviour).await
    }

    /// Does with a whole request as `behaviour` says.
    async fn behave(
        &self,
        answer: SendResponse<Bytes>,
        asked: &Asked,
        behaviour: Behaviour,
    ) -> Result<(), h2::Error> {
        match behaviour {
            Behaviour::ResetsAfterRequest => reset(answer, Reason::INTERNAL_ERROR),
            Behaviour::Closes => {
                let _ = self.end.send(End::Now);
                Ok(())
            }
            Behaviour::Silent | Behaviour::Vanishes => self.be_silent(answer).await,
            Behaviour::Answers(status) => respond(answer, status),
            Behaviour::HalfBody => self.answer_half(answer, asked).await,
            Behaviour::UnavailableAfterMessage => self.answer_one_message(answer, asked),
            Behaviour::EndsInOrder => {
                self.answer(answer, asked)?;
                if fastrand::u8(..10) == 0 {
                    let _ = self.end.send(End::InOrder);
                }
                Ok(())
            }
            Behaviour::ClosesIdle => {
                self.answer(answer, asked)?;
                sleep(Duration::from_micros(fastrand::u64(..20_000))).await;
                let _ = self.end.send(End::IfIdle);
                Ok(())
            }
            Behaviour::Slow(millis) => {
                sleep(Duration::from_millis(millis)).await;
                self.answer(answer, asked)
            }
            _ => self.answer(answer, asked),
        }
    }

    /// Answers as it should.
    fn answer(&self, answer: SendResponse<Bytes>, asked: &Asked) -> Result<(), h2::Error> {
        let is_bare = asked.is_bare();
        let mut body = self.begin(answer, asked, is_bare)?;
        match (is_bare, asked.is_call) {
            (true, _) => Ok(()),
            (false, false) => body.send_data(asked.body(Way::ToClient).into(), true),
            (false, true) => {
                body.send_data(asked.body(Way::ToClient).into(), false)?;
                body.send_trailers(Status::Ok.trailers())
            }
        }
    }

    /// Announces a whole answer, gives half of its body and resets the stream.
    async fn answer_half(&self, answer: SendResponse<Bytes>, asked: &Asked) -> Result<(), h2::Error> {
        if asked.is_bare() {
            return self.answer(answer, asked);
        }
        let mut stream = self.begin(answer, asked, false)?;
        let body = Bytes::from(asked.body(Way::ToClient));
        stream.send_data(body.slice(..body.len() / 2), false)?;
        // What a reset overtakes is lost; that would be a fault of another kind.
        sleep(Duration::from_millis(20)).await;
        stream.send_reset(Reason::INTERNAL_ERROR);
        Ok(())
    }

    /// Answers a call with one message of those that it should have, and a status that says no good.
    fn answer_one_message(&self, answer: SendResponse<Bytes>, asked: &Asked) -> Result<(), h2::Error> {
        let mut stream = self.begin(answer, asked, false)?;
        let payload = payload::of(asked.order.id, Way::ToClient, asked.order.wanted);
        let first = payload::messages(payload).swap_remove(0);
        stream.send_data(first.into(), false)?;
        stream.send_trailers(Status::Unavailable.trailers())
    }

    /// Sends the head of an answer; `is_bare` if it is all of it.
    fn begin(
        &self,
        mut answer: SendResponse<Bytes>,
        asked: &Asked,
        is_bare: bool,
    ) -> Result<SendStream<Bytes>, h2::Error> {
        let order = asked.order;
        let head = match asked.is_call {
            true => call::head(),
            false => Response::builder().header("content-type", "text/plain"),
        };
        let mut head = head.header("x-node", &self.node.name);
        if !asked.is_call && !order.chunked {
            head = head.header("content-length", order.wanted);
        }
        answer.send_response(head.body(()).unwrap(), is_bare)
    }

    /// Does nothing while the node is silent; then it has forgotten the request, as one that was restarted has.
    async fn be_silent(&self, answer: SendResponse<Bytes>) -> Result<(), h2::Error> {
        let mut behaviour = self.node.behaviour.subscribe();
        let _ = behaviour.wait_for(|now| now.answers()).await;
        reset(answer, Reason::INTERNAL_ERROR)
    }
}

impl Asked {
    /// The body that goes this way.
    fn body(&self, way: Way) -> Vec<u8> {
        let length = match way {
            Way::ToNode => self.order.sent,
            Way::ToClient => self.order.wanted,
        };
        let body = payload::of(self.order.id, way, length);
        if self.is_call { payload::messages(body).concat() } else { body.to_vec() }
    }

    /// Whether its answer is nothing but a head.
    fn is_bare(&self) -> bool {
        !self.is_call && (self.is_head || self.order.wanted == 0)
    }
}

async fn read(mut body: RecvStream, length: usize) -> Result<Vec<u8>, h2::Error> {
    let mut whole = Vec::with_capacity(length);
    while let Some(piece) = body.data().await.transpose()? {
        body.flow_control().release_capacity(piece.len())?;
        whole.extend_from_slice(&piece);
    }
    Ok(whole)
}

fn reset(mut answer: SendResponse<Bytes>, reason: Reason) -> Result<(), h2::Error> {
    answer.send_reset(reason);
    Ok(())
}

/// Answers with a status and no body.
fn respond(mut answer: SendResponse<Bytes>, status: u16) -> Result<(), h2::Error> {
    let head = Response::builder().status(status).header("content-length", 0).body(()).unwrap();
    answer.send_response(head, true).map(drop)
}
