//! Who sent a request, past the proxies in front of us that are trusted.

use std::net::IpAddr;

use super::{address, forwarded};
use crate::model::TrustedProxies;
use http::{HeaderMap, HeaderName, header};

pub(super) const X_FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");

/// How many proxies in a row are looked past; a longer chain is nobody's network but an attack.
const MAX_HOPS: usize = 64;

/// Who sent a request, and whether what its headers say about that is to be believed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Client {
    /// The client's address; `None` if the peer has none (a Unix socket) and is not trusted, or names none. An IPv4
    /// address that came in an IPv6 one is IPv4 here.
    pub address: Option<IpAddr>,
    /// Whether the peer is one of the trusted proxies.
    pub trusted_peer: bool,
}

/// Finds the client of a request that came from `peer`.
///
/// From a peer that is not `trusted`, the client is the peer. From one that is, the entries of `X-Forwarded-For` are
/// walked from the right, the one the peer itself wrote, past trusted addresses to the first that is not trusted. If
/// all are trusted the leftmost is the client. The walk ends at an entry that is no address (empty, `unknown`, an
/// obfuscated name): nothing to the left of it can be vouched for, so the last good one is the client. Entries may
/// be `ip`, `ip:port`, `[v6]` or `[v6]:port`.
///
/// `Forwarded` (RFC 7239) is read in the same way if there is no `X-Forwarded-For` at all. A trusted proxy that
/// writes `Forwarded` must therefore not pass on an `X-Forwarded-For` that it did not check.
///
/// At most 64 entries are read.
pub fn client(peer: Option<IpAddr>, headers: &HeaderMap, trusted: &TrustedProxies) -> Client {
    let peer = peer.map(|address| address.to_canonical());
    if !trusted.trust(peer) {
        return Client { address: peer, trusted_peer: false };
    }
    let is_trusted = |address: &IpAddr| trusted.trust(Some(*address));
    let address = if headers.contains_key(X_FORWARDED_FOR) {
        walk(peer, forwarded_for(headers), is_trusted)
    } else {
        walk(peer, forwarded::clients(headers.get_all(header::FORWARDED)), is_trusted)
    };
    Client { address, trusted_peer: true }
}

/// The address behind `peer` and all trusted ones that follow it in `hops`.
fn walk(
    peer: Option<IpAddr>,
    hops: impl Iterator<Item = Option<IpAddr>>,
    is_trusted: impl Fn(&IpAddr) -> bool,
) -> Option<IpAddr> {
    let mut client = peer;
    for hop in hops.take(MAX_HOPS) {
        let Some(address) = hop else { break };
        client = Some(address);
        if !is_trusted(&address) {
            break;
        }
    }
    client
}

/// The entries of `X-Forwarded-For` from the last to the first; `None` is one that is no address.
fn forwarded_for(headers: &HeaderMap) -> impl Iterator<Item = Option<IpAddr>> {
    let lines = headers.get_all(X_FORWARDED_FOR).iter().rev();
    lines.flat_map(|line| line.as_bytes().rsplit(|&byte| byte == b',')).map(address::read)
}
