//! The process as a whole.

use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::time::Duration;

use super::bounds;
use super::read::Value;

/// Settings of the process.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Server {
    /// Worker threads; `None` is one for each core.
    pub threads: Option<NonZeroUsize>,
    /// Where the process id is written, for whoever sends signals.
    pub pid_file: Option<PathBuf>,
    /// How long requests may go on after the process was asked to stop.
    pub grace_period: Duration,
    /// How long new requests are still taken after the process was asked to stop.
    pub shutdown_delay: Duration,
    /// Client connections in all; `None` is what the descriptors allow.
    pub max_connections: Option<NonZeroUsize>,
    /// Bytes of memory for all bodies of requests that are kept so that they can be sent again; 0 is none.
    pub body_buffers: u64,
}

impl Default for Server {
    fn default() -> Self {
        Self {
            threads: None,
            pid_file: None,
            grace_period: Duration::from_secs(30),
            shutdown_delay: Duration::ZERO,
            max_connections: None,
            body_buffers: 64 * 1024 * 1024,
        }
    }
}

pub(super) fn read(value: Value<'_>) -> Option<Server> {
    let default = Server::default();
    value.fields("a mapping of settings", |fields| Server {
        threads: fields.read("threads", |v| v.whole(bounds::THREADS)).and_then(NonZeroUsize::new),
        pid_file: fields.read("pid_file", |v| v.file_path()),
        grace_period: fields
            .read("grace_period", |v| v.duration(bounds::DELAY))
            .unwrap_or(default.grace_period),
        shutdown_delay: fields
            .read("shutdown_delay", |v| v.duration(bounds::DELAY))
            .unwrap_or(default.shutdown_delay),
        max_connections: fields
            .read("max_connections", |v| v.whole(bounds::CONNECTIONS))
            .and_then(NonZeroUsize::new),
        body_buffers: fields
            .read("body_buffers", |v| v.size_or_off(bounds::BUFFERS))
            .unwrap_or(default.body_buffers),
    })
}
