//! Load: clients who ask on kept-alive connections and look closely at what they get.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use axum::body::{Body, to_bytes};
use http::HeaderValue;
use hyper::client::conn::http1::{self, SendRequest};
use hyper_util::rt::TokioIo;
use parking_lot::Mutex;
use tokio::net::TcpStream;
use tokio::sync::{Semaphore, watch};
use tokio::task::{JoinHandle, JoinSet};

use super::question::{Question, Verdict};
use super::tally::Tally;
use crate::clock;

/// Clients that the burst adds.
pub(super) const CROWD: usize = 100;

/// Connections of the steady load at once; a request that is due waits for one.
const CONNECTIONS: usize = 128;
/// Requests that may be due and not answered. A machine so slow gets no more of them.
const MOST_DUE: usize = 2_000;
/// Between two looks at which requests are due, if none of them can be asked.
const STEP: Duration = Duration::from_millis(5);
/// How long a request may take: longer than bookend lets a node take.
const PATIENCE: Duration = Duration::from_secs(90);
/// Bytes of an answer.
const LARGEST_ANSWER: usize = 1024 * 1024;

/// Clients who ask until [`Load::finish`].
#[derive(Debug)]
pub(super) struct Load {
    stop: watch::Sender<bool>,
    task: JoinHandle<()>,
}

/// Everything that clients share.
#[derive(Debug)]
pub(super) struct Clients {
    site: SocketAddr,
    host: Option<HeaderValue>,
    tally: Arc<Mutex<Tally>>,
    idle: Mutex<Vec<SendRequest<Body>>>,
    asked: AtomicU64,
}

impl Load {
    /// So many requests a second, whatever becomes of those before.
    pub(super) fn steady(clients: &Arc<Clients>, rate: u32) -> Self {
        let (stop, stopped) = watch::channel(false);
        let task = tokio::spawn(keep_pace(Arc::clone(clients), rate, stopped));
        Self { stop, task }
    }

    /// [`CROWD`] clients, each of which asks again as soon as it is answered.
    pub(super) fn burst(clients: &Arc<Clients>) -> Self {
        let (stop, stopped) = watch::channel(false);
        let task = tokio::spawn(crowd(Arc::clone(clients), stopped));
        Self { stop, task }
    }

    /// Asks nothing more, and returns when every request has ended.
    pub(super) async fn finish(self) {
        self.stop.send_replace(true);
        // A client that panicked has counted nothing; the numbers of bookend would tell.
        let _ = self.task.await;
    }
}

/// Asks what is due by the clock, not by what was answered: a site that is slow gets no fewer requests.
async fn keep_pace(clients: Arc<Clients>, rate: u32, stopped: watch::Receiver<bool>) {
    let began = clock::now();
    let due_at = |number: u32| began + Duration::from_secs(1) / rate * number;
    let room = Arc::new(Semaphore::new(CONNECTIONS));
    let (mut due, mut running) = (0, JoinSet::new());
    while !*stopped.borrow() {
        let now = clock::now();
        while due_at(due) <= now && running.len() < MOST_DUE {
            let (clients, room, at) = (Arc::clone(&clients), Arc::clone(&room), due_at(due));
            running.spawn(async move {
                // It is never closed.
                let _place = room.acquire().await;
                clients.ask(at).await;
            });
            due += 1;
        }
        while running.try_join_next().is_some() {}
        let next = due_at(due).saturating_duration_since(clock::now());
        tokio::time::sleep(if next.is_zero() { STEP } else { next }).await;
    }
    running.join_all().await;
}

async fn crowd(clients: Arc<Clients>, stopped: watch::Receiver<bool>) {
    let mut running = JoinSet::new();
    for _ in 0..CROWD {
        let (clients, stopped) = (Arc::clone(&clients), stopped.clone());
        running.spawn(async move {
            while !*stopped.borrow() {
                clients.ask(clock::now()).await;
            }
        });
    }
    running.join_all().await;
}

impl Clients {
    /// Clients of the site at this address, who count what they see.
    pub(super) fn new(site: SocketAddr, tally: Arc<Mutex<Tally>>) -> Self {
        let host = HeaderValue::from_str(&site.to_string()).ok();
        Self { site, host, tally, idle: Mutex::default(), asked: AtomicU64::new(0) }
    }

    /// Asks the next question, which was due at `due`, and counts how it ended.
    async fn ask(&self, due: Instant) {
        let question = Question::number(self.asked.fetch_add(1, Ordering::Relaxed));
        let outcome = match tokio::time::timeout(PATIENCE, self.exchange(&question)).await {
            Ok(outcome) => outcome,
            Err(_) => Err(format!("no answer within {PATIENCE:?}")),
        };
        let took = clock::now().saturating_duration_since(due);
        let mut tally = self.tally.lock();
        match outcome {
            Ok(Verdict::Right(node)) => tally.answered(&node, took),
            Ok(Verdict::TurnedAway) => tally.turned_away(took),
            Err(how) => tally.failed(format!("{}: {how}", question.name())),
        }
    }

    async fn exchange(&self, question: &Question) -> Result<Verdict, String> {
        let host = self.host.as_ref().ok_or("an address that is no host")?;
        let request = question.to_request(host).map_err(|why| why.to_string())?;
        let mut connection = match self.pooled() {
            Some(connection) => connection,
            None => self.connect().await?,
        };
        let answer = connection.send_request(request).await.map_err(|why| in_full(&why))?;
        let (head, body) = answer.into_parts();
        let body = to_bytes(Body::new(body), LARGEST_ANSWER).await.map_err(|why| in_full(&why))?;
        let verdict = question.judge(&http::Response::from_parts(head, ()), &body)?;
        // One that the answer said would be closed is not kept.
        if connection.ready().await.is_ok() {
            self.idle.lock().push(connection);
        }
        Ok(verdict)
    }

    /// The connection that was used last, unless it has been closed.
    fn pooled(&self) -> Option<SendRequest<Body>> {
        let mut idle = self.idle.lock();
        std::iter::from_fn(|| idle.pop()).find(|connection| !connection.is_closed())
    }

    async fn connect(&self) -> Result<SendRequest<Body>, String> {
        let stream = TcpStream::connect(self.site).await.map_err(|why| why.to_string())?;
        // Without it requests with a body would wait for an acknowledgement; that costs time, no more.
        let _ = stream.set_nodelay(true);
        let (sender, connection) =
            http1::handshake(TokioIo::new(stream)).await.map_err(|why| in_full(&why))?;
        // It ends with its sender; what goes wrong there is told by the request.
        tokio::spawn(connection);
        Ok(sender)
    }
}

/// An error with what caused it.
fn in_full(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(why) = cause {
        text.push_str(&format!(": {why}"));
        cause = why.source();
    }
    text
}
