//! What happened: every event is written down, and those that belong together become incidents.
//!
//! [`Timeline`] is what others ask; the [`Writer`](writer) listens in the background to all that the observer tells.

mod traffic;
mod writer;

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

use self::writer::Writer;
use crate::clock;
use crate::incident::{Account, Alarms, Event, History, Summary, Turn, post_mortem};
use crate::journal::{Events, read_events};
use crate::observe::Observer;

/// What happened, as far as it is known.
#[derive(Debug)]
pub struct Timeline {
    observer: Arc<Observer>,
    history: Mutex<History>,
    /// The alarms and silences of the process before this one, as they were written down.
    alarms: Alarms,
    trouble: Mutex<Option<String>>,
}

/// The work of writing; without [`Running::finish`] its last events may be lost.
#[derive(Debug)]
pub struct Running {
    stop: oneshot::Sender<()>,
    task: JoinHandle<()>,
}

impl Timeline {
    /// A timeline that knows what is written down in `directory`.
    ///
    /// Blocks on the file system.
    pub fn new(observer: Arc<Observer>, directory: Option<&Path>) -> Self {
        let (history, alarms) = directory.map(|directory| recall(directory, &observer)).unwrap_or_default();
        observer.incidents_open(history.open().count());
        Self { observer, history: Mutex::new(history), alarms, trouble: Mutex::default() }
    }

    /// Takes every event from now on, and writes it to `events`; without them it is known until the process ends.
    pub fn run(self: &Arc<Self>, events: Option<Events>) -> Running {
        // Before this returns somebody listens: nothing that is told after it is missed.
        let heard = self.observer.listen();
        let (stop, stopped) = oneshot::channel();
        let writer = Writer::new(Arc::clone(self), heard, events);
        Running { stop, task: tokio::spawn(writer.run(stopped)) }
    }

    /// The alarms that rang and the silences that somebody asked for when the process before this one ended; some may be over.
    pub fn alarms(&self) -> &Alarms {
        &self.alarms
    }

    /// The incidents, the newest first.
    pub fn incidents(&self) -> Vec<Summary> {
        let now = clock::steady();
        self.history.lock().iter().rev().map(|incident| Summary::of(incident, now)).collect()
    }

    /// The incidents that are not over, the oldest first.
    pub fn open(&self) -> Vec<Summary> {
        let now = clock::steady();
        self.history.lock().open().map(|incident| Summary::of(incident, now)).collect()
    }

    /// All of an incident; `last` is the newest.
    pub fn account(&self, id: &str) -> Option<Account> {
        self.history.lock().find(id).map(|incident| Account::of(incident, clock::steady()))
    }

    /// The post-mortem of an incident, in Markdown; `last` is the newest.
    pub fn post_mortem(&self, id: &str) -> Option<String> {
        self.history.lock().find(id).map(|incident| post_mortem(incident, clock::steady()))
    }

    /// Why events are not written, if they should be and are not.
    pub fn trouble(&self) -> Option<String> {
        self.trouble.lock().clone()
    }

    fn take(&self, event: &Event) {
        let turns = self.history.lock().take(event);
        self.tell(&turns);
    }

    fn pass(&self) {
        let turns = self.history.lock().pass(clock::steady());
        self.tell(&turns);
    }

    fn tell(&self, turns: &[Turn]) {
        for turn in turns {
            let open = self.history.lock().open().count();
            self.observer.incident(turn, open);
        }
    }
}

impl Running {
    /// Writes the last events, for so long at the most.
    pub async fn finish(self, longest: Duration) {
        // If it is gone there is nothing to write.
        let _ = self.stop.send(());
        let _ = tokio::time::timeout(longest, self.task).await;
    }
}

/// What is written down in `directory`.
fn recall(directory: &Path, observer: &Observer) -> (History, Alarms) {
    let (mut history, mut alarms) = (History::default(), Alarms::default());
    let take = |event: Event| {
        // Whoever was there has told of the turns.
        let _ = history.take(&event);
        alarms.recall(&event);
    };
    match read_events(directory, take) {
        Ok(gaps) if gaps.is_none() => {}
        Ok(gaps) => observer.events_damaged(gaps.damaged, gaps.torn, gaps.unknown, gaps.unread),
        Err(why) => observer.events_unread(&why),
    }
    (history, alarms)
}
