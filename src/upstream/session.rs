//! Sessions: clients that stay with one node, by a signed cookie.
//!
//! The cookie's value names the session and its node, says when it was given, and is signed for one pool (HMAC-SHA256, RFC
//! 2104, cut to 128 bits). The node's name in it is a hash with the same key, which tells nobody anything of addresses; it
//! is the same in every bookend that has the key. A value that was not signed for this pool is no pass, whatever else is
//! wrong with it.

use std::sync::Arc;

use hmac::{Hmac, Mac};
use sha2::Sha256;

use super::lineup::NO_OTHER_COMES;
use super::{Asker, Availability, Member, OverloadLine, Place};

/// Bytes of the signature that a pass carries.
const SIGNATURE: usize = 16;

/// Bytes of a pass before its signature: session, node, time.
const BODY: usize = 8 + 8 + 4;

/// A node's name in a pass.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Seat(u64);

/// What a client shows to get back to its node.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pass {
    /// The session; it stays the same when the session moves.
    pub session: u64,
    /// Its node.
    pub seat: Seat,
    /// When it was given, in seconds since 1970.
    pub given: u32,
}

/// Signs the passes of one pool.
#[derive(Clone)]
pub struct Seal {
    mac: Hmac<Sha256>,
}

/// What ties a session to its node, for one request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tie {
    /// The request goes to it.
    Holds,
    /// The session moves to another.
    Breaks,
    /// The node has no room and another one has: it moves unless there is room in time.
    Waits,
    /// The session stays, but this request is needed to try a node that nobody else tries.
    Lends,
}

impl Seal {
    /// The seal of `pool`, by a key that all of its bookends share.
    pub fn new(key: &[u8], pool: &str) -> Option<Self> {
        let mut mac = Hmac::<Sha256>::new_from_slice(key).ok()?;
        mac.update(b"bookend sticky 1\0");
        mac.update(pool.as_bytes());
        mac.update(b"\0");
        Some(Self { mac })
    }

    /// The name of the node at `place`.
    pub fn seat(&self, place: &Place) -> Seat {
        let mut mac = self.mac.clone();
        mac.update(b"node\0");
        mac.update(place.to_string().as_bytes());
        let hash: [u8; 32] = mac.finalize().into_bytes().into();
        let [a, b, c, d, e, f, g, h, ..] = hash;
        Seat(u64::from_be_bytes([a, b, c, d, e, f, g, h]))
    }

    /// The pass as a cookie's value: 72 hexadecimal digits.
    pub fn sign(&self, pass: Pass) -> String {
        let body = pass.to_bytes();
        let signature = self.over(&body).finalize().into_bytes();
        body.iter().chain(signature.iter().take(SIGNATURE)).map(|byte| format!("{byte:02x}")).collect()
    }

    /// The pass that a cookie's value is; `None` if it was not signed by this seal.
    pub fn read(&self, value: &[u8]) -> Option<Pass> {
        let bytes: [u8; BODY + SIGNATURE] = from_hex(value)?;
        let (body, signature) = bytes.split_first_chunk::<BODY>()?;
        self.over(body).verify_truncated_left(signature).ok()?;
        Some(Pass::of(body))
    }

    fn over(&self, body: &[u8; BODY]) -> Hmac<Sha256> {
        let mut mac = self.mac.clone();
        mac.update(b"pass\0");
        mac.update(body);
        mac
    }
}

/// Says nothing of the key.
impl std::fmt::Debug for Seal {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Seal")
    }
}

impl Pass {
    fn to_bytes(self) -> [u8; BODY] {
        let mut bytes = [0; BODY];
        let session = self.session.to_be_bytes();
        let fields = session.into_iter().chain(self.seat.0.to_be_bytes()).chain(self.given.to_be_bytes());
        bytes.iter_mut().zip(fields).for_each(|(byte, field)| *byte = field);
        bytes
    }

    fn of(bytes: &[u8; BODY]) -> Self {
        let [a, b, c, d, e, f, g, h, i, j, k, l, m, n, o, p, q, r, s, t] = *bytes;
        Self {
            session: u64::from_be_bytes([a, b, c, d, e, f, g, h]),
            seat: Seat(u64::from_be_bytes([i, j, k, l, m, n, o, p])),
            given: u32::from_be_bytes([q, r, s, t]),
        }
    }
}

/// Whether a session of `member` stays there for a request of `asker` at `now`, in milliseconds of the clock, where `has_room`
/// says which nodes have a place for it.
///
/// It does while the node is available, has room or nobody else has, and is no backup of nodes that can serve again. A node
/// that waits for somebody to try it would wait for ever where every client has a session; after a while a request that
/// can be repeated is lent to it.
pub fn tie(
    member: &Arc<Member>,
    members: &[Arc<Member>],
    asker: Asker,
    has_room: impl Fn(&Member) -> bool,
    now: u64,
) -> Tie {
    let is_available = |member: &Arc<Member>| member.node.availability(now) == Availability::Available;
    let can_serve = |other: &&Arc<Member>| is_available(other) && has_room(other);
    if !is_available(member) || members.iter().any(|other| other.tier < member.tier && can_serve(&other)) {
        return Tie::Breaks;
    }
    if !has_room(member) && members.iter().any(|other| can_serve(&other)) {
        return Tie::Waits;
    }
    let is_lonely =
        |other: &Arc<Member>| other.node.wants_trial(now).is_some_and(|waiting| waiting >= NO_OTHER_COMES);
    if asker == Asker::Repeatable && members.iter().any(is_lonely) {
        return Tie::Lends;
    }
    Tie::Holds
}

/// Lets those move who wait in `line` for a node alone that their sessions leave at `now`, or that is none of `members`.
pub fn release_sessions(members: &[Arc<Member>], line: &OverloadLine, now: u64) {
    for node in line.only_for() {
        let own = members.iter().find(|member| member.node.key() == node);
        let leaves = |own| tie(own, members, Asker::Unrepeatable, Member::has_room, now) == Tie::Breaks;
        if own.is_none_or(leaves) {
            line.release(node);
        }
    }
}

fn from_hex<const LENGTH: usize>(digits: &[u8]) -> Option<[u8; LENGTH]> {
    let mut bytes = [0; LENGTH];
    if digits.len() != 2 * LENGTH {
        return None;
    }
    for (byte, pair) in bytes.iter_mut().zip(digits.chunks(2)) {
        let [high, low] = pair else { return None };
        // One way to write a value, so that no two cookies are the same pass.
        let digit = |digit: &u8| match digit {
            b'0'..=b'9' => Some(digit - b'0'),
            b'a'..=b'f' => Some(digit - b'a' + 10),
            _ => None,
        };
        *byte = digit(high)? << 4 | digit(low)?;
    }
    Some(bytes)
}

#[cfg(test)]
#[path = "session_tests.rs"]
mod tests;
