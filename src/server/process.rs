//! All that makes up a process that serves, from its beginning to its end.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{mpsc, watch};

use super::descriptors::Budget;
use super::pid_file::PidFile;
use super::predecessor::close_the_rest;
use super::service::{Service, checked_once};
use super::steward::{End, Signals, Steward};
use super::successor::Program;
use super::upgrade::Estate;
use super::workers::{Workers, count_threads};
use super::{LAST_LINES, ServerError, Start};
use crate::admin::{Background, Bound, Desk, Phase, Serving, Wanted};
use crate::announce::Announcer;
use crate::balance::Registry;
use crate::clock;
use crate::config::{self, Config};
use crate::drain::{Drains, Watch};
use crate::generation::{Current, Generation};
use crate::journal::{Events, Found, Journal, JournalError};
use crate::listen::{FrontDoor, Limits};
use crate::monitor::Monitor;
use crate::observe::Observer;
use crate::passed::{Passed, Unwanted};
use crate::reload::{History, LoadError, Loaded, Reloader};
use crate::timeline::{Running, Timeline};

/// How long a connection that was just accepted has for its first request when the process stops.
const FIRST_READ: Duration = Duration::from_millis(100);

/// How long clients that are idle may take to send the request whose answer tells them to go to the successor.
const IDLE: Duration = Duration::from_secs(5);

/// How long requests that are cut may take to come to their end.
const LAST_WORDS: Duration = Duration::from_millis(500);

/// A process that serves.
pub(super) struct Process {
    observer: Arc<Observer>,
    current: Arc<Current>,
    limits: Arc<Limits>,
    workers: Workers,
    reloader: Reloader,
    operators: Serving,
    wanted: mpsc::Receiver<Wanted>,
    phase: watch::Sender<Phase>,
    announcer: Arc<Announcer>,
    monitor: Arc<Monitor>,
    drains: Arc<Drains>,
    watch_over_leases: Watch,
    memory: Memory,
    pid_file: Option<PidFile>,
}

/// What happened, and where it is written down.
struct Memory {
    timeline: Arc<Timeline>,
    writing: Option<Running>,
    /// Where events go that have no journal to go to.
    unlocked: Option<PathBuf>,
}

impl Process {
    /// Begins to serve; where there is a predecessor it has left everything to us when this returns.
    pub(super) async fn begin(start: Start) -> Result<Self, ServerError> {
        let Start { source, loaded, passed: (passed, unfit), predecessor, .. } = start;
        let Loaded { config, tls, out_of_date } = loaded;
        let observer = Arc::new(Observer::new(clock::millis, clock::steady)?);
        let (registry, passed) = (Arc::new(Registry::default()), Arc::new(passed));
        let pid_file = config.server.pid_file.clone();
        let threads = count_threads(config.server.threads);
        let budget = Budget::raise(threads);
        let limits = Arc::new(Limits::new(budget.connections));

        let bound = Bound::new(&config, &passed, &observer)?;
        let (journal, memory) = remember(&bound, &observer);
        observer.started(env!("CARGO_PKG_VERSION"));
        // Better than no site at all: whoever comes is warned, and so is who reads this.
        out_of_date.iter().flatten().for_each(|problem| observer.certificate_out_of_date(problem));
        tell_unwanted(&passed, unfit, &config, &observer);
        let history = Arc::new(History::new(&source));
        let (phase, phases) = watch::channel(Phase::Starting);

        let first = Generation::build(config, None, &registry, &tls).await.map_err(LoadError::from)?;
        let (predecessor, mut known) = predecessor.unzip();
        known.iter().for_each(|known| known.resume(&tls));
        known.iter_mut().for_each(|known| known.tell(&first));
        let current = Arc::new(Current::new(first, tls));
        // Before anything that people are told of can happen.
        let announcer = Arc::new(Announcer::start(&current, &observer));
        let ours = (Arc::clone(&current), Arc::clone(&registry), Arc::clone(&observer));
        let drains = Arc::new(Drains::new(journal, ours.0, ours.1, ours.2));
        let watch_over_leases = drains.watch();
        let alarms = memory.timeline.alarms();
        let monitor = Arc::new(Monitor::new(Arc::clone(&current), Arc::clone(&observer), alarms));
        let workers = Workers::start(threads, budget.pooled, &current, &observer)?;
        let ours = (Arc::clone(&passed), Arc::clone(&limits), Arc::clone(&observer));
        let door = FrontDoor::new(workers.shards(), ours.0, ours.1, ours.2);
        let background = Background {
            drains: Arc::clone(&drains),
            monitor: Arc::clone(&monitor),
            announcer: Arc::clone(&announcer),
            timeline: Arc::clone(&memory.timeline),
        };
        let ours = (Arc::clone(&current), Arc::clone(&history), Arc::clone(&limits), Arc::clone(&observer));
        let (desk, wanted) = Desk::new(ours.0, ours.1, ours.2, ours.3, background, phases);
        let mut operators = Serving::start(bound, desk)
            .map_err(|source| ServerError::System { doing: "listening to operators", source })?;
        let ours = (Arc::clone(&current), Arc::clone(&limits), Arc::clone(&observer));
        let mut reloader = Reloader::start(source, history, ours.0, registry, door, ours.1, ours.2).await?;
        // Those that had to be looked up first.
        known.iter_mut().for_each(|known| known.tell(&current.load()));
        if let Some(predecessor) = predecessor {
            checked_once(&current).await;
            predecessor.succeed().await;
            reloader.leave(false);
            operators.leave(false);
            close_the_rest(&passed, &observer);
        }
        // Not before: a successor that fails must not have written it.
        let pid_file = pid_file.map(|path| PidFile::write(path.clone()).map_err(|source| (path, source)));
        let pid_file =
            pid_file.transpose().map_err(|(path, source)| ServerError::PidFile { path, source })?;
        Ok(Self {
            observer,
            current,
            limits,
            workers,
            reloader,
            operators,
            wanted,
            phase,
            announcer,
            monitor,
            drains,
            watch_over_leases,
            memory,
            pid_file,
        })
    }

    /// Serves until it has nothing more to do than to finish.
    pub(super) async fn live(&mut self, signals: &mut Signals, program: Program) -> End {
        // Not before: until the first checks are over nobody knows how the nodes are.
        let _eye = self.monitor.watch();
        self.phase.send_replace(Phase::Ready);
        let service = Service::new(Arc::clone(&self.observer));
        let _watchdog = service.watch(self.workers.runtimes());
        let _becoming_ready = service.will_be_ready(&self.current);
        let steward = Steward {
            signals,
            wanted: &mut self.wanted,
            estate: Estate {
                program,
                current: &self.current,
                reloader: &mut self.reloader,
                operators: &mut self.operators,
                drains: &self.drains,
                timeline: &self.memory.timeline,
                writing: &mut self.memory.writing,
                unlocked: self.memory.unlocked.clone(),
                observer: &self.observer,
            },
            current: &self.current,
            service: &service,
            observer: &self.observer,
        };
        let end = steward.follow().await;
        if matches!(end, End::Stop(_)) {
            service.is_stopping();
        }
        end
    }

    /// Lets what is under way finish, and ends.
    pub(super) async fn finish(mut self, signals: &mut Signals, end: End) {
        self.phase.send_replace(Phase::Stopping);
        drop(self.wanted);
        match end {
            End::Stop(stop) => self.observer.stopping(stop, self.limits.open()),
            End::HandedOver(process) => {
                // The leases, as all else, are the successor's now.
                drop(self.watch_over_leases);
                self.reloader.leave(true);
                self.observer.handed_over(process, self.limits.open());
            }
        }
        let settings = self.current.load().config().server.clone();
        tokio::select! {
            () = finish(&mut self.reloader, &self.limits, &settings, &end) => {}
            // Whoever asks twice has lost patience.
            _ = signals.stop() => {}
        }
        let cut = self.limits.open();
        if cut > 0 {
            self.reloader.cut();
            let _ = tokio::time::timeout(LAST_WORDS, self.limits.emptied()).await;
        }
        self.announcer.finish().await;
        write_last_lines(&self.observer).await;
        self.observer.stopped(cut);
        if let Some(writing) = self.memory.writing {
            writing.finish(LAST_LINES).await;
        }
        drop(self.pid_file);
    }
}

/// Opens the journal, and begins to write down what happens.
fn remember(bound: &Bound, observer: &Arc<Observer>) -> ((Option<Journal>, Found), Memory) {
    let (journal, events) = bound.state_dir().map(open_journal).unwrap_or_default();
    let directory = bound.state_dir().filter(|_| events.is_some());
    let timeline = Arc::new(Timeline::new(Arc::clone(observer), directory));
    let writing = Some(timeline.run(events));
    (journal, Memory { timeline, writing, unlocked: directory.map(Path::to_owned) })
}

/// Tells of sockets that were passed for nothing.
fn tell_unwanted(passed: &Passed, unfit: Vec<Unwanted>, config: &Config, observer: &Observer) {
    let is_wanted = |address: &_| config.listeners.iter().any(|listener| listener.address == *address);
    for Unwanted { name, what } in passed.unwanted(is_wanted).into_iter().chain(unfit) {
        observer.passed_in_vain(&name, &what);
    }
}

/// The journal in `directory` with what it holds, and where events go; without one bookend forgets at its end what it was
/// asked for, and what happened.
fn open_journal(directory: &Path) -> ((Option<Journal>, Found), Option<Events>) {
    let (journal, found) = Journal::open(directory);
    let events = match (&journal, &found.trouble) {
        (Some(journal), _) => Some(Events::of(journal)),
        (None, Some(JournalError::Taken { .. })) => None,
        (None, Some(JournalError::File { .. }) | None) => Some(Events::unlocked(directory)),
    };
    ((journal, found), events)
}

/// Lets what is under way finish, for as long as it may take.
async fn finish(reloader: &mut Reloader, limits: &Limits, settings: &config::Server, end: &End) {
    match end {
        End::Stop(_) => {
            tokio::time::sleep(settings.shutdown_delay).await;
            reloader.close().await;
            if limits.open() > 0 {
                tokio::time::sleep(FIRST_READ).await;
            }
        }
        End::HandedOver(_) => {
            reloader.close().await;
            // Whoever asked for it gets to read what came of it.
            tokio::time::sleep(FIRST_READ).await;
            // Clients hear with their next answer that it is the last here. Whoever is idle for longer may as well be
            // about to send a request when the connection is closed as it would be at the end of any other wait.
            let _ = tokio::time::timeout(settings.grace_period.min(IDLE), limits.emptied()).await;
        }
    }
    reloader.end_idle();
    let _ = tokio::time::timeout(settings.grace_period, limits.emptied()).await;
}

async fn write_last_lines(observer: &Arc<Observer>) {
    let observer = Arc::clone(observer);
    // A panic there must not keep the process from ending in order.
    let _ = tokio::task::spawn_blocking(move || observer.access_log().finish(LAST_LINES)).await;
}
