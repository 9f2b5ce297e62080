//! Headers that are for one connection only and must not travel (RFC 9110 7.6.1).

use http::{HeaderMap, HeaderName, header};
use smallvec::SmallVec;

/// How many names in `Connection` are looked at. Honest clients nominate one or two.
const MAX_NOMINATIONS: usize = 64;

/// Whether a message goes on as a message, or opens a tunnel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Passage {
    /// An ordinary request or answer.
    Plain,
    /// An upgrade that is passed on, or the 101 that grants it.
    Upgrade,
}

/// The names in `headers` that must not travel; for requests and answers.
///
/// - `Connection`, `Keep-Alive`, `Proxy-Connection`, `Upgrade`, `HTTP2-Settings`, `Proxy-Authenticate`,
///   `Proxy-Authorization`, and `TE` unless all it says is `trailers`, which gRPC needs.
/// - What `Connection` nominates (its first 64 names), unless it is protected: see below.
/// - With [`Passage::Upgrade`], `Connection` and `Upgrade` stay.
/// - `Transfer-Encoding` is never among them: it says where the body ends, so only the HTTP library, which reads and
///   writes the body, may touch it.
///
/// Protected is what others rely on, so that no client can make us drop it by naming it: where and by whom
/// (`Host`, `Authorization`, `Cookie`, `Set-Cookie`, `Forwarded`, `X-Forwarded-*`, `X-Real-IP`, `Via`,
/// `X-Request-Id`), the body (`Content-*`, `Transfer-Encoding`), `Cache-Control` (which the RFC names), and
/// `Idempotency-Key`, because we repeat a request in the belief that the node sees it.
///
/// Nothing is allocated unless more than four names are found.
pub fn hop_by_hop(headers: &HeaderMap, passage: Passage) -> SmallVec<[HeaderName; 4]> {
    let must_go = |name: &str| match name {
        "connection" | "upgrade" => passage == Passage::Plain,
        "te" => !wants_only_trailers(headers),
        name => is_hop_by_hop(name),
    };
    let mut names: SmallVec<[HeaderName; 4]> = SmallVec::new();
    let mut nominates = false;
    for name in headers.keys() {
        nominates |= *name == header::CONNECTION;
        if must_go(name.as_str()) {
            names.push(name.clone());
        }
    }
    for name in nominates.then(|| nominated(headers)).into_iter().flatten() {
        if !is_hop_by_hop(name.as_str()) && !is_protected(name.as_str()) && !names.contains(&name) {
            names.push(name);
        }
    }
    names
}

/// Whether a request has nothing that is for one connection only, or that says where its body ends, but at the most one
/// `Connection: keep-alive`.
///
/// That is so for nearly all requests, and told by a look at each name; for the others every rule has to be gone through.
pub fn is_for_all_connections(headers: &HeaderMap) -> bool {
    headers.keys().all(|name| match name.as_str() {
        "connection" => keeps_alive(headers),
        "trailer" | "transfer-encoding" => false,
        name => !is_hop_by_hop(name),
    })
}

/// Whether `Connection` is there once and says `keep-alive`, and nothing else.
pub fn keeps_alive(headers: &HeaderMap) -> bool {
    let mut lines = headers.get_all(header::CONNECTION).iter();
    let says_so = lines.next().is_some_and(|line| line.as_bytes().eq_ignore_ascii_case(b"keep-alive"));
    says_so && lines.next().is_none()
}

/// The headers that are there and that `Connection` nominates.
fn nominated(headers: &HeaderMap) -> impl Iterator<Item = HeaderName> {
    let lines = headers.get_all(header::CONNECTION).into_iter();
    let options = lines.flat_map(|line| line.as_bytes().split(|&byte| byte == b',')).take(MAX_NOMINATIONS);
    options.filter_map(|option| {
        let name = std::str::from_utf8(option.trim_ascii()).ok()?;
        // Looking it up first costs no allocation, which making a `HeaderName` may.
        headers.contains_key(name).then(|| HeaderName::from_bytes(name.as_bytes()).ok())?
    })
}

fn is_hop_by_hop(name: &str) -> bool {
    matches!(
        name,
        "connection"
            | "http2-settings"
            | "keep-alive"
            | "proxy-authenticate"
            | "proxy-authorization"
            | "proxy-connection"
            | "te"
            | "upgrade"
    )
}

fn is_protected(name: &str) -> bool {
    let is_named = matches!(
        name,
        "authorization"
            | "cache-control"
            | "cookie"
            | "forwarded"
            | "host"
            | "idempotency-key"
            | "set-cookie"
            | "transfer-encoding"
            | "via"
            | "x-real-ip"
            | "x-request-id"
    );
    is_named || name.starts_with("content-") || name.starts_with("x-forwarded-")
}

fn wants_only_trailers(headers: &HeaderMap) -> bool {
    let mut lines = headers.get_all(header::TE).iter();
    lines.all(|line| line.as_bytes().trim_ascii().eq_ignore_ascii_case(b"trailers"))
}
