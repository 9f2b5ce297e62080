//! bookend as a service: what systemd is told of it (`Type=notify`), and that it is alive.

use std::sync::Arc;
use std::time::Duration;

use sd_notify::NotifyState;
use tokio::runtime::Handle;
use tokio::task::JoinHandle;

use crate::clock;
use crate::generation::{Current, Generation};
use crate::observe::Observer;

/// How long the first checks of nodes may keep others waiting.
const FIRST_CHECKS: Duration = Duration::from_secs(5);

/// How often it is looked whether all nodes were checked.
const LOOK: Duration = Duration::from_millis(20);

/// What systemd is told; nobody is where it did not ask (`NOTIFY_SOCKET`).
#[derive(Clone, Debug)]
pub(super) struct Service {
    observer: Arc<Observer>,
}

/// What is yet to be told; it is told no more once this is dropped.
#[derive(Debug)]
pub(super) struct Work(JoinHandle<()>);

impl Service {
    pub(super) fn new(observer: Arc<Observer>) -> Self {
        Self { observer }
    }

    /// It takes requests, and is ready once each node has been checked, or has had its time for that.
    pub(super) fn will_be_ready(&self, current: &Arc<Current>) -> Work {
        let (service, current) = (self.clone(), Arc::clone(current));
        Work(tokio::spawn(async move {
            checked_once(&current).await;
            service.tell(&[NotifyState::Ready, NotifyState::Status(&status(&current.load()))]);
        }))
    }

    /// The configuration is being read again.
    pub(super) fn is_reloading(&self) {
        match NotifyState::monotonic_usec_now() {
            Ok(now) => self.tell(&[NotifyState::Reloading, now]),
            Err(why) => self.observer.not_notified(&why),
        }
    }

    /// The configuration was read again, and this generation is in force, or still is because it was refused.
    pub(super) fn has_reloaded(&self, generation: &Generation, is_in_force: bool) {
        let refused = if is_in_force { "" } else { "; the last reload was refused" };
        let status = format!("{}{refused}", status(generation));
        self.tell(&[NotifyState::Ready, NotifyState::Status(&status)]);
    }

    /// From now on another process is the service.
    pub(super) fn is_succeeded_by(&self, process: u32) {
        self.tell(&[NotifyState::MainPid(process)]);
    }

    /// It finishes what is under way.
    pub(super) fn is_stopping(&self) {
        self.tell(&[NotifyState::Stopping, NotifyState::Status("finishing what is under way")]);
    }

    /// Tells from now on that the threads of `runtimes`, and the one that this is called on, are alive: twice as often as
    /// systemd asks for (`WATCHDOG_USEC`), and only once each of them has done something since. A thread that hangs ends
    /// that.
    pub(super) fn watch(&self, runtimes: Vec<Handle>) -> Option<Work> {
        let interval = sd_notify::watchdog_enabled()? / 2;
        let service = self.clone();
        Some(Work(tokio::spawn(async move {
            loop {
                tokio::time::sleep(interval).await;
                let signs: Vec<_> = runtimes.iter().map(|runtime| runtime.spawn(async {})).collect();
                for sign in signs {
                    // A runtime that has ended is no thread that hangs.
                    let _ = sign.await;
                }
                service.tell(&[NotifyState::Watchdog]);
            }
        })))
    }

    fn tell(&self, states: &[NotifyState<'_>]) {
        if let Err(why) = sd_notify::notify(states) {
            self.observer.not_notified(&why);
        }
    }
}

impl Drop for Work {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// Returns once each node that is checked has been checked, or has had its time.
pub(super) async fn checked_once(current: &Current) {
    let deadline = clock::now() + FIRST_CHECKS;
    while clock::now() < deadline && !is_checked(&current.load()) {
        tokio::time::sleep(LOOK).await;
    }
}

fn is_checked(generation: &Generation) -> bool {
    let checked = generation.pools().filter(|pool| pool.settings().health_check.is_some());
    checked.flat_map(|pool| pool.members().to_vec()).all(|member| member.node.checks().began > 0)
}

fn status(generation: &Generation) -> String {
    let config = generation.config();
    let (listeners, pools) = (config.listeners.len(), config.pools.len());
    format!("generation {} in force: listeners {listeners}, pools {pools}", generation.number())
}
