//! What bookend says in its own name: small, honest, and of the kind that the client asked for.

mod kind;

use http::StatusCode;

pub use kind::Kind;

/// An answer of ours.
#[derive(Clone, Copy, Debug)]
pub struct Answer<'a> {
    /// Its status.
    pub status: StatusCode,
    /// Its kind of body.
    pub kind: Kind,
    /// The id of the request, of characters that mean nothing in HTML and JSON (see `headers::RequestId`).
    pub id: &'a str,
}

impl Answer<'_> {
    /// Seconds after which the client should try again, for answers that will not last; spread by `chance`, so that
    /// clients that were sent away together do not come back together.
    pub fn retry_after(&self, chance: u64) -> Option<u64> {
        match self.status {
            StatusCode::SERVICE_UNAVAILABLE | StatusCode::TOO_MANY_REQUESTS => Some(1 + chance % 3),
            _ => None,
        }
    }

    /// The body.
    pub fn body(&self) -> String {
        let (code, id) = (self.status.as_u16(), self.id);
        let title = self.status.canonical_reason().unwrap_or("Error");
        let detail = self.detail();
        match self.kind {
            Kind::Html => format!(
                "<!doctype html>\n<html lang=\"en\"><meta charset=\"utf-8\"><title>{code} {title}</title>\n\
                 <body style=\"font-family:sans-serif;margin:4em auto;max-width:36em\">\n\
                 <h1>{title}</h1>\n<p>{detail}</p>\n<p><small>{code} · request {id}</small></p>\n</html>\n"
            ),
            Kind::Json => format!(
                "{{\"type\":\"about:blank\",\"status\":{code},\"title\":\"{title}\",\"detail\":\"{detail}\",\
                 \"request_id\":\"{id}\"}}\n"
            ),
            Kind::Text => format!("{code} {title}\n{detail}\nrequest {id}\n"),
        }
    }

    /// One sentence on what happened, without quotes or anything else that a format would have to escape.
    pub fn detail(&self) -> &'static str {
        match self.status {
            StatusCode::PERMANENT_REDIRECT => "This site is reached over TLS.",
            StatusCode::BAD_REQUEST => "The request could not be understood.",
            StatusCode::NOT_FOUND => "There is nothing at this address.",
            StatusCode::METHOD_NOT_ALLOWED => "This method is not allowed here.",
            StatusCode::REQUEST_TIMEOUT => "The request took too long to arrive.",
            StatusCode::URI_TOO_LONG => "The address is longer than this site takes.",
            StatusCode::HTTP_VERSION_NOT_SUPPORTED => "This version of HTTP is not spoken here.",
            StatusCode::PAYLOAD_TOO_LARGE => "The request is larger than this site takes.",
            StatusCode::TOO_MANY_REQUESTS => "There are too many connections from your address.",
            StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE => "The head of the request is too large.",
            StatusCode::BAD_GATEWAY => "The server behind this site failed while it had the request.",
            StatusCode::SERVICE_UNAVAILABLE => "No server of this site can take the request right now.",
            StatusCode::GATEWAY_TIMEOUT => "The server behind this site did not answer in time.",
            _ => "The request failed.",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NODE_FAILED: Answer<'_> = Answer { status: StatusCode::BAD_GATEWAY, kind: Kind::Json, id: "7f" };

    #[test]
    fn every_kind_names_the_status_and_the_request() {
        for kind in [Kind::Html, Kind::Json, Kind::Text] {
            let body = Answer { kind, ..NODE_FAILED }.body();
            assert!(body.contains("502") && body.contains("7f"), "{body}");
        }
    }

    #[test]
    fn json_is_yaml_too_and_reads_as_problem_details() {
        let value: serde_yaml::Value = serde_yaml::from_str(&NODE_FAILED.body()).expect("JSON");
        assert_eq!(value["status"], 502);
        assert_eq!(value["title"], "Bad Gateway");
        assert_eq!(value["request_id"], "7f");
    }

    #[test]
    fn only_answers_that_will_not_last_say_when_to_come_back() {
        assert_eq!(NODE_FAILED.retry_after(1), None);
        let unavailable = Answer { status: StatusCode::SERVICE_UNAVAILABLE, ..NODE_FAILED };
        for chance in 0..10 {
            assert!(matches!(unavailable.retry_after(chance), Some(1..=3)));
        }
    }
}
