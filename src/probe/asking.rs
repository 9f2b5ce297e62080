//! Asking a node how it is, by its own link: as requests reach it, so that a certificate that cannot be verified takes it out.

use std::error::Error;
use std::sync::Arc;

use http_body_util::Empty;
use hyper::body::{Body, Bytes, Incoming};
use hyper::client::conn::{http1, http2};
use hyper::header::{self, HeaderValue};
use hyper::{Request, Response};
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::task::JoinSet;

use super::call;
use crate::config::{self, CheckKind};
use crate::link::{Limits, Link};
use crate::upstream::Place;

/// What is asked of one node.
#[derive(Debug)]
pub(super) struct Asking {
    link: Arc<Link>,
    place: Place,
    kind: CheckKind,
    limits: Limits,
}

impl Asking {
    /// Asks the node at `place` what `settings` say.
    pub(super) fn new(link: Arc<Link>, place: &Place, settings: &config::HealthCheck) -> Self {
        let limit = settings.timeout;
        let limits = Limits { connect: limit, tls: limit, write: limit };
        Self { link, place: place.clone(), kind: settings.kind.clone(), limits }
    }

    /// Asks once.
    ///
    /// # Errors
    ///
    /// What is wrong with the node.
    pub(super) async fn ask(&self) -> Result<(), String> {
        match &self.kind {
            CheckKind::Tcp => self.link.greet(&self.place, &self.limits).await.map_err(|why| why.to_string()),
            CheckKind::Http { path, host, status } => {
                let host = host.clone().unwrap_or_else(|| self.link.host(&self.place));
                let request = Request::get(self.link.url(path, &host)).body(Empty::<Bytes>::new());
                let request = request.map_err(|why| why.to_string())?;
                let answered = self.send(request, &host).await?.status().as_u16();
                if status.contains(answered) { Ok(()) } else { Err(format!("answered {answered}")) }
            }
            CheckKind::Grpc { service } => {
                let host = self.link.host(&self.place);
                let request = call::request(&self.link.url(call::PATH, &host), service)?;
                call::judge(self.send(request, &host).await?).await
            }
        }
    }

    /// Sends a request on a connection of its own; its answer ends with the connection.
    async fn send<B>(&self, mut request: Request<B>, host: &str) -> Result<Response<Incoming>, String>
    where
        B: Body<Data: Send, Error: Into<Box<dyn Error + Send + Sync>>> + Send + Unpin + 'static,
    {
        let stream = self.link.dial(&self.place, &self.limits).await.map_err(|why| why.to_string())?;
        let agent = HeaderValue::from_static(concat!("bookend/", env!("CARGO_PKG_VERSION")));
        request.headers_mut().insert(header::USER_AGENT, agent);
        if stream.is_http2() {
            let began = http2::handshake(TokioExecutor::new(), TokioIo::new(stream)).await;
            let (mut sender, connection) = began.map_err(|why| in_full(&why))?;
            return exchange(sender.send_request(request), connection).await;
        }
        if let Ok(host) = HeaderValue::try_from(host) {
            request.headers_mut().insert(header::HOST, host);
        }
        request.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("close"));
        if let Some(path) = request.uri().path_and_query().cloned() {
            *request.uri_mut() = path.into();
        }
        let (mut sender, connection) =
            http1::handshake(TokioIo::new(stream)).await.map_err(|why| in_full(&why))?;
        exchange(sender.send_request(request), connection).await
    }
}

/// Waits for the head of an answer, and lets the connection go on in the background for the rest: it ends as the answer goes.
async fn exchange(
    answer: impl Future<Output = hyper::Result<Response<Incoming>>>,
    connection: impl Future<Output = hyper::Result<()>> + Send + 'static,
) -> Result<Response<Incoming>, String> {
    let mut tasks = JoinSet::new();
    tasks.spawn(connection);
    let answer = answer.await.map_err(|why| in_full(&why));
    if answer.is_ok() {
        tasks.detach_all();
    }
    answer
}

/// What went wrong, and why.
fn in_full(error: &dyn Error) -> String {
    let cause = error.source().map_or_else(String::new, |cause| format!(": {cause}"));
    format!("{error}{cause}")
}
