//! A connection on which HTTP/2 is spoken, by prior knowledge: many requests at once, each with the node's behaviour.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use bytes::Bytes;
use h2::server::{self, SendResponse};
use h2::{Reason, RecvStream};
use http::{Request, Response};
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::net::TcpStream;
use tokio::sync::mpsc;
use tokio::time::sleep;

use super::Node;
use super::behaviour::Behaviour;
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

impl Shared {
    async fn exchange(
        &self,
        request: Request<RecvStream>,
        answer: SendResponse<Bytes>,
    ) -> Result<(), h2::Error> {
        let method = request.method().as_str().to_owned();
        let target = request.uri().path_and_query().map_or("/", |target| target.as_str());
        let Some(order) = Order::parse(target) else { return respond(answer, 404) };
        let behaviour = *self.node.behaviour.borrow();
        if order.place == Place::Health {
            return respond(answer, if behaviour == Behaviour::FailsCheck { 500 } else { 200 });
        }
        self.node.diary.note(Event::Arrived, order.id);
        match behaviour {
            Behaviour::RefusesStreams => return reset(answer, Reason::REFUSED_STREAM),
            Behaviour::ResetsBeforeBody => return reset(answer, Reason::INTERNAL_ERROR),
            _ => {}
        }
        let body = read(request.into_body(), order.sent).await?;
        let is_whole = body == payload::of(order.id, Way::ToNode, order.sent);
        self.node.diary.note(if is_whole { Event::Executed } else { Event::Garbled }, order.id);
        if !is_whole {
            return respond(answer, 418);
        }
        match behaviour {
            Behaviour::ResetsAfterRequest => reset(answer, Reason::INTERNAL_ERROR),
            Behaviour::Closes => {
                let _ = self.end.send(End::Now);
                Ok(())
            }
            Behaviour::Silent => self.be_silent(answer).await,
            Behaviour::Answers(status) => respond(answer, status),
            Behaviour::HalfBody => self.answer(answer, &method, order, order.wanted / 2).await,
            Behaviour::EndsInOrder => {
                self.answer(answer, &method, order, order.wanted).await?;
                if fastrand::u8(..10) == 0 {
                    let _ = self.end.send(End::InOrder);
                }
                Ok(())
            }
            Behaviour::ClosesIdle => {
                self.answer(answer, &method, order, order.wanted).await?;
                sleep(Duration::from_micros(fastrand::u64(..20_000))).await;
                let _ = self.end.send(End::IfIdle);
                Ok(())
            }
            Behaviour::Slow(millis) => {
                sleep(Duration::from_millis(millis)).await;
                self.answer(answer, &method, order, order.wanted).await
            }
            _ => self.answer(answer, &method, order, order.wanted).await,
        }
    }

    /// Announces a whole answer and gives so much of its body; the stream is reset if that is not all.
    async fn answer(
        &self,
        mut answer: SendResponse<Bytes>,
        method: &str,
        order: Order,
        given: usize,
    ) -> Result<(), h2::Error> {
        let mut head =
            Response::builder().header("x-node", &self.node.name).header("content-type", "text/plain");
        if !order.chunked {
            head = head.header("content-length", order.wanted);
        }
        let is_bare = method == "HEAD" || order.wanted == 0;
        let mut body = answer.send_response(head.body(()).unwrap(), is_bare)?;
        if is_bare {
            return Ok(());
        }
        let whole = payload::of(order.id, Way::ToClient, order.wanted);
        let is_all = given == order.wanted;
        body.send_data(Bytes::copy_from_slice(&whole[..given]), is_all)?;
        if !is_all {
            // What a reset overtakes is lost; that would be a fault of another kind.
            sleep(Duration::from_millis(20)).await;
            body.send_reset(Reason::INTERNAL_ERROR);
        }
        Ok(())
    }

    /// Does nothing while the node is silent; then it has forgotten the request, as one that was restarted has.
    async fn be_silent(&self, answer: SendResponse<Bytes>) -> Result<(), h2::Error> {
        let mut behaviour = self.node.behaviour.subscribe();
        let _ = behaviour.wait_for(|now| *now != Behaviour::Silent).await;
        reset(answer, Reason::INTERNAL_ERROR)
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
