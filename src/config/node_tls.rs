//! How nodes are reached by TLS.

use std::net::IpAddr;
use std::path::PathBuf;

use super::Certificate;
use super::read::{Fault, Fields, Value, shown};
use crate::model::NodeAddress;

/// How one node is reached by TLS: always verified.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct NodeTls {
    /// Those who may vouch for the node, in PEM; `None` are those that the system trusts.
    pub authorities: Option<PathBuf>,
    /// The name that is asked for and that its certificate must be for: a DNS name or an IP address.
    pub server_name: String,
    /// Whether the node says so itself, rather than its pool.
    pub is_own: bool,
    /// What is shown to the node where it asks for a certificate.
    pub certificate: Option<Certificate>,
}

/// What a pool or a node says of TLS, before it is known for which node.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Said {
    authorities: Option<PathBuf>,
    server_name: Option<String>,
    certificate: Option<Certificate>,
}

const WHAT: &str = "`on`, `off` or a mapping like `{authorities: /etc/bookend/nodes.pem}`";

/// Reads what a pool or a node says of TLS; `Some(None)` is `off`.
pub(super) fn read(value: Value<'_>) -> Option<Option<Said>> {
    if value.is_text() {
        let is_on = value.one_of("`on` or `off`, or a mapping", &[("on", true), ("off", false)])?;
        return Some(is_on.then(Said::default));
    }
    value.fields(WHAT, said)?.map(Some)
}

fn said(fields: &Fields<'_>) -> Option<Said> {
    let authorities = fields.read("authorities", |v| v.file_path().map(Some));
    let server_name = fields.read("server_name", |v| server_name(v).map(Some));
    let pair = |key: &'static str, other: &'static str| {
        fields.read(key, |v| {
            if !fields.has(other) {
                let missing =
                    Fault::new(format!("a certificate and its key go together, and `{other}` is missing"));
                v.report(missing.help("add it, or remove this key").on_key());
            }
            v.file_path()
        })
    };
    let certificate = pair("certificate", "key").zip(pair("key", "certificate"));
    let certificate = certificate.map(|(certificate, key)| Certificate { certificate, key, ocsp: None });
    Some(Said { authorities: authorities.flatten(), server_name: server_name.flatten(), certificate })
}

fn server_name(value: Value<'_>) -> Option<String> {
    let text = value.text("a name like `app.example.com`")?;
    if let Ok(ip) = text.trim_start_matches('[').trim_end_matches(']').parse::<IpAddr>() {
        return Some(ip.to_string());
    }
    // The rules for the host of a node's address are those for a name.
    match format!("{text}:1").parse() {
        Ok(NodeAddress::Name { host, .. }) if !text.contains(':') => Some(host),
        Ok(_) | Err(_) => {
            let odd = Fault::new(format!("`{}` is not a name", shown(text)));
            value.fail(odd.help("write it without a port, as in `app.example.com`"))
        }
    }
}

impl Said {
    /// What it is for the node at `address`, which stands in `item` and may say so itself; reported if there is no name to
    /// verify.
    pub(super) fn of_node(&self, is_own: bool, address: &NodeAddress, item: &Value<'_>) -> Option<NodeTls> {
        let own = match address {
            NodeAddress::Name { host, .. } => Some(host.clone()),
            NodeAddress::Socket(_) | NodeAddress::Unix(_) => None,
        };
        let Some(server_name) = self.server_name.clone().or(own) else {
            let fault = Fault::new(format!("no name to verify: `{address}` is not one"));
            let help = "say which name is in the certificate, as in `tls: {server_name: app.example.com}`, here or for the \
                        whole pool";
            return item.fail(fault.help(help));
        };
        Some(NodeTls {
            authorities: self.authorities.clone(),
            server_name,
            is_own,
            certificate: self.certificate.clone(),
        })
    }
}
