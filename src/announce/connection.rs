//! One connection to a webhook, over TLS where its URL says so.

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::pki_types::ServerName;

use super::certificates::Trust;
use crate::model::WebhookUrl;

/// Addresses of one host that are tried.
const MOST_ADDRESSES: usize = 4;

/// A connection of either kind.
pub(super) trait Stream: AsyncRead + AsyncWrite + Unpin + Send {}

impl<S: AsyncRead + AsyncWrite + Unpin + Send> Stream for S {}

/// Connects to the host of `url`. Each of its addresses has its part of `time`, so that one that is silent does not cost
/// the others theirs.
pub(super) async fn connect(url: &WebhookUrl, trust: &Trust, time: Duration) -> io::Result<Box<dyn Stream>> {
    let found = tokio::net::lookup_host((url.host(), url.port())).await?;
    let addresses: Vec<SocketAddr> = found.take(MOST_ADDRESSES).collect();
    let stream = first(&addresses, time).await?;
    if !url.is_https() {
        return Ok(Box::new(stream));
    }
    let settings = match trust {
        Trust::Roots(settings) => settings.clone(),
        Trust::Lost(why) => return Err(io::Error::other(why.clone())),
        Trust::Nobody => return Err(io::Error::other("root certificates were not read")),
    };
    let name = ServerName::try_from(url.host().to_owned()).map_err(io::Error::other)?;
    Ok(Box::new(TlsConnector::from(settings).connect(name, stream).await?))
}

async fn first(addresses: &[SocketAddr], time: Duration) -> io::Result<TcpStream> {
    let part = time / (addresses.len() as u32 + 1).max(2);
    let mut last = io::Error::other("the host has no address");
    for (index, address) in addresses.iter().enumerate() {
        // The last one is waited for as long as there is time at all.
        let part = if index + 1 == addresses.len() { time } else { part };
        match tokio::time::timeout(part, TcpStream::connect(address)).await {
            Ok(Ok(stream)) => return Ok(stream),
            Ok(Err(why)) => last = why,
            Err(late) => last = late.into(),
        }
    }
    Err(last)
}
