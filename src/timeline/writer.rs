//! The work in the background: hear, write down, look at the traffic, and see what is over.

use std::collections::{HashSet, VecDeque};
use std::future::pending;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinHandle;

use super::Timeline;
use super::traffic::Traffic;
use crate::clock;
use crate::incident::{Event, What};
use crate::journal::{Appended, Events};

/// How often it is looked whether something is due.
const TICK: Duration = Duration::from_millis(250);

/// From one write to the next, in milliseconds, unless a person waits.
const PAUSE: u64 = 1_000;

/// From a write that failed to the next, in milliseconds.
const AGAIN: u64 = 5_000;

/// Events that may wait to be written.
const MOST_WAITING: usize = 10_000;

/// Events that are written at once.
const MOST_AT_ONCE: usize = 1_000;

/// Hears events and writes them.
pub(super) struct Writer {
    timeline: Arc<Timeline>,
    heard: mpsc::Receiver<Event>,
    /// `None` while they are being written to, and where nothing is.
    events: Option<Events>,
    writing: Option<JoinHandle<(Events, Appended)>>,
    is_kept: bool,
    waiting: VecDeque<Event>,
    is_urgent: bool,
    /// When writing last began, and when it last failed, in milliseconds of the clock.
    wrote: u64,
    failed: Option<u64>,
    lost: u64,
    traffic: Traffic,
}

impl Writer {
    pub(super) fn new(timeline: Arc<Timeline>, heard: mpsc::Receiver<Event>, events: Option<Events>) -> Self {
        Self {
            timeline,
            heard,
            is_kept: events.is_some(),
            events,
            writing: None,
            waiting: VecDeque::new(),
            is_urgent: false,
            wrote: 0,
            failed: None,
            lost: 0,
            traffic: Traffic::default(),
        }
    }

    /// Works until `stopped`, and then writes what there still is.
    pub(super) async fn run(mut self, mut stopped: oneshot::Receiver<()>) {
        let mut tick = tokio::time::interval(TICK);
        loop {
            tokio::select! {
                biased;
                _ = &mut stopped => break,
                outcome = finished(&mut self.writing) => self.written(outcome),
                Some(event) = self.heard.recv() => self.take(event),
                _ = tick.tick() => {
                    self.timeline.pass();
                    self.look(false);
                }
            }
            self.write_if_due();
        }
        self.finish().await;
    }

    async fn finish(&mut self) {
        self.look(true);
        // What is told of the last events is heard as well.
        while let Ok(event) = self.heard.try_recv() {
            self.take(event);
        }
        loop {
            if self.writing.is_some() {
                let outcome = finished(&mut self.writing).await;
                self.written(outcome);
            }
            if self.waiting.is_empty() || self.failed.is_some() || self.events.is_none() {
                return;
            }
            self.write();
        }
    }

    fn take(&mut self, event: Event) {
        self.timeline.take(&event);
        if !self.is_kept {
            return;
        }
        self.is_urgent |= is_urgent(&event.what);
        if self.waiting.len() >= MOST_WAITING {
            self.waiting.pop_front();
            self.lost += 1;
        }
        self.waiting.push_back(event);
    }

    /// Tells what became of the requests, if it is time to.
    fn look(&mut self, is_last: bool) {
        let now = clock::millis();
        if !is_last && !self.traffic.is_due(now) {
            return;
        }
        let observer = &self.timeline.observer;
        let open: HashSet<String> = self.timeline.history.lock().open().map(|i| i.pool.clone()).collect();
        for (pool, news) in self.traffic.look(&observer.metrics().tally(), &open, is_last, now) {
            observer.traffic(&pool, news);
        }
    }

    fn write_if_due(&mut self) {
        let now = clock::millis();
        let is_calm = now.saturating_sub(self.wrote) >= PAUSE;
        let may_try = self.failed.is_none_or(|failed| now.saturating_sub(failed) >= AGAIN);
        if !self.waiting.is_empty() && may_try && (is_calm || self.is_urgent) {
            self.write();
        }
    }

    /// Begins to write, unless that is under way.
    fn write(&mut self) {
        let Some(mut events) = self.events.take() else { return };
        let some: Vec<Event> = self.waiting.iter().take(MOST_AT_ONCE).cloned().collect();
        (self.wrote, self.is_urgent) = (clock::millis(), false);
        self.writing = Some(tokio::task::spawn_blocking(move || {
            let appended = events.append(&some);
            (events, appended)
        }));
    }

    /// Takes back what was lent for writing. If the thread is gone, so are the events, and it is said.
    fn written(&mut self, outcome: Option<(Events, Appended)>) {
        let observer = &self.timeline.observer;
        let Some((events, Appended { count, failure })) = outcome else {
            (self.is_kept, self.failed) = (false, Some(clock::millis()));
            self.waiting.clear();
            let why = "the thread that wrote them is gone";
            observer.events_not_written(&why, true);
            *self.timeline.trouble.lock() = Some(why.to_owned());
            return;
        };
        self.events = Some(events);
        self.waiting.drain(..count.min(self.waiting.len()));
        observer.events_written(count, self.waiting.len());
        match failure {
            Some(failure) => {
                let why = failure.in_full();
                observer.events_not_written(&why, self.failed.is_none());
                self.failed = Some(clock::millis());
                *self.timeline.trouble.lock() = Some(why);
            }
            None => {
                if self.failed.take().is_some() {
                    observer.events_written_again(std::mem::take(&mut self.lost));
                    *self.timeline.trouble.lock() = None;
                }
                self.is_urgent |= self.waiting.len() >= MOST_AT_ONCE;
            }
        }
    }
}

/// What came of writing; it never comes if nothing is written, and is `None` if the thread broke.
async fn finished(writing: &mut Option<JoinHandle<(Events, Appended)>>) -> Option<(Events, Appended)> {
    let outcome = match writing {
        Some(handle) => handle.await.ok(),
        None => pending().await,
    };
    *writing = None;
    outcome
}

/// What people did is written at once.
fn is_urgent(what: &What) -> bool {
    matches!(
        what,
        What::Drained { .. }
            | What::Renewed { .. }
            | What::Undrained { .. }
            | What::Silenced { .. }
            | What::Reloaded { .. }
            | What::Started { .. }
            | What::Stopped
    )
}
