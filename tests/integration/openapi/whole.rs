//! Answers with everything in them: a new field is asked for here by the compiler.

use std::collections::BTreeMap;

use bookend::admin::status::{
    Alarm, Configuration, FirstByte, Headroom, Lease, Masked, Node, NodeState, Pool, Recall, Redundancy,
    Refused, Requests, Silence, Status,
};
use bookend::admin::{Carrier, ConfigProblem, Drained, Hush, Problem, Rest, Tested, Tests, Wish};
use bookend::incident::{Account, Counts, Line, Summary};

pub(super) fn status() -> Status {
    Status {
        version: "1".to_owned(),
        phase: "ready".to_owned(),
        started_at: time(),
        uptime_seconds: 1,
        configuration: configuration(),
        listeners: vec!["0.0.0.0:80".to_owned()],
        connections: 1,
        requests: requests(),
        pools: vec![pool()],
        leases_of_others: vec![lease()],
        recalls: vec![recall()],
        alarms: vec![alarm()],
        silences: vec![silence()],
        incidents_open: vec![incident()],
        complaints: vec!["x".to_owned()],
    }
}

pub(super) fn drained() -> Drained {
    Drained { lease: lease(), kept: true, in_flight: 1, rest: rest() }
}

pub(super) fn problem() -> Problem {
    Problem {
        title: "Conflict".to_owned(),
        status: 409,
        detail: "x".to_owned(),
        problems: vec![config_problem()],
        rest: Some(Box::new(rest())),
    }
}

pub(super) fn wish() -> Wish {
    Wish {
        node: "web/web-02".to_owned(),
        term: Some("30m".to_owned()),
        reason: Some("x".to_owned()),
        force: true,
        never_recall: true,
    }
}

pub(super) fn hush() -> Hush {
    Hush { pool: "web".to_owned(), term: Some("30m".to_owned()), reason: Some("x".to_owned()) }
}

pub(super) fn tests() -> Tests {
    Tests {
        results: vec![Tested {
            to: "command".to_owned(),
            place: "x".to_owned(),
            arrived: true,
            answer: "x".to_owned(),
            took_ms: 1,
        }],
    }
}

pub(super) fn incident() -> Summary {
    Summary {
        id: "2026-11-22-1".to_owned(),
        pool: "web".to_owned(),
        open: false,
        began: time(),
        ended: Some(time()),
        seconds: 1,
        what: "x".to_owned(),
        nodes: vec!["web-01".to_owned()],
        requests: Counts { total: 2, saved: 1, failed: 1, shed: 1, failed_share: 0.5 },
        cause: "x".to_owned(),
        help: Some("x".to_owned()),
    }
}

pub(super) fn account() -> Account {
    Account {
        summary: incident(),
        returned: 1,
        timeline: vec![Line { at: time(), text: "x".to_owned() }],
        left_out: 1,
        measures: vec!["x".to_owned()],
    }
}

fn configuration() -> Configuration {
    let refused = Refused {
        at: time(),
        seconds_ago: 1,
        superseded: true,
        why: "x".to_owned(),
        problems: vec![config_problem()],
    };
    Configuration {
        file: "x".to_owned(),
        generation: 1,
        in_force_at: time(),
        in_force_seconds: 1,
        refused: Some(refused),
    }
}

fn pool() -> Pool {
    Pool {
        name: "web".to_owned(),
        available: 1,
        waiting: 1,
        in_line: 1,
        shed: 1,
        overloaded: true,
        requests: requests(),
        redundancy: Some(Redundancy {
            state: "exposed".to_owned(),
            why: "x".to_owned(),
            seconds: 1,
            exposed_seconds: 1,
        }),
        masked: Some(Masked {
            seconds: 1,
            requests: 2,
            saved: 1,
            share: 0.5,
            node: Some("web-01".to_owned()),
            reach: Some("not_sent".to_owned()),
            part: Some(1.0),
        }),
        headroom: Some(Headroom {
            without: "x".to_owned(),
            load: 2.0,
            rest: 1.0,
            spare: -1.0,
            proof: "lacking".to_owned(),
        }),
        nodes: vec![node()],
    }
}

fn node() -> Node {
    Node {
        name: "web-01".to_owned(),
        address: "x".to_owned(),
        tier: 0,
        weight: 1,
        state: NodeState::Up,
        why: Some("x".to_owned()),
        state_seconds: Some(1),
        share: Some(0.5),
        in_flight: 1,
        limit: Some(1),
        shown_per_second: 1.0,
        capacity_per_second: Some(1.0),
        requests: requests(),
        first_byte: Some(FirstByte { mean: 1.0, p50: 1.0, p99: 1.0 }),
        attempts_failed: BTreeMap::from([("not_sent".to_owned(), 1)]),
        lease: Some(lease()),
    }
}

fn time() -> String {
    "2026-11-22T20:54:11Z".to_owned()
}

fn requests() -> Requests {
    Requests { total: 1, saved: 1, failed: 1, outcomes: BTreeMap::from([("served".to_owned(), 1)]) }
}

fn lease() -> Lease {
    Lease {
        node: "web/web-02".to_owned(),
        owner: "anna".to_owned(),
        reason: "x".to_owned(),
        since: time(),
        until: time(),
        seconds_left: 1,
        empty_since: Some(time()),
        never_recall: true,
    }
}

fn recall() -> Recall {
    Recall {
        node: "web/web-02".to_owned(),
        at: time(),
        seconds_ago: 1,
        owner: "anna".to_owned(),
        reason: "x".to_owned(),
        drained_seconds: 1,
        why: "x".to_owned(),
    }
}

fn alarm() -> Alarm {
    Alarm {
        pool: "web".to_owned(),
        kind: "exposed".to_owned(),
        since: time(),
        seconds: 1,
        what: "x".to_owned(),
        help: "x".to_owned(),
    }
}

fn silence() -> Silence {
    Silence {
        pool: "web".to_owned(),
        by: "anna".to_owned(),
        reason: "x".to_owned(),
        until: time(),
        seconds_left: 1,
    }
}

fn config_problem() -> ConfigProblem {
    ConfigProblem {
        text: "x".to_owned(),
        file: "x".to_owned(),
        line: 1,
        column: 1,
        path: "x".to_owned(),
        message: "x".to_owned(),
        help: Some("x".to_owned()),
    }
}

fn rest() -> Rest {
    Rest {
        available: 1,
        nodes: 2,
        min_available: 1,
        load: 2.0,
        rest: 1.0,
        spare: -1.0,
        proof: "lacking".to_owned(),
        others: vec![Carrier { name: "web-01".to_owned(), load: 1.0, shown: 1.0, capacity: Some(1.0) }],
    }
}
