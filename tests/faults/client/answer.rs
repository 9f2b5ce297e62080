//! Whether what came is the answer to the request.

use super::ask::{Ask, Kind};
use super::record::Outcome;
use crate::node::Place;
use crate::payload::{self, Way};

/// What an answer of this status comes to, whose body is whole or broke off.
pub(super) fn judge(ask: &Ask, status: u16, body: &[u8], is_whole: bool) -> Outcome {
    match (status, is_whole) {
        (418, _) => Outcome::Wrong("the node got another body than was sent".to_owned()),
        (200, true) if is_right(ask, body) => Outcome::Served,
        (200, true) => Outcome::Wrong(format!("{} of {} B that look whole", body.len(), ask.order.wanted)),
        (200, false) if is_beginning(ask, body) => Outcome::Cut,
        (200, false) => Outcome::Wrong("another body, which broke off".to_owned()),
        (_, true) => Outcome::Status(status),
        (_, false) => Outcome::Cut,
    }
}

fn is_right(ask: &Ask, body: &[u8]) -> bool {
    match (ask.kind, ask.order.place) {
        (Kind::Head, _) => body.is_empty(),
        (_, Place::Events) => body.ends_with(b"data: 29\n\n"),
        _ => body == expected(ask),
    }
}

fn is_beginning(ask: &Ask, body: &[u8]) -> bool {
    ask.order.place == Place::Events || expected(ask).starts_with(body)
}

fn expected(ask: &Ask) -> &'static [u8] {
    payload::of(ask.order.id, Way::ToClient, ask.order.wanted)
}
