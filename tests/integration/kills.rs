//! The whole program is killed at any moment, with operators at work on it: what they were told is so stays so.
//!
//! An operator has a node of its own, so that it knows what has become of it: what was acknowledged last, or what was asked
//! for after that and never answered. `make kills` does it two hundred times.

use std::env;
use std::fs::File;
use std::io::{Read, Write};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant, SystemTime};

use bookend::incident::Event;
use bookend::journal::{Gaps, read_events};
use serde_json::{Value, json};

use crate::support::{Bookend, Origin, PATIENCE, Site, fetch};

/// How often it is killed.
const KILLS: &str = "BOOKEND_KILLS";

/// Nodes of which each has an operator; one more serves whatever they do.
const OPERATORS: usize = 3;

/// Two clocks, and times in whole seconds.
const ROUNDING: Duration = Duration::from_secs(3);

#[test]
fn what_was_acknowledged_outlives_every_kill() {
    let kills = env::var(KILLS).map_or(25, |kills| kills.parse().unwrap());
    let nodes: Vec<_> = (0..=OPERATORS).map(|_| Origin::answering("a")).collect();
    let site = Site::of(&nodes.iter().collect::<Vec<_>>()).with_pool("health_check: off");
    let began = Instant::now();
    let mut victim = Victim::new(Bookend::start(&site), began.elapsed());
    for round in 0..kills {
        match round % 5 {
            4 => victim.kill_at_its_start(),
            _ => victim.kill_at_work(),
        }
        if round % 4 == 3 {
            victim.tear_a_line();
        }
        victim.start_again(round);
    }
    let Victim { acknowledged, told, at_start, torn, events, .. } = victim;
    eprintln!(
        "{kills} kills, {at_start} of them at the start: {acknowledged} changes were acknowledged, {told} events counted as \
         written, {} are there, {torn} torn lines skipped",
        events.len()
    );
    assert!(
        acknowledged >= kills / 2 && told >= kills / 2,
        "{acknowledged} {told}: hardly anything happened"
    );
}

/// The program, and what must be true of it.
struct Victim {
    bookend: Bookend,
    /// How long it takes to start.
    start: Duration,
    /// What is known of the lease of each operator's node.
    leases: Vec<Known>,
    /// What was in the journal when it was read last.
    events: Vec<Event>,
    /// How many events more were counted as written since.
    more: u64,
    acknowledged: u64,
    told: u64,
    at_start: u64,
    torn: u64,
}

/// What an operator knows of its lease.
#[derive(Clone, Debug, Default)]
struct Known {
    /// As it was acknowledged last; `None` if the node is not drained.
    lease: Option<Value>,
    /// What was asked for after that and not answered.
    asked: Option<Wish>,
}

/// What an operator asks for.
#[derive(Clone, Debug)]
enum Wish {
    Drain { reason: String, minutes: u64 },
    Renew { minutes: u64 },
    Undrain,
}

impl Victim {
    fn new(bookend: Bookend, start: Duration) -> Self {
        Self {
            bookend,
            start,
            leases: vec![Known::default(); OPERATORS],
            events: Vec::new(),
            more: 0,
            acknowledged: 0,
            told: 0,
            at_start: 0,
            torn: 0,
        }
    }

    /// Kills it while operators drain, renew, undrain and reload as fast as they can.
    fn kill_at_work(&mut self) {
        let (socket, acknowledged) = (self.bookend.socket(), AtomicU64::new(0));
        let (told, leases) = thread::scope(|scope| {
            let (socket, acknowledged) = (&socket, &acknowledged);
            let operators: Vec<_> = self
                .leases
                .iter()
                .enumerate()
                .map(|(number, known)| {
                    let (node, lease) = (node(number), known.lease.clone());
                    scope.spawn(move || operate(socket, &node, lease, acknowledged))
                })
                .collect();
            scope.spawn(|| while ask(socket, "/reload", &json!({})).is_some() {});
            let watcher = scope.spawn(|| count_told(socket));
            // Not `until`: where that gives up, nothing would end the operators.
            let deadline = Instant::now() + PATIENCE;
            while acknowledged.load(Ordering::Relaxed) == 0 && Instant::now() < deadline {
                thread::sleep(Duration::from_millis(1));
            }
            thread::sleep(Duration::from_micros(fastrand::u64(..60_000)));
            self.bookend.kill();
            let leases = operators.into_iter().map(|operator| operator.join().unwrap()).collect();
            (watcher.join().unwrap(), leases)
        });
        (self.leases, self.more) = (leases, told);
        let acknowledged = acknowledged.into_inner();
        assert!(acknowledged > 0, "nobody was answered in {PATIENCE:?}");
        self.acknowledged += acknowledged;
        self.told += told;
    }

    /// Ends it, and kills the one that comes after it before it is ready, or hardly later.
    fn kill_at_its_start(&mut self) {
        self.bookend.kill();
        self.bookend.spawn_again();
        thread::sleep(self.start.mul_f64(fastrand::f64()));
        self.bookend.kill();
        (self.more, self.at_start) = (0, self.at_start + 1);
    }

    /// Leaves what a loss of power can: the beginning of a line at the end of the journal.
    fn tear_a_line(&self) {
        let path = self.bookend.state().join("events-1.log");
        let mut file = File::options().append(true).open(path).unwrap();
        file.write_all(&b"0123456789abcdef {\"at\":17"[..fastrand::usize(1..25)]).unwrap();
    }

    /// Reads the journal, starts the program, and compares both with what is known.
    fn start_again(&mut self, round: u64) {
        let mut found = Vec::new();
        let gaps = read_events(&self.bookend.state(), |event| found.push(event)).unwrap();
        assert!(gaps.torn <= 1 && Gaps { torn: 0, ..gaps }.is_none(), "round {round}: {gaps:?}");
        let (before, more) = (self.events.len(), self.more);
        assert!(found.starts_with(&self.events), "round {round}: what had been read is not there any more");
        let lost = (before as u64 + more).saturating_sub(found.len() as u64);
        assert_eq!(
            lost,
            0,
            "round {round}: {before} were there, {more} counted as written, {} are",
            found.len()
        );
        (self.events, self.torn) = (found, self.torn + gaps.torn);
        self.bookend.start_again();
        if gaps.torn > 0 {
            self.bookend.wait_for_log("events are lost lines_damaged=0 lines_broken_off=1 ");
        }
        let logs = self.bookend.logs();
        assert_eq!(
            (logs.contains("leases are lost"), logs.contains("events are lost")),
            (false, gaps.torn > 0)
        );
        let status: Value = serde_json::from_slice(&self.bookend.ask("/status")).unwrap();
        for (number, known) in self.leases.iter_mut().enumerate() {
            let found = &status["pools"][0]["nodes"][number]["lease"];
            assert!(known.may_be(found), "round {round}: {known:?} became {found}");
            *known = Known { lease: Some(found.clone()).filter(|found| !found.is_null()), asked: None };
        }
        assert_eq!(fetch(self.bookend.address(), "/").status, 200);
    }
}

impl Known {
    /// Whether a lease that was found is the one that was acknowledged, or what the last wish would have made of it.
    fn may_be(&self, found: &Value) -> bool {
        let is_known = match &self.lease {
            Some(lease) => is_same(lease, found, &["since", "until"]),
            None => found.is_null(),
        };
        is_known || self.asked.as_ref().is_some_and(|wish| wish.may_have_made(found, self.lease.as_ref()))
    }
}

impl Wish {
    fn any(is_drained: bool) -> Self {
        let minutes = fastrand::u64(10..4_000);
        match (is_drained, fastrand::u8(..3)) {
            (false, _) => Self::Drain { reason: format!("number {}", fastrand::u64(..)), minutes },
            (true, 0) => Self::Undrain,
            (true, _) => Self::Renew { minutes },
        }
    }

    fn path(&self) -> &'static str {
        match self {
            Self::Drain { .. } => "/drain",
            Self::Renew { .. } => "/renew",
            Self::Undrain => "/undrain",
        }
    }

    fn body(&self, node: &str) -> Value {
        match self {
            Self::Drain { reason, minutes } => {
                json!({ "node": node, "reason": reason, "for": format!("{minutes}m"), "force": true })
            }
            Self::Renew { minutes } => json!({ "node": node, "for": format!("{minutes}m") }),
            Self::Undrain => json!({ "node": node }),
        }
    }

    fn may_have_made(&self, found: &Value, before: Option<&Value>) -> bool {
        match (self, before) {
            (Self::Drain { reason, minutes }, None) => found["reason"] == *reason && is_left(found, *minutes),
            (Self::Renew { minutes }, Some(before)) => {
                is_same(before, found, &["since"]) && is_left(found, *minutes)
            }
            (Self::Undrain, Some(_)) => found.is_null(),
            (Self::Drain { .. }, Some(_)) | (Self::Renew { .. } | Self::Undrain, None) => false,
        }
    }
}

fn node(number: usize) -> String {
    format!("web/web-{:02}", number + 1)
}

/// Whether two are one lease with these times the same.
fn is_same(told: &Value, found: &Value, times: &[&str]) -> bool {
    let time = |lease: &Value, key: &str| humantime::parse_rfc3339(lease[key].as_str()?).ok();
    let apart = |a: SystemTime, b: SystemTime| a.duration_since(b).unwrap_or_else(|why| why.duration());
    let is_near = |key: &str| Some(apart(time(told, key)?, time(found, key)?) <= ROUNDING);
    let is_told = |key: &str| told[key] == found[key];
    ["node", "owner", "reason"].into_iter().all(is_told) && times.iter().all(|key| is_near(key) == Some(true))
}

/// Whether a lease was given so many minutes not long ago.
fn is_left(found: &Value, minutes: u64) -> bool {
    found["seconds_left"].as_u64().is_some_and(|left| (minutes * 60 - 60..=minutes * 60).contains(&left))
}

/// Changes the lease of a node again and again until nobody answers.
fn operate(socket: &Path, node: &str, mut lease: Option<Value>, acknowledged: &AtomicU64) -> Known {
    loop {
        let wish = Wish::any(lease.is_some());
        let Some(done) = ask(socket, wish.path(), &wish.body(node)) else {
            return Known { lease, asked: Some(wish) };
        };
        assert_eq!(done["kept"], true, "{done}");
        lease = Some(done["lease"].clone()).filter(|_| !matches!(wish, Wish::Undrain));
        acknowledged.fetch_add(1, Ordering::Relaxed);
    }
}

/// How many events were said to be written when last somebody answered.
fn count_told(socket: &Path) -> u64 {
    let mut told = 0;
    while let Some(metrics) = exchange(socket, "GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n") {
        let name = "bookend_journal_events_written_total ";
        let count = metrics.lines().find_map(|line| line.strip_prefix(name)?.parse().ok());
        told = count.unwrap();
    }
    told
}

fn ask(socket: &Path, path: &str, body: &Value) -> Option<Value> {
    let (body, head) = (body.to_string(), "Host: x\r\nContent-Type: application/json\r\n");
    let length = body.len();
    let answer =
        exchange(socket, &format!("POST {path} HTTP/1.1\r\n{head}Content-Length: {length}\r\n\r\n{body}"))?;
    Some(serde_json::from_str(&answer).unwrap())
}

/// The body of a good answer; `None` if it is not all there, and a panic if it is a refusal.
fn exchange(socket: &Path, request: &str) -> Option<String> {
    let mut stream = UnixStream::connect(socket).ok()?;
    stream.write_all(request.as_bytes()).ok()?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).ok()?;
    let (head, body) = answer.split_once("\r\n\r\n")?;
    let length = head
        .to_ascii_lowercase()
        .lines()
        .find_map(|line| line.strip_prefix("content-length: ")?.parse().ok());
    if length != Some(body.len()) {
        return None;
    }
    assert!(head.starts_with("HTTP/1.1 200 "), "{request}\n{answer}");
    Some(body.to_owned())
}
