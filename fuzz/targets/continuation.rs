//! The answer of a second node: it goes on where the first broke off, or it is refused; never does a client get another
//! body than one of the two nodes sent.
//!
//! The input is two heads, each a status and headers, and the two bodies, with an empty line between any two of these.
#![no_main]

use bookend::continuation::{Ask, Head, Mismatch, Overlap, Plan, Sent};
use bookend_fuzz::{headers, parts};
use bytes::Bytes;
use http::{HeaderMap, StatusCode, header};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    let [first, second, sent, body] = parts(data, b"\n\n");
    let (Some(first), Some(second)) = (Answer::read(first), Answer::read(second)) else { return };
    let step = 1 + body.len() % 7;
    let Some(account) = account_of(&first, sent, step) else { return };
    assert_eq!(account.length(), sent.len() as u64);
    let Some(plan) = Plan::new(first.head(), &account) else { return };
    check_ask(&plan, &first, sent.len() as u64);
    assert!(plan.accept(first.head()).is_ok() || asks_for_rest(&plan), "the same is refused");
    let Ok(overlap) = plan.accept(second.head()) else { return };
    check_agreement(&first, &second);
    if asks_for_rest(&plan) && second.status == StatusCode::PARTIAL_CONTENT {
        check_rest(&plan, &second);
        assert_eq!(passed(overlap, body, step).as_deref(), Ok(body), "the rest is passed on as it is");
    } else if let Ok(passed) = passed(overlap, body, step) {
        let vouched = first.has_strong_etag();
        assert!(vouched || body.starts_with(sent), "another body is finished");
        assert_eq!(passed, body[sent.len()..], "bytes are lost or sent twice");
    } else {
        let is_short = body.len() < sent.len();
        assert!(is_short || !body.starts_with(sent), "the same body is refused");
    }
});

struct Answer {
    status: StatusCode,
    headers: HeaderMap,
}

impl Answer {
    fn read(text: &[u8]) -> Option<Self> {
        let [status, lines] = parts(text, b"\n");
        Some(Self { status: StatusCode::from_bytes(status).ok()?, headers: headers(lines) })
    }

    fn head(&self) -> Head<'_> {
        Head { status: self.status, headers: &self.headers }
    }

    fn has_strong_etag(&self) -> bool {
        self.headers.get(header::ETAG).is_some_and(|etag| etag.as_bytes().starts_with(b"\""))
    }
}

/// The account of an answer of which `sent` went to the client, in pieces of `step` bytes.
fn account_of(first: &Answer, sent: &[u8], step: usize) -> Option<Sent> {
    let mut account = Sent::nothing_of(first.head(), [1, 2, 3, 4])?;
    sent.chunks(step).for_each(|piece| account.add(piece, false));
    Some(account)
}

/// What of the second `body` goes to the client.
fn passed(mut overlap: Overlap, body: &[u8], step: usize) -> Result<Vec<u8>, Mismatch> {
    let mut passed = Vec::new();
    for piece in body.chunks(step) {
        let mut piece = Some(Bytes::copy_from_slice(piece));
        overlap.cut_off(&mut piece, false)?;
        passed.extend(piece.into_iter().flatten());
    }
    overlap.cut_off(&mut None, true)?;
    Ok(passed)
}

fn asks_for_rest(plan: &Plan) -> bool {
    matches!(plan.ask(), Ask::Rest { .. })
}

/// The range that is asked for begins behind what the client has, and is asked for by a strong validator.
fn check_ask(plan: &Plan, first: &Answer, sent: u64) {
    let Ask::Rest { range, if_range } = plan.ask() else { return };
    assert!(first.has_strong_etag() && first.headers.get(header::ETAG) == Some(if_range));
    let (from, to) = numbers(range.to_str().unwrap().strip_prefix("bytes=").expect("bytes"));
    let begin = match first.headers.get(header::CONTENT_RANGE) {
        Some(part) if first.status == StatusCode::PARTIAL_CONTENT => begin_of(part.to_str().unwrap()),
        _ => 0,
    };
    assert!(from == begin + sent && from <= to, "{range:?} after {sent}");
    let length: u64 = first.headers[header::CONTENT_LENGTH].to_str().unwrap().parse().unwrap();
    assert_eq!(to - begin + 1, length, "{range:?} of {length}");
}

/// A part that is taken for the rest says that it is exactly that.
fn check_rest(plan: &Plan, second: &Answer) {
    let Ask::Rest { range, .. } = plan.ask() else { return };
    let range = range.to_str().unwrap().replace('=', " ");
    let told = second.headers[header::CONTENT_RANGE].to_str().unwrap().to_ascii_lowercase();
    let (told, _) = told.split_once('/').expect("a length");
    let numbers = |text: &str| numbers(text.strip_prefix("bytes ").expect("bytes"));
    assert_eq!(numbers(told), numbers(&range));
}

/// What says what the body is agrees.
fn check_agreement(first: &Answer, second: &Answer) {
    for name in [header::ETAG, header::CONTENT_ENCODING] {
        assert_eq!(first.headers.get(&name), second.headers.get(&name), "{name} differs");
    }
}

fn begin_of(content_range: &str) -> u64 {
    let (range, _) = content_range.split_once('/').expect("a length");
    let (_, range) = range.split_once(' ').expect("a unit");
    numbers(range).0
}

fn numbers(range: &str) -> (u64, u64) {
    let (from, to) = range.split_once('-').expect("two numbers");
    (from.parse().unwrap(), to.parse().unwrap())
}
