//! A node: a small web server, run as a process of its own so that it can be killed.
//!
//! It gives pages and echoes what is sent to it, so that a client can tell whether it got what it should have. Every
//! answer takes a little while, as a page does that has to be made.

use std::io;
use std::net::{SocketAddr, TcpListener as Listener};
use std::sync::Arc;
use std::time::Duration;

use axum::body::{Body, to_bytes};
use http::{HeaderName, HeaderValue, Method, Request, Response, StatusCode};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use socket2::{Domain, Socket, Type};
use tokio::net::TcpListener;

use super::lifeline::when_stdin_ends;

/// The header in which a node says which one it is.
pub(super) const NODE: HeaderName = HeaderName::from_static("x-node");

/// How long an answer is in the making.
const WORK: Duration = Duration::from_millis(3);
/// Bytes of a body.
const LARGEST_BODY: usize = 1024 * 1024;
/// Connections that the kernel keeps until they are accepted.
const BACKLOG: i32 = 4096;
/// After accepting failed, which is mostly for want of descriptors.
const PAUSE: Duration = Duration::from_millis(50);

/// Serves on `address` until killed or until its standard input ends.
///
/// # Errors
///
/// If the address cannot be had, or the name cannot stand in a header.
pub fn serve_node(name: &str, address: SocketAddr) -> io::Result<()> {
    when_stdin_ends(|| std::process::exit(0))?;
    let name = Arc::new(HeaderValue::from_str(name).map_err(io::Error::other)?);
    let listener = listen(address)?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async { accept(TcpListener::from_std(listener)?, name).await })
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

async fn accept(listener: TcpListener, name: Arc<HeaderValue>) -> io::Result<()> {
    loop {
        let Ok((stream, _)) = listener.accept().await else {
            tokio::time::sleep(PAUSE).await;
            continue;
        };
        let name = Arc::clone(&name);
        tokio::spawn(async move {
            let answer = service_fn(move |request| answer(request, Arc::clone(&name)));
            let mut builder = http1::Builder::new();
            // Whoever is at the other end can tell what went wrong.
            let _ = builder.timer(TokioTimer::new()).serve_connection(TokioIo::new(stream), answer).await;
        });
    }
}

async fn answer(request: Request<Incoming>, name: Arc<HeaderValue>) -> Result<Response<Body>, axum::Error> {
    let (head, body) = request.into_parts();
    let body = to_bytes(Body::new(body), LARGEST_BODY).await?;
    tokio::time::sleep(WORK).await;
    let mut answer = match head.method {
        Method::GET | Method::HEAD if head.uri.path() == "/" => Response::new(Body::from(welcome(&name))),
        Method::GET | Method::HEAD => Response::new(Body::from(page(head.uri.path()))),
        Method::PUT | Method::POST => Response::new(Body::from(body)),
        _ => {
            let mut refusal = Response::new(Body::empty());
            *refusal.status_mut() = StatusCode::METHOD_NOT_ALLOWED;
            refusal
        }
    };
    answer.headers_mut().insert(NODE, name.as_ref().clone());
    Ok(answer)
}

/// For whoever asks by hand, and wants to see who answers.
fn welcome(name: &HeaderValue) -> String {
    format!("this is {}\n", name.to_str().unwrap_or_default())
}
