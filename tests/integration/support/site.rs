//! Configurations, written as a person would, with the addresses of a test filled in.

use std::fmt::{Display, Write};
use std::net::SocketAddr;

use super::origin::Origin;

/// A site with one pool, `web`, whose nodes are called `web-01`, `web-02` and so on.
#[derive(Clone, Default)]
pub(crate) struct Site {
    nodes: Vec<String>,
    listener: String,
    pool: String,
    route: String,
    top: String,
    admin: Option<String>,
}

impl Site {
    pub(crate) fn of(nodes: &[&Origin]) -> Self {
        nodes.iter().fold(Self::default(), |site, node| site.with_node(node.address(), ""))
    }

    /// One more node, with more keys: `weight: 2, tier: 1`.
    pub(crate) fn with_node(mut self, address: impl Display, keys: &str) -> Self {
        let comma = if keys.is_empty() { "" } else { ", " };
        let name = format!("web-{:02}", self.nodes.len() + 1);
        self.nodes.push(format!("{{ address: \"{address}\", name: {name}{comma}{keys} }}"));
        self
    }

    /// One more key of the listener, on a line of its own.
    pub(crate) fn with_listener(mut self, line: &str) -> Self {
        writeln!(self.listener, "    {line}").unwrap();
        self
    }

    /// One more key of the pool, on a line of its own.
    pub(crate) fn with_pool(mut self, line: &str) -> Self {
        writeln!(self.pool, "    {line}").unwrap();
        self
    }

    /// One more key of the route, on a line of its own.
    pub(crate) fn with_route(mut self, line: &str) -> Self {
        writeln!(self.route, "    {line}").unwrap();
        self
    }

    /// One more key of the whole file, on a line of its own.
    pub(crate) fn with_top(mut self, line: &str) -> Self {
        writeln!(self.top, "{line}").unwrap();
        self
    }

    /// The operator's side, as in `{ socket: off }`; unless told it is the socket alone, since tests would share the
    /// usual address.
    pub(crate) fn with_admin(mut self, admin: &str) -> Self {
        self.admin = Some(admin.to_owned());
        self
    }

    /// The configuration with these listeners.
    pub(crate) fn to_yaml(&self, listeners: &[SocketAddr]) -> String {
        let mut yaml = self.top.clone();
        writeln!(yaml, "admin: {}", self.admin.as_deref().unwrap_or("{ address: off }")).unwrap();
        yaml.push_str("listeners:\n");
        for address in listeners {
            write!(yaml, "  - address: {address}\n{}", self.listener).unwrap();
        }
        // A single node is what most tests need, and no reason for an alarm.
        let is_meant = self.nodes.len() == 1 && !self.pool.contains("expect_nodes");
        let expected = if is_meant { "    expect_nodes: 1\n" } else { "" };
        write!(yaml, "pools:\n  web:\n{expected}{}    nodes:\n", self.pool).unwrap();
        for node in &self.nodes {
            writeln!(yaml, "      - {node}").unwrap();
        }
        write!(yaml, "routes:\n  - pool: web\n{}", self.route).unwrap();
        yaml
    }
}
