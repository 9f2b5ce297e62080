//! From whom the PROXY protocol is spoken to a listener.

use std::time::Duration;

use super::bounds;
use super::listener::trusted_proxies;
use super::read::{Fault, Fields, Value};
use crate::model::TrustedProxies;

/// How the PROXY protocol is spoken to a listener.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProxyProtocol {
    /// Those that begin each connection with its header; never empty. Nobody else may.
    pub from: TrustedProxies,
    /// How long the header may take.
    pub timeout: Duration,
}

/// Long enough for a segment that is lost to be sent again, twice.
const TIMEOUT: Duration = Duration::from_secs(5);

/// What it looks like.
const EXAMPLE: &str = "write whose it is believed from, as in `proxy_protocol: { from: [10.0.0.0/8] }`";

/// Reads a mapping.
pub(super) fn read(value: Value<'_>) -> Option<ProxyProtocol> {
    if !value.is_mapping() {
        let fault = Fault::new(format!("expected a mapping with the key `from`, found {value}"));
        return value.fail(fault.help(EXAMPLE));
    }
    value.fields("a mapping with the key `from`", read_fields)?
}

fn read_fields(fields: &Fields<'_>) -> Option<ProxyProtocol> {
    let from = fields.require("from", EXAMPLE, |value| match value.is_empty_list() {
        true => value.fail(Fault::new("nobody, so there would be no header").help(EXAMPLE)),
        false => trusted_proxies(value),
    });
    let timeout = fields.read("timeout", |value| value.duration(bounds::HEAD_TIME));
    Some(ProxyProtocol { from: from?, timeout: timeout.unwrap_or(TIMEOUT) })
}
