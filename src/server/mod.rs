//! The process: its threads, its signals, its beginning and its end.

mod descriptors;
mod legacy;
mod pid_file;
mod predecessor;
mod process;
mod service;
mod steward;
mod successor;
mod upgrade;
mod workers;

use std::io;
use std::path::PathBuf;
use std::time::Duration;

use tokio::runtime::{Builder, Runtime};

use self::legacy::Legacies;
use self::predecessor::Predecessor;
use self::process::Process;
use self::steward::Signals;
use self::successor::Program;
use crate::admin::AdminError;
use crate::passed::{Passed, Unwanted};
use crate::reload::{LoadError, Loaded, Source, in_full};

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

/// How a process begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Beginning {
    /// By itself.
    Alone,
    /// Beside a bookend that started it, at the other end of the standard input, to take over from it.
    TakeOver,
}

/// All that it takes to begin.
struct Start {
    source: Source,
    loaded: Loaded,
    program: Program,
    /// Sockets that were passed, and what else was.
    passed: (Passed, Vec<Unwanted>),
    /// Whom we take over from, and what it knows of the nodes.
    predecessor: Option<(Predecessor, Legacies)>,
}

/// Runs until a signal ends it, or a successor has taken over.
pub fn run(source: Source, beginning: Beginning) -> Result<(), ServerError> {
    let program = Program::as_started()
        .map_err(|source| ServerError::System { doing: "finding out how bookend was started", source })?;
    match beginning {
        Beginning::Alone => {
            // Before anything opens a file whose number could be taken for one that was passed.
            let passed = Passed::by_systemd()
                .map_err(|source| ServerError::System { doing: "taking what was passed", source })?;
            let loaded = source.load(None)?;
            begin(Start { source, loaded, program, passed, predecessor: None })
        }
        Beginning::TakeOver => take_over(source, program),
    }
}

fn take_over(source: Source, program: Program) -> Result<(), ServerError> {
    let failed = |source| ServerError::System { doing: "taking over", source };
    let (predecessor, passed) = Predecessor::meet().map_err(failed)?;
    let result = source.load(None).map_err(ServerError::from).and_then(|loaded| {
        let known = Legacies::parse(&predecessor.relieve().map_err(failed)?);
        let predecessor = Some((predecessor.clone(), known));
        begin(Start { source, loaded, program, passed, predecessor })
    });
    if let Err(why) = &result {
        predecessor.disappoint(&in_full(why));
    }
    result
}

fn begin(start: Start) -> Result<(), ServerError> {
    let control = runtime()?;
    let result = control.block_on(serve(start));
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

async fn serve(start: Start) -> Result<(), ServerError> {
    // Before anything else: the default of these signals is to kill.
    let mut signals = Signals::new()?;
    let program = start.program.clone();
    let mut process = Process::begin(start).await?;
    let end = process.live(&mut signals, program).await;
    process.finish(&mut signals, end).await;
    Ok(())
}
