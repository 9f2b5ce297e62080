//! Sessions that stay with one node.

use std::path::PathBuf;
use std::time::Duration;

use super::bounds;
use super::read::{Fault, Value};
use crate::model::CookieName;

/// Clients of a pool stay with one node, by a cookie.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sticky {
    /// What the cookie is called; no other pool's is called the same.
    pub cookie: CookieName,
    /// How long a browser keeps it; `None` is until it is closed.
    pub max_age: Option<Duration>,
    /// The file with the key that signs it; `None` is bookend's own.
    pub key_file: Option<PathBuf>,
}

/// Prefixes by which a browser demands TLS of whoever sets the cookie (RFC 6265bis 4.1.3).
const PREFIXES: [&str; 2] = ["__host-", "__secure-"];

pub(super) fn read(value: Value<'_>) -> Option<Sticky> {
    value.fields("a mapping like `{cookie: web_node}`", |fields| {
        let cookie = fields.require("cookie", "add it, as in `cookie: web_node`", cookie);
        let max_age = fields.read("max_age", |v| v.duration(bounds::COOKIE));
        let key_file = fields.read("key_file", |v| v.file_path());
        Some(Sticky { cookie: cookie?, max_age, key_file })
    })?
}

fn cookie(value: Value<'_>) -> Option<CookieName> {
    let name: CookieName = value.parsed("the name of a cookie")?;
    let lower = name.as_str().to_ascii_lowercase();
    match PREFIXES.iter().find(|prefix| lower.starts_with(**prefix)) {
        None => Some(name),
        Some(_) => {
            let fault = Fault::new(format!("browsers take `{name}` over TLS alone"));
            value.fail(fault.help("write a name without that prefix, as in `web_node`"))
        }
    }
}
