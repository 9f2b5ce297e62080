//! Checking a pool's nodes: each in a rhythm of its own, by a connection, a request or a call.

use std::collections::HashMap;
use std::future::poll_fn;
use std::sync::Arc;
use std::time::Duration;

use pingora::ErrorType;
use pingora_load_balancing::health_check::{HealthCheck, HttpHealthCheck};
use pingora_load_balancing::{Backend, Extensions};
use tokio::task::{AbortHandle, JoinSet};

use super::asking::Asking;
use super::knock::knock;
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

/// How a node is asked.
enum Check {
    /// By a connection, which is all that is wanted of it.
    Connection,
    /// By a request of Pingora's.
    Request(Box<HttpHealthCheck>, Box<Backend>),
    /// By its own link, as requests reach it.
    Link(Asking),
}

/// Checks the nodes of `pool`, and those that join it, until dropped.
pub(super) async fn run(pool: Arc<Pool>, links: Arc<Links>, observer: Arc<Observer>) {
    let mut changes = pool.watch();
    let mut tasks = JoinSet::new();
    let mut running: HashMap<Place, AbortHandle> = HashMap::new();
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
            if let Some(watcher) = Watcher::new(&pool, &links, member, &observer) {
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
    fn new(pool: &Arc<Pool>, links: &Links, member: &Arc<Member>, observer: &Arc<Observer>) -> Option<Self> {
        let Some(settings) = pool.settings().health_check.clone() else {
            if let Some(transition) = member.node.unchecked() {
                observer.node(pool.name().as_str(), &member.name, transition, &"no longer checked");
            }
            return None;
        };
        let place = member.node.place();
        let check = match (links.of(pool.name(), &member.name), &settings.kind) {
            (Some(link), _) => Check::Link(Asking::new(Arc::clone(link), place, &settings)),
            (None, CheckKind::Tcp) => Check::Connection,
            (None, CheckKind::Http { path, host, status }) => {
                let target = Backend { addr: address(place)?, weight: 1, ext: Extensions::new() };
                let check = http_check(settings.timeout, place, path, host.as_deref(), status)?;
                Check::Request(check, Box::new(target))
            }
            // What makes a call is spoken to by a link.
            (None, CheckKind::Grpc { .. }) => return None,
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
                Check::Connection => knock(node.place()).await.map_err(|why| why.to_string()),
                Check::Request(check, target) => check.check(target).await.map_err(|why| reason(&why)),
                Check::Link(asking) => asking.ask().await,
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

/// `None` only for a path or host that no request can have, which the configuration does not let through.
fn http_check(
    timeout: Duration,
    place: &Place,
    path: &str,
    host: Option<&str>,
    status: &StatusSet,
) -> Option<Box<HttpHealthCheck>> {
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
    Some(Box::new(check))
}
