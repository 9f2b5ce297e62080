//! Asking a node that says nothing for a sign of life.
//!
//! When attempts wait for one node and nothing is asked of the others, as when every client waits for the same node, nothing
//! that happens by itself tells a dead node from a slow request. `OPTIONS *` does: it is meant "as a 'ping' or 'no-op' type
//! of method" (RFC 9110, 9.3.7), and any byte that comes back is a sign.

use std::sync::Arc;
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpStream, UnixStream};
use tokio::task::JoinSet;

use crate::balance::Pool;
use crate::clock;
use crate::link::{Limits, Link, Links};
use crate::upstream::{Member, Place};

/// How much earlier the silent node is asked than the others, so that it can answer before they bear witness against it.
const HEAD_START: Duration = Duration::from_millis(100);

/// How long a sign of life may take to be one.
const LONGEST: Duration = Duration::from_millis(900);

/// Asks `silent` for a sign of life, and then the other nodes of `pool`.
pub(super) async fn run(pool: Arc<Pool>, links: Arc<Links>, silent: Arc<Member>) {
    let mut asked = JoinSet::new();
    let link = |member: &Member| links.of(pool.name(), &member.name).map(Arc::clone);
    asked.spawn(ask(Arc::clone(&silent), link(&silent)));
    tokio::time::sleep(HEAD_START).await;
    for member in pool.members().iter().filter(|member| !Arc::ptr_eq(&member.node, &silent.node)) {
        asked.spawn(ask(Arc::clone(member), link(member)));
    }
    while asked.join_next().await.is_some() {}
}

async fn ask(member: Arc<Member>, link: Option<Arc<Link>>) {
    let began = clock::millis();
    let place = member.node.place();
    let sign = async {
        match (link, place) {
            (Some(link), _) => {
                let limits = Limits { connect: LONGEST, tls: LONGEST, write: LONGEST };
                let stream = link.dial(place, &limits).await.map_err(std::io::Error::other)?;
                match stream.is_http2() {
                    false => sign_of_life(stream, &link.host(place)).await,
                    true => link.greet(place, &limits).await.map(|()| true).map_err(std::io::Error::other),
                }
            }
            (None, Place::Tcp(address)) => {
                sign_of_life(TcpStream::connect(address).await?, &address.to_string()).await
            }
            (None, Place::Unix(path)) => sign_of_life(UnixStream::connect(path).await?, "localhost").await,
        }
    };
    if let Ok(Ok(true)) = tokio::time::timeout(LONGEST, sign).await {
        let now = clock::millis();
        member.node.gave_a_sign(now.saturating_sub(began), now);
    }
}

/// Whether anything at all comes back.
async fn sign_of_life(mut stream: impl AsyncRead + AsyncWrite + Unpin, host: &str) -> std::io::Result<bool> {
    let request = format!(
        "OPTIONS * HTTP/1.1\r\nHost: {host}\r\nUser-Agent: {agent}\r\nConnection: close\r\n\r\n",
        agent = concat!("bookend/", env!("CARGO_PKG_VERSION")),
    );
    stream.write_all(request.as_bytes()).await?;
    Ok(stream.read(&mut [0]).await? > 0)
}
