//! `POST /drain`, `/renew` and `/undrain`.

use std::sync::Arc;

use axum::Json;
use axum::extract::{Extension, Request, State};
use http::StatusCode;
use serde::{Deserialize, Serialize};

use super::access::Peer;
use super::body::object;
use super::desk::Desk;
use super::leases::shown;
use super::owner::owner;
use super::problem::Problem;
use super::rest::Rest;
use super::status::Lease;
use crate::drain::{Done, Order, Refusal};
use crate::lease::{Target, Term};

/// What is asked for.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Wish {
    /// The node, as in `web/web-02`.
    pub node: String,
    /// For how long, as in `30m`, from 1s to 72h; `/drain` takes 30m unless told, `/undrain` nothing.
    #[serde(default, rename = "for", skip_serializing_if = "Option::is_none")]
    pub term: Option<String>,
    /// What for; for `/drain` alone, which needs it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// Drain the node even if the others cannot do without it; for `/drain` alone.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub force: bool,
    /// Leave it drained even if the others are not enough, and give it no request that they do not take; for `/drain` alone.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub never_recall: bool,
}

/// What was done.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Drained {
    /// The lease as it is now; for `/undrain` as it was.
    pub lease: Lease,
    /// Whether the change outlives the process.
    pub kept: bool,
    /// Requests that are at the node.
    pub in_flight: u32,
    /// What its pool has besides it.
    #[serde(flatten)]
    pub rest: Rest,
}

type Answer = Result<Json<Drained>, Problem>;

/// Takes a node out for a while.
pub(super) async fn drain(
    State(desk): State<Arc<Desk>>,
    Extension(peer): Extension<Peer>,
    request: Request,
) -> Answer {
    let wish = object::<Wish>(request).await?;
    let reason = wish.reason.as_deref().unwrap_or_default();
    let order = Order {
        target: target(&wish)?,
        owner: owner(peer),
        reason: reason.parse().map_err(|why| Problem::unfit("reason", &why))?,
        term: term(&wish)?.unwrap_or_default(),
        is_forced: wish.force,
        never_recall: wish.never_recall,
    };
    answer(desk.drains.drain(order).await)
}

/// Gives a lease another time.
pub(super) async fn renew(
    State(desk): State<Arc<Desk>>,
    Extension(peer): Extension<Peer>,
    request: Request,
) -> Answer {
    let wish = object::<Wish>(request).await?;
    refuse("reason", wish.reason.is_some())?;
    refuse("force", wish.force)?;
    refuse("never_recall", wish.never_recall)?;
    let term = term(&wish)?.ok_or_else(|| Problem::unfit("for", &"say for how long from now, as in `1h`"))?;
    answer(desk.drains.renew(&target(&wish)?, term, &owner(peer)).await)
}

/// Lets a node come back.
pub(super) async fn undrain(
    State(desk): State<Arc<Desk>>,
    Extension(peer): Extension<Peer>,
    request: Request,
) -> Answer {
    let wish = object::<Wish>(request).await?;
    refuse("for", wish.term.is_some())?;
    refuse("reason", wish.reason.is_some())?;
    refuse("force", wish.force)?;
    refuse("never_recall", wish.never_recall)?;
    answer(desk.drains.undrain(&target(&wish)?, &owner(peer)).await)
}

fn target(wish: &Wish) -> Result<Target, Problem> {
    wish.node.parse().map_err(|why| Problem::unfit("node", &why))
}

fn term(wish: &Wish) -> Result<Option<Term>, Problem> {
    wish.term.as_deref().map(str::parse).transpose().map_err(|why| Problem::unfit("for", &why))
}

fn refuse(key: &str, is_there: bool) -> Result<(), Problem> {
    if is_there { Err(Problem::unfit(key, &"this is for /drain")) } else { Ok(()) }
}

fn answer(outcome: Result<Done, Refusal>) -> Answer {
    let done = outcome.map_err(|refusal| {
        let status = match refusal {
            Refusal::NoPool { .. } | Refusal::NoNode { .. } => StatusCode::NOT_FOUND,
            Refusal::Drained(_) | Refusal::NotDrained(_) | Refusal::Shortfall(_) => StatusCode::CONFLICT,
            Refusal::TooMany => StatusCode::SERVICE_UNAVAILABLE,
        };
        let rest = match &refusal {
            Refusal::Shortfall(shortfall) => Some(Box::new(Rest::from(&*shortfall.0))),
            _ => None,
        };
        Problem { rest, ..Problem::new(status, refusal.to_string()) }
    })?;
    let (lease, rest) = (shown(&done.lease), Rest::from(&done.rest));
    Ok(Json(Drained { lease, kept: done.is_kept, in_flight: done.in_flight, rest }))
}
