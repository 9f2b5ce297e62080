//! What clients ask, and what the answer has to be.

use axum::body::Body;
use http::{HeaderValue, Method, Request, Response, StatusCode, header};

use super::node::{NODE, page};

/// Different pages that are asked for.
const PAGES: u64 = 500;
/// Lines of a body that is sent: about 2 KiB.
const LINES: usize = 40;

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

    /// The node that gave this answer, or what is wrong with it.
    pub(super) fn judge(&self, answer: &Response<()>, body: &[u8]) -> Result<String, String> {
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
        let node = answer.headers().get(NODE).and_then(|node| node.to_str().ok());
        node.map(str::to_owned).ok_or_else(|| "an answer of no node".to_owned())
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
        assert_eq!(get.judge(&answer(200), page("/pages/0").as_bytes()), Ok("web-01".to_owned()));
        assert!(get.judge(&answer(200), page("/pages/1").as_bytes()).is_err());
        assert!(get.judge(&answer(200), b"").is_err());
        assert!(get.judge(&answer(502), page("/pages/0").as_bytes()).is_err());
        assert!(get.judge(&Response::new(()), page("/pages/0").as_bytes()).is_err());
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
