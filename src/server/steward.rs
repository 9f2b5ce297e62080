//! Doing what signals and operators ask for.

use std::io;
use std::path::PathBuf;
use std::sync::Arc;

use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::{mpsc, oneshot};

use super::ServerError;
use super::service::Service;
use crate::admin::{Serving, Wanted};
use crate::config::Config;
use crate::generation::Current;
use crate::observe::{Observer, OpenError};
use crate::reload::{LoadError, Reloader};

/// Whoever does what is asked for.
pub(super) struct Steward<'a> {
    pub(super) signals: &'a mut Signals,
    pub(super) wanted: &'a mut mpsc::Receiver<Wanted>,
    pub(super) reloader: &'a mut Reloader,
    pub(super) operators: &'a mut Serving,
    pub(super) current: &'a Current,
    pub(super) service: &'a Service,
    pub(super) observer: &'a Arc<Observer>,
}

impl Steward<'_> {
    /// Does what is asked for until a signal asks for the end, which it returns.
    pub(super) async fn follow(self) -> &'static str {
        loop {
            let wish = tokio::select! {
                wish = self.signals.next() => wish,
                Some(wanted) = self.wanted.recv() => match wanted {
                    Wanted::Reload { is_forced, by, answer } => Wish::Reload(is_forced, by, Some(answer)),
                    Wanted::Reopen(answer) => Wish::Reopen(Some(answer)),
                },
            };
            // A file system or a resolver that hangs must not make the process deaf.
            match wish {
                Wish::Stop(stop) => return stop,
                Wish::Reload(is_forced, by, answer) => tokio::select! {
                    outcome = reload(self.reloader, is_forced, &by, self.operators, self.service) => {
                        self.service.has_reloaded(&self.current.load(), outcome.is_ok());
                        // Whoever asked may be gone.
                        let _ = answer.map(|answer| answer.send(outcome));
                    }
                    stop = self.signals.stop() => return stop,
                },
                Wish::Reopen(answer) => tokio::select! {
                    outcome = reopen(self.observer) => {
                        let _ = answer.map(|answer| answer.send(outcome));
                    }
                    stop = self.signals.stop() => return stop,
                },
            }
        }
    }
}

/// Loads the configuration again, for the proxy and for the operator's side.
async fn reload(
    reloader: &mut Reloader,
    is_forced: bool,
    by: &str,
    operators: &mut Serving,
    service: &Service,
) -> Result<u64, Arc<LoadError>> {
    service.is_reloading();
    let prepare = async |config: &Config| {
        operators.prepare(&config.admin).await.map_err(|why| LoadError::Operators(why.into()))
    };
    let (number, prepared) = reloader.reload(is_forced, by, prepare).await?;
    operators.follow(prepared);
    Ok(number)
}

/// Opens the access log anew, for whoever has moved its file away.
async fn reopen(observer: &Arc<Observer>) -> Result<Option<PathBuf>, OpenError> {
    let ours = Arc::clone(observer);
    let reopening = tokio::task::spawn_blocking(move || ours.access_log().reopen()).await;
    let outcome = reopening.unwrap_or_else(|why| Err(OpenError::Thread(io::Error::other(why))));
    match &outcome {
        Ok(Some(file)) => observer.access_log_reopened(&file.display()),
        Ok(None) => {}
        Err(why) => observer.access_log_not_reopened(why),
    }
    outcome
}

/// What the process is asked to do.
enum Wish {
    /// Whether it is forced, who asked, and where the outcome goes that somebody waits for.
    Reload(bool, String, Option<oneshot::Sender<Result<u64, Arc<LoadError>>>>),
    /// Where the outcome goes.
    Reopen(Option<oneshot::Sender<Result<Option<PathBuf>, OpenError>>>),
    Stop(&'static str),
}

/// The signals that ask for something.
pub(super) struct Signals {
    hangup: Signal,
    interrupt: Signal,
    terminate: Signal,
    user1: Signal,
}

impl Signals {
    /// From now on none of them ends the process by itself.
    pub(super) fn new() -> Result<Self, ServerError> {
        let listen = |kind| {
            signal(kind).map_err(|source| ServerError::System { doing: "listening for signals", source })
        };
        Ok(Self {
            hangup: listen(SignalKind::hangup())?,
            interrupt: listen(SignalKind::interrupt())?,
            terminate: listen(SignalKind::terminate())?,
            user1: listen(SignalKind::user_defined1())?,
        })
    }

    async fn next(&mut self) -> Wish {
        tokio::select! {
            _ = self.hangup.recv() => Wish::Reload(false, "SIGHUP".to_owned(), None),
            _ = self.user1.recv() => Wish::Reopen(None),
            _ = self.interrupt.recv() => Wish::Stop("SIGINT"),
            _ = self.terminate.recv() => Wish::Stop("SIGTERM"),
        }
    }

    /// Waits for one that asks for the end.
    pub(super) async fn stop(&mut self) -> &'static str {
        tokio::select! {
            _ = self.interrupt.recv() => "SIGINT",
            _ = self.terminate.recv() => "SIGTERM",
        }
    }
}
