//! What a row of the table says: a fault, and what clients may see of it.

use std::time::Duration;

use crate::client::{Answers, Kind, Protocol};
use crate::front::{Check, Terms};
use crate::node::{Behaviour, Place};

/// One fault, and what is expected while it lasts and after.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Row {
    pub(crate) name: &'static str,
    pub(crate) fault: Fault,
    /// The nodes of the site.
    pub(crate) nodes: usize,
    /// How many of them it befalls, from the first.
    pub(crate) befalls: usize,
    pub(crate) check: Check,
    /// How the nodes behave while all is well.
    pub(crate) well: Behaviour,
    /// What its clients speak.
    pub(crate) speaks: Protocol,
    /// What else they ask for, twice a second, from the start until all is healed.
    pub(crate) beside: &'static [Place],
    /// The time that they give for a call (`grpc-timeout`), within which each of them ends whatever becomes of it.
    pub(crate) deadline: Option<Duration>,
    pub(crate) answers: Answers,
    /// The largest body, in bytes.
    pub(crate) largest: usize,
    /// All that may fail, and how. Whatever is not here is expected to be served.
    pub(crate) may_fail: &'static [Loss],
    /// How long the fault lasts at the least, where that is longer than the form has it.
    pub(crate) lasts: Duration,
    /// How fast the saved kinds are answered while it lasts.
    pub(crate) answered: Answered,
    /// Most attempts at all nodes for each request of a client while it lasts.
    pub(crate) most_attempts: Option<f64>,
    /// The node must keep its share of the work while it lasts: what looks like a fault is none.
    pub(crate) is_left_alone: bool,
    /// Most times that nodes execute one request.
    pub(crate) executions: usize,
    /// Requests a second; left out, that of the form.
    pub(crate) per_second: Option<u32>,
    /// The logic that bookend lacks for it; such a row is reported as "not yet".
    pub(crate) awaits: Option<&'static str>,
}

impl Row {
    /// What the site's configuration has to say.
    pub(crate) fn terms(&self) -> Terms {
        Terms { check: self.check, http2: self.speaks != Protocol::Http1 }
    }
}

/// What goes wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    /// The nodes behave like this until they are healed.
    Behave(Behaviour),
    /// `kill -9`; started again to heal.
    Kill,
    /// As above, for so long only.
    KillFor(Duration),
    /// `kill -9`; started again at once, but answers 503 for two seconds.
    RestartUnready,
    /// SIGSTOP, and SIGCONT to heal.
    Stop,
    /// Refuses and serves in turn, three times a second.
    Flap,
    /// Each node resets one request, one node after the other.
    ResetOneEach,
    /// One URL is asked for twice a second, beside the mix. A node that it crashes is started again.
    Url(Place),
    /// `kill -9` while the configuration is reloaded ten times a second.
    KillBesideReloads,
}

/// Kinds of requests that may fail, and how.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Loss {
    pub(crate) kinds: &'static [Kind],
    pub(crate) how: How,
}

/// A way to fail that the design allows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum How {
    /// With this status.
    Status(u16),
    /// With 502, if it was under way as a node shut its door: its connection may have been waiting there.
    AtTheDoor,
    /// With 502, if it broke on two nodes, or was under way as both were killed: it might be the request's own fault.
    BrokenTwice,
    /// A call of gRPC ends with this status and no message.
    Ended(u8),
    /// A call of gRPC ends with this status after a message.
    EndedAfterMessage(u8),
    /// The answer breaks off, so that the client can tell.
    Cut,
    /// The one URL that is at fault itself answers this.
    Url(u16),
    /// An event stream of a node that the fault befell ends with it, so that the client can tell.
    StreamOfItsNode,
}

/// How soon a request that the design saves is answered while the fault lasts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Answered {
    /// At the 99th percentile within 50 ms of what it takes when all is well.
    Promptly,
    /// GET and HEAD within 1.3 s, PUT, DELETE and keyed POST within 2.5 s, and no new work for the node after that.
    DespiteSilence,
    /// Within the connect time-out and 100 ms.
    DespiteBlackHole,
    /// Once the node has had three seconds to show what it can do, within a second, whatever the answer is.
    DespiteBrownOut,
    /// While the fault lasts, however long it takes.
    WhileItLasts,
    /// At last.
    Once,
}
