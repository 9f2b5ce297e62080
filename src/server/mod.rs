//! The process: its threads, its signals, its beginning and its end.

mod workers;

use std::io;
use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use tokio::runtime::{Builder, Runtime};
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::{mpsc, watch};

use self::workers::{Workers, count_threads};
use crate::admin::{AdminError, Bound, Desk, Phase, Serving, Wanted};
use crate::balance::Registry;
use crate::clock;
use crate::config::{self, Config};
use crate::generation::{Current, Generation};
use crate::listen::{FrontDoor, Limits};
use crate::observe::Observer;
use crate::reload::{History, LoadError, Reloader, Source};

/// Descriptors that are not for connections: files, sockets of our own, the runtime.
const RESERVED_DESCRIPTORS: u64 = 256;

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
    let config = source.load()?;
    let control = runtime()?;
    control.block_on(serve(source, config))
}

/// A runtime for one thread.
fn runtime() -> Result<Runtime, ServerError> {
    Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|source| ServerError::System { doing: "starting a runtime", source })
}

async fn serve(source: Source, config: Config) -> Result<(), ServerError> {
    // Before anything else: the default of these signals is to kill.
    let mut signals = Signals::new()?;
    let observer = Arc::new(Observer::new(clock::millis)?);
    let registry = Arc::new(Registry::default());
    let limits = Arc::new(Limits::new(most_connections(&config.server)));
    let pid_file = config.server.pid_file.clone();
    let threads = count_threads(config.server.threads);

    let bound = Bound::new(&config, &observer)?;
    let history = Arc::new(History::new(&source));
    let (phase, phases) = watch::channel(Phase::Starting);

    let first = Generation::build(config, None, &registry).await.map_err(LoadError::from)?;
    let current = Arc::new(Current::new(first));
    let workers = Workers::start(threads, &current, &observer)?;
    let door = FrontDoor::new(workers.shards(), Arc::clone(&limits), Arc::clone(&observer));
    let (desk, mut wanted) = Desk::new(
        Arc::clone(&current),
        Arc::clone(&history),
        Arc::clone(&limits),
        Arc::clone(&observer),
        phases,
    );
    let _admin = Serving::start(bound, desk)
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
    let _pid_file = pid_file.map(PidFile::write).transpose()?;

    phase.send_replace(Phase::Ready);

    let stop = work(&mut signals, &mut wanted, &mut reloader).await;
    phase.send_replace(Phase::Stopping);
    drop(wanted);
    observer.stopping(stop, limits.open());
    let settings = current.load().config().server.clone();
    tokio::select! {
        () = finish(&mut reloader, &workers, &limits, &settings) => {}
        () = signals.stop_again() => {}
    }
    observer.stopped(limits.open());
    Ok(())
}

/// Does what signals and operators ask for, until that is to stop.
async fn work(
    signals: &mut Signals,
    wanted: &mut mpsc::Receiver<Wanted>,
    reloader: &mut Reloader,
) -> &'static str {
    loop {
        tokio::select! {
            wish = signals.next() => match wish {
                // How it ended is told where it happened.
                Wish::Reload => drop(reloader.reload().await),
                Wish::Stop(stop) => return stop,
            },
            Some(Wanted::Reload(answer)) = wanted.recv() => {
                // Whoever asked may be gone.
                let _ = answer.send(reloader.reload().await);
            }
        }
    }
}

/// Lets what is under way finish, for as long as it may take.
async fn finish(reloader: &mut Reloader, workers: &Workers, limits: &Limits, settings: &config::Server) {
    tokio::time::sleep(settings.shutdown_delay).await;
    reloader.close();
    workers.finish().await;
    let _ = tokio::time::timeout(settings.grace_period, limits.emptied()).await;
}

/// What the process is asked to do.
enum Wish {
    Reload,
    Stop(&'static str),
}

struct Signals {
    hangup: Signal,
    interrupt: Signal,
    terminate: Signal,
    /// Kept so that it does not kill: log rotation sends it to whole groups of processes.
    _user1: Signal,
}

impl Signals {
    fn new() -> Result<Self, ServerError> {
        let listen = |kind| {
            signal(kind).map_err(|source| ServerError::System { doing: "listening for signals", source })
        };
        Ok(Self {
            hangup: listen(SignalKind::hangup())?,
            interrupt: listen(SignalKind::interrupt())?,
            terminate: listen(SignalKind::terminate())?,
            _user1: listen(SignalKind::user_defined1())?,
        })
    }

    async fn next(&mut self) -> Wish {
        tokio::select! {
            _ = self.hangup.recv() => Wish::Reload,
            _ = self.interrupt.recv() => Wish::Stop("SIGINT"),
            _ = self.terminate.recv() => Wish::Stop("SIGTERM"),
        }
    }

    /// Returns when somebody who is waiting for the end loses patience.
    async fn stop_again(&mut self) {
        tokio::select! {
            _ = self.interrupt.recv() => {}
            _ = self.terminate.recv() => {}
        }
    }
}

/// Raises the number of descriptors as far as the system lets us, and says how many connections they are good for: each
/// may need one to its client and one to a node.
fn most_connections(settings: &config::Server) -> NonZeroUsize {
    let limit = getrlimit(Resource::Nofile);
    let raised = Rlimit { current: limit.maximum, maximum: limit.maximum };
    let descriptors = match setrlimit(Resource::Nofile, raised) {
        Ok(()) => limit.maximum,
        Err(_) => limit.current,
    };
    let descriptors = descriptors.unwrap_or(u64::from(u32::MAX));
    let possible = descriptors.saturating_sub(RESERVED_DESCRIPTORS) / 2;
    let possible = usize::try_from(possible).ok().and_then(NonZeroUsize::new).unwrap_or(NonZeroUsize::MIN);
    settings.max_connections.map_or(possible, |wanted| wanted.min(possible))
}

/// The file with the process id; removed on drop.
struct PidFile(PathBuf);

impl PidFile {
    fn write(path: PathBuf) -> Result<Self, ServerError> {
        write_id(&path).map_err(|source| ServerError::PidFile { path: path.clone(), source })?;
        Ok(Self(path))
    }
}

fn write_id(path: &Path) -> io::Result<()> {
    std::fs::write(path, format!("{}\n", std::process::id()))
}

impl Drop for PidFile {
    fn drop(&mut self) {
        // Someone may have removed it before us.
        let _ = std::fs::remove_file(&self.0);
    }
}
