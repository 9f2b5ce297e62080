//! What a client asks a node for, as a target on the wire.

use std::fmt;

/// The kind of page that is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Place {
    /// A page of this request's own, with the behaviour that the node has.
    Own,
    /// What the health check asks for.
    Health,
    /// One URL that answers 500 on every node.
    Poison,
    /// One URL that crashes the node it reaches.
    Crash,
    /// One URL that takes 10 s on every node.
    Report,
    /// An answer that waits for 4 s.
    LongPoll,
    /// Events, one each 200 ms, for 6 s.
    Events,
}

const PATHS: [(Place, &str); 7] = [
    (Place::Own, "/page"),
    (Place::Health, "/health"),
    (Place::Poison, "/poison"),
    (Place::Crash, "/crash"),
    (Place::Report, "/report"),
    (Place::LongPoll, "/poll"),
    (Place::Events, "/events"),
];

/// The target of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Order {
    pub(crate) place: Place,
    pub(crate) id: u64,
    /// Bytes of body that go with it.
    pub(crate) sent: usize,
    /// Bytes of body that come back.
    pub(crate) wanted: usize,
    pub(crate) chunked: bool,
    pub(crate) etag: bool,
}

impl fmt::Display for Order {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let path = PATHS.iter().find(|(place, _)| *place == self.place).map_or("/", |(_, path)| path);
        let own = if self.place == Place::Own { format!("/{}", self.id) } else { String::new() };
        let Self { id, sent, wanted, .. } = self;
        let (chunked, etag) = (u8::from(self.chunked), u8::from(self.etag));
        write!(f, "{path}{own}?id={id}&sent={sent}&wanted={wanted}&chunked={chunked}&etag={etag}")
    }
}

impl Order {
    /// The order that this target stands for; one without a query is about nothing.
    pub(crate) fn parse(target: &str) -> Option<Self> {
        let (path, query) = target.split_once('?').unwrap_or((target, ""));
        let first = path.get(1..)?.split('/').next()?;
        let place = PATHS.iter().find(|(_, path)| path[1..] == *first)?.0;
        let number = |name: &str| {
            let value = query.split('&').find_map(|pair| pair.strip_prefix(name)?.strip_prefix('='));
            value.and_then(|value| value.parse::<u64>().ok()).unwrap_or_default()
        };
        Some(Self {
            place,
            id: number("id"),
            sent: usize::try_from(number("sent")).ok()?,
            wanted: usize::try_from(number("wanted")).ok()?,
            chunked: number("chunked") == 1,
            etag: number("etag") == 1,
        })
    }
}
