//! What a node does with connections and requests: as it should, or one of the faults.

use serde::{Deserialize, Serialize};

use super::works::Works;

/// How a node behaves; sent to it as a line of JSON.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Behaviour {
    /// Answers every request at once and keeps connections.
    Healthy,

    /// Nobody listens. Connections that exist end after their next answer.
    Refuses,
    /// Connections are neither accepted nor refused. Those that exist end after their next answer.
    BlackHole,
    /// As above, and nothing comes from those that exist either, until healed: then they are reset. So it looks when a
    /// machine loses its power.
    Vanishes,

    /// Resets the connection when it has read the whole request.
    ResetsAfterRequest,
    /// As above, for one request; then all is well.
    ResetsOnce,
    /// As above, for one request in ten.
    ResetsOneInTen,
    /// Resets the connection when it has read the head of the request.
    ResetsBeforeBody,
    /// Closes the connection when it has read the whole request.
    Closes,
    /// Reads the whole request and does nothing more about it, until healed: then it resets.
    Silent,

    /// Answers bytes that are no HTTP.
    Garbage,
    /// Answers a head that breaks off.
    HalfHead,
    /// Answers a whole head and half of the body that it announced.
    HalfBody,
    /// Answers every request with this status.
    Answers(u16),
    /// Answers an upload with 413 when it has read the head, and wants no more of it.
    RefusesUploads,
    /// Answers 503 with `Retry-After: 1`.
    AsksForPause,
    /// Answers traffic as it should, but the check with 500.
    FailsCheck,

    /// Answers after so many milliseconds.
    Slow(u64),
    /// Answers at once, but the body comes in twenty pieces, 100 ms apart.
    Trickles,
    /// Answers when one of its workers is done with the request.
    Works(Works),
    /// Refuses every stream of HTTP/2 (REFUSED_STREAM) when it has read the head of the request; otherwise it resets.
    RefusesStreams,
    /// Ends every tenth connection of HTTP/2 in order (GOAWAY) after an answer, once those under way are answered.
    EndsInOrder,
    /// Ends every call of gRPC by UNAVAILABLE, without a message and without having begun it: every other one as soon as it
    /// has read the head.
    Unavailable,
    /// Answers every call of gRPC with its first message, and then UNAVAILABLE.
    UnavailableAfterMessage,
    /// Closes a connection up to 20 ms after an answer, without having announced it.
    ClosesIdle,
}

impl Behaviour {
    /// Whether it does anything about a request.
    pub(crate) fn answers(self) -> bool {
        !matches!(self, Self::Silent | Self::Vanishes)
    }

    /// Whether new connections are accepted.
    pub(crate) fn accepts(self) -> bool {
        !matches!(self, Self::Refuses | Self::BlackHole | Self::Vanishes)
    }
}
