//! Doing what signals and operators ask for.

use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::{mpsc, oneshot};
use tokio::time::MissedTickBehavior;

use super::ServerError;
use super::service::Service;
use super::upgrade::Estate;
use crate::admin::Wanted;
use crate::config::Config;
use crate::generation::Current;
use crate::handover::{UpgradeError, Word};
use crate::observe::{Observer, OpenError};
use crate::reload::{LoadError, in_full};

/// How often the files of certificates are looked at.
const LOOK_AT_FILES: Duration = Duration::from_secs(2);

/// Why a process has nothing more to do than to finish.
pub(super) enum End {
    /// This signal asks for it.
    Stop(&'static str),
    /// The successor with this process id takes the requests.
    HandedOver(u32),
}

/// Whoever does what is asked for.
pub(super) struct Steward<'a> {
    pub(super) signals: &'a mut Signals,
    pub(super) wanted: &'a mut mpsc::Receiver<Wanted>,
    pub(super) estate: Estate<'a>,
    pub(super) current: &'a Current,
    pub(super) service: &'a Service,
    pub(super) observer: &'a Arc<Observer>,
}

impl Steward<'_> {
    /// Does what is asked for until this process has nothing more to do than to finish.
    pub(super) async fn follow(mut self) -> End {
        let mut look = tokio::time::interval(LOOK_AT_FILES);
        look.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            let wish = tokio::select! {
                wish = self.signals.next() => wish,
                _ = look.tick() => Wish::Renew,
                Some(wanted) = self.wanted.recv() => match wanted {
                    Wanted::Reload { is_forced, by, answer } => Wish::Reload(is_forced, by, Some(answer)),
                    Wanted::Reopen(answer) => Wish::Reopen(Some(answer)),
                    Wanted::Upgrade(answer) => Wish::Upgrade(Some(answer)),
                },
            };
            // A file system or a resolver that hangs must not make the process deaf.
            match wish {
                Wish::Stop(stop) => return End::Stop(stop),
                Wish::Reload(is_forced, by, answer) => tokio::select! {
                    outcome = reload(&mut self.estate, is_forced, &by, self.service) => {
                        self.service.has_reloaded(&self.current.load(), outcome.is_ok());
                        // Whoever asked may be gone.
                        let _ = answer.map(|answer| answer.send(outcome));
                    }
                    stop = self.signals.stop() => return End::Stop(stop),
                },
                Wish::Renew => tokio::select! {
                    () = self.estate.reloader.renew_certificates() => {}
                    stop = self.signals.stop() => return End::Stop(stop),
                },
                Wish::Reopen(answer) => tokio::select! {
                    outcome = reopen(self.observer) => {
                        let _ = answer.map(|answer| answer.send(outcome));
                    }
                    stop = self.signals.stop() => return End::Stop(stop),
                },
                Wish::Upgrade(answer) => {
                    let (outcome, stop) = self.upgrade().await;
                    let end = outcome.as_ref().ok().map(|&process| End::HandedOver(process));
                    let _ = answer.map(|answer| answer.send(outcome));
                    if let Some(end) = stop.map(End::Stop).or(end) {
                        return end;
                    }
                }
            }
        }
    }

    /// Starts a successor and hands over to it. If it fails, or a signal asks for the end meanwhile, everything is as before.
    async fn upgrade(&mut self) -> (Result<u32, UpgradeError>, Option<&'static str>) {
        let mut stop = None;
        let outcome = match self.estate.start() {
            Err(why) => Err(why),
            Ok(mut successor) => {
                let handed_over = tokio::select! {
                    handed_over = self.estate.hand_over(&successor) => handed_over,
                    signal = self.signals.stop() => {
                        stop = Some(signal);
                        Err(UpgradeError::Stopping)
                    }
                };
                match handed_over {
                    Ok(()) => {
                        self.service.is_succeeded_by(successor.process());
                        // If it is gone by now, there is nothing to be done.
                        let _ = successor.is_told(Word::Yours, String::new()).await;
                        Ok(successor.process())
                    }
                    Err(why) => {
                        successor.kill().await;
                        self.estate.take_back();
                        Err(why)
                    }
                }
            }
        };
        if let Err(why) = &outcome {
            self.observer.upgrade_failed(&in_full(why));
        }
        (outcome, stop)
    }
}

/// Loads the configuration again, for the proxy and for the operator's side.
async fn reload(
    estate: &mut Estate<'_>,
    is_forced: bool,
    by: &str,
    service: &Service,
) -> Result<u64, Arc<LoadError>> {
    service.is_reloading();
    let prepare = async |config: &Config| {
        estate.operators.prepare(&config.admin).await.map_err(|why| LoadError::Operators(why.into()))
    };
    let (number, prepared) = estate.reloader.reload(is_forced, by, prepare).await?;
    estate.operators.follow(prepared);
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
    /// To look whether certificates were renewed.
    Renew,
    /// Where the outcome goes that somebody waits for.
    Upgrade(Option<oneshot::Sender<Result<u32, UpgradeError>>>),
    Stop(&'static str),
}

/// The signals that ask for something.
pub(super) struct Signals {
    hangup: Signal,
    interrupt: Signal,
    terminate: Signal,
    user1: Signal,
    user2: Signal,
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
            user2: listen(SignalKind::user_defined2())?,
        })
    }

    async fn next(&mut self) -> Wish {
        tokio::select! {
            _ = self.hangup.recv() => Wish::Reload(false, "SIGHUP".to_owned(), None),
            _ = self.user1.recv() => Wish::Reopen(None),
            _ = self.user2.recv() => Wish::Upgrade(None),
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
