//! Text in, [`Config`] out, or every [`Problem`] of the text at once.
//!
//! A `Config` is complete: what the file left out stands there with its default, and nothing in it needs to be checked
//! again.
//!
//! The bytes become text (`source`), the text a tree (`tree`, by `serde_yaml`), and the tree a `Config` (`read`, and
//! one module for each section of the file). A reader that finds a problem notes where in the tree it is and goes on;
//! only when there are problems is the text read again to find their lines (`locate`).

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

use crate::model::Name;

mod access_log;
mod admin;
mod alerts;
mod balance;
mod bounds;
mod changes;
mod check;
mod ejection;
mod listener;
mod locate;
mod node;
mod node_tls;
mod point;
mod pool;
mod problem;
mod protocol;
mod proxy_protocol;
mod queue;
mod read;
mod recall;
mod route;
mod same;
mod server;
mod source;
mod sticky;
mod syntax;
mod tls;
mod tree;
mod whereabouts;

#[cfg(test)]
mod tests;

pub use access_log::{AccessLog, LogDestination, LogFormat};
pub use admin::{Admin, Place};
pub use alerts::{Alerts, COMMAND, Masked, Tell, Webhook, WebhookFormat};
pub use balance::{Balance, HashKey};
pub use changes::{Changes, changes};
pub use check::{CheckKind, HealthCheck};
pub use ejection::Ejection;
pub use listener::{ClientLimits, ClientTimeouts, Listener};
pub use node::Node;
pub use node_tls::NodeTls;
pub use point::{FileFault, Step, locate};
pub use pool::{NodeTimeouts, Pool, Retry};
pub use problem::{Problem, Problems};
pub use protocol::{Http2, Protocol};
pub use proxy_protocol::ProxyProtocol;
pub use queue::Queue;
pub use read::nearest;
pub use recall::Recall;
pub use route::Route;
pub use server::Server;
pub use source::LARGEST_FILE;
pub use sticky::Sticky;
pub use tls::{Certificate, ClientCertificates, Hsts, Tls, TlsVersion};
pub use whereabouts::Whereabouts;

use locate::Locations;
use read::{Findings, Value};
use tree::Tree;

/// Everything that one configuration file says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Config {
    /// The process as a whole.
    pub server: Server,
    /// A line for each request; `None` is none.
    pub access_log: Option<AccessLog>,
    /// The directory for what must outlive the process; `None` is the usual one, if it can be had.
    pub state_dir: Option<PathBuf>,
    /// The operator's side.
    pub admin: Admin,
    /// Who is told of what goes wrong.
    pub alerts: Alerts,
    /// Where clients connect; never empty, no address twice.
    pub listeners: Vec<Listener>,
    /// The sets of nodes, by name; never empty.
    pub pools: BTreeMap<Name, Pool>,
    /// Which requests go to which pool, in the order of the file; never empty, every pool exists.
    pub routes: Vec<Route>,
}

/// Reads a configuration from the `bytes` of a file; `file` is what the file is called in messages.
///
/// Takes well under a second and some tens of megabytes whatever the bytes are.
///
/// # Errors
///
/// Every problem of the file at once, in its order; one alone where the file is no YAML.
pub fn parse(file: &str, bytes: &[u8]) -> Result<Config, Problems> {
    parse_with(&Findings::default(), &file.into(), bytes)
}

fn parse_with(findings: &Findings, file: &Arc<str>, bytes: &[u8]) -> Result<Config, Problems> {
    let text = source::text(file, bytes)?;
    let tree = Tree::read(text).map_err(|fault| unreadable(file, text, &fault))?;
    if tree == Tree::Null {
        return Err(source::empty(file).into());
    }
    findings.finish(file, text, read_config(Value::root(&tree, findings)))
}

fn read_config(root: Value<'_>) -> Option<Config> {
    const WHAT: &str = "a mapping with the keys `listeners`, `pools` and `routes`";
    root.fields(WHAT, |fields| {
        let server = fields.read("server", server::read);
        let access_log = fields.read("access_log", access_log::read);
        let state_dir = fields.read("state_dir", admin::state_dir);
        let admin = fields.read("admin", admin::read);
        let alerts = fields.read("alerts", alerts::read);
        let listeners = fields.require("listeners", listener::EXAMPLE, listener::read_all);
        let pools = fields.require("pools", pool::EXAMPLE, pool::read_all);
        let routes = fields.require("routes", route::EXAMPLE, |v| route::read_all(v, pools.as_ref()));
        Some(Config {
            server: server.unwrap_or_default(),
            access_log: access_log.unwrap_or_default(),
            state_dir,
            admin: admin.unwrap_or_default(),
            alerts: alerts.unwrap_or_default(),
            listeners: listeners?,
            pools: pools?.good,
            routes: routes?,
        })
    })?
}

fn unreadable(file: &Arc<str>, text: &str, fault: &tree::Fault) -> Problem {
    match fault {
        tree::Fault::TooMuch(Some(place)) => syntax::too_much(file, *place),
        tree::Fault::TooMuch(None) => syntax::too_much(file, Locations::of(text).first_alias()),
        tree::Fault::Syntax(error) => {
            syntax::explain(file, text, error, || Locations::of(text).first_alias())
        }
        tree::Fault::SecondDocument => {
            let place = Locations::of(text).second_document();
            let help = "remove the line `---` or `...` and put everything in one document";
            source::at(file, place, "a second document begins here, and a configuration is one", Some(help))
        }
    }
}
