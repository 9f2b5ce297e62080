//! The connections of all clients, and which of them a request goes out on.

use std::collections::BTreeMap;
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Mutex;

use tokio::sync::Mutex as AsyncMutex;

use super::ask::{Ask, Protocol};
use super::connection::Connection;
use super::multiplexed::Multiplexed;
use super::record::Outcome;

/// How often a request may be told that it was not begun.
const TIMES: u32 = 3;

/// What a client does its requests on.
pub(super) struct Connections {
    site: SocketAddr,
    /// Those of each client that wait for its next request.
    idle: Mutex<BTreeMap<Ipv4Addr, Vec<Connection>>>,
    /// That of each client which its requests of HTTP/2 share.
    shared: AsyncMutex<BTreeMap<Ipv4Addr, Multiplexed>>,
}

impl Connections {
    /// None yet to `site`.
    pub(super) fn new(site: SocketAddr) -> Self {
        Self { site, idle: Mutex::default(), shared: AsyncMutex::default() }
    }

    /// Sends a request, and returns what became of it and which node answered.
    pub(super) async fn ask(&self, ask: &Ask) -> (Outcome, Option<String>) {
        match ask.speaks {
            Protocol::Http1 => self.ask_alone(ask).await,
            Protocol::Http2 | Protocol::Grpc => self.ask_beside_others(ask).await,
        }
    }

    async fn ask_alone(&self, ask: &Ask) -> (Outcome, Option<String>) {
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

    /// As browsers do: what the site has not begun as it ended a connection in order is sent again on another one.
    async fn ask_beside_others(&self, ask: &Ask) -> (Outcome, Option<String>) {
        for _ in 0..TIMES {
            let connection = match self.multiplexed(ask).await {
                Ok(connection) => connection,
                Err(error) => return (Outcome::NoAnswer(error.to_string()), None),
            };
            if let Ok(fate) = connection.exchange(ask).await {
                return fate;
            }
        }
        (Outcome::NoAnswer(format!("GOAWAY {TIMES} times")), None)
    }

    async fn multiplexed(&self, ask: &Ask) -> io::Result<Multiplexed> {
        if ask.is_fresh {
            return Multiplexed::open_from(ask.client, self.site).await;
        }
        let mut shared = self.shared.lock().await;
        if let Some(theirs) = shared.get(&ask.client)
            && theirs.is_alive().await
        {
            return Ok(theirs.clone());
        }
        let connection = Multiplexed::open_from(ask.client, self.site).await?;
        shared.insert(ask.client, connection.clone());
        Ok(connection)
    }

    /// A connection that this client used before and that has not been ended since.
    fn kept(&self, client: Ipv4Addr) -> Option<Connection> {
        let mut idle = self.idle.lock().unwrap();
        let theirs = idle.get_mut(&client)?;
        std::iter::from_fn(|| theirs.pop()).find(Connection::is_alive)
    }
}
