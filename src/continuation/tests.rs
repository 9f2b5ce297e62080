#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test fails by panicking")]

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use proptest::prelude::*;

use super::*;

type Line<'a> = (&'static str, &'a str);

const KEY: Key = [1, 2, 3, 4];
const LENGTH: &str = "content-length";
const STRONG: (&str, &str) = ("etag", "\"v1\"");
const TYPE: (&str, &str) = ("content-type", "text/html");

fn headers(lines: &[Line<'_>]) -> HeaderMap {
    let line =
        |&(name, value): &Line<'_>| (HeaderName::from_static(name), HeaderValue::from_str(value).unwrap());
    lines.iter().map(line).collect()
}

fn head(status: u16, headers: &HeaderMap) -> Head<'_> {
    Head { status: StatusCode::from_u16(status).unwrap(), headers }
}

/// The first answer with a body of which the client got `sent`.
fn plan(status: u16, lines: &[Line<'_>], sent: &[u8]) -> Option<Plan> {
    let headers = headers(lines);
    let mut account = Sent::nothing_of(head(status, &headers), KEY)?;
    if !sent.is_empty() {
        account.add(sent, false);
    }
    Plan::new(head(status, &headers), &account)
}

fn accept(plan: &Plan, status: u16, lines: &[Line<'_>]) -> Result<Overlap, Mismatch> {
    plan.accept(head(status, &headers(lines)))
}

fn range_of(plan: &Plan) -> Option<(&str, &str)> {
    match plan.ask() {
        Ask::Rest { range, if_range } => Some((range.to_str().unwrap(), if_range.to_str().unwrap())),
        Ask::Whole | Ask::TheSame => None,
    }
}

#[test]
fn answers_that_no_other_node_could_finish_are_left_alone() {
    let cases: [(u16, &[Line<'_>]); 11] = [
        (200, &[TYPE]), // ends with its connection
        (204, &[(LENGTH, "0")]),
        (304, &[(LENGTH, "9"), STRONG]),
        (302, &[(LENGTH, "9")]),
        (500, &[(LENGTH, "9")]),
        (200, &[(LENGTH, "9"), ("content-type", "Multipart/x-mixed-replace; boundary=a")]),
        (200, &[(LENGTH, "9"), ("set-cookie", "session=1")]),
        (200, &[(LENGTH, "9"), ("set-cookie", "session=1"), ("etag", "W/\"v1\"")]),
        (206, &[(LENGTH, "9")]),
        (206, &[(LENGTH, "3"), ("content-range", "bytes 2-5/9")]),
        (206, &[("transfer-encoding", "chunked"), ("content-range", "bytes 2-5/9")]),
    ];
    for (status, lines) in cases {
        assert!(plan(status, lines, b"ab").is_none(), "{status} {lines:?}");
    }
    assert!(plan(200, &[(LENGTH, "9"), ("set-cookie", "session=1"), STRONG], b"ab").is_some());
    assert!(plan(404, &[(LENGTH, "9")], b"ab").is_some());
}

#[test]
fn rest_is_asked_for_where_a_strong_validator_vouches_for_it() {
    let whole = plan(200, &[(LENGTH, "9"), STRONG], b"abc").unwrap();
    assert_eq!(range_of(&whole), Some(("bytes=3-8", "\"v1\"")));
    let part = [(LENGTH, "4"), ("content-range", "bytes 2-5/9"), STRONG];
    assert_eq!(range_of(&plan(206, &part, b"a").unwrap()), Some(("bytes=3-5", "\"v1\"")));

    let weak = plan(200, &[(LENGTH, "9"), ("etag", "W/\"v1\"")], b"abc").unwrap();
    assert_eq!(weak.ask(), Ask::Whole);
    let bare = plan(200, &[(LENGTH, "9"), ("etag", "v1")], b"abc").unwrap();
    assert_eq!(bare.ask(), Ask::Whole);
    let chunked = plan(200, &[("transfer-encoding", "chunked"), STRONG], b"abc").unwrap();
    assert_eq!(chunked.ask(), Ask::Whole);
    assert_eq!(plan(200, &[(LENGTH, "9"), STRONG], b"").unwrap().ask(), Ask::Whole);
    assert_eq!(plan(404, &[(LENGTH, "9"), STRONG], b"abc").unwrap().ask(), Ask::Whole);
    let part = [(LENGTH, "4"), ("content-range", "bytes 2-5/9")];
    assert_eq!(plan(206, &part, b"a").unwrap().ask(), Ask::TheSame);
}

#[test]
fn rest_must_be_exactly_what_was_asked_for() {
    let gzip = ("content-encoding", "gzip");
    let first = [(LENGTH, "9"), STRONG, TYPE, gzip, ("last-modified", "yesterday")];
    let plan = plan(200, &first, b"abc").unwrap();
    let right = ("content-range", "bytes 3-8/9");
    assert!(accept(&plan, 206, &[right, (LENGTH, "6"), STRONG, gzip]).is_ok());
    assert!(
        accept(&plan, 206, &[right, (LENGTH, "6"), STRONG, gzip, TYPE, ("last-modified", "yesterday")])
            .is_ok()
    );

    let cases: [(u16, &[Line<'_>], Mismatch); 10] = [
        (206, &[right, (LENGTH, "6"), gzip], Mismatch::Header(header::ETAG)),
        (206, &[right, (LENGTH, "6"), gzip, ("etag", "\"v2\"")], Mismatch::Header(header::ETAG)),
        (206, &[right, (LENGTH, "6"), STRONG], Mismatch::Header(header::CONTENT_ENCODING)),
        (
            206,
            &[right, (LENGTH, "6"), STRONG, gzip, ("content-type", "text/css")],
            Mismatch::Header(header::CONTENT_TYPE),
        ),
        (
            206,
            &[right, (LENGTH, "6"), STRONG, gzip, ("last-modified", "today")],
            Mismatch::Header(header::LAST_MODIFIED),
        ),
        (
            206,
            &[("content-range", "bytes 2-8/9"), (LENGTH, "6"), STRONG, gzip],
            Mismatch::Header(header::CONTENT_RANGE),
        ),
        (
            206,
            &[("content-range", "bytes 3-8/10"), (LENGTH, "6"), STRONG, gzip],
            Mismatch::Header(header::CONTENT_RANGE),
        ),
        (206, &[right, (LENGTH, "5"), STRONG, gzip], Mismatch::Header(header::CONTENT_LENGTH)),
        (
            206,
            &[right, ("transfer-encoding", "chunked"), STRONG, gzip],
            Mismatch::Header(header::CONTENT_LENGTH),
        ),
        (416, &[("content-range", "bytes */9"), STRONG], Mismatch::Status),
    ];
    for (status, lines, mismatch) in cases {
        assert_eq!(accept(&plan, status, lines).unwrap_err(), mismatch, "{status} {lines:?}");
    }
}

#[test]
fn whole_must_agree_in_all_that_identifies_it() {
    let first = [(LENGTH, "9"), TYPE, ("etag", "W/\"v1\""), ("last-modified", "yesterday")];
    let plan = plan(200, &first, b"abc").unwrap();
    assert!(accept(&plan, 200, &first).is_ok());
    for (index, name) in [header::CONTENT_LENGTH, header::CONTENT_TYPE, header::ETAG, header::LAST_MODIFIED]
        .into_iter()
        .enumerate()
    {
        let mut other = first.to_vec();
        other[index].1 = "other";
        assert_eq!(accept(&plan, 200, &other).unwrap_err(), Mismatch::Header(name.clone()));
        let without: Vec<_> = first.iter().filter(|line| line.0 != name.as_str()).copied().collect();
        assert_eq!(accept(&plan, 200, &without).unwrap_err(), Mismatch::Header(name.clone()));
        let twice = [&first[..], &[first[index]]].concat();
        assert_eq!(accept(&plan, 200, &twice).unwrap_err(), Mismatch::Header(name));
    }
    let with = |line| [&first[..], &[line]].concat();
    let encoded = with(("content-encoding", "gzip"));
    assert_eq!(accept(&plan, 200, &encoded).unwrap_err(), Mismatch::Header(header::CONTENT_ENCODING));
    assert_eq!(accept(&plan, 200, &with(("set-cookie", "a=1"))).unwrap_err(), Mismatch::Cookie);
    assert_eq!(accept(&plan, 404, &first).unwrap_err(), Mismatch::Status);
}

#[test]
fn answer_in_chunks_is_not_finished_by_one_that_ends_with_its_connection() {
    let plan = plan(200, &[("transfer-encoding", "chunked"), TYPE], b"abc").unwrap();
    assert_eq!(accept(&plan, 200, &[TYPE]).unwrap_err(), Mismatch::Endless);
    assert!(accept(&plan, 200, &[("transfer-encoding", "chunked"), TYPE]).is_ok());
}

#[test]
fn only_so_much_is_compared_by_its_hash() {
    let all = vec![0; usize::try_from(LONGEST_UNVERIFIED).unwrap()];
    let more = vec![0; all.len() + 1];
    let chunked = ("transfer-encoding", "chunked");
    assert!(plan(200, &[chunked], &all).is_some());
    assert!(plan(200, &[chunked], &more).is_none());
    assert!(plan(200, &[chunked, STRONG], &more).is_some());
}

#[test]
fn complete_answer_has_nothing_to_be_finished() {
    for lines in [&[(LENGTH, "3")][..], &[(LENGTH, "3"), STRONG]] {
        let headers = headers(lines);
        let mut sent = Sent::nothing_of(head(200, &headers), KEY).unwrap();
        sent.add(b"abc", true);
        assert!(Plan::new(head(200, &headers), &sent).is_none(), "{lines:?}");
    }
}

/// What a client has after `nodes` in turn each sent their body up to a break, in pieces; `None` if the second head or a
/// beginning was refused.
fn deliver(nodes: &[(Vec<u8>, usize)], piece: usize, total: usize) -> (Vec<u8>, Option<Mismatch>) {
    let headers = headers(&[(LENGTH, &total.to_string())]);
    let head = head(200, &headers);
    let mut sent = Sent::nothing_of(head, KEY).unwrap();
    let mut client = Vec::new();
    for (index, (body, upto)) in nodes.iter().enumerate() {
        let mut overlap = match index {
            0 => Overlap::none(),
            _ => Plan::new(head, &sent).unwrap().accept(head).unwrap(),
        };
        let upto = (*upto).min(body.len());
        let mut at = 0;
        while at < upto {
            let end = (at + piece).min(upto);
            let is_last = end == total;
            let mut bytes = Some(Bytes::copy_from_slice(&body[at..end]));
            if let Err(mismatch) = overlap.cut_off(&mut bytes, is_last) {
                return (client, Some(mismatch));
            }
            assert_ne!(bytes, Some(Bytes::new()), "an empty piece would end a chunked body");
            if let Some(bytes) = bytes {
                sent.add(&bytes, is_last);
                client.extend_from_slice(&bytes);
            }
            at = end;
        }
        if at == total {
            return (client, None);
        }
    }
    (client, None)
}

proptest! {
    #[test]
    fn three_nodes_give_one_answer(
        body in proptest::collection::vec(any::<u8>(), 1..600),
        first in 0_usize..600,
        second in 0_usize..600,
        piece in 1_usize..200,
    ) {
        let nodes = [(body.clone(), first), (body.clone(), second), (body.clone(), body.len())];
        prop_assert_eq!(deliver(&nodes, piece, body.len()), (body, None));
    }

    #[test]
    fn nothing_of_an_answer_that_begins_differently_gets_through(
        body in proptest::collection::vec(any::<u8>(), 2..600),
        at in any::<prop::sample::Index>(),
        wrong in any::<prop::sample::Index>(),
        flip in 1_u8..,
        piece in 1_usize..200,
    ) {
        let at = 1 + at.index(body.len() - 1);
        let mut other = body.clone();
        other[wrong.index(at)] ^= flip;
        let nodes = [(body.clone(), at), (other, body.len())];
        prop_assert_eq!(deliver(&nodes, piece, body.len()), (body[..at].to_vec(), Some(Mismatch::Beginning)));
    }

    #[test]
    fn shorter_answer_is_no_continuation(sent in 1_usize..500, less in 1_usize..500, piece in 1_usize..100) {
        let body = vec![7; sent.saturating_sub(less)];
        let plan = plan(200, &[("transfer-encoding", "chunked")], &vec![7; sent]).unwrap();
        let mut overlap = accept(&plan, 200, &[("transfer-encoding", "chunked")]).unwrap();
        for piece in body.chunks(piece) {
            prop_assert_eq!(overlap.cut_off(&mut Some(Bytes::copy_from_slice(piece)), false), Ok(()));
        }
        prop_assert_eq!(overlap.cut_off(&mut None, true), Err(Mismatch::Beginning));
    }
}
