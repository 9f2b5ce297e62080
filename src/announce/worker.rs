//! The work for one target: its messages one after another, each until it has arrived or has failed for good.

use std::sync::Arc;
use std::time::Duration;

use fastrand::Rng;
use parking_lot::Mutex;
use tokio::sync::{Notify, watch};
use tokio::task::JoinHandle;

use super::line::Line;
use super::message::Message;
use super::pace::pause;
use super::target::Target;
use crate::observe::{Announced, Observer};

/// The work for one target; it ends on drop.
#[derive(Debug)]
pub(super) struct Worker {
    name: String,
    observer: Arc<Observer>,
    waiting: Arc<Waiting>,
    target: watch::Sender<Arc<Target>>,
    task: Option<JoinHandle<()>>,
}

/// The messages that wait.
#[derive(Debug, Default)]
struct Waiting {
    line: Mutex<Line>,
    /// Called when there is another message, and when the process ends.
    called: Notify,
}

/// What the task of a worker has.
struct Round {
    name: String,
    observer: Arc<Observer>,
    waiting: Arc<Waiting>,
    target: watch::Receiver<Arc<Target>>,
    stop: watch::Receiver<bool>,
    rng: Rng,
    /// Whether the last attempt failed.
    is_failing: bool,
}

impl Worker {
    /// Takes up the work for `target`. Once it is told to `stop` it tries each message that waits once more, and ends.
    pub(super) fn start(target: Target, observer: Arc<Observer>, stop: watch::Receiver<bool>) -> Self {
        let (name, waiting) = (target.name().to_owned(), Arc::<Waiting>::default());
        observer.announces_to(&name);
        let (sender, receiver) = watch::channel(Arc::new(target));
        let round = Round {
            name: name.clone(),
            observer: Arc::clone(&observer),
            waiting: Arc::clone(&waiting),
            target: receiver,
            stop,
            rng: Rng::new(),
            is_failing: false,
        };
        Self { name, observer, waiting, target: sender, task: Some(tokio::spawn(round.run())) }
    }

    /// What the target is called.
    pub(super) fn name(&self) -> &str {
        &self.name
    }

    /// The same work for a target that is called the same; what waits goes there, and at once.
    pub(super) fn follow(self, target: Target) -> Self {
        self.target.send_replace(Arc::new(target));
        self
    }

    /// Has the target told, after what waits for it already.
    pub(super) fn tell(&self, message: &Arc<Message>) {
        let left_out = self.waiting.line.lock().push(Arc::clone(message));
        self.observer.announcements_left_out(&self.name, left_out.superseded, left_out.dropped);
        self.waiting.called.notify_one();
    }

    /// Waits until the work has ended, which it does once it is told to stop.
    pub(super) async fn finish(mut self) {
        self.waiting.called.notify_one();
        // It stays where a drop finds it.
        if let Some(task) = self.task.as_mut() {
            let _ = task.await;
        }
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        if let Some(task) = &self.task {
            task.abort();
        }
    }
}

impl Round {
    async fn run(mut self) {
        loop {
            let next = self.waiting.line.lock().take();
            match next {
                Some(message) => self.deliver(&message).await,
                None if *self.stop.borrow() => return,
                None => self.waiting.called.notified().await,
            }
        }
    }

    async fn deliver(&mut self, message: &Message) {
        let mut attempts = 0;
        loop {
            let target = Arc::clone(&self.target.borrow_and_update());
            attempts += 1;
            let trouble = match target.tell(message).await {
                Ok(_) => return self.arrived(),
                Err(trouble) => trouble,
            };
            let asked = trouble.again.filter(|_| attempts < target.attempts() && !*self.stop.borrow());
            let Some(asked) = asked else {
                self.is_failing = true;
                let told = Announced { to: &self.name, event: message.event, pool: message.pool.as_deref() };
                return self.observer.announcement_failed(&told, attempts, &trouble.why);
            };
            if !std::mem::replace(&mut self.is_failing, true) {
                self.observer.announcing_falters(&self.name, &trouble.why);
            }
            let pause = pause(attempts, Some(asked), &mut self.rng);
            if self.rest(pause).await {
                attempts = 0;
            }
        }
    }

    fn arrived(&mut self) {
        self.observer.announced(&self.name);
        if std::mem::take(&mut self.is_failing) {
            self.observer.announcing_works_again(&self.name);
        }
    }

    /// Waits for `time`, or until there is reason to try at once; returns whether the target is another one by then.
    async fn rest(&mut self, time: Duration) -> bool {
        tokio::select! {
            () = tokio::time::sleep(time) => false,
            changed = self.target.changed() => changed.is_ok(),
            () = stopped(&mut self.stop) => false,
        }
    }
}

/// Waits for the end of the process.
pub(super) async fn stopped(stop: &mut watch::Receiver<bool>) {
    let _ = stop.wait_for(|is_stopped| *is_stopped).await;
}
