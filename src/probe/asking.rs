//! Asking a node how it is, by its own link: as requests reach it, so that a certificate that cannot be verified takes it out.

use std::pin::pin;
use std::sync::Arc;

use http_body_util::Empty;
use hyper::body::Bytes;
use hyper::client::conn::http1;
use hyper::{Request, header};
use hyper_util::rt::TokioIo;

use crate::config::{self, CheckKind};
use crate::link::{Limits, Link, NodeStream};
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
        let stream = self.link.dial(&self.place, &self.limits).await.map_err(|why| why.to_string())?;
        match &self.kind {
            CheckKind::Tcp => Ok(()),
            CheckKind::Http { path, host, status } => {
                let host = host.clone().unwrap_or_else(|| self.link.host(&self.place));
                let answered = get(stream, path, &host).await.map_err(|why| why.to_string())?;
                if status.contains(answered) { Ok(()) } else { Err(format!("answered {answered}")) }
            }
        }
    }
}

/// The status of the answer to a GET.
async fn get(stream: NodeStream, path: &str, host: &str) -> hyper::Result<u16> {
    let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await?;
    let request = Request::get(path)
        .header(header::HOST, host)
        .header(header::USER_AGENT, concat!("bookend/", env!("CARGO_PKG_VERSION")))
        .header(header::CONNECTION, "close")
        .body(Empty::<Bytes>::new());
    // A path or host that no request can have is not let through by the configuration.
    let Ok(request) = request else { return Ok(0) };
    let mut exchange = pin!(sender.send_request(request));
    let answer = tokio::select! {
        biased;
        answer = &mut exchange => answer,
        // What became of the connection, the exchange knows best.
        _ = connection => exchange.await,
    };
    answer.map(|answer| answer.status().as_u16())
}
