//! Requests that wait because no node takes any: they leave when their client leaves, and they cost bounded memory.

use std::fs;
use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use tokio::time::{Instant, sleep};

use crate::client::{Ask, Connection, Kind, Protocol};
use crate::front::{Proxy, Terms};
use crate::node::{Behaviour, Event, Order, Place};
use crate::run::PATIENCE;
use crate::site::{Server, Site};

/// Bodies of what waits; no body of its own for every second.
const SENT: usize = 30_000;

/// What one that waits may cost: its connection, its head and, within the cap of the process, its body.
const BYTES_EACH: u64 = 48 << 10;
/// What is kept for replay in the whole process.
const BODIES: u64 = 64 << 20;
/// What may be left when all have gone: an allocator does not give back every page.
const LEFT_OVER: u64 = 32 << 20;

/// While this lasts, none of them may have an answer; less than `queue.max_wait`.
const WAITS: Duration = Duration::from_secs(2);

const ASKED_FIRST: u64 = 1_000_000;

/// Lets `number` requests wait, lets their clients leave, and returns all that is not as promised.
pub(crate) fn run(number: usize) -> Vec<String> {
    let number = within_descriptors(number);
    let mut site = Site::start(Proxy::Bookend, Terms::USUAL, 2, Behaviour::Healthy);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let address = site.front.address();
    runtime.block_on(serve_one(address, 0));
    site.nodes.iter_mut().for_each(Server::kill);
    let before = resident(site.front.pid());
    let waiting = runtime.block_on(ask(address, number));
    let answered = runtime.block_on(answered_within(&waiting, WAITS));
    let during = resident(site.front.pid());
    drop(waiting);
    // The runtime closes them; then it is for the proxy to notice.
    runtime.block_on(async { sleep(Duration::from_millis(500)).await });
    site.nodes.iter_mut().for_each(|node| node.start_again(Behaviour::Healthy));
    runtime.block_on(serve_one(address, 1));
    let after = settled(site.front.pid(), before + LEFT_OVER);

    let mut found = Vec::new();
    if answered > 0 {
        found.push(format!("{answered} of {number} did not wait"));
    }
    let entries = site.nodes.iter().flat_map(|node| node.diary());
    let sent = entries.filter(|entry| entry.event == Event::Arrived && entry.id >= ASKED_FIRST).count();
    if sent > 0 {
        found.push(format!("{sent} of {number} were sent to a node after their client had left"));
    }
    let most = before + BYTES_EACH * number as u64 + BODIES;
    if during > most {
        found.push(format!(
            "{number} that waited took {} of memory to {}; at most {}",
            mib(before),
            mib(during),
            mib(most)
        ));
    }
    if after > before + LEFT_OVER {
        found.push(format!(
            "{} of memory became {}, and {} when all had left",
            mib(before),
            mib(during),
            mib(after)
        ));
    }
    found
}

/// Sends `number` requests, each on a connection of its own, and reads no answer.
async fn ask(site: SocketAddr, number: usize) -> Vec<Connection> {
    let mut waiting = Vec::with_capacity(number);
    for id in ASKED_FIRST..ASKED_FIRST + number as u64 {
        let mut connection = Connection::open(site).await.unwrap();
        connection.send(&parked(id)).await.unwrap();
        waiting.push(connection);
    }
    waiting
}

fn parked(id: u64) -> Ask {
    let has_body = id.is_multiple_of(2);
    let (kind, sent) = if has_body { (Kind::Post, SENT) } else { (Kind::Get, 0) };
    let order = Order { place: Place::Own, id, sent, wanted: 200, chunked: false, etag: false };
    Ask {
        speaks: Protocol::Http1,
        kind,
        order,
        deadline: None,
        client: Ipv4Addr::LOCALHOST,
        sends_chunked: false,
        is_fresh: true,
    }
}

/// How many of them an answer reaches, or an end, in this time.
async fn answered_within(waiting: &[Connection], limit: Duration) -> usize {
    sleep(limit).await;
    waiting.iter().filter(|connection| !connection.is_alive()).count()
}

/// Returns when a request is served.
async fn serve_one(site: SocketAddr, id: u64) {
    let deadline = Instant::now() + PATIENCE;
    loop {
        let mut connection = Connection::open(site).await.unwrap();
        let ask = Ask::of(Place::Own, id, Protocol::Http1);
        if connection.exchange(&ask).await.outcome == crate::client::Outcome::Served {
            return;
        }
        assert!(Instant::now() < deadline, "nothing is served though the nodes are well");
        sleep(Duration::from_millis(20)).await;
    }
}

/// Resident memory once it is no more than `goal`, or when nobody would wait for that any longer.
fn settled(pid: u32, goal: u64) -> u64 {
    let deadline = std::time::Instant::now() + PATIENCE;
    loop {
        let now = resident(pid);
        if now <= goal || std::time::Instant::now() > deadline {
            return now;
        }
        std::thread::sleep(Duration::from_millis(100));
    }
}

/// Resident memory of a process, in bytes.
fn resident(pid: u32) -> u64 {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
    line.trim().trim_end_matches(" kB").parse::<u64>().unwrap() << 10
}

/// As many as the descriptors of both processes are good for, after the limit was raised as far as the system lets us.
fn within_descriptors(number: usize) -> usize {
    let limit = getrlimit(Resource::Nofile);
    // bookend keeps one more for each client, which may go to a node, and a reserve.
    let wanted = 2 * number as u64 + 4_096;
    let most = limit.maximum.unwrap_or(wanted).max(wanted);
    let raised = Rlimit { current: Some(most), maximum: Some(most) };
    let soft = Rlimit { current: limit.maximum, maximum: limit.maximum };
    if setrlimit(Resource::Nofile, raised).is_ok() || setrlimit(Resource::Nofile, soft).is_err() {
        return number;
    }
    let affordable = limit.maximum.unwrap_or(wanted).saturating_sub(4_096) / 2;
    number.min(usize::try_from(affordable).unwrap())
}

fn mib(bytes: u64) -> String {
    format!("{} MiB", bytes >> 20)
}
