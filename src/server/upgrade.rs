//! Handing over to a successor: what only one process can have goes with it, and comes back if it fails.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use super::LAST_LINES;
use super::legacy::Legacies;
use super::successor::{Program, Successor};
use crate::admin::Serving;
use crate::drain::Drains;
use crate::generation::Current;
use crate::handover::{UpgradeError, Word};
use crate::journal::Events;
use crate::observe::Observer;
use crate::reload::Reloader;
use crate::timeline::{Running, Timeline};

/// How long a successor may take to read its configuration.
const CHECKING: Duration = Duration::from_secs(10);

/// How long it may take to open its listeners and check its nodes once.
const BEGINNING: Duration = Duration::from_secs(15);

/// All that a successor gets.
pub(super) struct Estate<'a> {
    pub(super) program: Program,
    pub(super) current: &'a Current,
    pub(super) reloader: &'a mut Reloader,
    pub(super) operators: &'a mut Serving,
    pub(super) drains: &'a Drains,
    pub(super) timeline: &'a Arc<Timeline>,
    /// `None` while a successor may write.
    pub(super) writing: &'a mut Option<Running>,
    /// Where events go that have no journal to go to.
    pub(super) unlocked: Option<PathBuf>,
    pub(super) observer: &'a Arc<Observer>,
}

impl Estate<'_> {
    /// Starts a successor.
    pub(super) fn start(&self) -> Result<Successor, UpgradeError> {
        let successor = self.program.start()?;
        self.observer.upgrade_begins(successor.process());
        Ok(successor)
    }

    /// Gives it everything, and returns once it takes requests beside us.
    pub(super) async fn hand_over(&mut self, successor: &Successor) -> Result<(), UpgradeError> {
        let failed = |source| UpgradeError::Failed { doing: "copying the sockets", source };
        let mut sockets = self.reloader.to_pass_on().map_err(failed)?;
        sockets.extend(self.operators.to_pass_on().map_err(failed)?);
        successor.give(sockets).await?;
        successor.says("reading the configuration", Word::Checked, CHECKING).await?;
        self.let_go().await;
        successor.is_told(Word::Go, Legacies::of(self.current)).await?;
        successor.says("beginning", Word::Ready, BEGINNING).await
    }

    /// Lets go of what only one process can have.
    async fn let_go(&mut self) {
        // First, so that nobody is told that something is kept that is not.
        self.operators.pause();
        if let Some(writing) = self.writing.take() {
            writing.finish(LAST_LINES).await;
        }
        self.drains.let_go().await;
    }

    /// Takes back what was let go of, if anything was.
    pub(super) fn take_back(&mut self) {
        if self.writing.is_some() {
            return;
        }
        let events = match self.drains.take_back() {
            Ok(Some(journal)) => Some(Events::of(&journal)),
            Ok(None) => self.unlocked.as_deref().map(Events::unlocked),
            Err(why) => {
                self.observer.leases_not_kept(&why.in_full());
                None
            }
        };
        *self.writing = Some(self.timeline.run(events));
        if let Err(why) = self.operators.resume() {
            self.observer.admin_unreachable(&"after an upgrade that failed", &why);
        }
    }
}
