//! How a pool's nodes are checked.

use std::time::Duration;

use http::uri::{Authority, PathAndQuery};

use super::bounds;
use super::read::{Fault, Fields, Value, shown};
use crate::model::StatusSet;

/// How a pool's nodes are checked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HealthCheck {
    /// What is asked of a node.
    pub kind: CheckKind,
    /// From the start of one check to the start of the next.
    pub interval: Duration,
    /// How long a check may take.
    pub timeout: Duration,
    /// Failures in a row after which a node is out, at least 1.
    pub fall: u32,
    /// Successes in a row after which it is back, at least 1.
    pub rise: u32,
}

/// What a check asks of a node.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CheckKind {
    /// To accept a connection.
    Tcp,
    /// To answer a GET.
    Http {
        /// The path and query to get.
        path: String,
        /// The `Host` to send; the node's address unless told.
        host: Option<String>,
        /// The statuses that are a success.
        status: StatusSet,
    },
    /// To say by gRPC's own protocol for it that it serves.
    Grpc {
        /// Which of its services is asked for; empty is the node as a whole.
        service: String,
    },
}

impl Default for HealthCheck {
    fn default() -> Self {
        Self {
            kind: CheckKind::Tcp,
            interval: Duration::from_secs(2),
            timeout: Duration::from_secs(1),
            fall: 3,
            rise: 2,
        }
    }
}

/// The longest name of a service: its length is one byte of the call.
const LONGEST_SERVICE: usize = 120;

/// The kinds by name.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Type {
    Tcp,
    Http,
    Grpc,
}

/// Reads a check; `Some(None)` is `off`.
pub(super) fn read(value: Value<'_>) -> Option<Option<HealthCheck>> {
    const WHAT: &str = "a mapping like `{type: http, path: /health}`";
    value.or_off(WHAT, |value| {
        value.fields(WHAT, |fields| {
            let default = HealthCheck::default();
            HealthCheck {
                kind: read_kind(fields).unwrap_or(default.kind),
                interval: fields
                    .read("interval", |v| v.duration(bounds::INTERVAL))
                    .unwrap_or(default.interval),
                timeout: fields.read("timeout", |v| v.duration(bounds::TIMEOUT)).unwrap_or(default.timeout),
                fall: fields.read("fall", |v| v.whole(bounds::CHECKS_IN_A_ROW)).unwrap_or(default.fall),
                rise: fields.read("rise", |v| v.whole(bounds::CHECKS_IN_A_ROW)).unwrap_or(default.rise),
            }
        })
    })
}

fn read_kind(fields: &Fields<'_>) -> Option<CheckKind> {
    let types = [("tcp", Type::Tcp), ("http", Type::Http), ("grpc", Type::Grpc)];
    let told = fields.read("type", |v| v.one_of("a type of check", &types));
    let is_tcp = told == Some(Type::Tcp) || !fields.has("type");
    let only = |wanted: Type, word: &str, v: &Value<'_>| {
        let this = match told {
            Some(told) if told == wanted => return,
            Some(Type::Http) => "this one asks for a page",
            Some(Type::Grpc) => "this one makes a call",
            Some(Type::Tcp) => "this one opens a connection",
            None if is_tcp => "this one opens a connection",
            None => return,
        };
        let fault = Fault::new(format!("only a check with `type: {word}` has this key, and {this}"));
        v.report(fault.help(format!("add `type: {word}`, or remove the key")).on_key());
    };
    let only_http = |v: &Value<'_>| only(Type::Http, "http", v);
    let service = fields.read("service", |v| {
        only(Type::Grpc, "grpc", &v);
        service(v)
    });
    let path = fields.read("path", |v| {
        only_http(&v);
        path(v)
    });
    let host = fields.read("host", |v| {
        only_http(&v);
        host(v)
    });
    let status = fields.read("status", |v| {
        only_http(&v);
        match v.is_empty_list() {
            true => v.fail(Fault::new("no status, so no check could ever succeed").help("remove the key")),
            false => v.statuses(),
        }
    });
    match told? {
        Type::Tcp => Some(CheckKind::Tcp),
        Type::Grpc => Some(CheckKind::Grpc { service: service.unwrap_or_default() }),
        Type::Http => Some(CheckKind::Http {
            path: path.unwrap_or_else(|| "/".to_owned()),
            host,
            status: status.or_else(|| "200-399".parse().ok())?,
        }),
    }
}

/// Reads the name of a service of gRPC, as in `shop.Basket`.
fn service(value: Value<'_>) -> Option<String> {
    let text = value.text("a service like `shop.Basket`")?;
    let is_name = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-' | '/');
    if text.len() <= LONGEST_SERVICE && !text.is_empty() && text.chars().all(is_name) {
        return Some(text.to_owned());
    }
    let fault = Fault::new(format!("`{}` is not a service", shown(text)));
    value.fail(fault.help("write it as in `shop.Basket`, or remove the key to ask for the node as a whole"))
}

fn path(value: Value<'_>) -> Option<String> {
    let text = value.text("a path like `/health`")?;
    let is_path = text.starts_with('/') && !text.contains('#') && PathAndQuery::try_from(text).is_ok();
    if is_path && text.is_ascii() {
        return Some(text.to_owned());
    }
    let fault = Fault::new(format!("`{}` is not a path", shown(text)));
    value.fail(fault.help("write it as in `/health` or `/health?full=1`; all else percent-encoded"))
}

fn host(value: Value<'_>) -> Option<String> {
    let text = value.text("a host like `www.example.com`")?;
    match Authority::try_from(text) {
        Ok(_) if !text.contains('@') => Some(text.to_owned()),
        Ok(_) | Err(_) => {
            let fault = Fault::new(format!("`{}` is not a host", shown(text)));
            value.fail(fault.help("write it as in `www.example.com` or `www.example.com:8080`"))
        }
    }
}
