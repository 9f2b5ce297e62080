//! The site on show and who watches it: what every story needs while it is told.

use std::time::Duration;

use super::DemoError;
use super::scene::Scene;
use super::site::{PATIENCE, Site};
use crate::clock;
use crate::terminal::grouped;

/// From one look at processes and conditions to the next.
const LOOK: Duration = Duration::from_millis(20);
/// How long a node that somebody else killed stays dead.
const DEAD: Duration = Duration::from_secs(5);

/// The site, and who watches it.
pub(super) struct Stage<'a> {
    pub(super) site: &'a mut Site,
    pub(super) scene: &'a Scene,
    pub(super) length: Duration,
}

impl Stage<'_> {
    /// Keeps the site as it is, and starts again what somebody kills.
    pub(super) async fn stay(&mut self) -> Result<(), DemoError> {
        self.scene.open_end();
        loop {
            self.look_after().await?;
        }
    }

    /// Waits until bookend has counted what the clients have.
    pub(super) async fn count(&mut self) -> Result<(), DemoError> {
        let ended = self.scene.tally.lock().ended;
        let failed = self.scene.tally.lock().failed;
        // A request that failed may be one that bookend never saw.
        let wanted = ended - failed;
        self.until_that("bookend has counted every request", |stage| stage.scene.counted() >= wanted).await?;
        self.scene.tell(format!("bookend counted {} requests", grouped(self.scene.counted())));
        Ok(())
    }

    /// Waits until something holds.
    pub(super) async fn until_that(
        &mut self,
        what: &'static str,
        holds: impl Fn(&Self) -> bool,
    ) -> Result<(), DemoError> {
        let began = self.scene.age();
        while !holds(self) {
            if self.scene.age() > began + PATIENCE {
                return Err(DemoError::TooLong(what));
            }
            self.look_after().await?;
        }
        Ok(())
    }

    /// A moment's wait, in which it is seen to that every process is as it should be.
    pub(super) async fn look_after(&mut self) -> Result<(), DemoError> {
        tokio::time::sleep(LOOK).await;
        let now = clock::now();
        for name in self.site.look_after(now)? {
            self.scene.show_processes(self.site);
            self.scene.tell(format!("{name} has ended, and not by our hand"));
        }
        while let Some((index, name)) = self.site.dead_for(DEAD, now) {
            self.site.start_node(index).await?;
            self.scene.show_processes(self.site);
            self.scene.tell(format!("{name} is started again"));
        }
        Ok(())
    }
}
