//! `POST /alerts/test`.

use std::sync::Arc;

use axum::Json;
use axum::extract::{Request, State};
use serde::{Deserialize, Serialize};

use super::body::nothing;
use super::desk::Desk;
use super::problem::Problem;
use crate::announce;
use crate::clock;

/// Whom a test message reached.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tests {
    /// Everybody who is told of alarms, in the order of the file; empty if nobody is.
    pub results: Vec<Tested>,
}

/// What became of a test message.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tested {
    /// What the webhook is called in the configuration, or `command`.
    pub to: String,
    /// Where it is: the scheme and host of a webhook, or the program.
    pub place: String,
    /// Whether the message arrived.
    pub arrived: bool,
    /// What it said, or why it could not be told.
    pub answer: String,
    /// How long that took.
    pub took_ms: u64,
}

/// Tells everybody once that this is a test.
pub(super) async fn test(State(desk): State<Arc<Desk>>, request: Request) -> Result<Json<Tests>, Problem> {
    nothing(request.headers())?;
    let results = desk.announcer.test().await.into_iter().map(Tested::from).collect();
    Ok(Json(Tests { results }))
}

impl From<announce::Tested> for Tested {
    fn from(tested: announce::Tested) -> Self {
        let announce::Tested { to, place, outcome, took } = tested;
        let arrived = outcome.is_ok();
        let answer = outcome.unwrap_or_else(|why| why);
        Self { to, place, arrived, answer, took_ms: clock::to_millis(took) }
    }
}
