//! One request after the other: a connection that speaks HTTP/1.
//!
//! Between requests, and before the first, nothing of Pingora is there: what it needs for a request is twenty times what a
//! client costs that idles, and most clients do.

use std::future::poll_fn;

use pingora::protocols::http::ServerSession;
use tokio::sync::watch;

use super::shard::{Serve, Served};
use super::stream::ClientStream;

/// To Pingora: a connection may be used again whenever its client does. How long that may take is ours to say.
const AT_WILL: Option<u64> = Some(0);

/// Serves requests until the connection is done. `stopping` turns true when its listener closes.
pub(super) async fn serve(stream: ClientStream, service: &dyn Serve, stopping: &watch::Receiver<bool>) {
    let mut stream = Box::new(stream);
    while poll_fn(|cx| stream.poll_begins(cx)).await {
        let Some(reused) = begin(stream, service, stopping).await else { return };
        // It is the one that was given; anything else would be nobody's to serve.
        let Ok(same) = reused.consume().0.into_any().downcast() else { return };
        stream = same;
    }
}

/// Not in the loop, whose future would have room for the session all the time.
fn begin<'a>(
    stream: Box<ClientStream>,
    service: &'a dyn Serve,
    stopping: &'a watch::Receiver<bool>,
) -> Served<'a> {
    let mut session = ServerSession::new_http1(stream);
    session.set_keepalive(AT_WILL);
    service.serve_request(session, stopping)
}
