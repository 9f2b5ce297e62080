//! Telling people what goes wrong: webhooks and a command, each in its own time.
//!
//! One task listens to the feed of events and makes messages ([`message`]) of those that people want to hear of. Each target
//! has a line of its own ([`line`](mod@line)) and a task that empties it ([`worker`]), so that one that is slow delays no
//! other, and nothing here is ever in the way of a request. What a target says ([`target`]) decides what comes next: the next
//! message, the same one after a while ([`pace`]), or a line in the log that telling has failed.

mod certificates;
mod command;
mod connection;
mod line;
mod message;
mod pace;
mod signature;
mod target;
mod webhook;
mod worker;

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use tokio::sync::{mpsc, watch};
use tokio::task::{JoinHandle, JoinSet};

use self::certificates::Trust;
use self::message::{Message, Messages};
use self::worker::Worker;
use crate::clock;
use crate::generation::{Current, Generation};
use crate::incident::Event;
use crate::observe::Observer;

/// How long the last messages may take when the process ends.
const LAST_WORDS: Duration = Duration::from_secs(1);

/// How long a test may take: the command may have to wait until it has ended for somebody else.
const LONGEST_TEST: Duration = Duration::from_secs(25);

/// Tells people, until it is dropped.
#[derive(Debug)]
pub struct Announcer {
    current: Arc<Current>,
    /// The command runs once at a time, also while it is tested.
    turn: Arc<tokio::sync::Mutex<()>>,
    stop: watch::Sender<bool>,
    task: Mutex<Option<JoinHandle<()>>>,
}

/// What became of a test message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tested {
    /// What the target is called in the configuration.
    pub to: String,
    /// Where it is, without what may be secret.
    pub place: String,
    /// What it said, or why it could not be told.
    pub outcome: Result<String, String>,
    /// How long that took.
    pub took: Duration,
}

impl Announcer {
    /// Tells whoever the configuration in force names of what happens from now on, on the runtime that this is called on.
    pub fn start(current: &Arc<Current>, observer: &Arc<Observer>) -> Self {
        let (stop, stopped) = watch::channel(false);
        let turn = Arc::default();
        let desk = Desk {
            current: Arc::clone(current),
            observer: Arc::clone(observer),
            turn: Arc::clone(&turn),
            messages: Messages::default(),
            generation: 0,
            workers: HashMap::new(),
            stop: stopped,
        };
        let task = tokio::spawn(desk.run(observer.listen()));
        Self { current: Arc::clone(current), turn, stop, task: Mutex::new(Some(task)) }
    }

    /// A message to everybody at once that says that it is a test; each is tried once.
    pub async fn test(&self) -> Vec<Tested> {
        let generation = self.current.load();
        let trust = Trust::for_those(&generation).await;
        let message = Arc::new(Messages::default().test(clock::wall()));
        let mut tests = JoinSet::new();
        for (number, target) in target::all(&generation, &trust, &self.turn).into_iter().enumerate() {
            let message = Arc::clone(&message);
            tests.spawn(async move { (number, target.test(&message, LONGEST_TEST).await) });
        }
        let mut tested = tests.join_all().await;
        tested.sort_by_key(|(number, _)| *number);
        tested.into_iter().map(|(_, tested)| tested).collect()
    }

    /// Tries for a moment to tell what has not been told yet, and ends.
    pub async fn finish(&self) {
        self.stop.send_replace(true);
        let task = self.task.lock().take();
        let Some(mut task) = task else { return };
        if tokio::time::timeout(LAST_WORDS, &mut task).await.is_err() {
            task.abort();
            // A command that still runs is killed as this ends.
            let _ = task.await;
        }
    }
}

impl Drop for Announcer {
    fn drop(&mut self) {
        if let Some(task) = self.task.lock().as_ref() {
            task.abort();
        }
    }
}

/// Who makes messages of events and hands them on.
struct Desk {
    current: Arc<Current>,
    observer: Arc<Observer>,
    turn: Arc<tokio::sync::Mutex<()>>,
    messages: Messages,
    /// The number of the generation that `workers` follow.
    generation: u64,
    workers: HashMap<String, Worker>,
    stop: watch::Receiver<bool>,
}

impl Desk {
    async fn run(mut self, mut events: mpsc::Receiver<Event>) {
        let mut stop = self.stop.clone();
        self.follow().await;
        loop {
            tokio::select! {
                biased;
                event = events.recv() => match event {
                    Some(event) => self.hear(&event).await,
                    None => break,
                },
                () = worker::stopped(&mut stop) => break,
            }
        }
        // What was published before the stop is still told.
        while let Ok(event) = events.try_recv() {
            self.hear(&event).await;
        }
        let mut last: JoinSet<()> = self.workers.drain().map(|(_, worker)| worker.finish()).collect();
        while last.join_next().await.is_some() {}
    }

    async fn hear(&mut self, event: &Event) {
        self.follow().await;
        let Some(message) = self.messages.of(event, clock::steady(), clock::wall()) else { return };
        let message: Arc<Message> = Arc::new(message);
        for worker in self.workers.values() {
            worker.tell(&message);
        }
    }

    /// Follows the configuration in force. A reload is an event itself, so this is never late.
    async fn follow(&mut self) {
        let generation: Arc<Generation> = self.current.load();
        if self.generation == generation.number() {
            return;
        }
        self.generation = generation.number();
        let trust = Trust::for_those(&generation).await;
        let mut before = std::mem::take(&mut self.workers);
        for target in target::all(&generation, &trust, &self.turn) {
            let worker = match before.remove(target.name()) {
                Some(worker) => worker.follow(target),
                None => Worker::start(target, Arc::clone(&self.observer), self.stop.clone()),
            };
            self.workers.insert(worker.name().to_owned(), worker);
        }
    }
}
