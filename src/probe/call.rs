//! Asking a node by gRPC whether it serves (grpc.health.v1, `health-checking.md` of grpc/grpc).
//!
//! The two messages have one field each, so they are written and read here byte by byte.

use http_body_util::{BodyExt, Full, Limited};
use hyper::body::{Bytes, Incoming};
use hyper::header::{CONTENT_TYPE, HeaderMap, TE};
use hyper::{Request, Response};

use crate::headers::{GRPC, GRPC_MESSAGE, GRPC_STATUS};

/// What is called.
pub(super) const PATH: &str = "/grpc.health.v1.Health/Check";

/// The most of an answer that is read.
const LONGEST: usize = 4096;

/// The field 1 of a request, the name of a service, and of an answer, how it is.
const SERVICE: u8 = 0x0a;
const STATUS: u8 = 0x08;

/// The call for `service`; empty is the node as a whole.
pub(super) fn request(url: &str, service: &str) -> Result<Request<Full<Bytes>>, String> {
    let request = Request::post(url).header(CONTENT_TYPE, GRPC).header(TE, "trailers");
    request.body(Full::from(message(service))).map_err(|why| why.to_string())
}

/// A message in its frame: not compressed, its length, and itself.
fn message(service: &str) -> Vec<u8> {
    let mut field = Vec::new();
    if let (false, Ok(length)) = (service.is_empty(), u8::try_from(service.len())) {
        field.extend([SERVICE, length]);
        field.extend(service.as_bytes());
    }
    let length = u32::try_from(field.len()).unwrap_or_default();
    let mut message = vec![0];
    message.extend(length.to_be_bytes());
    message.extend(field);
    message
}

/// Reads the answer: whether the node serves.
pub(super) async fn judge(answer: Response<Incoming>) -> Result<(), String> {
    let status = answer.status();
    if !status.is_success() {
        return Err(format!("answered {}", status.as_u16()));
    }
    let head = answer.headers().clone();
    let body = Limited::new(answer.into_body(), LONGEST).collect().await;
    let body = body.map_err(|why| format!("its answer to the call broke off: {why}"))?;
    let trailers = body.trailers().cloned().unwrap_or_default();
    verdict(&head, &trailers, &body.to_bytes())
}

fn verdict(head: &HeaderMap, trailers: &HeaderMap, body: &[u8]) -> Result<(), String> {
    let told = |name: &str| trailers.get(name).or_else(|| head.get(name));
    let words = |name| told(name).and_then(|value| value.to_str().ok()).unwrap_or_default().to_owned();
    match words(GRPC_STATUS).as_str() {
        "0" => {}
        "" => return Err("its answer is none of gRPC".to_owned()),
        "5" => return Err("it does not know the service (status 5)".to_owned()),
        "12" => {
            return Err("it has no health service (status 12): add one, or check by `type: tcp`".to_owned());
        }
        status => return Err(format!("the call ended with status {status} {}", words(GRPC_MESSAGE))),
    }
    match body.get(5..).unwrap_or_default() {
        [STATUS, 1] => Ok(()),
        [STATUS, 2] => Err("it says that it does not serve".to_owned()),
        // The default, which is not written.
        [] | [STATUS, 0] => Err("it does not know whether it serves".to_owned()),
        [STATUS, 3] => Err("it does not know the service".to_owned()),
        _ => Err("its answer cannot be read".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn call_is_a_message_of_one_field() {
        assert_eq!(message(""), [0, 0, 0, 0, 0]);
        assert_eq!(message("a.B"), [0, 0, 0, 0, 5, 0x0a, 3, b'a', b'.', b'B']);
    }

    #[test]
    fn node_serves_if_it_says_so_and_the_call_ended_well() {
        let of = |status: &'static str| {
            HeaderMap::from_iter([(GRPC_STATUS.parse().unwrap(), status.parse().unwrap())])
        };
        let (none, good) = (HeaderMap::new(), of("0"));
        assert_eq!(verdict(&none, &good, &[0, 0, 0, 0, 2, 8, 1]), Ok(()));
        for (head, trailers, body, why) in [
            (&none, &good, &[0, 0, 0, 0, 2, 8, 2][..], "does not serve"),
            (&none, &good, &[0, 0, 0, 0, 0], "does not know whether"),
            (&none, &good, &[0, 0, 0, 0, 9, 1, 2, 3], "cannot be read"),
            (&none, &none, &[0, 0, 0, 0, 2, 8, 1], "none of gRPC"),
            (&of("12"), &none, &[], "no health service"),
            (&none, &of("14"), &[], "status 14"),
        ] {
            let said = verdict(head, trailers, body).unwrap_err();
            assert!(said.contains(why), "{said}");
        }
    }
}
