//! How far an attempt got before it failed.

use http::StatusCode;

/// How far an attempt got.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reach {
    /// Nothing was sent: refused, connect time-out, a pooled connection found dead before a byte was written.
    NotSent,
    /// The connection broke before the last byte of the request was written.
    PartSent,
    /// All of the request was written, and the connection broke before an answer came.
    MaybeSent,
    /// All of the request was written, and the node let its time pass without an answer.
    Silent,
    /// The node answered with this status.
    Answered(StatusCode),
    /// The node answered something that is not HTTP.
    Nonsense,
    /// The answer began and broke off.
    Truncated,
}

/// An attempt that failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Failure {
    /// How far it got.
    pub reach: Reach,
    /// What else is known of it.
    pub circumstance: Circumstance,
}

/// What is known of a failed attempt beside how far it got.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Circumstance {
    /// Nothing.
    Usual,
    /// It went out on a connection that had served before.
    PooledConnection,
    /// The node is out for its silence, so that it is not at this request any more in all likelihood.
    NodeIsOut,
    /// The node says that it has not begun it: it refused the stream, or gRPC's call.
    Unbegun,
    /// The connection that requests share ended in order before the node took it, which says nothing of the node.
    ConnectionOver,
    /// bookend itself had no descriptor or port left for it.
    OwnLack,
}

impl Circumstance {
    /// That of an attempt on a connection that had served before, or not.
    pub fn of_connection(was_pooled: bool) -> Self {
        if was_pooled { Self::PooledConnection } else { Self::Usual }
    }

    /// Whether nobody is to blame, or whoever is has been found out otherwise.
    pub fn is_of_nobody(self) -> bool {
        matches!(self, Self::OwnLack | Self::NodeIsOut | Self::ConnectionOver)
    }
}

impl Failure {
    /// Whether the connection may be all that failed: nodes close idle connections when they like, and one that closes
    /// as it is used says nothing about the request or the node.
    pub fn is_of_the_connection(self) -> bool {
        self.circumstance == Circumstance::PooledConnection
            && matches!(self.reach, Reach::PartSent | Reach::MaybeSent)
    }
}

impl From<Reach> for Failure {
    fn from(reach: Reach) -> Self {
        Self { reach, circumstance: Circumstance::Usual }
    }
}

impl Reach {
    /// Whether two attempts that got this far and `other` failed alike, so that the request may be what they have in
    /// common.
    pub fn is_like(self, other: Self) -> bool {
        match (self, other) {
            (Self::Answered(one), Self::Answered(other)) => one == other,
            (Self::PartSent | Self::MaybeSent, Self::PartSent | Self::MaybeSent)
            | (Self::Silent, Self::Silent)
            | (Self::Nonsense, Self::Nonsense)
            | (Self::Truncated, Self::Truncated) => true,
            (
                Self::NotSent
                | Self::PartSent
                | Self::MaybeSent
                | Self::Silent
                | Self::Answered(_)
                | Self::Nonsense
                | Self::Truncated,
                _,
            ) => false,
        }
    }

    /// The reach as a word for logs and metrics.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::NotSent => "not_sent",
            Self::PartSent => "part_sent",
            Self::MaybeSent => "maybe_sent",
            Self::Silent => "silent",
            Self::Answered(_) => "answered",
            Self::Nonsense => "nonsense",
            Self::Truncated => "truncated",
        }
    }
}
