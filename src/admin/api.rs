//! What can be asked: each path, and its answer.

use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use axum::extract::{Extension, Request, State};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use serde::Deserialize;
use tokio::sync::mpsc::error::TrySendError;
use tokio::sync::oneshot;

use super::access::{Peer, Rules};
use super::alarms::{silence, unsilence};
use super::alerts;
use super::body::{has_body, nothing, object};
use super::desk::{Desk, Phase, Wanted};
use super::drain::{drain, renew, undrain};
use super::owner::owner;
use super::problem::Problem;
use super::{incidents, report};
use crate::reload::in_full;

/// Bytes of a request's body.
pub(super) const LARGEST_BODY: u64 = 64 * 1024;

/// How long a change is waited for; it may go on after that.
pub(super) const LONGEST_CHANGE: Duration = Duration::from_secs(30);

/// What can be asked, described for programs (OpenAPI 3.1).
const DOCUMENT: &str = include_str!("../../docs/openapi.json");

/// What Prometheus calls its text format.
const METRICS: &str = "text/plain; version=0.0.4; charset=utf-8";

/// Who answers.
#[derive(Clone)]
struct Office {
    desk: Arc<Desk>,
    rules: Arc<ArcSwap<Rules>>,
}

/// Every path.
pub(super) fn router(desk: Arc<Desk>, rules: Arc<ArcSwap<Rules>>) -> Router {
    let office = Office { desk: Arc::clone(&desk), rules };
    Router::new()
        .route("/healthz", get(healthz))
        .route("/readyz", get(readyz))
        .route("/metrics", get(metrics))
        .route("/status", get(status))
        .route("/openapi.json", get(openapi))
        .route("/reload", post(reload))
        .route("/reopen", post(reopen))
        .route("/upgrade", post(upgrade))
        .route("/drain", post(drain))
        .route("/renew", post(renew))
        .route("/undrain", post(undrain))
        .route("/incidents", get(incidents::list))
        .route("/incidents/{id}", get(incidents::show))
        .route("/silence", post(silence))
        .route("/unsilence", post(unsilence))
        .route("/alerts/test", post(alerts::test))
        .fallback(nothing_there)
        .method_not_allowed_fallback(wrong_method)
        .with_state(desk)
        .layer(middleware::from_fn_with_state(office, guard))
}

/// Lets through what may pass, and marks every answer as one that is kept nowhere.
async fn guard(
    State(office): State<Office>,
    Extension(peer): Extension<Peer>,
    request: Request,
    next: Next,
) -> Response {
    let mut response = match admit(&office, peer, &request) {
        Ok(()) => next.run(request).await,
        Err(problem) => problem.into_response(),
    };
    let headers = response.headers_mut();
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    response
}

fn admit(office: &Office, peer: Peer, request: &Request) -> Result<(), Problem> {
    let (method, uri, headers) = (request.method(), request.uri(), request.headers());
    let observer = &office.desk.observer;
    if let Err(denial) = office.rules.load().check(peer, method, uri, headers) {
        observer.denied(denial, &line(method, uri.path()), &peer.place());
        return Err(denial.into());
    }
    if length(headers).is_some_and(|length| length > LARGEST_BODY) {
        let detail = format!("a body may have {LARGEST_BODY} bytes");
        return Err(Problem::new(StatusCode::PAYLOAD_TOO_LARGE, detail));
    }
    if !matches!(*method, Method::GET | Method::HEAD) {
        observer.asked(&line(method, uri.path()), &peer);
    }
    Ok(())
}

fn length(headers: &HeaderMap) -> Option<u64> {
    headers.get(header::CONTENT_LENGTH)?.to_str().ok()?.parse().ok()
}

/// What is asked, as it is logged: bounded, and escaped where it is odd.
fn line(method: &Method, path: &str) -> String {
    let path: String = path.chars().take(100).collect();
    format!("{} {path:?}", name(method))
}

/// A method as it is repeated: one that nobody knows may be as long as a head.
fn name(method: &Method) -> String {
    method.as_str().chars().take(20).collect()
}

async fn healthz() -> &'static str {
    "ok\n"
}

async fn readyz(State(desk): State<Arc<Desk>>) -> Result<&'static str, Problem> {
    match *desk.phase.borrow() {
        Phase::Ready => Ok("ready\n"),
        Phase::Starting => Err(Problem::new(StatusCode::SERVICE_UNAVAILABLE, "bookend is starting")),
        Phase::Stopping => Err(stopping()),
    }
}

async fn metrics(State(desk): State<Arc<Desk>>) -> Result<Response, Problem> {
    match desk.observer.metrics().text(&report::now(&desk)) {
        Ok(text) => Ok(([(header::CONTENT_TYPE, METRICS)], text).into_response()),
        Err(why) => Err(Problem::new(StatusCode::INTERNAL_SERVER_ERROR, why.to_string())),
    }
}

async fn status(State(desk): State<Arc<Desk>>) -> Response {
    Json(report::status(&desk)).into_response()
}

async fn openapi() -> Response {
    ([(header::CONTENT_TYPE, "application/json")], DOCUMENT).into_response()
}

/// How a reload is asked for; without a body it is as usual.
#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct Reload {
    /// Whether even if a pool could not serve with it.
    #[serde(default)]
    force: bool,
}

async fn reload(
    State(desk): State<Arc<Desk>>,
    Extension(peer): Extension<Peer>,
    request: Request,
) -> Result<Response, Problem> {
    let Reload { force: is_forced } =
        if has_body(request.headers()) { object(request).await? } else { Reload::default() };
    match ask(&desk, |answer| Wanted::Reload { is_forced, by: owner(peer), answer }).await? {
        Ok(generation) => Ok(Json(serde_json::json!({ "generation": generation })).into_response()),
        Err(why) => Err(Problem::refused(&why)),
    }
}

async fn reopen(State(desk): State<Arc<Desk>>, request: Request) -> Result<Response, Problem> {
    nothing(request.headers())?;
    match ask(&desk, Wanted::Reopen).await? {
        Ok(file) => Ok(Json(serde_json::json!({ "file": file })).into_response()),
        Err(why) => Err(Problem::new(StatusCode::CONFLICT, in_full(&why))),
    }
}

async fn upgrade(State(desk): State<Arc<Desk>>, request: Request) -> Result<Response, Problem> {
    nothing(request.headers())?;
    match ask(&desk, Wanted::Upgrade).await? {
        Ok(process) => Ok(Json(serde_json::json!({ "process": process })).into_response()),
        Err(why) => Err(Problem::new(StatusCode::CONFLICT, in_full(&why))),
    }
}

/// Asks for a change and waits for what comes of it.
async fn ask<T>(desk: &Desk, change: impl FnOnce(oneshot::Sender<T>) -> Wanted) -> Result<T, Problem> {
    let (answer, outcome) = oneshot::channel();
    desk.wanted.try_send(change(answer)).map_err(|why| match why {
        TrySendError::Full(_) => {
            Problem::new(StatusCode::SERVICE_UNAVAILABLE, "too many changes wait for their turn")
        }
        TrySendError::Closed(_) => stopping(),
    })?;
    match tokio::time::timeout(LONGEST_CHANGE, outcome).await {
        Ok(Ok(outcome)) => Ok(outcome),
        Ok(Err(_)) => Err(stopping()),
        Err(_) => {
            Err(Problem::new(StatusCode::GATEWAY_TIMEOUT, "it takes long; the log will say how it ended"))
        }
    }
}

fn stopping() -> Problem {
    Problem::new(StatusCode::SERVICE_UNAVAILABLE, "bookend is stopping")
}

async fn nothing_there() -> Problem {
    Problem::new(StatusCode::NOT_FOUND, "there is nothing here; /openapi.json says what there is")
}

async fn wrong_method(method: Method) -> Problem {
    Problem::new(StatusCode::METHOD_NOT_ALLOWED, format!("this path does not take {}", name(&method)))
}
