//! Answering: connections, and how much each may take.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use axum::{Extension, Router};
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, UnixListener};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::task::JoinHandle;

use super::access::Peer;
use super::api::{self, LONGEST_CHANGE};
use super::bind::{Bound, SocketFile};
use super::desk::Desk;
use super::recent::{INTERVAL, counts};

/// Connections at once, for the socket and for the address each: whoever hangs there keeps nobody off the other.
const MOST_CONNECTIONS: usize = 64;
/// For the head of a request.
const LONGEST_HEAD: Duration = Duration::from_secs(5);
/// For a whole connection, which is one request.
const LONGEST_CONNECTION: Duration = LONGEST_CHANGE.saturating_add(Duration::from_secs(15));
/// Bytes of a head.
const LARGEST_HEAD: usize = 16 * 1024;
/// Lines of a head.
const MOST_HEADERS: usize = 64;
/// After accepting failed, which is mostly for want of descriptors.
const PAUSE: Duration = Duration::from_millis(200);

/// The operator's side, answering until dropped.
#[derive(Debug)]
pub struct Serving {
    tasks: Vec<JoinHandle<()>>,
    _file: Option<SocketFile>,
}

impl Serving {
    /// Answers at what is `bound`, on the runtime that this is called on.
    ///
    /// # Errors
    ///
    /// If the runtime cannot take the sockets.
    pub fn start(bound: Bound, desk: Desk) -> io::Result<Self> {
        let Bound { socket, tcp, rules } = bound;
        let desk = Arc::new(desk);
        let router = api::router(Arc::clone(&desk), Arc::new(rules));
        let mut tasks = vec![tokio::spawn(sample(desk))];
        let mut file = None;
        if let Some(socket) = socket {
            let (listener, own) = socket.into_parts();
            file = Some(own);
            tasks.push(tokio::spawn(serve_socket(UnixListener::from_std(listener)?, router.clone())));
        }
        if let Some(tcp) = tcp {
            tasks.push(tokio::spawn(serve_tcp(TcpListener::from_std(tcp)?, router)));
        }
        Ok(Self { tasks, _file: file })
    }
}

impl Drop for Serving {
    fn drop(&mut self) {
        for task in &self.tasks {
            task.abort();
        }
    }
}

/// Remembers the last minute.
async fn sample(desk: Arc<Desk>) {
    loop {
        tokio::time::sleep(INTERVAL).await;
        let now = counts(&desk.observer.metrics().tally());
        desk.recent.lock().sample(now);
    }
}

async fn serve_socket(listener: UnixListener, router: Router) {
    let room = Arc::new(Semaphore::new(MOST_CONNECTIONS));
    // It is never closed, so this never ends by itself.
    while let Ok(place) = Arc::clone(&room).acquire_owned().await {
        let accepted = listener.accept().await;
        let accepted = accepted.and_then(|(stream, _)| Ok((Peer::User(stream.peer_cred()?.uid()), stream)));
        begin(accepted, place, &router).await;
    }
}

async fn serve_tcp(listener: TcpListener, router: Router) {
    let room = Arc::new(Semaphore::new(MOST_CONNECTIONS));
    while let Ok(place) = Arc::clone(&room).acquire_owned().await {
        let accepted = listener.accept().await;
        let accepted =
            accepted.and_then(|(stream, peer)| Ok((Peer::Network(peer, stream.local_addr()?), stream)));
        begin(accepted, place, &router).await;
    }
}

/// Answers a new connection in a task of its own, which ends with its time at the latest.
async fn begin<S>(accepted: io::Result<(Peer, S)>, place: OwnedSemaphorePermit, router: &Router)
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let Ok((peer, stream)) = accepted else { return tokio::time::sleep(PAUSE).await };
    let router = router.clone();
    tokio::spawn(async move {
        answer(stream, peer, router).await;
        drop(place);
    });
}

/// Answers one request. Whatever goes wrong is the client's, who can tell.
async fn answer<S>(stream: S, peer: Peer, router: Router)
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let service = TowerToHyperService::new(router.layer(Extension(peer)));
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(LONGEST_HEAD)
        .max_buf_size(LARGEST_HEAD)
        .max_headers(MOST_HEADERS)
        .keep_alive(false)
        .serve_connection(TokioIo::new(stream), service);
    let _ = tokio::time::timeout(LONGEST_CONNECTION, connection).await;
}
