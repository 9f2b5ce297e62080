//! Checking a pool's nodes with Pingora's health checks.

use std::collections::HashMap;
use std::future::poll_fn;
use std::sync::Arc;
use std::time::Duration;

use pingora::ErrorType;
use pingora_load_balancing::health_check::{HealthCheck, HttpHealthCheck, TcpHealthCheck};
use pingora_load_balancing::{Backend, Extensions};
use rustix::net::sockopt;
use tokio::net::TcpSocket;
use tokio::task::{AbortHandle, JoinSet};

use super::asking::Asking;
use crate::balance::{Pool, address};
use crate::clock;
use crate::config::{self, CheckKind};
use crate::link::Links;
use crate::model::StatusSet;
use crate::observe::Observer;
use crate::upstream::{Member, Place, Thresholds};

/// The first check of a node comes within this time: a node that is down from the start is soon known to be.
const FIRST_WITHIN: Duration = Duration::from_secs(1);

/// How soon a check is made again that goes against what is held of the node.
const IN_DOUBT: Duration = Duration::from_millis(200);

/// How long a node that is down waits for its next check at the most: it is missed.
const WHILE_DOWN: Duration = Duration::from_millis(500);

/// How close the beginnings of two checks may be, however often one is asked for.
const CLOSEST: Duration = Duration::from_millis(100);

/// For how long an answer to a client counts for more than a connection that could not be opened, in milliseconds.
const FRESH: u64 = 2_000;

/// Who asks a node.
enum Check {
    /// Pingora, by a plain connection.
    Plain(Plain, Box<Backend>),
    /// bookend, by the node's own link.
    Linked(Asking),
}

/// A check of Pingora's.
type Plain = Arc<dyn HealthCheck + Send + Sync>;

/// Checks the nodes of `pool`, and those that join it, until dropped.
pub(super) async fn run(pool: Arc<Pool>, links: Arc<Links>, observer: Arc<Observer>) {
    let mut changes = pool.watch();
    let mut tasks = JoinSet::new();
    let mut running: HashMap<Place, AbortHandle> = HashMap::new();
    // One for all nodes: each check of Pingora's has a pool of connections and settings for TLS, which none of these need.
    let by_connection = pool.settings().health_check.as_ref().map(by_connection);
    loop {
        let members = pool.members();
        running.retain(|place, task| {
            let stays = members.iter().any(|member| member.node.place() == place);
            if !stays {
                task.abort();
            }
            stays
        });
        for member in members.iter() {
            let place = member.node.place();
            if running.contains_key(place) {
                continue;
            }
            if let Some(watcher) = Watcher::new(&pool, &links, member, &observer, by_connection.as_ref()) {
                running.insert(place.clone(), tasks.spawn(watcher.run()));
            }
        }
        while tasks.try_join_next().is_some() {}
        if changes.changed().await.is_err() {
            return;
        }
    }
}

/// Watches one node.
struct Watcher {
    pool: Arc<Pool>,
    member: Arc<Member>,
    observer: Arc<Observer>,
    settings: config::HealthCheck,
    check: Check,
}

impl Watcher {
    /// A watcher for `member`; `None` where the pool is not checked.
    fn new(
        pool: &Arc<Pool>,
        links: &Links,
        member: &Arc<Member>,
        observer: &Arc<Observer>,
        by_connection: Option<&Plain>,
    ) -> Option<Self> {
        let Some(settings) = pool.settings().health_check.clone() else {
            if let Some(transition) = member.node.unchecked() {
                observer.node(pool.name().as_str(), &member.name, transition, &"no longer checked");
            }
            return None;
        };
        let place = member.node.place();
        let check = match links.of(pool.name(), &member.name) {
            Some(link) => Check::Linked(Asking::new(Arc::clone(link), place, &settings)),
            None => {
                let target = Backend { addr: address(place)?, weight: 1, ext: Extensions::new() };
                Check::Plain(check(&settings, place, by_connection?)?, Box::new(target))
            }
        };
        Some(Self {
            pool: Arc::clone(pool),
            member: Arc::clone(member),
            observer: Arc::clone(observer),
            check,
            settings,
        })
    }

    async fn run(self) {
        let interval = self.settings.interval;
        tokio::time::sleep(interval.min(FIRST_WITHIN).mul_f64(fastrand::f64())).await;
        loop {
            let began = clock::now();
            self.check().await;
            let since = || clock::now().saturating_duration_since(began);
            // A little unrest keeps checks that began together from staying together.
            let pause = self.pause().mul_f64(0.95 + 0.1 * fastrand::f64());
            let called = poll_fn(|cx| self.member.node.check_call().poll(cx));
            tokio::select! {
                () = tokio::time::sleep(pause.saturating_sub(since())) => {}
                () = called => tokio::time::sleep(CLOSEST.saturating_sub(since())).await,
            }
        }
    }

    /// From the start of the last check to that of the next, unless one is asked for.
    fn pause(&self) -> Duration {
        let checks = self.member.node.checks();
        let longest = match (checks.health.is_passing(), checks.failure.is_some()) {
            (true, true) | (false, false) => IN_DOUBT,
            (false, true) => WHILE_DOWN,
            (true, false) => Duration::MAX,
        };
        self.settings.interval.min(longest)
    }

    async fn check(&self) {
        let (node, began) = (&self.member.node, clock::millis());
        let asked = async {
            match &self.check {
                Check::Plain(check, target) => check.check(target).await.map_err(|why| reason(&why)),
                Check::Linked(asking) => asking.ask().await,
            }
        };
        let why = match tokio::time::timeout(self.settings.timeout, asked).await {
            Ok(outcome) => outcome.err(),
            Err(_) => Some(format!("no answer within {:?}", self.settings.timeout)),
        };
        let now = clock::millis();
        if let Some(why) = &why
            && self.settings.kind == CheckKind::Tcp
            && node.answered_within(FRESH, now)
        {
            node.noted(why, began);
            return;
        }
        let thresholds = Thresholds { fall: self.settings.fall, rise: self.settings.rise };
        if let Some(transition) = node.checked(why.as_deref(), thresholds, (began, now)) {
            let why = why.as_deref().unwrap_or("checks pass");
            self.observer.node(self.pool.name().as_str(), &self.member.name, transition, &why);
        }
    }
}

/// What went wrong, without the settings of the connection that Pingora tells as well.
fn reason(error: &pingora::Error) -> String {
    match error.etype() {
        ErrorType::HTTPStatus(status) => format!("answered {status}"),
        ErrorType::ConnectTimedout | ErrorType::ReadTimedout => "no answer in time".to_owned(),
        _ => error.root_cause().to_string().trim().to_owned(),
    }
}

fn check(settings: &config::HealthCheck, place: &Place, by_connection: &Plain) -> Option<Plain> {
    match &settings.kind {
        CheckKind::Tcp => Some(Arc::clone(by_connection)),
        // What makes a call is spoken to by a link, which asks itself.
        CheckKind::Grpc { .. } => None,
        CheckKind::Http { path, host, status } => {
            http_check(settings.timeout, place, path, host.as_deref(), status)
        }
    }
}

fn by_connection(settings: &config::HealthCheck) -> Plain {
    let mut check = TcpHealthCheck::new();
    check.peer_template.options.connection_timeout = Some(settings.timeout);
    check.peer_template.options.upstream_tcp_sock_tweak_hook = Some(Arc::new(|socket| {
        leave_early(socket);
        Ok(())
    }));
    Arc::from(check as Box<_>)
}

/// `None` only for a path or host that no request can have, which the configuration does not let through.
fn http_check(
    timeout: Duration,
    place: &Place,
    path: &str,
    host: Option<&str>,
    status: &StatusSet,
) -> Option<Plain> {
    let address = match place {
        Place::Tcp(address) => address.to_string(),
        Place::Unix(_) => "localhost".to_owned(),
    };
    let host = host.unwrap_or(&address);
    let mut request = pingora::http::RequestHeader::build("GET", path.as_bytes(), Some(3)).ok()?;
    request.insert_header("Host", host).ok()?;
    request.insert_header("User-Agent", concat!("bookend/", env!("CARGO_PKG_VERSION"))).ok()?;
    request.insert_header("Connection", "close").ok()?;
    let mut check = HttpHealthCheck::new("localhost", false);
    check.req = request;
    check.peer_template.options.connection_timeout = Some(timeout);
    check.peer_template.options.read_timeout = Some(timeout);
    let expected = status.clone();
    check.validator = Some(Box::new(move |head| {
        let status = head.status.as_u16();
        if expected.contains(status) {
            return Ok(());
        }
        pingora::Error::e_explain(ErrorType::HTTPStatus(status), "not a status that the check expects")
    }));
    Some(Arc::from(check))
}

/// Ends the connection once the node's system has agreed to it: the last step of the handshake is put off, and a reset takes
/// its place. The node's program need not accept what nobody will use, nor say that it was left, and both systems are spared
/// half of the packets. Where an option cannot be set it ends as others do.
fn leave_early(socket: &TcpSocket) {
    let _ = sockopt::set_tcp_quickack(socket, false);
    let _ = sockopt::set_socket_linger(socket, Some(Duration::ZERO));
}

#[cfg(test)]
mod tests {
    use std::net::{SocketAddr, TcpListener};

    use super::*;

    async fn check_by_connection(place: SocketAddr) -> bool {
        let target =
            Backend { addr: address(&Place::Tcp(place)).unwrap(), weight: 1, ext: Extensions::new() };
        by_connection(&config::HealthCheck::default()).check(&target).await.is_ok()
    }

    #[tokio::test]
    async fn check_by_connection_leaves_a_node_nothing_to_accept() {
        const CHECKS: usize = 5;
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        listener.set_nonblocking(true).unwrap();
        for _ in 0..CHECKS {
            assert!(check_by_connection(listener.local_addr().unwrap()).await, "it listens");
        }
        let accepted = std::iter::from_fn(|| listener.accept().ok()).count();
        // On a busy machine one may come to its last step after all.
        assert!(accepted < CHECKS, "all were accepted");
    }

    #[tokio::test]
    async fn check_by_connection_fails_where_nobody_listens() {
        let place = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        assert!(!check_by_connection(place).await);
    }
}
