//! Posting a message to a webhook, once.

use std::time::Duration;

use http::{HeaderMap, HeaderValue, Method, Request, Response, StatusCode, header};
use http_body_util::{BodyExt, Full, Limited};
use hyper::body::{Bytes, Incoming};
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use tokio::task::JoinSet;

use super::certificates::Trust;
use super::connection::connect;
use super::message::Message;
use super::signature;
use super::target::Trouble;
use crate::clock;
use crate::config::{Webhook, WebhookFormat};
use crate::state::Secret;

/// Bytes of an answer that are read, to say what a webhook says.
const LARGEST_ANSWER: usize = 64 * 1024;
/// Bytes of an answer's head.
const LARGEST_HEAD: usize = 16 * 1024;
/// Characters of an answer that are shown.
const MOST_SHOWN: usize = 120;

/// A webhook with all that it needs.
#[derive(Debug)]
pub(super) struct Hook {
    pub(super) settings: Webhook,
    pub(super) key: Option<Secret>,
    pub(super) trust: Trust,
}

impl Hook {
    /// Posts a message; returns what the webhook answered, if it took the message.
    pub(super) async fn post(&self, message: &Message) -> Result<String, Trouble> {
        let time = self.settings.timeout;
        match tokio::time::timeout(time, self.exchange(message)).await {
            Ok(outcome) => outcome,
            Err(_) => Err(Trouble::again(&format!("no answer within {}", humantime::format_duration(time)))),
        }
    }

    async fn exchange(&self, message: &Message) -> Result<String, Trouble> {
        let connecting = connect(&self.settings.url, &self.trust, self.settings.timeout);
        let stream = connecting.await.map_err(|why| Trouble::again(&format!("connecting: {why}")))?;
        let request = self.request(message).map_err(|why| Trouble::last(&why))?;
        let (mut sender, connection) = http1::Builder::new()
            .max_buf_size(LARGEST_HEAD)
            .handshake::<_, Full<Bytes>>(TokioIo::new(stream))
            .await
            .map_err(|why| Trouble::again(&in_full(&why)))?;
        // It ends with this set: a webhook that hangs leaves nothing behind.
        let mut driver = JoinSet::new();
        driver.spawn(connection);
        let response = sender.send_request(request).await;
        judge(response.map_err(|why| Trouble::again(&in_full(&why)))?).await
    }

    fn request(&self, message: &Message) -> Result<Request<Full<Bytes>>, http::Error> {
        let settings = &self.settings;
        let body = match settings.format {
            WebhookFormat::Json => message.json(),
            WebhookFormat::Slack => message.slack(),
        };
        let mut request = Request::builder()
            .method(Method::POST)
            .uri(settings.url.target().clone())
            .header(header::HOST, settings.url.authority())
            .header(header::USER_AGENT, concat!("bookend/", env!("CARGO_PKG_VERSION")))
            .header(header::CONTENT_TYPE, "application/json")
            .header(header::CONNECTION, "close");
        let time = clock::since_1970(clock::wall()) / 1_000;
        if let Some(signature) = self.key.as_ref().and_then(|key| signature::sign(key, time, &body)) {
            request = request.header(signature::HEADER, signature);
        }
        let mut request = request.body(Full::new(Bytes::from(body)))?;
        for (name, value) in &settings.headers {
            request.headers_mut().insert(name, value.clone());
        }
        Ok(request)
    }
}

/// What an answer means for the message.
async fn judge(response: Response<Incoming>) -> Result<String, Trouble> {
    let status = response.status();
    let asked = retry_after(response.headers());
    let said = said(response).await;
    let answer = if said.is_empty() { format!("{status}") } else { format!("{status}: {said}") };
    if status.is_success() {
        return Ok(answer);
    }
    if status.is_redirection() {
        return Err(Trouble::last(&format!("{answer}, and redirections are not followed")));
    }
    let is_passing = status.is_server_error()
        || matches!(status, StatusCode::REQUEST_TIMEOUT | StatusCode::TOO_MANY_REQUESTS);
    match is_passing {
        true => Err(Trouble { why: answer, again: Some(asked.unwrap_or_default()) }),
        false => Err(Trouble::last(&answer)),
    }
}

/// The seconds that a webhook asks to be left alone for. Dates are not read: those who send one mean a bot.
fn retry_after(headers: &HeaderMap<HeaderValue>) -> Option<Duration> {
    let seconds = headers.get(header::RETRY_AFTER)?.to_str().ok()?.trim().parse().ok()?;
    Some(Duration::from_secs(seconds))
}

/// The beginning of what the answer says, in one line; nothing if it is not text, or too long.
async fn said(response: Response<Incoming>) -> String {
    let Ok(body) = Limited::new(response.into_body(), LARGEST_ANSWER).collect().await else {
        return String::new();
    };
    let text = String::from_utf8(body.to_bytes().into()).unwrap_or_default();
    let shown = text.trim().chars().take(MOST_SHOWN).map(|c| if c.is_control() { ' ' } else { c });
    shown.collect()
}

/// An error with its causes.
fn in_full(error: &dyn std::error::Error) -> String {
    let causes = std::iter::successors(error.source(), |cause| cause.source());
    causes.fold(error.to_string(), |text, cause| format!("{text}: {cause}"))
}
