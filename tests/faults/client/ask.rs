//! What clients ask for: methods, bodies and connections, mixed at random from a seed.

use std::fmt;
use std::net::Ipv4Addr;
use std::time::Duration;

use bytes::Bytes;
use http::{Request, Version};

use crate::node::{Order, Place};
use crate::payload::{self, CALL, Way};

/// What a client speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Protocol {
    /// HTTP/1.1, one request after the other on a connection.
    Http1,
    /// HTTP/2 without TLS, all requests of a client on one connection but those that have one of their own.
    Http2,
    /// Calls of gRPC, by HTTP/2 as above: POST and keyed POST only.
    Grpc,
}

/// A kind of request by what may be done with it when a node fails.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Kind {
    Get,
    Head,
    Put,
    Delete,
    /// POST with `Idempotency-Key`.
    Keyed,
    Post,
}

impl Kind {
    pub(crate) const ALL: [Self; 6] =
        [Self::Get, Self::Head, Self::Put, Self::Delete, Self::Keyed, Self::Post];

    /// A key has bookend take a call for one that may run twice.
    const OF_CALLS: [Self; 2] = [Self::Keyed, Self::Post];

    pub(crate) fn method(self) -> &'static str {
        match self {
            Self::Get => "GET",
            Self::Head => "HEAD",
            Self::Put => "PUT",
            Self::Delete => "DELETE",
            Self::Keyed | Self::Post => "POST",
        }
    }

    /// What it is called in tables.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Keyed => "keyed POST",
            other => other.method(),
        }
    }

    /// Whether running it twice is the same as once; the design saves these after a doubt.
    pub(crate) fn is_repeatable(self) -> bool {
        self != Self::Post
    }

    fn sends_body(self) -> bool {
        matches!(self, Self::Put | Self::Keyed | Self::Post)
    }
}

/// How the answers of a row's nodes look; `Mixed` is with length and chunked, without `ETag`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Answers {
    Mixed,
    WithLength,
    WithLengthAndEtag,
    Chunked,
}

/// One request.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Ask {
    pub(crate) speaks: Protocol,
    pub(crate) kind: Kind,
    pub(crate) order: Order,
    /// The time that its client gives for a call.
    pub(crate) deadline: Option<Duration>,
    /// The address that it comes from.
    pub(crate) client: Ipv4Addr,
    /// Whether its own body is chunked; in HTTP/2, whether its length is not announced.
    pub(crate) sends_chunked: bool,
    /// Whether it gets a connection of its own rather than one that was used.
    pub(crate) is_fresh: bool,
}

impl Ask {
    /// The request of this id, at random.
    pub(crate) fn random(
        id: u64,
        speaks: Protocol,
        answers: Answers,
        largest: usize,
        rng: &mut fastrand::Rng,
    ) -> Self {
        let kinds: &[Kind] = match speaks {
            Protocol::Http1 | Protocol::Http2 => &Kind::ALL,
            Protocol::Grpc => &Kind::OF_CALLS,
        };
        let kind = kinds[rng.usize(..kinds.len())];
        let sent = if kind.sends_body() { length(rng).min(largest) } else { 0 };
        let wanted = length(rng).min(largest);
        let chunked = match answers {
            Answers::Mixed => rng.bool(),
            Answers::WithLength | Answers::WithLengthAndEtag => false,
            Answers::Chunked => true,
        };
        let etag = answers == Answers::WithLengthAndEtag;
        Self {
            speaks,
            kind,
            order: Order { place: Place::Own, id, sent, wanted, chunked, etag },
            deadline: None,
            client: Ipv4Addr::LOCALHOST,
            sends_chunked: rng.bool(),
            is_fresh: rng.u8(..10) < 3,
        }
    }

    /// A GET of a page that is not its own, on a connection of its own or, in HTTP/2, on that of all.
    pub(crate) fn of(place: Place, id: u64, speaks: Protocol) -> Self {
        let wanted = if place == Place::Events { 0 } else { 200 };
        let order = Order { place, id, sent: 0, wanted, chunked: false, etag: false };
        Self {
            speaks,
            kind: Kind::Get,
            order,
            deadline: None,
            client: Ipv4Addr::LOCALHOST,
            sends_chunked: false,
            is_fresh: speaks == Protocol::Http1,
        }
    }

    /// Its head on the wire of HTTP/1.1.
    pub(crate) fn head(&self) -> String {
        let mut head = format!("{} {} HTTP/1.1\r\nHost: site.test\r\n", self.kind.method(), self.order);
        if self.kind == Kind::Keyed {
            head.push_str(&format!("Idempotency-Key: \"{}\"\r\n", self.order.id));
        }
        if self.kind.sends_body() {
            match self.sends_chunked {
                true => head.push_str("Transfer-Encoding: chunked\r\n"),
                false => head.push_str(&format!("Content-Length: {}\r\n", self.order.sent)),
            }
        }
        head.push_str("\r\n");
        head
    }

    /// Its head in HTTP/2.
    pub(super) fn request(&self) -> Request<()> {
        let target = format!("http://site.test{}", self.order);
        let mut request = Request::builder().version(Version::HTTP_2).method(self.kind.method()).uri(target);
        if self.kind == Kind::Keyed {
            request = request.header("idempotency-key", format!("\"{}\"", self.order.id));
        }
        if self.speaks == Protocol::Grpc {
            request = request.header("content-type", CALL).header("te", "trailers");
            if let Some(deadline) = self.deadline {
                request = request.header("grpc-timeout", format!("{}m", deadline.as_millis()));
            }
        } else if self.kind.sends_body() && !self.sends_chunked {
            request = request.header("content-length", self.order.sent);
        }
        request.body(()).unwrap()
    }

    /// Its body, if its kind has one.
    pub(super) fn body(&self) -> Option<Bytes> {
        let body = payload::of(self.order.id, Way::ToNode, self.order.sent);
        match self.speaks {
            Protocol::Grpc => Some(payload::messages(body).concat().into()),
            Protocol::Http1 | Protocol::Http2 => self.kind.sends_body().then(|| Bytes::from_static(body)),
        }
    }
}

/// What it is, for whoever looks for the reason of its fate.
impl fmt::Display for Ask {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let framed = |is_chunked| if is_chunked { " chunked" } else { "" };
        write!(f, "{} {}: ", self.order.id, self.kind.name())?;
        write!(f, "{} B{}, ", self.order.sent, framed(self.sends_chunked))?;
        write!(f, "answer of {} B{}", self.order.wanted, framed(self.order.chunked))?;
        f.write_str(if self.is_fresh { ", fresh connection" } else { "" })
    }
}

/// 0, 200 B, 30 KB or, seldom, 1 MB.
fn length(rng: &mut fastrand::Rng) -> usize {
    match rng.u8(..100) {
        0..24 => 0,
        24..67 => 200,
        67..93 => 30_000,
        _ => 1 << 20,
    }
}
