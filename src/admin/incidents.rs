//! `GET /incidents` and `/incidents/{id}`.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use http::{HeaderMap, StatusCode, Uri, header};

use super::desk::Desk;
use super::problem::Problem;

/// What Markdown is called (RFC 7763).
const MARKDOWN: &str = "text/markdown; charset=utf-8";

/// All incidents that are known, the newest first.
pub(super) async fn list(State(desk): State<Arc<Desk>>) -> Response {
    Json(desk.timeline.incidents()).into_response()
}

/// All of one; `last` is the newest.
pub(super) async fn show(
    State(desk): State<Arc<Desk>>,
    uri: Uri,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    // No id has a sign that would be encoded.
    let id = uri.path().strip_prefix("/incidents/").unwrap_or_default();
    let is_markdown = match uri.query() {
        Some("format=markdown") => true,
        Some("format=json") => false,
        None => prefers_markdown(&headers),
        Some(_) => {
            return Err(Problem::new(
                StatusCode::BAD_REQUEST,
                "the query is `format=json`, `format=markdown` or none",
            ));
        }
    };
    let found = match is_markdown {
        true => desk
            .timeline
            .post_mortem(id)
            .map(|text| ([(header::CONTENT_TYPE, MARKDOWN)], text).into_response()),
        false => desk.timeline.account(id).map(|account| Json(account).into_response()),
    };
    found.ok_or_else(|| {
        let id: String = id.chars().filter(|c| !c.is_control()).take(40).collect();
        let detail = match id.as_str() {
            "last" => "there was no incident, as far as is known".to_owned(),
            id => format!("there is no incident `{id}`; `/incidents` has all that are known"),
        };
        Problem::new(StatusCode::NOT_FOUND, detail)
    })
}

fn prefers_markdown(headers: &HeaderMap) -> bool {
    let accept = headers.get(header::ACCEPT).and_then(|value| value.to_str().ok()).unwrap_or_default();
    accept.split(',').any(|kind| kind.split(';').next().is_some_and(|kind| kind.trim() == "text/markdown"))
}
