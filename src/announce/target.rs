//! Somebody who is told: a webhook or the command.

use std::fmt::Display;
use std::sync::Arc;
use std::time::Duration;

use super::Tested;
use super::certificates::Trust;
use super::command::{ATTEMPTS, Command};
use super::message::Message;
use super::webhook::Hook;
use crate::clock;
use crate::config::{COMMAND, Tell};
use crate::generation::Generation;

/// Somebody who is told.
#[derive(Debug)]
pub(super) enum Target {
    /// A webhook.
    Webhook(Box<Hook>),
    /// The command.
    Command(Command),
}

/// Why a message did not arrive.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Trouble {
    /// Why, in words.
    pub(super) why: String,
    /// Whether to try again, and for how long the target asked to be left alone.
    pub(super) again: Option<Duration>,
}

/// Everybody who is told under a generation, in the order of the file.
pub(super) fn all(generation: &Generation, trust: &Trust, turn: &Arc<tokio::sync::Mutex<()>>) -> Vec<Target> {
    let alerts = &generation.config().alerts;
    let webhooks = alerts.webhooks.iter().map(|settings| {
        let key = generation.webhook_key(&settings.name).cloned();
        Target::Webhook(Box::new(Hook { settings: settings.clone(), key, trust: trust.clone() }))
    });
    let command = |settings: &Tell| Target::Command(Command::new(settings.clone(), Arc::clone(turn)));
    webhooks.chain(alerts.command.as_ref().map(command)).collect()
}

impl Target {
    /// What it is called in logs and metrics.
    pub(super) fn name(&self) -> &str {
        match self {
            Self::Webhook(hook) => hook.settings.name.as_str(),
            Self::Command(_) => COMMAND,
        }
    }

    /// How often one message is tried.
    pub(super) fn attempts(&self) -> u32 {
        match self {
            Self::Webhook(hook) => hook.settings.attempts,
            Self::Command(_) => ATTEMPTS,
        }
    }

    /// Tells it once, and returns what it said to that. Never takes much longer than the configuration allows.
    pub(super) async fn tell(&self, message: &Message) -> Result<String, Trouble> {
        match self {
            Self::Webhook(hook) => hook.post(message).await,
            Self::Command(command) => command.run(message).await,
        }
    }

    /// Tells it once, for whoever wants to know whether that works.
    pub(super) async fn test(&self, message: &Message, longest: Duration) -> Tested {
        let began = clock::now();
        let outcome = match tokio::time::timeout(longest, self.tell(message)).await {
            Ok(outcome) => outcome.map_err(|trouble| trouble.why),
            Err(_) => Err("it had no turn in time".to_owned()),
        };
        let took = clock::now().saturating_duration_since(began);
        Tested { to: self.name().to_owned(), place: self.place(), outcome, took }
    }

    /// Where it is, without what may be secret.
    fn place(&self) -> String {
        match self {
            Self::Webhook(hook) => hook.settings.url.to_string(),
            Self::Command(command) => command.program().to_owned(),
        }
    }
}

impl Trouble {
    /// That another attempt may help.
    pub(super) fn again(why: &dyn Display) -> Self {
        Self { why: why.to_string(), again: Some(Duration::ZERO) }
    }

    /// That no other attempt helps.
    pub(super) fn last(why: &dyn Display) -> Self {
        Self { why: why.to_string(), again: None }
    }
}
