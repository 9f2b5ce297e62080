//! The open loop, on a thread of its own.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::{Instant, sleep_until, timeout};

use super::ask::{Ask, Protocol};
use super::connections::Connections;
use super::record::{Outcome, Record};
use crate::clock::{self, Moment};
use crate::node::Place;

/// How long a client waits once the load has ended. Longer than any answer takes; what is still missing then is missing.
const PATIENCE: Duration = Duration::from_secs(30);

/// How far apart what is asked for beside the script is.
const BESIDE: Duration = Duration::from_millis(500);

/// What is sent, and when.
pub(crate) trait Script: Send + 'static {
    /// When the next request is due, counted from the start.
    fn due(&mut self) -> Duration;

    /// That request.
    fn ask(&mut self, id: u64) -> Ask;

    /// How long the client of the next request waits for an answer before it leaves.
    fn patience(&mut self) -> Duration;
}

/// A running load.
pub(crate) struct Load {
    shared: Arc<Shared>,
    stop: watch::Sender<bool>,
    thread: JoinHandle<()>,
}

struct Shared {
    connections: Connections,
    records: Mutex<Vec<Record>>,
    /// What is asked for beside the script, twice a second, and what its clients speak.
    beside: Mutex<(&'static [Place], Protocol)>,
}

impl Load {
    /// Starts to send to `site`.
    pub(crate) fn start(site: SocketAddr, script: impl Script) -> Self {
        let shared = Arc::new(Shared {
            connections: Connections::new(site),
            records: Mutex::default(),
            beside: Mutex::new((&[], Protocol::Http1)),
        });
        let (stop, stopped) = watch::channel(false);
        let theirs = Arc::clone(&shared);
        let thread = thread::Builder::new().name("load".into()).spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            runtime.block_on(run(theirs, script, stopped));
        });
        Self { shared, stop, thread: thread.unwrap() }
    }

    /// Asks for these, too, each twice a second, until told otherwise.
    pub(crate) fn also_ask(&self, places: &'static [Place], by: Protocol) {
        *self.shared.beside.lock().unwrap() = (places, by);
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

async fn run(shared: Arc<Shared>, mut script: impl Script, mut stopped: watch::Receiver<bool>) {
    let mut under_way = tokio::task::JoinSet::new();
    let (start, started) = (Instant::now(), clock::now());
    let mut beside = Duration::ZERO;
    loop {
        let due = script.due();
        tokio::select! {
            () = sleep_until(start + due) => {}
            _ = stopped.wait_for(|stop| *stop) => break,
        }
        let scheduled = started + due;
        let ask = script.ask(shared.next_id());
        under_way.spawn(Arc::clone(&shared).send(ask, scheduled, script.patience()));
        if due >= beside {
            beside += BESIDE;
            let (places, by) = *shared.beside.lock().unwrap();
            for place in places {
                let ask = Ask::of(*place, shared.next_id(), by);
                under_way.spawn(Arc::clone(&shared).send(ask, scheduled, script.patience()));
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
    fn send(
        self: Arc<Self>,
        ask: Ask,
        scheduled: Moment,
        patience: Duration,
    ) -> impl Future<Output = ()> + Send {
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
            let answered = timeout(patience, self.connections.ask(&ask)).await;
            let (outcome, node) = answered.unwrap_or((Outcome::Unanswered, None));
            let mut records = self.records.lock().unwrap();
            let record = &mut records[usize::try_from(ask.order.id).unwrap()];
            (record.end, record.node) = (Some((clock::now(), outcome)), node);
        }
    }
}
