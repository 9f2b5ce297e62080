//! The story of a server that dies and comes back, of a new configuration and of a crowd.

use std::sync::Arc;

use http::Method;

use super::DemoError;
use super::load::{CROWD, Clients, Load};
use super::site::{NODES, ask};
use super::stage::Stage;
use super::story::Story;
use crate::terminal::{counted, grouped, seconds};

/// The node that things happen to.
const VICTIM: usize = 1;

impl Stage<'_> {
    /// The story of the server that dies, from the first request to the last answer.
    pub(super) async fn play_killed(&mut self) -> Result<(), DemoError> {
        let rate = Story::Killed.rate();
        let clients = Arc::new(Clients::new(self.site.address(), Arc::clone(&self.scene.tally)));
        self.scene.tell(format!("load begins: {rate} requests a second; GET, PUT, and POST with a key"));
        let load = Load::steady(&clients, rate);
        self.until(0.15).await?;
        self.kill();
        self.until(0.42).await?;
        self.revive().await?;
        self.until(0.64).await?;
        self.reload().await?;
        self.until(0.76).await?;
        self.overload(&clients).await?;
        self.until(1.0).await?;
        load.finish().await;
        self.scene.tell("the load ends");
        self.count().await
    }

    fn kill(&mut self) {
        let killed = self.site.kill_node(VICTIM);
        self.scene.show_processes(self.site);
        let name = name(VICTIM);
        self.scene.tell(match killed {
            Some(pid) => format!("{name} is killed: kill -9 {pid}"),
            None => format!("{name} was to be killed, and is dead already"),
        });
    }

    async fn revive(&mut self) -> Result<(), DemoError> {
        let served = |stage: &Self| stage.scene.tally.lock().of_node(name(VICTIM));
        let before = served(self);
        self.site.start_node(VICTIM).await?;
        self.scene.show_processes(self.site);
        self.scene.tell(format!("{} is started again", name(VICTIM)));
        self.until_that("the node that came back serves", |stage| served(stage) > before).await?;
        self.scene.tell(format!("{} serves again", name(VICTIM)));
        Ok(())
    }

    async fn reload(&mut self) -> Result<(), DemoError> {
        self.site.set_weight(VICTIM, 2)?;
        let asking = ask(&self.site.socket(), &Method::POST, "/reload").await;
        let answer = asking.map_err(DemoError::system("reloading"))?;
        if !answer.status.is_success() {
            let why = String::from_utf8_lossy(&answer.body).into_owned();
            return Err(DemoError::Refused { what: "reload", why });
        }
        let name = name(VICTIM);
        self.scene.tell(format!("configuration reloaded: {name} now has twice the weight"));
        Ok(())
    }

    async fn overload(&mut self, clients: &Arc<Clients>) -> Result<(), DemoError> {
        let counts = |stage: &Self| {
            let tally = stage.scene.tally.lock();
            (tally.ended, tally.turned_away)
        };
        self.scene.tally.lock().forget_latencies();
        let (before, began) = (counts(self), self.scene.age());
        self.scene.tell(format!("overload: {CROWD} clients more, each as fast as it is answered"));
        let burst = Load::burst(clients);
        self.until(0.9).await?;
        burst.finish().await;
        let (after, took) = (counts(self), self.scene.age() - began);
        let within = self.scene.tally.lock().within(0.99).unwrap_or_default();
        self.scene.tally.lock().forget_latencies();
        let turned_away = match after.1 - before.1 {
            0 => String::new(),
            count => format!(", {} turned away", grouped(count)),
        };
        self.scene.tell(format!(
            "overload over: {} in {}, 99 % in {}{turned_away}",
            counted(after.0 - before.0, "request"),
            seconds(took.as_secs_f64()),
            seconds(within.as_secs_f64()),
        ));
        Ok(())
    }

    /// Waits until this share of the time is over.
    async fn until(&mut self, share: f64) -> Result<(), DemoError> {
        self.wait(self.length.mul_f64(share).saturating_sub(self.scene.age())).await
    }
}

fn name(node: usize) -> &'static str {
    NODES.get(node).copied().unwrap_or_default()
}
