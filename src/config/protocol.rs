//! What is spoken with nodes.

use std::time::Duration;

use super::bounds;
use super::read::{Fault, Value};

/// What is spoken with a node.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Protocol {
    /// HTTP/1.1, one request at a time on a connection.
    #[default]
    Http1,
    /// HTTP/2, many requests on a connection; without TLS by prior knowledge (RFC 9113, 3.3).
    Http2,
    /// HTTP/2 where the node offers it in TLS, else HTTP/1.1.
    Auto,
}

/// How HTTP/2 is spoken with nodes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Http2 {
    /// The most requests that share one connection, if the node takes as many; at least 1.
    pub max_streams: usize,
    /// After how long without a word a node is asked whether it is there.
    pub ping_interval: Duration,
}

impl Default for Http2 {
    fn default() -> Self {
        Self { max_streams: 100, ping_interval: Duration::from_secs(10) }
    }
}

/// Reads what is spoken.
pub(super) fn read(value: Value<'_>) -> Option<Protocol> {
    let words = [("http1", Protocol::Http1), ("http2", Protocol::Http2), ("auto", Protocol::Auto)];
    value.one_of("a protocol", &words)
}

/// Reads how HTTP/2 is spoken.
pub(super) fn read_http2(value: Value<'_>) -> Option<Http2> {
    let default = Http2::default();
    value.fields("a mapping like `{max_streams: 100}`", |fields| Http2 {
        max_streams: fields
            .read("max_streams", |v| v.whole(bounds::NODE_STREAMS))
            .unwrap_or(default.max_streams),
        ping_interval: fields
            .read("ping_interval", |v| v.duration(bounds::INTERVAL))
            .unwrap_or(default.ping_interval),
    })
}

/// Whether `protocol` can be spoken with the node that stands in `item`; reported if not.
pub(super) fn check(protocol: Protocol, has_tls: bool, item: &Value<'_>) -> Option<()> {
    if protocol != Protocol::Auto || has_tls {
        return Some(());
    }
    let fault = Fault::new("without TLS nothing tells what the node speaks, so `protocol: auto` cannot be");
    item.fail(fault.help("write `protocol: http1` or `protocol: http2`, or add `tls`"))
}
