//! Answering: connections, and how much each may take.

use std::io;
use std::net::SocketAddr;
use std::os::fd::OwnedFd;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use axum::{Extension, Router};
use hyper::server::conn::http1;
use hyper::service::{Service, service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, UnixListener};
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

use super::access::{Peer, Rules};
use super::api::{self, LONGEST_CHANGE};
use super::bind::{self, AdminError, Bound, BoundAddress, MaybeSocket, bind_path};
use super::crowd::{Crowd, Guest};
use super::desk::Desk;
use super::recent::{INTERVAL, counts};
use crate::config::Admin;
use crate::observe::Observer;
use crate::passed::{Given, Owner, Passed};
use crate::socket_file::SocketFile;

/// Connections at once, for the socket and for the address each: whoever hangs there keeps nobody off the other, and whoever
/// says nothing keeps off nobody at all.
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
/// From one try to have the socket to the next, where it cannot be had yet.
const AGAIN: Duration = Duration::from_secs(5);

/// The operator's side, answering until dropped.
#[derive(Debug)]
pub struct Serving {
    router: Router,
    rules: Arc<ArcSwap<Rules>>,
    observer: Arc<Observer>,
    sampling: JoinHandle<()>,
    socket: Option<Unix>,
    later: Option<Later>,
    tcp: Option<Tcp>,
}

/// The Unix socket that is answered at.
#[derive(Debug)]
struct Unix {
    /// A copy of what is accepted from.
    listener: std::os::unix::net::UnixListener,
    file: SocketFile,
    task: JoinHandle<()>,
}

/// A socket that cannot be there yet.
#[derive(Debug)]
struct Later {
    path: PathBuf,
    /// Tries again and again, and then answers.
    task: JoinHandle<()>,
}

/// The address that is answered at.
#[derive(Debug)]
struct Tcp {
    address: SocketAddr,
    /// A copy of what is accepted from.
    listener: std::net::TcpListener,
    task: JoinHandle<()>,
}

/// What will be followed, and has changed nothing yet.
#[must_use]
#[derive(Debug)]
pub struct Prepared {
    rules: Rules,
    /// `None` if the address stays as it is.
    tcp: Option<Option<BoundAddress>>,
}

impl Serving {
    /// Answers at what is `bound`, on the runtime that this is called on.
    ///
    /// # Errors
    ///
    /// If the runtime cannot take the sockets.
    pub fn start(bound: Bound, desk: Desk) -> io::Result<Self> {
        let Bound { socket, tcp, rules, .. } = bound;
        let (desk, rules) = (Arc::new(desk), Arc::new(ArcSwap::from_pointee(rules)));
        let observer = Arc::clone(&desk.observer);
        let router = api::router(Arc::clone(&desk), Arc::clone(&rules));
        let sampling = tokio::spawn(sample(desk));
        let mut serving = Self { router, rules, observer, sampling, socket: None, later: None, tcp: None };
        match socket {
            MaybeSocket::None => {}
            MaybeSocket::Bound(listener, file) => {
                let task = serving.answer_at_socket(&listener)?;
                serving.socket = Some(Unix { listener, file, task });
            }
            MaybeSocket::Later(path) => serving.answer_later(path),
        }
        if let Some(bound) = tcp {
            serving.listen(bound)?;
        }
        Ok(serving)
    }

    /// Reads the token again and binds the address, if it is another one; the socket stays.
    ///
    /// # Errors
    ///
    /// If there is no token where one should be, or the address cannot be had.
    pub async fn prepare(&self, config: &Admin) -> Result<Prepared, AdminError> {
        let file = config.token_file.clone();
        let rules = tokio::task::spawn_blocking(move || Rules::read(file.as_deref()));
        let rules = rules.await.map_err(|why| AdminError::Runtime(io::Error::other(why)))??;
        if bind::address(config.address) == self.tcp.as_ref().map(|tcp| tcp.address) {
            return Ok(Prepared { rules, tcp: None });
        }
        let bound = BoundAddress::new(config.address, &Passed::default(), &self.observer)?;
        Ok(Prepared { rules, tcp: Some(bound) })
    }

    /// From now on the new token counts, and the new address is answered at. What is being answered goes on.
    pub fn follow(&mut self, prepared: Prepared) {
        let Prepared { rules, tcp } = prepared;
        self.rules.store(Arc::new(rules));
        let Some(tcp) = tcp else { return };
        if let Some(Tcp { address, task, .. }) = self.tcp.take() {
            task.abort();
            self.observer.admin_stopped_listening(&address);
        }
        let address = tcp.as_ref().map(|bound| bound.address);
        if let (Some(address), Some(Err(why))) = (address, tcp.map(|bound| self.listen(bound))) {
            self.observer.admin_unreachable(&address, &why);
        }
    }

    /// The sockets that are answered at, to be passed on.
    ///
    /// # Errors
    ///
    /// If there are no more descriptors.
    pub fn to_pass_on(&self) -> io::Result<Vec<Given>> {
        let given = |socket| Given { name: String::new(), owner: Owner::Bookend, socket };
        let unix = self.socket.iter().map(|unix| unix.listener.try_clone().map(OwnedFd::from));
        let tcp = self.tcp.iter().map(|tcp| tcp.listener.try_clone().map(OwnedFd::from));
        unix.chain(tcp).map(|socket| socket.map(given)).collect()
    }

    /// Takes no more questions; those that were taken are answered. Others wait, for a successor or for [`Serving::resume`].
    pub fn pause(&mut self) {
        self.socket.iter().for_each(|unix| unix.task.abort());
        self.later.iter().for_each(|later| later.task.abort());
        self.tcp.iter().for_each(|tcp| tcp.task.abort());
        self.leave(true);
    }

    /// Takes questions again.
    ///
    /// # Errors
    ///
    /// If there are no more descriptors.
    pub fn resume(&mut self) -> io::Result<()> {
        self.leave(false);
        if let Some(Unix { listener, file, .. }) = self.socket.take() {
            let task = self.answer_at_socket(&listener)?;
            self.socket = Some(Unix { listener, file, task });
        }
        if let Some(Later { path, .. }) = self.later.take() {
            self.answer_later(path);
        }
        if let Some(Tcp { address, listener, .. }) = self.tcp.take() {
            self.listen(BoundAddress { address, listener })?;
        }
        Ok(())
    }

    /// Whether the file of the socket is another process's as well.
    pub fn leave(&mut self, is_left: bool) {
        self.socket.iter_mut().for_each(|unix| unix.file.leave(is_left));
    }

    fn answer_at_socket(&self, listener: &std::os::unix::net::UnixListener) -> io::Result<JoinHandle<()>> {
        let listener = UnixListener::from_std(listener.try_clone()?)?;
        Ok(tokio::spawn(serve_socket(listener, self.router.clone())))
    }

    fn answer_later(&mut self, path: PathBuf) {
        let again = serve_socket_later(path.clone(), self.router.clone(), Arc::clone(&self.observer));
        self.later = Some(Later { path, task: tokio::spawn(again) });
    }

    fn listen(&mut self, BoundAddress { address, listener }: BoundAddress) -> io::Result<()> {
        let accepting = TcpListener::from_std(listener.try_clone()?)?;
        self.observer.admin_listening(&address);
        let task = tokio::spawn(serve_tcp(accepting, self.router.clone()));
        self.tcp = Some(Tcp { address, listener, task });
        Ok(())
    }
}

impl Drop for Serving {
    fn drop(&mut self) {
        let (socket, tcp) = (self.socket.as_ref(), self.tcp.as_ref());
        let tasks = socket.map(|unix| &unix.task).into_iter().chain(tcp.map(|tcp| &tcp.task));
        let tasks = tasks.chain(self.later.as_ref().map(|later| &later.task));
        tasks.chain([&self.sampling]).for_each(JoinHandle::abort);
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
    let crowd = Arc::new(Crowd::new(MOST_CONNECTIONS));
    loop {
        let accepted = listener.accept().await;
        let accepted = accepted.and_then(|(stream, _)| Ok((Peer::User(stream.peer_cred()?.uid()), stream)));
        begin(accepted, &crowd, &router).await;
    }
}

/// Answers at a socket once it can be bound: the disk may become writable, and another process may leave it to us.
async fn serve_socket_later(path: PathBuf, router: Router, observer: Arc<Observer>) {
    loop {
        tokio::time::sleep(AGAIN).await;
        let wanted = path.clone();
        let bound = tokio::task::spawn_blocking(move || bind_path(&wanted, &Passed::default())).await;
        let Ok(Ok((listener, _file))) = bound else { continue };
        let Ok(listener) = UnixListener::from_std(listener) else { continue };
        observer.admin_listening(&path.display());
        return serve_socket(listener, router).await;
    }
}

async fn serve_tcp(listener: TcpListener, router: Router) {
    let crowd = Arc::new(Crowd::new(MOST_CONNECTIONS));
    loop {
        let accepted = listener.accept().await;
        let accepted =
            accepted.and_then(|(stream, peer)| Ok((Peer::Network(peer, stream.local_addr()?), stream)));
        begin(accepted, &crowd, &router).await;
    }
}

/// Answers a new connection in a task of its own, which ends with its time at the latest.
async fn begin<S>(accepted: io::Result<(Peer, S)>, crowd: &Arc<Crowd>, router: &Router)
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let Ok((peer, stream)) = accepted else { return tokio::time::sleep(PAUSE).await };
    let (crowd, router) = (Arc::clone(crowd), router.clone());
    let (enters, has_entered) = oneshot::channel::<()>();
    tokio::spawn(async move {
        let Some(guest) = crowd.enter().await else { return };
        drop(enters);
        tokio::select! {
            () = answer(stream, peer, router, Arc::clone(&guest)) => {}
            () = guest.must_go() => {}
        }
    });
    // No other one is accepted before that. It ends as it is dropped.
    let _ = has_entered.await;
}

/// Answers one request. Whatever goes wrong is the client's, who can tell.
async fn answer<S>(stream: S, peer: Peer, router: Router, guest: Arc<Guest>)
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let router = TowerToHyperService::new(router.layer(Extension(peer)));
    let service = service_fn(move |request| {
        guest.asks();
        router.call(request)
    });
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(LONGEST_HEAD)
        .max_buf_size(LARGEST_HEAD)
        .max_headers(MOST_HEADERS)
        .keep_alive(false)
        .serve_connection(TokioIo::new(stream), service);
    let _ = tokio::time::timeout(LONGEST_CONNECTION, connection).await;
}
