//! The process: its threads, its signals, its beginning and its end.

mod descriptors;
mod pid_file;
mod service;
mod steward;
mod workers;

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use tokio::runtime::{Builder, Runtime};
use tokio::sync::watch;

use self::descriptors::Budget;
use self::pid_file::PidFile;
use self::service::Service;
use self::steward::{Signals, Steward};
use self::workers::{Workers, count_threads};
use crate::admin::{AdminError, Background, Bound, Desk, Phase, Serving};
use crate::announce::Announcer;
use crate::balance::Registry;
use crate::clock;
use crate::config::{self, Config};
use crate::drain::Drains;
use crate::generation::{Current, Generation};
use crate::journal::{Events, Found, Journal, JournalError};
use crate::listen::{FrontDoor, Limits};
use crate::monitor::Monitor;
use crate::observe::Observer;
use crate::passed::{Passed, Unwanted};
use crate::reload::{History, LoadError, Reloader, Source};
use crate::timeline::Timeline;

/// How long a connection that was just accepted has for its first request when the process stops.
const FIRST_READ: Duration = Duration::from_millis(100);

/// How long requests that are cut may take to come to their end.
const LAST_WORDS: Duration = Duration::from_millis(500);

/// How long the last lines of the access log, and then the last events, may take to be written.
const LAST_LINES: Duration = Duration::from_secs(2);

/// Why the process could not go on.
#[derive(Debug, thiserror::Error)]
pub enum ServerError {
    /// The configuration did not come into force.
    #[error(transparent)]
    Load(#[from] LoadError),
    /// The operator's side cannot be where the configuration wants it.
    #[error(transparent)]
    Admin(#[from] AdminError),
    /// The system refused something that nothing works without.
    #[error("{doing}")]
    System {
        /// What was being done.
        doing: &'static str,
        /// Why it did not work.
        source: io::Error,
    },
    /// The metrics could not be set up.
    #[error("setting up the metrics")]
    Metrics(#[from] prometheus::Error),
    /// The process id could not be written.
    #[error("writing the process id to {}", path.display())]
    PidFile {
        /// Where.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
}

/// Runs until a signal ends it.
pub fn run(source: Source) -> Result<(), ServerError> {
    // Before anything opens a file whose number could be taken for one that was passed.
    let passed = Passed::by_systemd()
        .map_err(|source| ServerError::System { doing: "taking what was passed", source })?;
    let config = source.load()?;
    let control = runtime()?;
    let result = control.block_on(serve(source, config, passed));
    // A look-up that hangs in the system's resolver must not keep the process.
    control.shutdown_background();
    result
}

/// A runtime for one thread.
fn runtime() -> Result<Runtime, ServerError> {
    Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|source| ServerError::System { doing: "starting a runtime", source })
}

async fn serve(
    source: Source,
    config: Config,
    (passed, unfit): (Passed, Vec<Unwanted>),
) -> Result<(), ServerError> {
    // Before anything else: the default of these signals is to kill.
    let mut signals = Signals::new()?;
    let observer = Arc::new(Observer::new(clock::millis, clock::steady)?);
    let registry = Arc::new(Registry::default());
    let pid_file = config.server.pid_file.clone();
    let threads = count_threads(config.server.threads);
    let budget = Budget::raise(threads);
    let limits = Arc::new(Limits::new(budget.connections));

    let bound = Bound::new(&config, &observer)?;
    let (journal, events) =
        bound.state_dir().map(|directory| open_journal(directory, &observer)).unwrap_or_default();
    let directory = bound.state_dir().filter(|_| events.is_some());
    let timeline = Arc::new(Timeline::new(Arc::clone(&observer), directory));
    let writing = timeline.run(events);
    observer.started(env!("CARGO_PKG_VERSION"));
    tell_unwanted(&passed, unfit, &config, &observer);
    let history = Arc::new(History::new(&source));
    let (phase, phases) = watch::channel(Phase::Starting);

    let first = Generation::build(config, None, &registry).await.map_err(LoadError::from)?;
    let current = Arc::new(Current::new(first));
    // Before anything that people are told of can happen.
    let announcer = Arc::new(Announcer::start(&current, &observer));
    let ours = (Arc::clone(&current), Arc::clone(&registry), Arc::clone(&observer));
    let drains = Arc::new(Drains::new(journal, ours.0, ours.1, ours.2));
    let _watch = drains.watch();
    let monitor = Arc::new(Monitor::new(Arc::clone(&current), Arc::clone(&observer), timeline.silences()));
    let workers = Workers::start(threads, budget.pooled, &current, &observer)?;
    let door = FrontDoor::new(workers.shards(), passed, Arc::clone(&limits), Arc::clone(&observer));
    let (desk, mut wanted) = Desk::new(
        Arc::clone(&current),
        Arc::clone(&history),
        Arc::clone(&limits),
        Arc::clone(&observer),
        Background { drains, monitor: Arc::clone(&monitor), announcer: Arc::clone(&announcer), timeline },
        phases,
    );
    let mut operators = Serving::start(bound, desk)
        .map_err(|source| ServerError::System { doing: "listening to operators", source })?;
    let mut reloader = Reloader::start(
        source,
        history,
        Arc::clone(&current),
        registry,
        door,
        Arc::clone(&limits),
        Arc::clone(&observer),
    )
    .await?;
    let pid_file = pid_file.map(|path| PidFile::write(path.clone()).map_err(|source| (path, source)));
    let _pid_file = pid_file.transpose().map_err(|(path, source)| ServerError::PidFile { path, source })?;

    // Not before: until the first checks are over nobody knows how the nodes are.
    let _eye = monitor.watch();
    phase.send_replace(Phase::Ready);
    let service = Service::new(Arc::clone(&observer));
    let _watchdog = service.watch(workers.runtimes());
    let becoming_ready = service.will_be_ready(&current);

    let steward = Steward {
        signals: &mut signals,
        wanted: &mut wanted,
        reloader: &mut reloader,
        operators: &mut operators,
        current: &current,
        service: &service,
        observer: &observer,
    };
    let stop = steward.follow().await;
    drop(becoming_ready);
    service.is_stopping();
    phase.send_replace(Phase::Stopping);
    drop(wanted);
    observer.stopping(stop, limits.open());
    let settings = current.load().config().server.clone();
    tokio::select! {
        () = finish(&mut reloader, &workers, &limits, &settings) => {}
        // Whoever asks twice has lost patience.
        _ = signals.stop() => {}
    }
    let cut = limits.open();
    if cut > 0 {
        reloader.cut();
        let _ = tokio::time::timeout(LAST_WORDS, limits.emptied()).await;
    }
    announcer.finish().await;
    write_last_lines(&observer).await;
    observer.stopped(cut);
    writing.finish(LAST_LINES).await;
    Ok(())
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
fn open_journal(directory: &Path, observer: &Observer) -> ((Option<Journal>, Found), Option<Events>) {
    let (journal, found) = Journal::open(directory);
    let events = match &journal {
        Ok(journal) => Some(Events::of(journal)),
        Err(JournalError::File { .. }) => Some(Events::unlocked(directory)),
        Err(JournalError::Taken { .. }) => None,
    };
    let journal = journal.map_err(|why| observer.leases_not_kept(&why.in_full()));
    ((journal.ok(), found), events)
}

/// Lets what is under way finish, for as long as it may take.
async fn finish(reloader: &mut Reloader, workers: &Workers, limits: &Limits, settings: &config::Server) {
    tokio::time::sleep(settings.shutdown_delay).await;
    reloader.close().await;
    if limits.open() > 0 {
        tokio::time::sleep(FIRST_READ).await;
    }
    workers.finish().await;
    let _ = tokio::time::timeout(settings.grace_period, limits.emptied()).await;
}

async fn write_last_lines(observer: &Arc<Observer>) {
    let observer = Arc::clone(observer);
    // A panic there must not keep the process from ending in order.
    let _ = tokio::task::spawn_blocking(move || observer.access_log().finish(LAST_LINES)).await;
}
