//! What travels with a request: who sent it, what the node is told about it, and what must not go on.
//!
//! Everything here is a pure function of headers; whoever holds the message applies the result. Headers come from
//! hostile clients: nothing is believed that a peer outside `trusted_proxies` wrote, and no work is more than
//! linear in the size of the head.

mod address;
mod client;
mod cookie;
mod forwarded;
mod forwarding;
mod grpc;
mod hop_by_hop;
mod host;
mod request_id;
#[cfg(test)]
mod tests;
mod via;

use http::HeaderName;

pub use client::{Client, client};
pub use cookie::{cookies, sets_cookie, without_cookie};
pub use forwarding::{Arrival, Change, Forwarding, Scheme, is_said_to_be_secure};
pub use grpc::{
    GRPC, GRPC_MESSAGE, GRPC_STATUS, GRPC_TIMEOUT, grpc_status_of, grpc_timeout, grpc_timeout_of, is_grpc,
    is_unavailable,
};
pub use hop_by_hop::{Passage, hop_by_hop, is_for_all_connections, keeps_alive};
pub use host::bare_host;
pub use request_id::RequestId;
pub use via::via;

/// Tells a node whom the certificate is for that the client has shown (RFC 4514).
pub const CLIENT_SUBJECT: HeaderName = HeaderName::from_static("x-client-cert-subject");
