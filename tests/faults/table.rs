//! The table: every fault, and what the design promises under it. Written down before anything is measured.
//!
//! Of every row it is expected that nothing fails but what `may_fail` names, that no POST is executed twice, that nothing
//! truncated or mixed up looks whole, and that every node is back at work when all is healed.

use std::time::Duration;

use crate::client::{Answers, Kind, Protocol};
use crate::front::Check;
use crate::losses::*;
use crate::node::{Behaviour, Place, Works as Plant};
use crate::payload;
use crate::row::{Answered, Fault, How, Loss, Row};

use Answered::{DespiteBlackHole, DespiteBrownOut, DespiteSilence, Once, Promptly, WhileItLasts};
use Behaviour::*;
use Fault::*;

/// The largest body where requests are many: two cores would be busy with copying.
const SMALL: usize = 30_000;

/// Whatever a row does not say.
pub(crate) const ROW: Row = Row {
    name: "",
    fault: Kill,
    nodes: 2,
    befalls: 1,
    check: Check::Tcp,
    well: Healthy,
    speaks: Protocol::Http1,
    beside: &[],
    deadline: None,
    answers: Answers::Mixed,
    largest: payload::LARGEST,
    may_fail: &[],
    lasts: Duration::ZERO,
    answered: Promptly,
    most_attempts: None,
    is_left_alone: false,
    executions: 3,
    per_second: None,
    awaits: None,
};

/// Nodes that speak HTTP/2 without TLS.
const H2C: Row = Row { check: Check::H2c, largest: SMALL, ..ROW };

/// Clients that speak it.
const H2: Row = Row { speaks: Protocol::Http2, ..ROW };

/// Both, for gRPC. A call with an `Idempotency-Key` may run twice, one without may not.
const GRPC: Row = Row { speaks: Protocol::Grpc, ..H2C };

/// A node that can do a hundred requests a second, and one that everything takes ten times as long.
const BRISK: Behaviour = Works(Plant::roomy(2, Duration::from_millis(20)));
const BROWNED_OUT: Behaviour = Works(Plant::roomy(2, Duration::from_millis(200)));

/// What clients give for their calls: longer than it takes to move them from a node that is silent, or shorter than that.
const CALL_TIME: Duration = Duration::from_secs(4);
const SHORT_CALL_TIME: Duration = Duration::from_millis(600);
/// Who was at the silent node as it was found out has the end of its call before all is healed.
const OF_CALLS_IN_TIME: Duration = Duration::from_secs(8);

/// What takes long and says little.
const LONG_LIVED: &[Place] = &[Place::Events, Place::LongPoll];

/// The logic that bookend lacks for requests that wait because no node takes any: a row of another shape, in `parked`.
pub(crate) const PARKED_AWAITS: Option<&str> = None;

pub(crate) const TABLE: &[Row] = &[
    // Gone, or as good as gone.
    Row { name: "killed", fault: Kill, may_fail: POST_502, ..ROW },
    Row { name: "two_of_three_killed", fault: Kill, nodes: 3, befalls: 2, may_fail: TWO_KILLED, ..ROW },
    Row { name: "stopped", fault: Stop, may_fail: POST_504, answered: DespiteSilence, ..ROW },
    Row { name: "black_hole", fault: Behave(BlackHole), answered: DespiteBlackHole, ..ROW },
    Row { name: "refuses", fault: Behave(Refuses), may_fail: AT_THE_DOOR, ..ROW },
    Row {
        name: "never_answers",
        fault: Behave(Silent),
        // Healed, it has forgotten them.
        may_fail: POST_502,
        answered: DespiteSilence,
        ..ROW
    },
    Row {
        name: "vanishes",
        fault: Behave(Vanishes),
        // As above.
        may_fail: POST_502,
        answered: DespiteSilence,
        ..ROW
    },
    Row {
        name: "both_killed_for_a_second",
        fault: KillFor(Duration::from_secs(1)),
        befalls: 2,
        may_fail: TWO_KILLED,
        answered: Once,
        ..ROW
    },
    Row { name: "flapping", fault: Flap, may_fail: AT_THE_DOOR, ..ROW },
    // Breaks.
    Row { name: "resets_after_request", fault: Behave(ResetsAfterRequest), may_fail: POST_502, ..ROW },
    Row { name: "resets_before_body", fault: Behave(ResetsBeforeBody), may_fail: POST_502, ..ROW },
    Row { name: "resets_one_in_ten", fault: Behave(ResetsOneInTen), may_fail: POST_502, ..ROW },
    Row { name: "both_reset_one_each", fault: ResetOneEach, befalls: 2, may_fail: BOTH_BROKE, ..ROW },
    Row { name: "closes_without_answer", fault: Behave(Closes), may_fail: POST_502, ..ROW },
    // Often enough that some closes cross a request on its way.
    Row {
        name: "closes_idle_connections",
        fault: Behave(ClosesIdle),
        largest: SMALL,
        per_second: Some(200),
        ..ROW
    },
    Row { name: "garbage", fault: Behave(Garbage), may_fail: POST_502, ..ROW },
    Row { name: "half_a_head", fault: Behave(HalfHead), may_fail: POST_502, ..ROW },
    Row {
        name: "half_a_body_with_length",
        fault: Behave(HalfBody),
        answers: Answers::WithLength,
        may_fail: ALL_BUT_GET_CUT,
        ..ROW
    },
    Row {
        name: "half_a_body_with_etag",
        fault: Behave(HalfBody),
        answers: Answers::WithLengthAndEtag,
        may_fail: ALL_BUT_GET_CUT,
        ..ROW
    },
    Row {
        name: "half_a_body_chunked",
        fault: Behave(HalfBody),
        answers: Answers::Chunked,
        may_fail: ALL_BUT_GET_CUT,
        ..ROW
    },
    // Says that it is broken.
    Row { name: "answers_500", fault: Behave(Answers(500)), may_fail: POST_500, ..ROW },
    Row { name: "answers_502", fault: Behave(Answers(502)), may_fail: POST_502, ..ROW },
    Row { name: "answers_503", fault: Behave(Answers(503)), may_fail: POST_503, ..ROW },
    Row { name: "answers_504", fault: Behave(Answers(504)), may_fail: POST_504, ..ROW },
    Row { name: "answers_503_and_asks_for_pause", fault: Behave(AsksForPause), may_fail: POST_503, ..ROW },
    Row {
        name: "answers_500_while_its_check_passes",
        fault: Behave(Answers(500)),
        check: Check::Http,
        may_fail: POST_500,
        ..ROW
    },
    Row {
        name: "all_answer_500",
        fault: Behave(Answers(500)),
        befalls: 2,
        may_fail: ALL_500,
        answered: WhileItLasts,
        most_attempts: Some(1.3),
        largest: SMALL,
        per_second: Some(300),
        ..ROW
    },
    Row {
        name: "restarts_answering_503",
        fault: RestartUnready,
        may_fail: &[POST_502[0], POST_503[0]],
        ..ROW
    },
    Row { name: "refuses_uploads_early", fault: Behave(RefusesUploads), may_fail: UPLOADS_413, ..ROW },
    // The check and the traffic disagree.
    Row { name: "check_fails_while_it_serves", fault: Behave(FailsCheck), check: Check::Http, ..ROW },
    Row {
        name: "check_fails_on_all_while_they_serve",
        fault: Behave(FailsCheck),
        befalls: 2,
        check: Check::Http,
        ..ROW
    },
    // The request is at fault.
    Row {
        name: "one_url_answers_500_everywhere",
        fault: Url(Place::Poison),
        may_fail: &[Loss { kinds: &[Kind::Get], how: How::Url(500) }],
        executions: 2,
        is_left_alone: true,
        ..ROW
    },
    Row {
        name: "one_url_crashes_its_node",
        fault: Url(Place::Crash),
        nodes: 3,
        may_fail: CRASH,
        executions: 2,
        answered: WhileItLasts,
        ..ROW
    },
    // Slow, which is not broken.
    Row { name: "slow_by_3_s", fault: Behave(Slow(3_000)), answered: WhileItLasts, ..ROW },
    Row {
        name: "slow_by_a_quarter_of_a_second",
        fault: Behave(Slow(250)),
        answered: WhileItLasts,
        is_left_alone: true,
        ..ROW
    },
    Row {
        name: "one_url_takes_10_s",
        fault: Url(Place::Report),
        answered: WhileItLasts,
        executions: 1,
        is_left_alone: true,
        ..ROW
    },
    Row {
        name: "body_trickles",
        fault: Behave(Trickles),
        answered: WhileItLasts,
        is_left_alone: true,
        ..ROW
    },
    // Slow because it is too much: sixty a second arrive, and a node that is browned out can do ten.
    Row {
        name: "brown_out",
        fault: Behave(BROWNED_OUT),
        well: BRISK,
        lasts: Duration::from_secs(6),
        answered: DespiteBrownOut,
        largest: SMALL,
        per_second: Some(60),
        ..ROW
    },
    Row {
        name: "brown_out_of_both",
        fault: Behave(BROWNED_OUT),
        well: BRISK,
        lasts: Duration::from_secs(6),
        befalls: 2,
        may_fail: EXCESS,
        answered: DespiteBrownOut,
        largest: SMALL,
        per_second: Some(60),
        ..ROW
    },
    // The same where nodes are spoken to by HTTP/2.
    Row { name: "h2c_killed", fault: Kill, may_fail: POST_502, ..H2C },
    // Enough that many wait on one connection, and most of them leave it.
    Row {
        name: "h2c_stopped",
        fault: Stop,
        may_fail: POST_504,
        answered: DespiteSilence,
        per_second: Some(75),
        ..H2C
    },
    Row {
        name: "h2c_vanishes",
        fault: Behave(Vanishes),
        may_fail: POST_502,
        answered: DespiteSilence,
        ..H2C
    },
    Row { name: "h2c_refuses_streams", fault: Behave(RefusesStreams), ..H2C },
    Row { name: "h2c_resets_streams", fault: Behave(ResetsAfterRequest), may_fail: POST_502, ..H2C },
    Row {
        name: "h2c_half_a_body",
        fault: Behave(HalfBody),
        answers: Answers::WithLength,
        may_fail: ALL_BUT_GET_CUT,
        ..H2C
    },
    Row { name: "h2c_ends_connections_in_order", fault: Behave(EndsInOrder), ..H2C },
    // Without a word, so that what crosses the end on its way may have run.
    Row { name: "h2c_closes_idle_connections", fault: Behave(ClosesIdle), may_fail: POST_502, ..H2C },
    // The same where clients speak it, and all requests of one share a connection: none may take others along.
    Row { name: "h2_killed", fault: Kill, may_fail: POST_502, ..H2 },
    Row { name: "h2_stopped", fault: Stop, may_fail: POST_504, answered: DespiteSilence, ..H2 },
    Row { name: "h2_refuses", fault: Behave(Refuses), may_fail: AT_THE_DOOR, ..H2 },
    Row { name: "h2_resets_after_request", fault: Behave(ResetsAfterRequest), may_fail: POST_502, ..H2 },
    Row { name: "h2_resets_before_body", fault: Behave(ResetsBeforeBody), may_fail: POST_502, ..H2 },
    Row {
        name: "h2_half_a_body_with_length",
        fault: Behave(HalfBody),
        answers: Answers::WithLength,
        may_fail: ALL_BUT_GET_CUT,
        ..H2
    },
    Row {
        name: "h2_half_a_body_with_etag",
        fault: Behave(HalfBody),
        answers: Answers::WithLengthAndEtag,
        may_fail: ALL_BUT_GET_CUT,
        ..H2
    },
    Row { name: "h2_answers_500", fault: Behave(Answers(500)), may_fail: POST_500, ..H2 },
    Row { name: "h2_refuses_uploads_early", fault: Behave(RefusesUploads), may_fail: UPLOADS_413, ..H2 },
    Row {
        name: "h2_closes_idle_connections",
        fault: Behave(ClosesIdle),
        largest: SMALL,
        per_second: Some(200),
        ..H2
    },
    Row { name: "h2_killed_while_reloading", fault: KillBesideReloads, may_fail: POST_502, ..H2 },
    // And where both do.
    Row {
        name: "h2_and_h2c_resets_streams",
        fault: Behave(ResetsAfterRequest),
        speaks: Protocol::Http2,
        may_fail: POST_502,
        ..H2C
    },
    // gRPC: every call ends with a status or breaks off so that its client can tell.
    Row { name: "grpc_killed", fault: Kill, may_fail: CALL_13, ..GRPC },
    Row { name: "grpc_stopped", fault: Stop, may_fail: CALL_4, answered: DespiteSilence, ..GRPC },
    // A call without a key waits for its node until its time is up, and no longer.
    Row {
        name: "grpc_never_answers_in_time",
        fault: Behave(Silent),
        deadline: Some(CALL_TIME),
        may_fail: CALL_13_OR_4,
        lasts: OF_CALLS_IN_TIME,
        answered: DespiteSilence,
        ..GRPC
    },
    Row {
        name: "grpc_stopped_in_time",
        fault: Stop,
        deadline: Some(CALL_TIME),
        may_fail: CALL_4,
        lasts: OF_CALLS_IN_TIME,
        answered: DespiteSilence,
        ..GRPC
    },
    // Shorter than it takes to tell a silent node from a slow one.
    Row {
        name: "grpc_never_answers_in_a_short_time",
        fault: Behave(Silent),
        deadline: Some(SHORT_CALL_TIME),
        may_fail: CALLS_4,
        answered: WhileItLasts,
        ..GRPC
    },
    Row { name: "grpc_refuses_streams", fault: Behave(RefusesStreams), ..GRPC },
    Row { name: "grpc_unavailable", fault: Behave(Unavailable), ..GRPC },
    // The service says so of this call. The node did its work, and keeps it.
    Row {
        name: "grpc_unavailable_after_a_message",
        fault: Behave(UnavailableAfterMessage),
        may_fail: CALLS_14,
        most_attempts: Some(1.05),
        is_left_alone: true,
        ..GRPC
    },
    Row { name: "grpc_resets_after_request", fault: Behave(ResetsAfterRequest), may_fail: CALL_13, ..GRPC },
    Row { name: "grpc_half_an_answer", fault: Behave(HalfBody), may_fail: CALLS_CUT, ..GRPC },
    Row { name: "grpc_ends_connections_in_order", fault: Behave(EndsInOrder), ..GRPC },
    // What goes on meanwhile.
    Row { name: "streams_live_through_it", fault: Kill, beside: LONG_LIVED, may_fail: STREAMS, ..ROW },
    Row { name: "h2_streams_live_through_it", fault: Kill, beside: LONG_LIVED, may_fail: STREAMS, ..H2 },
    Row {
        name: "h2_streams_live_through_reloads",
        fault: KillBesideReloads,
        beside: LONG_LIVED,
        may_fail: STREAMS,
        ..H2
    },
    Row { name: "killed_while_reloading", fault: KillBesideReloads, may_fail: POST_502, ..ROW },
];
