use http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use proptest::prelude::*;

use super::*;
use crate::config;

fn policy(attempts: u32) -> Policy {
    Policy { rules: config::Retry { attempts, ..config::Retry::default() } }
}

fn request(method: Method) -> Request {
    Request::of(&method, &HeaderMap::new())
}

fn with_key() -> Request {
    let mut headers = HeaderMap::new();
    headers.insert("idempotency-key", HeaderValue::from_static("1"));
    Request::of(&Method::POST, &headers)
}

fn options(untried: bool, returnable: bool) -> Options {
    Options { untried, returnable, is_at_fault: false }
}

fn first(request: Request, reach: Reach) -> Decision {
    policy(3).decide(request, reach, &mut Progress::default(), options(true, false), || true)
}

const S500: Reach = Reach::Answered(StatusCode::INTERNAL_SERVER_ERROR);
const S503: Reach = Reach::Answered(StatusCode::SERVICE_UNAVAILABLE);

/// The design's table, row by row: GET, PUT, POST with a key, POST.
#[test]
fn the_first_failure_is_decided_as_the_table_says() {
    use Decision::{Another, End};
    let table = [
        (Reach::NotSent, [Another, Another, Another, Another]),
        (Reach::PartSent, [Another, Another, Another, Another]),
        (Reach::MaybeSent, [Another, Another, Another, End]),
        (Reach::Silent, [Another, End, End, End]),
        (S500, [Another, Another, Another, End]),
        (Reach::Answered(StatusCode::BAD_GATEWAY), [Another, Another, Another, End]),
        (Reach::Answered(StatusCode::GATEWAY_TIMEOUT), [Another, Another, Another, End]),
        (S503, [Another, Another, Another, End]),
        (Reach::Answered(StatusCode::NOT_IMPLEMENTED), [End, End, End, End]),
        (Reach::Nonsense, [Another, Another, Another, End]),
        (Reach::Truncated, [End, End, End, End]),
    ];
    for (reach, expected) in table {
        let requests = [request(Method::GET), request(Method::PUT), with_key(), request(Method::POST)];
        for (request, expected) in requests.into_iter().zip(expected) {
            assert_eq!(first(request, reach), expected, "{reach:?} of {request:?}");
        }
    }
}

#[test]
fn a_conditional_change_that_may_have_run_is_not_repeated() {
    let mut headers = HeaderMap::new();
    headers.insert(header::IF_MATCH, HeaderValue::from_static("\"a\""));
    let put = Request::of(&Method::PUT, &headers);
    assert_eq!(first(put, Reach::MaybeSent), Decision::End);
    assert_eq!(first(put, Reach::NotSent), Decision::Another);
    let get = Request::of(&Method::GET, &headers);
    assert_eq!(first(get, Reach::MaybeSent), Decision::Another);
}

#[test]
fn a_body_that_is_gone_is_not_sent_again() {
    let request = Request { is_replayable: false, ..request(Method::PUT) };
    for reach in [Reach::PartSent, Reach::MaybeSent, S500, S503, Reach::Nonsense] {
        assert_eq!(first(request, reach), Decision::End, "{reach:?}");
    }
    assert_eq!(first(request, Reach::NotSent), Decision::Another);
}

#[test]
fn an_answer_that_broke_off_goes_to_another_node_only_if_that_can_finish_it() {
    let finishable = Request { is_finishable: true, ..request(Method::GET) };
    assert_eq!(first(request(Method::GET), Reach::Truncated), Decision::End);
    assert_eq!(first(finishable, Reach::Truncated), Decision::Another);
    assert_eq!(first(Request { is_replayable: false, ..finishable }, Reach::Truncated), Decision::End);
}

#[test]
fn answers_may_break_off_as_often_as_there_are_attempts() {
    let finishable = Request { is_finishable: true, ..request(Method::GET) };
    let mut progress = Progress::default();
    let mut decide =
        || policy(3).decide(finishable, Reach::Truncated, &mut progress, options(true, false), || true);
    assert_eq!([decide(), decide(), decide()], [Decision::Another, Decision::Another, Decision::End]);
}

#[test]
fn a_route_can_opt_out_of_repeating_half_a_body() {
    let mut policy = policy(3);
    policy.rules.part_sent = false;
    let decide = |request| {
        policy.decide(request, Reach::PartSent, &mut Progress::default(), options(true, false), || true)
    };
    assert_eq!(decide(request(Method::POST)), Decision::End);
    assert_eq!(decide(request(Method::PUT)), Decision::Another);
}

#[test]
fn an_unprocessed_status_goes_to_another_node_whatever_the_method() {
    let mut policy = policy(3);
    policy.rules.unprocessed_statuses = "503".parse().expect("a status");
    let decide = |reach| {
        policy.decide(request(Method::POST), reach, &mut Progress::default(), options(true, false), || true)
    };
    assert_eq!(decide(S503), Decision::Another);
    assert_eq!(decide(S500), Decision::End);
}

#[test]
fn the_second_bad_answer_is_the_clients() {
    let mut progress = Progress::default();
    let get = request(Method::GET);
    assert_eq!(policy(3).decide(get, S500, &mut progress, options(true, false), || true), Decision::Another);
    assert_eq!(policy(3).decide(get, S503, &mut progress, options(true, true), || true), Decision::End);
    assert_eq!(progress.answered, Some(StatusCode::INTERNAL_SERVER_ERROR));
}

#[test]
fn without_another_node_the_answer_passes() {
    assert_eq!(
        policy(3).decide(request(Method::GET), S500, &mut Progress::default(), options(false, true), || true),
        Decision::End
    );
}

#[test]
fn a_silent_node_is_not_waited_for_twice() {
    let mut progress = Progress::default();
    let get = request(Method::GET);
    assert_eq!(
        policy(9).decide(get, Reach::Silent, &mut Progress::default(), options(false, true), || true),
        Decision::End
    );
    assert_eq!(
        policy(9).decide(get, Reach::Silent, &mut progress, options(true, true), || true),
        Decision::Another
    );
    assert_eq!(
        policy(9).decide(get, Reach::Silent, &mut progress, options(true, true), || true),
        Decision::End
    );
}

#[test]
fn a_change_leaves_a_silent_node_once_that_is_out() {
    let out = Failure { reach: Reach::Silent, circumstance: Circumstance::NodeIsOut };
    let decide =
        |request| policy(3).decide(request, out, &mut Progress::default(), options(true, false), || true);
    assert_eq!(decide(request(Method::PUT)), Decision::Another);
    assert_eq!(decide(request(Method::POST)), Decision::End);
    assert_eq!(decide(Request { is_conditional: true, ..request(Method::PUT) }), Decision::End);
}

#[test]
fn a_node_that_is_out_costs_no_budget_and_is_no_query_of_death() {
    let out = Failure { reach: Reach::Silent, circumstance: Circumstance::NodeIsOut };
    let mut progress = Progress::default();
    let get = request(Method::GET);
    let broke = policy(3).decide(get, Reach::MaybeSent, &mut progress, options(true, false), || true);
    assert_eq!(broke, Decision::Another);
    assert_eq!(policy(3).decide(get, out, &mut progress, options(true, false), || false), Decision::Another);
}

#[test]
fn without_a_budget_only_what_was_never_sent_is_sent_again() {
    let decide = |reach| {
        policy(3).decide(request(Method::GET), reach, &mut Progress::default(), options(true, true), || false)
    };
    assert_eq!(decide(Reach::NotSent), Decision::Another);
    assert_eq!(decide(Reach::MaybeSent), Decision::End);
    assert_eq!(decide(S500), Decision::End);
}

#[test]
fn a_request_at_fault_takes_no_other_node_and_no_budget() {
    let options = Options { is_at_fault: true, ..options(true, true) };
    let decide = |reach| {
        policy(3).decide(request(Method::GET), reach, &mut Progress::default(), options, || panic!("asked"))
    };
    assert_eq!(decide(Reach::MaybeSent), Decision::End);
    assert_eq!(decide(S500), Decision::End);
    assert_eq!(decide(Reach::NotSent), Decision::Another);
}

#[test]
fn two_nodes_that_break_end_the_request() {
    let mut progress = Progress::default();
    let get = request(Method::GET);
    assert_eq!(
        policy(9).decide(get, Reach::MaybeSent, &mut progress, options(true, false), || true),
        Decision::Another
    );
    assert_eq!(
        policy(9).decide(get, Reach::PartSent, &mut progress, options(true, true), || true),
        Decision::End
    );
}

#[test]
fn pooled_connections_that_closed_are_no_query_of_death() {
    let mut progress = Progress::default();
    let closed = Failure { reach: Reach::MaybeSent, circumstance: Circumstance::PooledConnection };
    let get = request(Method::GET);
    assert_eq!(
        policy(3).decide(get, closed, &mut progress, options(true, false), || true),
        Decision::Another
    );
    assert_eq!(policy(3).decide(get, closed, &mut progress, options(false, true), || true), Decision::Again);
    assert_eq!(policy(3).decide(get, closed, &mut progress, options(false, true), || true), Decision::End);
    assert_eq!(
        policy(3).decide(
            request(Method::POST),
            closed,
            &mut Progress::default(),
            options(true, true),
            || true
        ),
        Decision::End
    );
}

#[test]
fn a_pooled_connection_that_broke_is_a_node_if_the_next_one_breaks_too() {
    let mut progress = Progress::default();
    let closed = Failure { reach: Reach::MaybeSent, circumstance: Circumstance::PooledConnection };
    let get = request(Method::GET);
    assert_eq!(
        policy(9).decide(get, closed, &mut progress, options(true, false), || true),
        Decision::Another
    );
    assert_eq!(
        policy(9).decide(get, Reach::MaybeSent, &mut progress, options(true, true), || true),
        Decision::End
    );
}

#[test]
fn a_node_that_broke_is_tried_again_when_the_others_refuse() {
    let mut progress = Progress::default();
    let get = request(Method::GET);
    assert_eq!(
        policy(3).decide(get, Reach::MaybeSent, &mut progress, options(true, false), || true),
        Decision::Another
    );
    assert_eq!(
        policy(3).decide(get, Reach::NotSent, &mut progress, options(false, true), || true),
        Decision::Again
    );
}

#[test]
fn backoff_doubles_and_is_bounded() {
    assert_eq!(backoff(1, 1.0).as_millis(), 25);
    assert_eq!(backoff(2, 1.0).as_millis(), 50);
    assert_eq!(backoff(3, 0.5).as_millis(), 50);
    assert_eq!(backoff(u32::MAX, 1.0).as_millis(), 250);
    assert_eq!(backoff(0, 0.0).as_millis(), 0);
}

fn any_reach() -> impl Strategy<Value = Reach> {
    prop_oneof![
        Just(Reach::NotSent),
        Just(Reach::PartSent),
        Just(Reach::MaybeSent),
        Just(Reach::Silent),
        (500u16..=511).prop_map(|code| Reach::Answered(StatusCode::from_u16(code).expect("a status"))),
        Just(Reach::Nonsense),
        Just(Reach::Truncated),
    ]
}

proptest! {
    /// Whatever happens, a request that may not run twice is never sent again once all of it went out.
    #[test]
    fn an_unsafe_request_never_runs_twice(reaches in prop::collection::vec(any_reach(), 1..20)) {
        let mut progress = Progress::default();
        for reach in reaches {
            let decision = policy(100).decide(request(Method::POST), reach, &mut progress, options(true, true), || true);
            if !matches!(reach, Reach::NotSent | Reach::PartSent) {
                prop_assert_eq!(decision, Decision::End);
            }
            if decision == Decision::End {
                break;
            }
        }
    }

    /// Attempts that may have reached a node stay within the limit, whatever they met.
    #[test]
    fn attempts_are_bounded(limit in 1u32..6, reaches in prop::collection::vec(any_reach(), 100)) {
        let (policy, mut progress) = (policy(limit), Progress::default());
        let mut reached = 0;
        for reach in reaches {
            reached += u32::from(reach != Reach::NotSent);
            if policy.decide(request(Method::GET), reach, &mut progress, options(true, true), || true) == Decision::End {
                break;
            }
        }
        prop_assert!(reached <= limit);
    }
}
