//! What may be lost in a row of the table, and how its clients learn of it.

use crate::client::Kind;
use crate::row::{How, Loss};

/// It may have run: the third column of the design's table.
pub(crate) const POST_502: &[Loss] = &[Loss { kinds: &[Kind::Post], how: How::Status(502) }];

/// An answer to what may not run twice is passed on.
pub(crate) const POST_500: &[Loss] = &[Loss { kinds: &[Kind::Post], how: How::Status(500) }];
pub(crate) const POST_503: &[Loss] = &[Loss { kinds: &[Kind::Post], how: How::Status(503) }];
pub(crate) const POST_504: &[Loss] = &[Loss { kinds: &[Kind::Post], how: How::Status(504) }];

/// More arrives than all nodes together can do, so what is left is to say so.
pub(crate) const EXCESS: &[Loss] = &[Loss { kinds: &Kind::ALL, how: How::Status(503) }];

/// What a node says of an upload is for the client, even if it says so before it has all of it.
pub(crate) const UPLOADS_413: &[Loss] =
    &[Loss { kinds: &[Kind::Put, Kind::Keyed, Kind::Post], how: How::Status(413) }];

/// No door is shut without somebody before it.
pub(crate) const AT_THE_DOOR: &[Loss] = &[Loss { kinds: &[Kind::Post], how: How::AtTheDoor }];

/// Two nodes die at once, under what both were serving.
pub(crate) const TWO_KILLED: &[Loss] = &[POST_502[0], Loss { kinds: &Kind::ALL, how: How::BrokenTwice }];

/// One request may meet both resets, and what breaks on two nodes goes to no third.
pub(crate) const BOTH_BROKE: &[Loss] = TWO_KILLED;

/// Every node answers so: it is the client's answer.
pub(crate) const ALL_500: &[Loss] = &[Loss { kinds: &Kind::ALL, how: How::Status(500) }];

/// Only GET can be finished from another node.
pub(crate) const ALL_BUT_GET_CUT: &[Loss] =
    &[Loss { kinds: &[Kind::Put, Kind::Delete, Kind::Keyed, Kind::Post], how: How::Cut }];

/// What bookend has to say of a call in its own name: it may have run, or its time was up.
pub(crate) const CALL_13: &[Loss] = &[Loss { kinds: &[Kind::Post], how: How::Ended(13) }];
pub(crate) const CALL_4: &[Loss] = &[Loss { kinds: &[Kind::Post], how: How::Ended(4) }];
/// Healed, a node has forgotten those whose time is not up.
pub(crate) const CALL_13_OR_4: &[Loss] = &[CALL_13[0], CALL_4[0]];
pub(crate) const CALLS_4: &[Loss] = &[CALL_13[0], Loss { kinds: CALLS, how: How::Ended(4) }];

/// What a node says after a message is the client's, whatever call it is.
pub(crate) const CALLS_14: &[Loss] = &[Loss { kinds: CALLS, how: How::EndedAfterMessage(14) }];

/// Nobody but its client can go on with a call.
pub(crate) const CALLS_CUT: &[Loss] = &[Loss { kinds: CALLS, how: How::Cut }];
pub(crate) const CALLS: &[Kind] = &[Kind::Keyed, Kind::Post];

/// The node crashes under others that it was serving, too.
pub(crate) const CRASH: &[Loss] = &[
    Loss { kinds: &[Kind::Get], how: How::Url(502) },
    Loss { kinds: &[Kind::Post], how: How::Status(502) },
    Loss { kinds: &Kind::ALL, how: How::BrokenTwice },
];

/// A stream cannot be begun again by anyone but its client.
pub(crate) const STREAMS: &[Loss] = &[POST_502[0], Loss { kinds: &[Kind::Get], how: How::StreamOfItsNode }];
