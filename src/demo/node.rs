//! A node: a small web server, run as a process of its own so that it can be killed.
//!
//! It gives pages and echoes what is sent to it, so that a client can tell whether it got what it should have. Every
//! answer takes a little while, as a page does that has to be made; there may be only so many that make them, and memory
//! for only so many requests at once. None of that costs much of the machine that the demo runs on.

use std::io;
use std::net::{SocketAddr, TcpListener as Listener};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use axum::body::{Body, to_bytes};
use http::{HeaderName, HeaderValue, Method, Request, Response, StatusCode};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use socket2::{Domain, Socket, Type};
use tokio::net::TcpListener;
use tokio::sync::Semaphore;

use super::lifeline::when_stdin_ends;

/// The header in which a node says which one it is.
pub(super) const NODE: HeaderName = HeaderName::from_static("x-node");

/// Bytes of a body.
const LARGEST_BODY: usize = 1024 * 1024;
/// Connections that the kernel keeps until they are accepted.
const BACKLOG: i32 = 4096;
/// After accepting failed, which is mostly for want of descriptors.
const PAUSE: Duration = Duration::from_millis(50);

/// What a node can do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Strength {
    /// How long an answer is in the making.
    pub takes: Duration,
    /// So many are in the making at once, the others wait in the node; `None`: as many as come.
    pub workers: Option<usize>,
    /// For so many requests it has memory, of one more it dies; `None`: for as many as come.
    pub holds: Option<usize>,
}

/// A node with the requests that are in it.
#[derive(Debug)]
struct Node {
    name: HeaderValue,
    strength: Strength,
    workers: Semaphore,
    inside: AtomicUsize,
}

/// A request that is in a node, until dropped.
struct Inside<'a>(&'a AtomicUsize);

/// Serves on `address` until killed or until its standard input ends.
///
/// # Errors
///
/// If the address cannot be had, or the name cannot stand in a header.
pub fn serve_node(name: &str, address: SocketAddr, strength: Strength) -> io::Result<()> {
    when_stdin_ends(|| std::process::exit(0))?;
    let name = HeaderValue::from_str(name).map_err(io::Error::other)?;
    let workers = Semaphore::new(strength.workers.unwrap_or(usize::MAX).min(Semaphore::MAX_PERMITS));
    let node = Arc::new(Node { name, strength, workers, inside: AtomicUsize::new(0) });
    let listener = listen(address)?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async { accept(TcpListener::from_std(listener)?, node).await })
}

/// The page at `path`, the same from every node.
pub(super) fn page(path: &str) -> String {
    format!("This is {path}, and every node gives the same.\n").repeat(20)
}

fn listen(address: SocketAddr) -> io::Result<Listener> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, None)?;
    // The demo keeps the port for us, and connections of a node before us are still on their way out.
    socket.set_reuse_address(true)?;
    socket.set_tcp_nodelay(true)?;
    socket.set_nonblocking(true)?;
    socket.bind(&address.into())?;
    socket.listen(BACKLOG)?;
    Ok(socket.into())
}

async fn accept(listener: TcpListener, node: Arc<Node>) -> io::Result<()> {
    loop {
        let Ok((stream, _)) = listener.accept().await else {
            tokio::time::sleep(PAUSE).await;
            continue;
        };
        let node = Arc::clone(&node);
        tokio::spawn(async move {
            let answer = service_fn(move |request| answer(request, Arc::clone(&node)));
            let mut builder = http1::Builder::new();
            // Whoever is at the other end can tell what went wrong.
            let _ = builder.timer(TokioTimer::new()).serve_connection(TokioIo::new(stream), answer).await;
        });
    }
}

async fn answer(request: Request<Incoming>, node: Arc<Node>) -> Result<Response<Body>, axum::Error> {
    let _inside = node.enter();
    let (head, body) = request.into_parts();
    let body = to_bytes(Body::new(body), LARGEST_BODY).await?;
    node.work().await;
    let mut answer = match head.method {
        Method::GET | Method::HEAD if head.uri.path() == "/" => {
            Response::new(Body::from(welcome(&node.name)))
        }
        Method::GET | Method::HEAD => Response::new(Body::from(page(head.uri.path()))),
        Method::PUT | Method::POST => Response::new(Body::from(body)),
        _ => {
            let mut refusal = Response::new(Body::empty());
            *refusal.status_mut() = StatusCode::METHOD_NOT_ALLOWED;
            refusal
        }
    };
    answer.headers_mut().insert(NODE, node.name.clone());
    Ok(answer)
}

impl Node {
    /// Takes a request in. The one that is too many is the end of the process, as the system ends one for which it has no
    /// memory left.
    fn enter(&self) -> Inside<'_> {
        let before = self.inside.fetch_add(1, Ordering::Relaxed);
        if self.strength.holds.is_some_and(|holds| before >= holds) {
            std::process::exit(1);
        }
        Inside(&self.inside)
    }

    /// Makes an answer, once it is this one's turn.
    async fn work(&self) {
        // It is never closed.
        let _worker = self.workers.acquire().await;
        tokio::time::sleep(self.strength.takes).await;
    }
}

impl Drop for Inside<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

/// For whoever asks by hand, and wants to see who answers.
fn welcome(name: &HeaderValue) -> String {
    format!("this is {}\n", name.to_str().unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use std::task::{Context, Waker};

    use super::*;

    fn node(workers: Option<usize>) -> Node {
        let permits = workers.unwrap_or(Semaphore::MAX_PERMITS);
        let strength = Strength { takes: Duration::from_millis(80), workers, holds: None };
        let name = HeaderValue::from_static("web-01");
        Node { name, strength, workers: Semaphore::new(permits), inside: AtomicUsize::new(0) }
    }

    #[test]
    fn node_has_so_many_requests_as_are_in_it() {
        let node = node(None);
        let (one, other) = (node.enter(), node.enter());
        assert_eq!(node.inside.load(Ordering::Relaxed), 2);
        drop((one, other));
        assert_eq!(node.inside.load(Ordering::Relaxed), 0);
    }

    #[tokio::test]
    async fn node_works_on_no_more_at_once_than_it_has_workers() {
        let node = node(Some(5));
        let mut working: Vec<_> = (0..10).map(|_| Box::pin(node.work())).collect();
        let mut context = Context::from_waker(Waker::noop());
        assert!(working.iter_mut().all(|work| work.as_mut().poll(&mut context).is_pending()));
        assert_eq!(node.workers.available_permits(), 0);
        // The first five are at work; those that wait have no worker to give back.
        working.truncate(5);
        assert_eq!(node.workers.available_permits(), 0);
        working.clear();
        assert_eq!(node.workers.available_permits(), 5);
    }
}
