//! Hosts as clients write them, and the domains they are below.

use std::net::Ipv6Addr;

use smallvec::SmallVec;

/// The longest host that can match a pattern other than any, in bytes: what DNS allows (RFC 1035 2.3.4).
pub(super) const LONGEST: usize = 255;

/// The host that `received` names: in lower case, without port, brackets or trailing dot; `None` if it names none or
/// is no host.
///
/// `lower` gives the room where letters have to be made small; a host that is in lower case is not copied.
pub(super) fn normalize<'a>(received: &'a str, lower: &'a mut SmallVec<[u8; LONGEST]>) -> Option<&'a str> {
    let host = without_port(received)?;
    let host = host.strip_suffix('.').unwrap_or(host);
    if host.is_empty() || host.len() > LONGEST {
        return None;
    }
    if !host.bytes().any(|byte| byte.is_ascii_uppercase()) {
        return Some(host);
    }
    lower.extend(host.bytes().map(|byte| byte.to_ascii_lowercase()));
    std::str::from_utf8(lower).ok()
}

/// The domains that `host` is below, from the longest to the shortest, of at most `most_labels` labels each.
pub(super) fn suffixes(host: &str, most_labels: usize) -> impl Iterator<Item = &str> {
    // From the right, so that a host of many labels costs no more than one of a few.
    let first_dot = host.rmatch_indices('.').take(most_labels).last();
    let tail = first_dot.and_then(|(dot, _)| host.get(dot..)).unwrap_or_default();
    tail.match_indices('.').filter_map(move |(dot, _)| tail.get(dot + 1..))
}

/// How many labels `name` has.
pub(super) fn labels(name: &str) -> usize {
    name.split('.').count()
}

/// An IPv6 address without the brackets it has in a `Host`; any other host as it is.
pub(super) fn without_brackets(host: &str) -> &str {
    host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host)
}

/// `received` without its port and without the brackets of an IPv6 address; `None` if it is malformed.
fn without_port(received: &str) -> Option<&str> {
    let (host, port) = match received.strip_prefix('[') {
        Some(literal) => {
            let (host, rest) = literal.split_once(']')?;
            host.parse::<Ipv6Addr>().ok()?;
            (host, if rest.is_empty() { rest } else { rest.strip_prefix(':')? })
        }
        None => received.split_once(':').unwrap_or((received, "")),
    };
    port.bytes().all(|byte| byte.is_ascii_digit()).then_some(host)
}
