//! Bodies of requests: objects of JSON, no longer than they need to be.

use std::error::Error;

use axum::body::to_bytes;
use axum::extract::Request;
use http::{HeaderMap, StatusCode, header};
use http_body_util::LengthLimitError;
use serde::de::DeserializeOwned;

use super::api::LARGEST_BODY;
use super::problem::Problem;

/// Whether there is a body at all.
pub(super) fn has_body(headers: &HeaderMap) -> bool {
    let is_none = headers.get(header::CONTENT_LENGTH).is_none_or(|length| length == "0");
    !is_none || headers.contains_key(header::TRANSFER_ENCODING)
}

/// Nothing, where nothing is taken.
pub(super) fn nothing(headers: &HeaderMap) -> Result<(), Problem> {
    if has_body(headers) {
        return Err(Problem::new(StatusCode::BAD_REQUEST, "this path takes no body"));
    }
    Ok(())
}

/// The object of a body.
pub(super) async fn object<T: DeserializeOwned>(request: Request) -> Result<T, Problem> {
    if !is_json(request.headers()) {
        let detail = "the body is an object of JSON, and Content-Type: application/json says so";
        return Err(Problem::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, detail));
    }
    let most = usize::try_from(LARGEST_BODY).unwrap_or(usize::MAX);
    let body = to_bytes(request.into_body(), most).await.map_err(|why| unread(&why))?;
    parse(&body)
}

/// A body that is too long, or of which the end never came.
fn unread(why: &axum::Error) -> Problem {
    if why.source().is_some_and(|why| why.is::<LengthLimitError>()) {
        let detail = format!("a body may have {LARGEST_BODY} bytes");
        return Problem::new(StatusCode::PAYLOAD_TOO_LARGE, detail);
    }
    Problem::new(StatusCode::BAD_REQUEST, "the body breaks off, or is not framed as it says")
}

fn parse<T: DeserializeOwned>(body: &[u8]) -> Result<T, Problem> {
    // An array would do for serde, by the order of the keys.
    if !body.trim_ascii_start().starts_with(b"{") {
        return Err(Problem::new(StatusCode::BAD_REQUEST, "the body is no object of JSON"));
    }
    serde_json::from_slice(body).map_err(|why| {
        // It repeats what it was told, which may be anything.
        let why: String = why.to_string().chars().take(300).collect();
        Problem::new(StatusCode::BAD_REQUEST, format!("the body is not understood: {why}"))
    })
}

fn is_json(headers: &HeaderMap) -> bool {
    let mut kinds = headers.get_all(header::CONTENT_TYPE).iter();
    let (Some(kind), None) = (kinds.next(), kinds.next()) else { return false };
    let kind = kind.to_str().unwrap_or_default().split(';').next().unwrap_or_default().trim();
    kind.eq_ignore_ascii_case("application/json")
}

#[cfg(test)]
mod tests {
    use super::super::drain::Wish;
    use super::*;

    #[test]
    fn only_one_content_type_is_json() {
        let is_json = |kinds: &[&'static str]| {
            let mut headers = HeaderMap::new();
            for kind in kinds {
                headers.append(header::CONTENT_TYPE, http::HeaderValue::from_static(kind));
            }
            is_json(&headers)
        };
        assert!(is_json(&["application/json"]) && is_json(&["Application/JSON ; charset=UTF-8"]));
        assert!(!is_json(&[]) && !is_json(&["application/json", "text/plain"]));
        assert!(!is_json(&["application/jsonx"]) && !is_json(&["text/plain; application/json"]));
    }

    #[test]
    fn only_an_object_is_one() {
        let is_taken = |text: &str| parse::<Wish>(text.as_bytes()).is_ok();
        assert!(is_taken(r#" {"node": "web/web-02", "reason": "x"}"#));
        for text in ["", "[]", r#"["web/web-02", "1h", "x", true]"#, r#""web/web-02""#, "null", "{", "{}"] {
            assert!(!is_taken(text), "{text}");
        }
    }
}
