//! What there is to see of alarms, and `POST /silence` and `/unsilence`.

use std::sync::Arc;
use std::time::Duration;

use axum::Json;
use axum::extract::{Extension, Request, State};
use http::StatusCode;
use serde::{Deserialize, Serialize};

use super::access::Peer;
use super::body::object;
use super::desk::Desk;
use super::owner::owner;
use super::problem::Problem;
use super::report::time;
use super::status::{Alarm, Masked, Redundancy, Silence, Status};
use crate::clock;
use crate::incident::{self, Cause, Rate};
use crate::lease::{Reason, Term};
use crate::monitor::Monitor;
use crate::observe::RedundancyNow;

/// What is asked for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Hush {
    /// The pool.
    pub pool: String,
    /// For how long, as in `30m`, from 1s to 72h; `/silence` takes 30m unless told, `/unsilence` nothing.
    #[serde(default, rename = "for", skip_serializing_if = "Option::is_none")]
    pub term: Option<String>,
    /// What for; for `/silence` alone, which needs it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

type Answer = Result<Json<Silence>, Problem>;

/// Tells nobody of the alarms of a pool for a while.
pub(super) async fn silence(
    State(desk): State<Arc<Desk>>,
    Extension(peer): Extension<Peer>,
    request: Request,
) -> Answer {
    let hush = object::<Hush>(request).await?;
    known(&desk, &hush.pool)?;
    let reason = hush.reason.as_deref().unwrap_or_default().parse::<Reason>();
    let reason = reason.map_err(|why| Problem::unfit("reason", &why))?;
    let term = hush.term.as_deref().map(str::parse::<Term>).transpose();
    let term = term.map_err(|why| Problem::unfit("for", &why))?.unwrap_or_default();
    let until = clock::steady().saturating_add(term.millis());
    let silence = incident::Silence { by: owner(peer), reason: reason.to_string(), until };
    desk.monitor.silence(&hush.pool, silence.clone());
    Ok(Json(shown(&hush.pool, &silence)))
}

/// Ends the silence of a pool.
pub(super) async fn unsilence(
    State(desk): State<Arc<Desk>>,
    Extension(peer): Extension<Peer>,
    request: Request,
) -> Answer {
    let hush = object::<Hush>(request).await?;
    for (key, is_there) in [("for", hush.term.is_some()), ("reason", hush.reason.is_some())] {
        if is_there {
            return Err(Problem::unfit(key, &"this is for /silence"));
        }
    }
    known(&desk, &hush.pool)?;
    let Some(silence) = desk.monitor.silence_of(&hush.pool) else {
        return Err(Problem::new(StatusCode::CONFLICT, format!("pool {} is not silenced", hush.pool)));
    };
    let over = incident::Silence { by: owner(peer), until: clock::steady(), ..silence };
    desk.monitor.silence(&hush.pool, over.clone());
    Ok(Json(shown(&hush.pool, &over)))
}

fn known(desk: &Desk, pool: &str) -> Result<(), Problem> {
    let generation = desk.current.load();
    if generation.pools().any(|known| known.name().as_str() == pool) {
        return Ok(());
    }
    // What is asked for may be anything, and as long as a body.
    let pool: String = pool.chars().take(100).collect();
    Err(Problem::new(StatusCode::NOT_FOUND, format!("there is no pool {pool:?}")))
}

/// Adds how each pool stands, the alarms and the silences.
pub(super) fn show(status: &mut Status, monitor: &Monitor) {
    let now = clock::millis();
    for pool in &mut status.pools {
        pool.redundancy = monitor.standing(&pool.name).map(|standing| Redundancy {
            state: standing.state.as_str().to_owned(),
            why: standing.why.clone(),
            seconds: now.saturating_sub(standing.since) / 1_000,
            exposed_seconds: standing.exposed(now) / 1_000,
        });
        pool.masked = monitor.masked(&pool.name).and_then(masked);
        let silence = monitor.silence_of(&pool.name);
        status.silences.extend(silence.map(|silence| shown(&pool.name, &silence)));
    }
    status.alarms = monitor.alarms().iter().map(ringing).collect();
}

/// How a pool stands, in numbers.
pub(super) fn measure(monitor: &Monitor, pool: &str, now: u64) -> RedundancyNow {
    let standing = monitor.standing(pool);
    standing.map_or_else(RedundancyNow::default, |standing| RedundancyNow {
        state: Some(standing.state),
        exposed_seconds: standing.exposed(now) as f64 / 1_000.0,
    })
}

fn masked((rate, window): (Rate, Duration)) -> Option<Masked> {
    let (requests, saved, share) = (rate.total, rate.saved, rate.share());
    let part = rate.cause.as_ref().map(Cause::share);
    let (node, reach) = rate.cause.map(|cause| (cause.node, cause.reach)).unzip();
    let seconds = window.as_secs();
    (requests > 0).then_some(Masked { seconds, requests, saved, share, node, reach, part })
}

fn ringing(ringing: &incident::Ringing) -> Alarm {
    let incident::Ringing { alarm, since, .. } = ringing;
    let ago = clock::steady().saturating_sub(*since);
    Alarm {
        pool: alarm.pool.clone(),
        kind: alarm.kind.as_str().to_owned(),
        since: time(clock::wall().checked_sub(Duration::from_millis(ago)).unwrap_or_else(clock::wall)),
        seconds: ago / 1_000,
        what: alarm.text.clone(),
        help: alarm.help.clone(),
    }
}

fn shown(pool: &str, silence: &incident::Silence) -> Silence {
    let left = silence.until.saturating_sub(clock::steady());
    let wall = clock::wall();
    Silence {
        pool: pool.to_owned(),
        by: silence.by.clone(),
        reason: silence.reason.clone(),
        until: time(wall.checked_add(Duration::from_millis(left)).unwrap_or(wall)),
        seconds_left: left.div_ceil(1_000),
    }
}
