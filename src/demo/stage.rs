//! The site on show and who watches it: what every story needs while it is told.

use std::sync::Arc;
use std::time::Duration;

use tokio::task::AbortHandle;

use super::DemoError;
use super::paper::Paper;
use super::picture::{End, Picture};
use super::scene::{Scene, watch};
use super::site::{PATIENCE, Site};
use super::story::Story;
use crate::clock;
use crate::terminal::grouped;

/// From one look at processes and conditions to the next.
const LOOK: Duration = Duration::from_millis(20);
/// What has to be answered between two acts, however slow the machine is.
const BETWEEN_ACTS: u64 = 50;
/// How long a node that somebody else killed stays dead.
const DEAD: Duration = Duration::from_secs(5);

/// What a column of bars shows of a story that takes as long as it takes.
const COLUMN: Duration = Duration::from_secs(1);

/// The site, and who watches it.
pub(super) struct Stage<'a> {
    pub(super) site: &'a mut Site,
    pub(super) scene: Arc<Scene>,
    pub(super) story: Story,
    /// How long the load lasts, if the story leaves that open.
    pub(super) length: Duration,
    /// Nodes that ended without our doing.
    pub(super) died: Vec<&'static str>,
}

/// The task that watches; it ends when this is dropped.
pub(super) struct Watch(AbortHandle);

impl<'a> Stage<'a> {
    /// A stage on which the story can begin.
    pub(super) fn new(site: &'a mut Site, story: Story, length: Duration) -> Self {
        let end = match story {
            Story::Killed => End::After(length),
            Story::Forgotten => End::WhenTold,
        };
        let scene = Arc::new(Scene::new(site, story, end));
        Self { site, scene, story, length, died: Vec::new() }
    }

    /// Notes what bookend says of itself, again and again.
    pub(super) fn watch(&self) -> Watch {
        let column = match self.story {
            Story::Killed => self.length / u32::try_from(Picture::COLUMNS).unwrap_or(u32::MAX),
            Story::Forgotten => COLUMN,
        };
        Watch(tokio::spawn(watch(Arc::clone(&self.scene), self.site.socket(), column)).abort_handle())
    }

    /// Tells the story, and returns what bookend wrote down of it if it is told for that.
    pub(super) async fn play(&mut self) -> Result<Option<Paper>, DemoError> {
        match self.story {
            Story::Killed => self.play_killed().await.map(|()| None),
            Story::Forgotten => self.play_forgotten().await.map(Some),
        }
    }

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
        self.scene.excuse();
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
            self.patient_since(began, what)?;
            self.look_after().await?;
        }
        Ok(())
    }

    /// Waits for so long, and until some requests were answered, however slow the machine is.
    pub(super) async fn wait(&mut self, time: Duration) -> Result<(), DemoError> {
        let (began, before) = (self.scene.age(), self.scene.tally.lock().ended);
        while self.scene.age() < began + time {
            self.look_after().await?;
        }
        let is_enough = |stage: &Self| stage.scene.tally.lock().ended >= before + BETWEEN_ACTS;
        self.until_that("requests are answered", is_enough).await
    }

    /// An error once it has taken longer since `began` than anything may.
    pub(super) fn patient_since(&self, began: Duration, what: &'static str) -> Result<(), DemoError> {
        match self.scene.age() > began + PATIENCE {
            true => Err(DemoError::TooLong(what)),
            false => Ok(()),
        }
    }

    /// A moment's wait, in which it is seen to that every process is as it should be.
    pub(super) async fn look_after(&mut self) -> Result<(), DemoError> {
        tokio::time::sleep(LOOK).await;
        let now = clock::now();
        for name in self.site.look_after(now)? {
            self.scene.show_processes(self.site);
            self.scene.tell(format!("{name} has ended, and not by our hand"));
            if !self.died.contains(&name) {
                self.died.push(name);
            }
        }
        while let Some((index, name)) = self.site.dead_for(DEAD, now) {
            self.site.start_node(index).await?;
            self.scene.show_processes(self.site);
            self.scene.tell(format!("{name} is started again"));
        }
        Ok(())
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        self.0.abort();
    }
}
