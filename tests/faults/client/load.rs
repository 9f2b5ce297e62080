//! The open loop, on a thread of its own.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::{Instant, sleep_until, timeout};

use super::ask::{Answers, Ask};
use super::connection::Connection;
use super::record::{Outcome, Record};
use crate::clock::{self, Moment};
use crate::node::Place;

/// How long a client waits once the load has ended. Longer than any answer takes; what is still missing then is missing.
const PATIENCE: Duration = Duration::from_secs(30);

/// What is sent.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Plan {
    pub(crate) per_second: u32,
    pub(crate) answers: Answers,
    pub(crate) largest: usize,
    pub(crate) seed: u64,
}

/// A running load.
pub(crate) struct Load {
    shared: Arc<Shared>,
    stop: watch::Sender<bool>,
    thread: JoinHandle<()>,
}

struct Shared {
    site: SocketAddr,
    records: Mutex<Vec<Record>>,
    idle: Mutex<Vec<Connection>>,
    /// What is asked for beside the mix, twice a second.
    beside: Mutex<&'static [Place]>,
}

impl Load {
    /// Starts to send to `site`.
    pub(crate) fn start(site: SocketAddr, plan: Plan) -> Self {
        let shared = Arc::new(Shared {
            site,
            records: Mutex::default(),
            idle: Mutex::default(),
            beside: Mutex::default(),
        });
        let (stop, stopped) = watch::channel(false);
        let theirs = Arc::clone(&shared);
        let thread = thread::Builder::new().name("load".into()).spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            runtime.block_on(run(theirs, plan, stopped));
        });
        Self { shared, stop, thread: thread.unwrap() }
    }

    /// Asks for these, too, each twice a second, until told otherwise.
    pub(crate) fn also_ask(&self, places: &'static [Place]) {
        *self.shared.beside.lock().unwrap() = places;
    }

    /// Whether all requests that are `like` this and were due before `until` were sent and have ended.
    pub(crate) fn is_through(&self, until: Moment, like: impl Fn(&Record) -> bool) -> bool {
        let records = self.shared.records.lock().unwrap();
        // On a busy machine, what is due may not have been sent yet.
        let is_sent = records.last().is_some_and(|record| record.scheduled >= until);
        let is_open = |record: &Record| record.end.is_none() && record.scheduled < until && like(record);
        is_sent && !records.iter().any(is_open)
    }

    /// Sends no more, waits for what is under way, and returns what became of every request.
    pub(crate) fn finish(self) -> Vec<Record> {
        self.stop.send_replace(true);
        self.thread.join().unwrap();
        std::mem::take(&mut self.shared.records.lock().unwrap())
    }
}

async fn run(shared: Arc<Shared>, plan: Plan, mut stopped: watch::Receiver<bool>) {
    let mut rng = fastrand::Rng::with_seed(plan.seed);
    let mut under_way = tokio::task::JoinSet::new();
    let pause = Duration::from_secs(1) / plan.per_second;
    let (start, started) = (Instant::now(), clock::now());
    for turn in 0_u32.. {
        let due = start + pause * turn;
        tokio::select! {
            () = sleep_until(due) => {}
            _ = stopped.wait_for(|stop| *stop) => break,
        }
        let scheduled = started + pause * turn;
        let ask = Ask::random(shared.next_id(), plan.answers, plan.largest, &mut rng);
        under_way.spawn(Arc::clone(&shared).send(ask, scheduled));
        if turn.is_multiple_of(plan.per_second / 2) {
            for place in *shared.beside.lock().unwrap() {
                let ask = Ask::of(*place, shared.next_id());
                under_way.spawn(Arc::clone(&shared).send(ask, scheduled));
            }
        }
        while under_way.try_join_next().is_some() {}
    }
    let _ = timeout(PATIENCE, async { while under_way.join_next().await.is_some() {} }).await;
}

impl Shared {
    fn next_id(&self) -> u64 {
        self.records.lock().unwrap().len() as u64
    }

    /// Puts the request on record now, and returns its life.
    fn send(self: Arc<Self>, ask: Ask, scheduled: Moment) -> impl Future<Output = ()> + Send {
        let record = Record {
            ask,
            id: ask.order.id,
            kind: ask.kind,
            place: ask.order.place,
            scheduled,
            delay: clock::now().since(scheduled),
            end: None,
            node: None,
        };
        self.records.lock().unwrap().push(record);
        async move {
            let (outcome, node) = self.ask(&ask).await;
            let mut records = self.records.lock().unwrap();
            let record = &mut records[usize::try_from(ask.order.id).unwrap()];
            (record.end, record.node) = (Some((clock::now(), outcome)), node);
        }
    }

    async fn ask(&self, ask: &Ask) -> (Outcome, Option<String>) {
        let kept = if ask.is_fresh { None } else { self.kept() };
        let mut connection = match kept {
            Some(connection) => connection,
            None => match Connection::open(self.site).await {
                Ok(connection) => connection,
                Err(error) => return (Outcome::NoAnswer(error.to_string()), None),
            },
        };
        let exchange = connection.exchange(ask).await;
        if exchange.keeps && !ask.is_fresh {
            self.idle.lock().unwrap().push(connection);
        }
        (exchange.outcome, exchange.node)
    }

    /// A connection that was used before and has not been ended since.
    fn kept(&self) -> Option<Connection> {
        let mut idle = self.idle.lock().unwrap();
        std::iter::from_fn(|| idle.pop()).find(Connection::is_alive)
    }
}
