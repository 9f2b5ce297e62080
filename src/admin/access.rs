//! Who may read, who may change, and what looks forged.
//!
//! Over the socket the kernel says who asks. Over TCP nobody does: changes need the token, and so does reading where others
//! can reach the address. A page in a browser on the same machine can reach loopback as well, under a name of its own
//! (DNS rebinding) or across origins; both are told by the headers that no page can set.

use std::fmt;
use std::fs::File;
use std::io::{self, Read};
use std::net::{IpAddr, SocketAddr};
use std::path::{Path, PathBuf};

use http::uri::Authority;
use http::{HeaderMap, HeaderValue, Method, Uri, header};
use rustix::process::geteuid;
use subtle::ConstantTimeEq;

use crate::observe::Denial;

/// The longest token in bytes; the file may have one line end more.
const LONGEST_TOKEN: u64 = 4096;
/// The shortest: what can be guessed is none.
const SHORTEST_TOKEN: usize = 16;

/// Why there is no token.
#[derive(Debug, thiserror::Error)]
pub enum TokenError {
    /// The file cannot be read.
    #[error("reading admin.token_file {}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// It holds no token.
    #[error("admin.token_file {} must hold one line of {SHORTEST_TOKEN} to {LONGEST_TOKEN} visible characters", path.display())]
    Unfit {
        /// The file.
        path: PathBuf,
    },
}

/// Who may do what.
#[derive(Debug)]
pub struct Rules {
    token: Option<Box<[u8]>>,
}

/// Who asks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Peer {
    /// Somebody on this machine, with this user id.
    User(u32),
    /// Somebody who connected from the first address to the second.
    Network(SocketAddr, SocketAddr),
}

impl Rules {
    /// The rules with the token in `file`, if there is one.
    pub(super) fn read(file: Option<&Path>) -> Result<Self, TokenError> {
        let Some(path) = file else { return Ok(Self { token: None }) };
        let mut bytes = Vec::new();
        File::open(path)
            .and_then(|file| file.take(LONGEST_TOKEN + 2).read_to_end(&mut bytes))
            .map_err(|source| TokenError::Read { path: path.to_owned(), source })?;
        let token = bytes.trim_ascii();
        let fits = (SHORTEST_TOKEN..=LONGEST_TOKEN as usize).contains(&token.len());
        if !fits || !token.iter().all(u8::is_ascii_graphic) {
            return Err(TokenError::Unfit { path: path.to_owned() });
        }
        Ok(Self { token: Some(token.into()) })
    }

    /// Whether `peer` may send this request.
    pub(super) fn check(
        &self,
        peer: Peer,
        method: &Method,
        uri: &Uri,
        headers: &HeaderMap,
    ) -> Result<(), Denial> {
        let is_change = !matches!(*method, Method::GET | Method::HEAD);
        if is_change && is_cross_origin(headers) {
            return Err(Denial::Origin);
        }
        let local = match peer {
            Peer::User(user) => {
                let is_trusted = user == 0 || user == geteuid().as_raw();
                return if is_change && !is_trusted { Err(Denial::OtherUser) } else { Ok(()) };
            }
            Peer::Network(_, local) => local.ip().to_canonical(),
        };
        let is_probe = !is_change && matches!(uri.path(), "/healthz" | "/readyz");
        if is_probe {
            return Ok(());
        }
        // With a token a name does no harm: a page does not have the token.
        if (is_change || local.is_loopback()) && !names(uri, headers, local) {
            return Err(Denial::Host);
        }
        match (is_change || !local.is_loopback() || headers.contains_key(header::AUTHORIZATION), &self.token)
        {
            (false, _) => Ok(()),
            (true, None) if is_change => Err(Denial::NoTokenSet),
            (true, None) => Ok(()),
            (true, Some(token)) if has_token(headers, token) => Ok(()),
            (true, Some(_)) => Err(Denial::Token),
        }
    }
}

impl Peer {
    /// Where it is, whoever it is.
    pub(super) fn place(self) -> String {
        match self {
            Self::User(_) => self.to_string(),
            Self::Network(peer, _) => peer.ip().to_canonical().to_string(),
        }
    }
}

impl fmt::Display for Peer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::User(user) => write!(f, "user:{user}"),
            Self::Network(peer, _) => write!(f, "token@{peer}"),
        }
    }
}

/// Compares in a time that depends on the lengths alone.
fn has_token(headers: &HeaderMap, token: &[u8]) -> bool {
    let mut values = headers.get_all(header::AUTHORIZATION).iter();
    let (Some(value), None) = (values.next(), values.next()) else { return false };
    let Some((scheme, told)) = value.as_bytes().split_at_checked(b"bearer ".len()) else { return false };
    scheme.eq_ignore_ascii_case(b"bearer ") && bool::from(told.trim_ascii().ct_eq(token))
}

/// Whether the only `Host` is the address itself or this machine, and so is the target where it names one, since that
/// counts for more than any `Host` (RFC 9112, section 3.2.2).
fn names(uri: &Uri, headers: &HeaderMap, local: IpAddr) -> bool {
    let mut hosts = headers.get_all(header::HOST).iter();
    let (Some(host), None) = (hosts.next(), hosts.next()) else { return false };
    let Ok(host) = Authority::try_from(host.as_bytes()) else { return false };
    is_us(&host, local) && uri.authority().is_none_or(|target| is_us(target, local))
}

fn is_us(authority: &Authority, local: IpAddr) -> bool {
    let host = authority.host();
    let ip = host.trim_start_matches('[').trim_end_matches(']').parse::<IpAddr>();
    let is_local = ip.is_ok_and(|ip| ip.to_canonical() == local || ip.is_loopback() && local.is_loopback());
    !authority.as_str().contains('@') && (is_local || host.eq_ignore_ascii_case("localhost"))
}

/// Whether a browser says that another site's page is behind it, in any of what it says.
fn is_cross_origin(headers: &HeaderMap) -> bool {
    let host = headers.get(header::HOST).map(HeaderValue::as_bytes).filter(|host| !host.is_empty());
    let is_ours = |origin: &HeaderValue| {
        let origin = origin.as_bytes();
        let named = [&b"http://"[..], b"https://"].iter().find_map(|scheme| origin.strip_prefix(*scheme));
        named.is_some() && named == host
    };
    let is_near = |site: &HeaderValue| matches!(site.as_bytes(), b"same-origin" | b"none");
    let (origins, sites) = (headers.get_all(header::ORIGIN), headers.get_all("sec-fetch-site"));
    !origins.iter().all(is_ours) || !sites.iter().all(is_near)
}

#[cfg(test)]
mod tests {
    use http::HeaderName;

    use super::*;

    const TOKEN: &str = "0123456789abcdef";

    fn headers(lines: &[(&'static str, &'static str)]) -> HeaderMap {
        let header = |&(name, value)| (HeaderName::from_static(name), HeaderValue::from_static(value));
        let mut map = HeaderMap::new();
        for (name, value) in lines.iter().map(header) {
            map.append(name, value);
        }
        map
    }

    fn peer(local: &str) -> Peer {
        Peer::Network("192.0.2.1:5".parse().unwrap(), local.parse().unwrap())
    }

    fn rules(has_token: bool) -> Rules {
        Rules { token: has_token.then(|| TOKEN.as_bytes().into()) }
    }

    fn uri(text: &'static str) -> Uri {
        Uri::from_static(text)
    }

    type Lines = &'static [(&'static str, &'static str)];

    #[test]
    fn over_loopback_everybody_reads_and_the_token_changes() {
        const LOCAL: (&str, &str) = ("host", "127.0.0.1:7070");
        const GOOD: (&str, &str) = ("authorization", "Bearer 0123456789abcdef");
        const OURS: (&str, &str) = ("origin", "http://127.0.0.1:7070");
        const NEAR: (&str, &str) = ("sec-fetch-site", "same-origin");
        let cases: &[(bool, Method, Lines, Option<Denial>)] = &[
            (true, Method::GET, &[LOCAL], None),
            (true, Method::GET, &[("host", "localhost")], None),
            (true, Method::GET, &[("host", "[::1]:7070")], None),
            (true, Method::GET, &[("host", "evil.example")], Some(Denial::Host)),
            (true, Method::GET, &[("host", "evil.example@127.0.0.1")], Some(Denial::Host)),
            (true, Method::GET, &[LOCAL, LOCAL], Some(Denial::Host)),
            (true, Method::GET, &[], Some(Denial::Host)),
            (true, Method::GET, &[LOCAL, ("authorization", "Bearer x")], Some(Denial::Token)),
            (true, Method::POST, &[LOCAL], Some(Denial::Token)),
            (true, Method::POST, &[LOCAL, GOOD], None),
            (true, Method::POST, &[LOCAL, GOOD, GOOD], Some(Denial::Token)),
            (true, Method::POST, &[LOCAL, ("authorization", "Basic 0123456789abcdef")], Some(Denial::Token)),
            (true, Method::POST, &[LOCAL, ("authorization", "Bearer 0123456789abcdeg")], Some(Denial::Token)),
            (true, Method::POST, &[LOCAL, ("authorization", "Bearer")], Some(Denial::Token)),
            (true, Method::POST, &[("host", "evil.example"), GOOD], Some(Denial::Host)),
            (true, Method::POST, &[LOCAL, GOOD, ("origin", "http://evil.example")], Some(Denial::Origin)),
            (true, Method::POST, &[LOCAL, GOOD, ("origin", "null")], Some(Denial::Origin)),
            (true, Method::POST, &[LOCAL, GOOD, ("origin", "file://127.0.0.1:7070")], Some(Denial::Origin)),
            (
                true,
                Method::POST,
                &[LOCAL, GOOD, OURS, ("origin", "http://evil.example")],
                Some(Denial::Origin),
            ),
            (true, Method::POST, &[LOCAL, GOOD, ("sec-fetch-site", "cross-site")], Some(Denial::Origin)),
            (
                true,
                Method::POST,
                &[LOCAL, GOOD, NEAR, ("sec-fetch-site", "cross-site")],
                Some(Denial::Origin),
            ),
            (true, Method::POST, &[LOCAL, GOOD, OURS, NEAR], None),
            (false, Method::POST, &[LOCAL], Some(Denial::NoTokenSet)),
            (false, Method::GET, &[LOCAL, GOOD], None),
        ];
        for (has_token, method, lines, wanted) in cases {
            let found =
                rules(*has_token).check(peer("127.0.0.1:7070"), method, &uri("/reload"), &headers(lines));
            assert_eq!(found.err(), *wanted, "{method} {lines:?}");
        }
    }

    #[test]
    fn target_that_names_another_host_is_not_ours() {
        let good = headers(&[("host", "127.0.0.1:7070"), ("authorization", "Bearer 0123456789abcdef")]);
        let check =
            |target| rules(true).check(peer("127.0.0.1:7070"), &Method::POST, &uri(target), &good).err();
        assert_eq!(check("http://127.0.0.1:7070/reload"), None);
        assert_eq!(check("http://localhost/reload"), None);
        assert_eq!(check("http://evil.example/reload"), Some(Denial::Host));
        assert_eq!(check("http://evil.example@127.0.0.1:7070/reload"), Some(Denial::Host));
    }

    #[test]
    fn over_the_network_only_probes_need_no_token() {
        let rules = rules(true);
        let named = headers(&[("host", "edge.example")]);
        let check = |path, headers: &HeaderMap| {
            rules.check(peer("192.0.2.9:7070"), &Method::GET, &uri(path), headers).err()
        };
        assert_eq!(check("/readyz", &named), None);
        assert_eq!(check("/metrics", &named), Some(Denial::Token));
        let good = headers(&[("host", "edge.example"), ("authorization", "bearer 0123456789abcdef")]);
        assert_eq!(check("/metrics", &good), None);
    }

    #[test]
    fn over_the_socket_the_user_decides() {
        let check =
            |user, method| rules(true).check(Peer::User(user), &method, &uri("/reload"), &headers(&[])).err();
        assert_eq!(check(0, Method::POST), None);
        assert_eq!(check(geteuid().as_raw(), Method::POST), None);
        assert_eq!(check(4_000_000_000, Method::POST), Some(Denial::OtherUser));
        assert_eq!(check(4_000_000_000, Method::GET), None);
    }
}
