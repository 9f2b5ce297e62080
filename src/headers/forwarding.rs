//! What a node is told about where a request came from.

use std::net::IpAddr;

use http::{HeaderMap, HeaderName, HeaderValue, Version, header};

use super::address::Text;
use super::client::X_FORWARDED_FOR;
use super::forwarded;
use super::via::{append, via};

const X_FORWARDED_PROTO: HeaderName = HeaderName::from_static("x-forwarded-proto");
const X_FORWARDED_HOST: HeaderName = HeaderName::from_static("x-forwarded-host");

/// How a request came to us.
#[derive(Clone, Copy, Debug)]
pub struct Arrival<'a> {
    /// The other end of the connection; `None` on a Unix socket.
    pub peer: Option<IpAddr>,
    /// Whether the peer's own words are believed, as [`Client::trusted_peer`](super::Client::trusted_peer) says.
    pub trusted_peer: bool,
    /// What the listener speaks.
    pub scheme: Scheme,
    /// The version of the request.
    pub version: Version,
    /// The host that was asked for (`Host` or `:authority`), as received.
    pub host: Option<&'a str>,
    /// Whether the node also gets `Forwarded`.
    pub wants_forwarded: bool,
}

/// What a listener speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scheme {
    /// Plain HTTP.
    Http,
    /// HTTP over TLS.
    Https,
}

/// What becomes of a header.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Change {
    /// It stays as it came, or stays away.
    Keep,
    /// It is there once, with this value, instead of every line it had.
    Set(HeaderValue),
    /// It is there and has to go.
    Remove,
}

/// What becomes of the headers that tell a node where a request came from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Forwarding {
    /// `X-Forwarded-For`: the peer's address, behind what a trusted peer sent. A trusted peer without an address adds
    /// nothing to what it sent; of one that is not trusted there is nothing to say.
    pub x_forwarded_for: Change,
    /// `X-Forwarded-Proto`: a trusted peer's, else the scheme of the listener.
    pub x_forwarded_proto: Change,
    /// `X-Forwarded-Host`: a trusted peer's, else the host that was asked for.
    pub x_forwarded_host: Change,
    /// `Forwarded` (RFC 7239): our element, behind those of a trusted peer; without one of ours, a trusted peer's
    /// stay and all others go.
    pub forwarded: Change,
    /// `Via`: what is there, and bookend.
    pub via: HeaderValue,
}

impl Forwarding {
    /// Decides about the headers of a request that came as `arrival` with `headers`.
    ///
    /// What a peer wrote that is not trusted is replaced or removed, never passed on. A trusted peer that sent
    /// `Forwarded` but no `X-Forwarded-Proto` or `-Host` is asked through its own, the last, element.
    pub fn new(arrival: &Arrival<'_>, headers: &HeaderMap) -> Self {
        let peer = arrival.peer.map(Text::of);
        let peer = peer.as_ref().map(Text::as_bytes);
        Self {
            x_forwarded_for: x_forwarded_for(arrival, peer, headers),
            x_forwarded_proto: x_forwarded_proto(arrival, headers),
            x_forwarded_host: x_forwarded_host(arrival, headers),
            forwarded: forwarded(arrival, peer, headers),
            via: via(arrival.version, headers),
        }
    }

    /// The headers that change.
    pub fn into_changes(self) -> impl Iterator<Item = (HeaderName, Change)> {
        let changes = [
            (X_FORWARDED_FOR, self.x_forwarded_for),
            (X_FORWARDED_PROTO, self.x_forwarded_proto),
            (X_FORWARDED_HOST, self.x_forwarded_host),
            (header::FORWARDED, self.forwarded),
            (header::VIA, Change::Set(self.via)),
        ];
        changes.into_iter().filter(|(_, change)| *change != Change::Keep)
    }
}

impl Scheme {
    /// The scheme as it stands in a URI.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Http => "http",
            Self::Https => "https",
        }
    }

    fn parse(text: &[u8]) -> Option<Self> {
        [Self::Http, Self::Https]
            .into_iter()
            .find(|scheme| text.eq_ignore_ascii_case(scheme.as_str().as_bytes()))
    }
}

impl Change {
    /// Sets `value`; without one, removes the header if it is there.
    fn to(value: Option<HeaderValue>, name: &HeaderName, headers: &HeaderMap) -> Self {
        match value {
            Some(value) => Self::Set(value),
            None if headers.contains_key(name) => Self::Remove,
            None => Self::Keep,
        }
    }
}

fn x_forwarded_for(arrival: &Arrival<'_>, peer: Option<&[u8]>, headers: &HeaderMap) -> Change {
    if arrival.trusted_peer && peer.is_none() {
        return Change::Keep;
    }
    let value = peer.and_then(|peer| {
        let before = arrival.trusted_peer.then(|| headers.get_all(X_FORWARDED_FOR));
        before.and_then(|lines| append(&lines, peer)).or_else(|| HeaderValue::from_bytes(peer).ok())
    });
    Change::to(value, &X_FORWARDED_FOR, headers)
}

fn x_forwarded_proto(arrival: &Arrival<'_>, headers: &HeaderMap) -> Change {
    if arrival.trusted_peer && headers.contains_key(X_FORWARDED_PROTO) {
        return Change::Keep;
    }
    let scheme = said_by_peer(arrival, headers, b"proto").and_then(Scheme::parse).unwrap_or(arrival.scheme);
    Change::Set(HeaderValue::from_static(scheme.as_str()))
}

fn x_forwarded_host(arrival: &Arrival<'_>, headers: &HeaderMap) -> Change {
    if arrival.trusted_peer && headers.contains_key(X_FORWARDED_HOST) {
        return Change::Keep;
    }
    let host = said_by_peer(arrival, headers, b"host").or(arrival.host.map(str::as_bytes));
    Change::to(host.and_then(|host| HeaderValue::from_bytes(host).ok()), &X_FORWARDED_HOST, headers)
}

fn forwarded(arrival: &Arrival<'_>, peer: Option<&[u8]>, headers: &HeaderMap) -> Change {
    let name = header::FORWARDED;
    match (arrival.wants_forwarded, arrival.trusted_peer) {
        (false, true) => Change::Keep,
        (false, false) => Change::to(None, &name, headers),
        (true, is_trusted) => {
            let mut element = Vec::with_capacity(128);
            let host = arrival.host.map(str::as_bytes);
            forwarded::write(&mut element, peer, host, arrival.scheme.as_str().as_bytes());
            let before = is_trusted.then(|| headers.get_all(&name));
            let value = before.and_then(|lines| append(&lines, &element));
            Change::to(value.or_else(|| HeaderValue::try_from(element).ok()), &name, headers)
        }
    }
}

/// Whether a trusted peer says that its client came by TLS.
pub fn is_said_to_be_secure(headers: &HeaderMap) -> bool {
    let said = match headers.get(X_FORWARDED_PROTO) {
        Some(value) => Some(value.as_bytes()),
        None => forwarded::last(headers.get_all(header::FORWARDED), b"proto"),
    };
    said.and_then(Scheme::parse) == Some(Scheme::Https)
}

/// What a trusted peer says in the element of `Forwarded` that is its own.
fn said_by_peer<'a>(arrival: &Arrival<'_>, headers: &'a HeaderMap, parameter: &[u8]) -> Option<&'a [u8]> {
    let lines = arrival.trusted_peer.then(|| headers.get_all(header::FORWARDED))?;
    forwarded::last(lines, parameter)
}
