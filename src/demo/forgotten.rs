//! The story that bookend was written for: a server is taken out by hand and forgotten, and one day more arrives than the
//! other can carry.

use std::io;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use http::Method;

use super::DemoError;
use super::load::{Clients, Load};
use super::node::Strength;
use super::paper::Paper;
use super::site::{look, send};
use super::stage::Stage;
use super::story::Story;
use crate::admin::status::{Node, NodeState, Status};
use crate::admin::{Drained, Problem, Wish};
use crate::terminal::seconds;

/// Requests a second while little is asked for: one node has plenty for them.
const AT_NIGHT: u32 = 40;
/// How long nothing happens, so that one can see what is so.
const WHILE: Duration = Duration::from_secs(2);
/// All is served again when nobody was turned away for so long.
const QUIET: Duration = Duration::from_secs(3);

/// The node that is forgotten, and as people type it.
pub(super) const FORGOTTEN: &str = "web-02";
pub(super) const TARGET: &str = "web/web-02";
/// The node that is left.
const LEFT: &str = "web-01";
/// What it was taken out for, and for how long.
const REASON: &str = "kernel test";
const TERM: &str = "72h";

impl Stage<'_> {
    /// The story of the server that nobody reconnected, from the first request to the last answer. Returns what bookend
    /// wrote down of it.
    pub(super) async fn play_forgotten(&mut self) -> Result<Paper, DemoError> {
        let clients = Arc::new(Clients::new(self.site.address(), Arc::clone(&self.scene.tally)));
        self.scene
            .tell(format!("night: {AT_NIGHT} requests a second. {}", described(Story::Forgotten.strength())));
        let night = Load::steady(&clients, AT_NIGHT);
        self.wait(WHILE).await?;
        self.drain().await?;
        self.wait(WHILE).await?;
        let rate = Story::Forgotten.rate();
        self.scene.tell(format!("nobody thinks of it any more; the day comes, and {rate} requests a second"));
        let day = Load::steady(&clients, rate - AT_NIGHT);
        self.turn_away().await?;
        let began = self.scene.age();
        self.recall().await?;
        let last = self.be_well_again().await?;
        let took = seconds(last.saturating_sub(began).as_secs_f64());
        self.scene.tell(format!("all is served again: clients were turned away for {took} in all"));
        night.finish().await;
        day.finish().await;
        self.scene.tell("the load ends");
        self.count().await?;
        Paper::of_last(&self.site.socket()).await
    }

    /// Takes the node out as a person would, and waits until bookend says what that means.
    async fn drain(&mut self) -> Result<(), DemoError> {
        let wish = Wish {
            node: TARGET.to_owned(),
            term: Some(TERM.to_owned()),
            reason: Some(REASON.to_owned()),
            ..Wish::default()
        };
        let began = self.scene.age();
        let done = order(&self.site.socket(), &wish).await?;
        let owner = done.lease.owner;
        self.scene.tell(format!("{owner}: bookend drain {TARGET} --for {TERM} --reason \"{REASON}\""));
        loop {
            let status = look(&self.site.socket()).await.map_err(DemoError::system("asking bookend"))?;
            let age = self.scene.age();
            if let Some(alarm) = status.alarms.iter().find(|alarm| alarm.kind == "exposed") {
                let took = seconds(age.saturating_sub(began).as_secs_f64());
                self.scene.tell(format!("bookend raises the alarm after {took}: {}", alarm.what));
                return Ok(());
            }
            self.patient_since(began, "bookend says that the pool is exposed")?;
            self.look_after().await?;
        }
    }

    /// Waits until it is too much for the node that is left.
    async fn turn_away(&mut self) -> Result<(), DemoError> {
        let is_held = |stage: &Self| {
            stage.scene.tally.lock().turned_away > 0
                && stage.scene.status().is_some_and(|s| limit(&s).is_some())
        };
        self.until_that("the node that is left is held to what it can do", is_held).await?;
        let within = self.scene.tally.lock().told_within(1.0).unwrap_or_default();
        let limit = self.scene.status().as_ref().and_then(limit).unwrap_or_default();
        self.scene.tell(format!(
            "too much for {LEFT}: it gets {limit} at once and no more; the rest gets 503 and when to come again, \
             after {}",
            seconds(within.as_secs_f64())
        ));
        let help = |stage: &Self| stage.scene.status().as_ref().and_then(advised);
        self.until_that("bookend says what would help", |stage| help(stage).is_some()).await?;
        let help = help(self).unwrap_or_default();
        self.scene.tell(format!("bookend knows what would help now: {help}"));
        Ok(())
    }

    /// Waits until bookend takes the node back.
    async fn recall(&mut self) -> Result<(), DemoError> {
        let is_back = |stage: &Self| stage.scene.status().is_some_and(|status| !status.recalls.is_empty());
        self.until_that("bookend takes the drained node back", is_back).await
    }

    /// Waits until both nodes serve and nobody is turned away, and returns since when.
    async fn be_well_again(&mut self) -> Result<Duration, DemoError> {
        let began = self.scene.age();
        let (mut count, mut since) = (self.scene.tally.lock().turned_away, began);
        loop {
            self.look_after().await?;
            let (now, age) = (self.scene.tally.lock().turned_away, self.scene.age());
            if now != count {
                (count, since) = (now, age);
            }
            if age.saturating_sub(since) >= QUIET && self.scene.status().is_some_and(|status| is_up(&status))
            {
                return Ok(since);
            }
            self.patient_since(began, "nobody is turned away any more")?;
        }
    }
}

/// What a node can do, in whole sentences.
fn described(strength: Strength) -> String {
    let Strength { takes, workers, holds } = strength;
    let mut text = match workers {
        Some(workers) => format!("Each node can do {:.0}", workers as f64 / takes.as_secs_f64()),
        None => "Each node can do any number".to_owned(),
    };
    if let Some(holds) = holds {
        text.push_str(&format!(", and dies of more than {holds} at once"));
    }
    text
}

async fn order(socket: &Path, wish: &Wish) -> Result<Drained, DemoError> {
    let failed = |why| DemoError::System { doing: "draining a node", source: io::Error::other(why) };
    let body = serde_json::to_vec(wish).map_err(failed)?;
    let answer = send(socket, &Method::POST, "/drain", body).await;
    let answer = answer.map_err(DemoError::system("draining a node"))?;
    if answer.status.is_success() {
        return serde_json::from_slice(&answer.body).map_err(failed);
    }
    let problem: Problem = serde_json::from_slice(&answer.body).map_err(failed)?;
    Err(DemoError::Refused { what: "drain a node", why: problem.detail })
}

/// How many requests the node that is left may have at once, once it is known to be too much for it.
fn limit(status: &Status) -> Option<u32> {
    nodes(status).find(|node| node.name == LEFT).and_then(|node| node.limit)
}

/// The command that would help now.
fn advised(status: &Status) -> Option<String> {
    status.incidents_open.iter().find_map(|incident| incident.help.clone())
}

fn is_up(status: &Status) -> bool {
    nodes(status).all(|node| node.state == NodeState::Up)
}

fn nodes(status: &Status) -> impl Iterator<Item = &Node> {
    status.pools.iter().flat_map(|pool| &pool.nodes)
}
