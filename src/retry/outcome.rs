//! How a request ended: one word out of a closed set, the same in metrics, logs and documents.

use http::StatusCode;

use super::Reach;

/// How a request ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// The first node's answer went to the client.
    Served,
    /// An attempt failed, and another node's answer went to the client; the reach is that of the first failure.
    Saved(Reach),
    /// A node's 5xx went to the client: no other node gave a better answer, or the request may not run twice.
    NodeError,
    /// The client got an answer of ours because of how far the last attempt got.
    Failed(Reach),
    /// The answer began and broke off; the client can tell.
    Cut,
    /// There was no node to try.
    NoNode,
    /// Every node was full, and it waited for a place as long as it might.
    Shed,
    /// The request was refused for its own sake: no route, too large, too slow, not HTTP.
    Refused,
    /// The time was over that the client itself gives, as calls of gRPC do, before its answer was complete.
    Deadline,
    /// The client left before its answer was complete.
    ClientGone,
    /// bookend itself went wrong.
    Internal,
}

impl Outcome {
    /// The outcome of a request that ended with a node's answer of this status, after attempts of which the first failed
    /// in this way.
    pub fn of_answer(status: StatusCode, first_failure: Option<Reach>) -> Self {
        match first_failure {
            _ if status.is_server_error() => Self::NodeError,
            Some(reach) => Self::Saved(reach),
            None => Self::Served,
        }
    }

    /// The outcome as a word for logs and metrics.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Served => "served",
            Self::Saved(reach) => match reach {
                Reach::NotSent => "saved_not_sent",
                Reach::PartSent => "saved_part_sent",
                Reach::MaybeSent => "saved_maybe_sent",
                Reach::Silent => "saved_silent",
                Reach::Answered(_) => "saved_answered",
                Reach::Nonsense => "saved_nonsense",
                Reach::Truncated => "saved_truncated",
            },
            Self::NodeError => "node_error",
            Self::Failed(reach) => match reach {
                Reach::NotSent => "failed_not_sent",
                Reach::PartSent => "failed_part_sent",
                Reach::MaybeSent => "failed_maybe_sent",
                Reach::Silent => "failed_silent",
                Reach::Answered(_) => "failed_answered",
                Reach::Nonsense => "failed_nonsense",
                Reach::Truncated => "cut",
            },
            Self::Cut => "cut",
            Self::NoNode => "no_node",
            Self::Shed => "shed",
            Self::Refused => "refused",
            Self::Deadline => "deadline",
            Self::ClientGone => "client_gone",
            Self::Internal => "internal",
        }
    }

    /// The same of an outcome as a word; one that is not known is one that somebody should look at.
    pub fn is_failure(word: &str) -> bool {
        !word.starts_with("saved_") && !matches!(word, "served" | "refused" | "deadline" | "client_gone")
    }

    /// Whether a retry hid a node's failure from the client.
    pub fn is_saved(self) -> bool {
        matches!(self, Self::Saved(_))
    }

    /// Whether the client saw a failure that was not its own.
    pub fn is_failed(self) -> bool {
        match self {
            Self::NodeError | Self::Failed(_) | Self::Cut | Self::NoNode | Self::Shed | Self::Internal => {
                true
            }
            Self::Served | Self::Saved(_) | Self::Refused | Self::Deadline | Self::ClientGone => false,
        }
    }
}
