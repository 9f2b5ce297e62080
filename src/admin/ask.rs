//! Asking a bookend that runs, over its socket.

use axum::body::{Body, to_bytes};
use http::{Method, Request, StatusCode, header};
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use tokio::net::UnixStream;

/// Bytes of an answer.
const LARGEST_ANSWER: usize = 64 * 1024 * 1024;

/// An answer.
#[derive(Clone, Debug)]
pub struct Answer {
    /// Its status.
    pub status: StatusCode,
    /// Its body.
    pub body: Vec<u8>,
}

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub enum AskError {
    /// The question makes no sense.
    #[error("building a request")]
    Question(#[from] http::Error),
    /// Nothing came back.
    #[error("asking bookend")]
    Exchange(#[from] hyper::Error),
    /// The answer broke off, or is too long.
    #[error("reading the answer")]
    Body(#[from] axum::Error),
}

/// Sends a request without a body over a connection of its own and returns the answer, as [`send`] does.
///
/// # Errors
///
/// As those of [`send`].
pub async fn ask(stream: UnixStream, method: &Method, path: &str) -> Result<Answer, AskError> {
    send(stream, method, path, Vec::new()).await
}

/// Sends a request with a body of JSON, or with none if it is empty, and returns the answer.
///
/// There is no time-out; whoever asks knows how long it may take.
///
/// # Errors
///
/// If the path is none, the connection breaks or the answer is longer than 64 MiB.
pub async fn send(
    stream: UnixStream,
    method: &Method,
    path: &str,
    body: Vec<u8>,
) -> Result<Answer, AskError> {
    let mut request = Request::builder().method(method).uri(path).header(header::HOST, "localhost");
    if !body.is_empty() {
        request = request.header(header::CONTENT_TYPE, "application/json");
    }
    let request = request.body(if body.is_empty() { Body::empty() } else { Body::from(body) })?;
    let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await?;
    let connection = tokio::spawn(connection);
    let answer = sender.send_request(request).await?;
    let status = answer.status();
    let body = to_bytes(Body::new(answer.into_body()), LARGEST_ANSWER).await?;
    connection.abort();
    Ok(Answer { status, body: body.into() })
}
