//! What clients ask, and what the answer has to be.

use axum::body::Body;
use http::{HeaderValue, Method, Request, Response, StatusCode, header};

use super::node::{NODE, page};

/// Different pages that are asked for.
const PAGES: u64 = 500;
/// Lines of a body that is sent: about 2 KiB.
const LINES: usize = 40;

/// What a client got, if that is in order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// The right answer, of the node with this name.
    Right(String),
    /// bookend's own word that it is too much now, and when to come again.
    TurnedAway,
}

/// A request and the only right answer to it.
#[derive(Debug)]
pub(super) struct Question {
    method: Method,
    path: String,
    /// What is sent, and for anything but GET what comes back.
    body: String,
    /// Makes a POST one that may be repeated: whoever carries it out can tell that it is the same.
    key: Option<String>,
}

impl Question {
    /// The question with this number: of ten, one PUT, one POST, else GET.
    pub(super) fn number(number: u64) -> Self {
        let (method, path, key) = match number % 10 {
            4 => (Method::PUT, format!("/notes/{number}"), None),
            9 => (Method::POST, "/orders".to_owned(), Some(format!("\"order-{number}\""))),
            _ => (Method::GET, format!("/pages/{}", number % PAGES), None),
        };
        let body = match method {
            Method::GET => String::new(),
            _ => format!("Line of what request {number} brings with it.\n").repeat(LINES),
        };
        Self { method, path, body, key }
    }

    /// As a request to `host`.
    pub(super) fn to_request(&self, host: &HeaderValue) -> Result<Request<Body>, http::Error> {
        let mut request = Request::builder().method(&self.method).uri(&self.path).header(header::HOST, host);
        if let Some(key) = &self.key {
            request = request.header("idempotency-key", key);
        }
        request.body(match self.body.is_empty() {
            true => Body::empty(),
            false => Body::from(self.body.clone()),
        })
    }

    /// What this answer is, or what is wrong with it.
    pub(super) fn judge(&self, answer: &Response<()>, body: &[u8]) -> Result<Verdict, String> {
        let headers = answer.headers();
        let is_told_when = headers.contains_key(header::RETRY_AFTER) && !headers.contains_key(NODE);
        if answer.status() == StatusCode::SERVICE_UNAVAILABLE && is_told_when {
            return Ok(Verdict::TurnedAway);
        }
        if answer.status() != StatusCode::OK {
            return Err(answer.status().to_string());
        }
        let is_right = match self.method {
            Method::GET => body == page(&self.path).as_bytes(),
            _ => body == self.body.as_bytes(),
        };
        if !is_right {
            return Err(format!("a wrong body of {} bytes", body.len()));
        }
        let node = headers.get(NODE).and_then(|node| node.to_str().ok());
        node.map(|node| Verdict::Right(node.to_owned())).ok_or_else(|| "an answer of no node".to_owned())
    }

    /// The question in a few words.
    pub(super) fn name(&self) -> String {
        format!("{} {}", self.method, self.path)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(status: u16) -> Response<()> {
        Response::builder().status(status).header(NODE, "web-01").body(()).unwrap()
    }

    #[test]
    fn only_the_right_answer_is_right() {
        let get = Question::number(0);
        assert_eq!(
            get.judge(&answer(200), page("/pages/0").as_bytes()),
            Ok(Verdict::Right("web-01".to_owned()))
        );
        assert!(get.judge(&answer(200), page("/pages/1").as_bytes()).is_err());
        assert!(get.judge(&answer(200), b"").is_err());
        assert!(get.judge(&answer(502), page("/pages/0").as_bytes()).is_err());
        assert!(get.judge(&Response::new(()), page("/pages/0").as_bytes()).is_err());
    }

    #[test]
    fn only_bookend_turns_clients_away_and_says_until_when() {
        let get = Question::number(0);
        let answer = |status: u16, name: &str, value: &str| {
            Response::builder().status(status).header(name, value).body(()).unwrap()
        };
        assert_eq!(get.judge(&answer(503, "retry-after", "2"), b""), Ok(Verdict::TurnedAway));
        assert!(get.judge(&answer(503, "x-node", "web-01"), b"").is_err());
        assert!(get.judge(&answer(503, "x-other", "2"), b"").is_err());
        assert!(get.judge(&answer(502, "retry-after", "2"), b"").is_err());
    }

    #[test]
    fn what_is_sent_has_to_come_back() {
        for number in [4, 9] {
            let (one, another) = (Question::number(number), Question::number(number + 10));
            assert!(one.judge(&answer(200), one.body.as_bytes()).is_ok());
            assert!(one.judge(&answer(200), another.body.as_bytes()).is_err());
        }
    }

    #[test]
    fn post_may_be_repeated() {
        let host = HeaderValue::from_static("localhost");
        let posts = (0..20).map(Question::number).filter(|question| question.method == Method::POST);
        let keys: Vec<_> = posts
            .map(|post| post.to_request(&host).unwrap().headers().get("idempotency-key").unwrap().clone())
            .collect();
        assert_eq!(keys, ["\"order-9\"", "\"order-19\""]);
    }
}
