//! The connections of all clients, and which of them a request goes out on.

use std::collections::BTreeMap;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Mutex;

use super::ask::Ask;
use super::connection::Connection;
use super::record::Outcome;

/// What a client does its requests on.
pub(super) struct Connections {
    site: SocketAddr,
    /// Those of each client that wait for its next request.
    idle: Mutex<BTreeMap<Ipv4Addr, Vec<Connection>>>,
}

impl Connections {
    /// None yet to `site`.
    pub(super) fn new(site: SocketAddr) -> Self {
        Self { site, idle: Mutex::default() }
    }

    /// Sends a request, and returns what became of it and which node answered.
    pub(super) async fn ask(&self, ask: &Ask) -> (Outcome, Option<String>) {
        let kept = if ask.is_fresh { None } else { self.kept(ask.client) };
        let mut connection = match kept {
            Some(connection) => connection,
            None => match Connection::open_from(ask.client, self.site).await {
                Ok(connection) => connection,
                Err(error) => return (Outcome::NoAnswer(error.to_string()), None),
            },
        };
        let exchange = connection.exchange(ask).await;
        if exchange.keeps && !ask.is_fresh {
            self.idle.lock().unwrap().entry(ask.client).or_default().push(connection);
        }
        (exchange.outcome, exchange.node)
    }

    /// A connection that this client used before and that has not been ended since.
    fn kept(&self, client: Ipv4Addr) -> Option<Connection> {
        let mut idle = self.idle.lock().unwrap();
        let theirs = idle.get_mut(&client)?;
        std::iter::from_fn(|| theirs.pop()).find(Connection::is_alive)
    }
}
