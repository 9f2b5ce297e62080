//! SIGHUP: what changes, and that nobody notices.

use std::fs::File;
use std::net::TcpStream;
use std::process::Command;
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use rustix::process::Signal;

use crate::support::{Bookend, Client, Gate, Load, Next, Origin, Port, Reload, Site, check, fetch, until};

#[test]
fn broken_file_changes_nothing_and_says_so() {
    let node = Origin::answering("a");
    let bookend = Bookend::start(&Site::of(&[&node]));
    assert_eq!(bookend.reload("listeners: [ {"), Reload::Refused);
    assert_eq!(
        bookend.reload(&Site::of(&[&node]).with_pool("helth_check: off").to_yaml(&[])),
        Reload::Refused
    );
    assert!(bookend.logs().contains("helth_check"), "the log names the problem");
    assert_eq!(fetch(bookend.address(), "/").text(), "a");
    assert_eq!(bookend.reload_site(&Site::of(&[&node])), Reload::InForce);
}

#[test]
fn each_problem_is_a_line_of_the_log() {
    let node = Origin::answering("a");
    let site = Site::of(&[&node]);
    let bookend = Bookend::start(&site);
    let broken = site.with_pool("helth_check: off").with_route("hots: x");
    assert_eq!(bookend.reload_site(&broken), Reload::Refused);
    bookend.wait_for_log("hots");
    let logs = bookend.logs();
    assert!(logs.lines().all(|line| line.starts_with("[2") && line.contains("] ")), "{logs}");
    let errors: Vec<_> = logs.lines().filter(|line| line.contains("ERROR")).collect();
    let parts = ["reload refused, generation=1 stays in force: 2 problems", "helth_check", "hots"];
    assert!(errors.len() == 3 && errors.iter().zip(parts).all(|(line, part)| line.contains(part)), "{logs}");
}

#[test]
fn missing_file_changes_nothing() {
    let node = Origin::answering("a");
    let bookend = Bookend::start(&Site::of(&[&node]));
    bookend.remove_configuration();
    bookend.signal(Signal::HUP);
    bookend.wait_for_log("reload refused");
    assert_eq!(fetch(bookend.address(), "/").text(), "a");
}

#[test]
fn listeners_come_and_go() {
    let node = Origin::answering("a");
    let site = Site::of(&[&node]);
    let bookend = Bookend::start(&site);
    let more = Port::free();
    let mut kept = Client::connect(bookend.address());
    assert_eq!(kept.get("/").text(), "a");

    assert_eq!(bookend.reload(&site.to_yaml(&[bookend.address(), more.address()])), Reload::InForce);
    assert_eq!(fetch(more.address(), "/").text(), "a");
    let mut on_more = Client::connect(more.address());
    assert_eq!(on_more.get("/").text(), "a");

    assert_eq!(bookend.reload(&site.to_yaml(&[bookend.address()])), Reload::InForce);
    until("the removed listener refuses", || TcpStream::connect(more.address()).is_err());
    assert_eq!(kept.get("/").text(), "a", "a connection of the listener that stayed");
}

#[test]
fn listener_that_cannot_be_bound_changes_nothing() {
    let (old, new) = (Origin::answering("old"), Origin::answering("new"));
    let bookend = Bookend::start(&Site::of(&[&old]));
    let taken = Origin::answering("taken");
    let yaml = Site::of(&[&new]).to_yaml(&[bookend.address(), taken.socket_address()]);
    assert_eq!(bookend.reload(&yaml), Reload::Refused);
    assert_eq!(fetch(bookend.address(), "/").text(), "old");
}

#[test]
fn request_on_a_removed_listener_finishes() {
    let gate = Gate::default();
    let closed = gate.clone();
    let node = Origin::start(move |call| {
        call.body();
        closed.pass();
        call.answer(200, "finished")
    });
    let site = Site::of(&[&node]);
    let bookend = Bookend::start(&site);
    let more = Port::free();
    assert_eq!(bookend.reload(&site.to_yaml(&[bookend.address(), more.address()])), Reload::InForce);
    let mut client = Client::connect(more.address());
    client.send("GET / HTTP/1.1\r\nHost: site.test\r\n\r\n");
    until("the node has it", || node.count() == 1);
    assert_eq!(bookend.reload_site(&site), Reload::InForce);
    gate.open();
    let answer = client.read_answer("GET");
    assert_eq!(answer.text(), "finished");
    if !answer.closes() {
        assert_eq!(client.get("/").text(), "finished", "a connection that was not said to end");
    }
}

#[test]
fn request_finishes_on_the_node_it_began_with() {
    let gate = Gate::default();
    let closed = gate.clone();
    let old = Origin::start(move |call| {
        call.write("HTTP/1.1 200 OK\r\nContent-Length: 8\r\n\r\n");
        closed.pass();
        call.write("finished");
        Next::KeepAlive
    });
    let new = Origin::answering("new");
    let bookend = Bookend::start(&Site::of(&[&old]));
    let mut client = Client::connect(bookend.address());
    client.send("GET / HTTP/1.1\r\nHost: site.test\r\n\r\n");
    assert_eq!(client.read_head().status, 200);
    assert_eq!(bookend.reload_site(&Site::of(&[&new])), Reload::InForce);
    assert_eq!(fetch(bookend.address(), "/").text(), "new");
    gate.open();
    assert_eq!(client.read_exactly(8), b"finished");
    assert_eq!(client.get("/").text(), "new", "the same connection, the next request");
}

#[test]
fn nodes_come_and_go_under_load() {
    let (a, b, c) = (Origin::answering("a"), Origin::answering("b"), Origin::answering("c"));
    let bookend = Bookend::start(&Site::of(&[&a, &b]));
    let load = Load::start(bookend.address(), 8);
    load.wait_for(200);
    assert_eq!(bookend.reload_site(&Site::of(&[&a, &b, &c])), Reload::InForce);
    load.wait_for(200);
    assert_eq!(bookend.reload_site(&Site::of(&[&c])), Reload::InForce);
    let (a_then, b_then) = (a.count(), b.count());
    load.wait_for(500);
    let bodies = load.finish();
    assert!(bodies["a"] > 0 && bodies["b"] > 0 && bodies["c"] > 0, "{bodies:?}");
    let late = a.count() - a_then + b.count() - b_then;
    assert!(late <= 8, "{late} requests began on nodes that were removed");
}

#[test]
fn weights_change_under_load() {
    let (a, b) = (Origin::answering("a"), Origin::answering("b"));
    let bookend = Bookend::start(&Site::of(&[&a, &b]));
    let load = Load::start(bookend.address(), 8);
    load.wait_for(200);
    let weighted = Site::default().with_node(a.address(), "weight: 3").with_node(b.address(), "weight: 1");
    assert_eq!(bookend.reload_site(&weighted), Reload::InForce);
    load.wait_for(100);
    let (a_then, b_then) = (a.count(), b.count());
    load.wait_for(2_000);
    load.finish();
    let share = (a.count() - a_then) as f64 / (a.count() - a_then + b.count() - b_then) as f64;
    assert!((0.70..0.80).contains(&share), "a of weight 3 in 4 got {share}");
}

#[test]
fn health_survives_a_reload() {
    let (a, mut b) = (Origin::answering("a"), Origin::answering("b"));
    let checks = "health_check: { interval: 100ms, timeout: 100ms, fall: 2, rise: 2 }";
    let site = Site::of(&[&a, &b]).with_pool(checks);
    let bookend = Bookend::start(&site);
    b.stop();
    bookend.wait_for_log("node is down pool=web node=web-02");
    assert_eq!(bookend.reload_site(&site.clone().with_pool("balance: round_robin")), Reload::InForce);
    let down = bookend.logs().matches("node is down pool=web node=web-02").count();
    b.restart();
    bookend.wait_for_log("node is up pool=web node=web-02");
    assert_eq!(down, 1, "what was known was learnt again");
}

#[test]
fn routes_change() {
    let node = Origin::answering("a");
    let bookend = Bookend::start(&Site::of(&[&node]).with_route("path: /old"));
    let mut client = Client::connect(bookend.address());
    assert_eq!(client.get("/new").status, 404);
    assert_eq!(bookend.reload_site(&Site::of(&[&node]).with_route("path: /new")), Reload::InForce);
    assert_eq!(client.get("/new").status, 200);
    assert_eq!(client.get("/old").status, 404);
}

#[test]
fn limit_that_is_removed_no_longer_holds() {
    let node = Origin::answering("a");
    let site = Site::of(&[&node]);
    let bookend = Bookend::start(&site.clone().with_top("server: { max_connections: 2 }"));
    let serves = |client: &mut Client| client.try_request("GET", "/", "", b"").is_ok_and(|a| a.status == 200);
    let mut kept = Vec::new();
    // Until the connection is gone that looked whether bookend accepts.
    until("two clients have the places", || {
        let mut client = Client::connect(bookend.address());
        if serves(&mut client) {
            kept.push(client);
        }
        kept.len() == 2
    });
    assert!(!serves(&mut Client::connect(bookend.address())), "a third connection was served");
    assert_eq!(bookend.reload_site(&site), Reload::InForce);
    let mut more: Vec<Client> = (0..5).map(|_| Client::connect(bookend.address())).collect();
    assert!(more.iter_mut().chain(&mut kept).all(serves), "the limit still holds");
}

#[test]
fn reload_that_hangs_does_not_keep_it_from_stopping() {
    let node = Origin::answering("a");
    let mut bookend = Bookend::start(&Site::of(&[&node]));
    bookend.remove_configuration();
    let fifo = bookend.configuration();
    assert!(Command::new("mkfifo").arg(&fifo).status().unwrap().success());
    bookend.signal(Signal::HUP);
    // A FIFO opens once both ends are there.
    let (sender, opened) = mpsc::channel();
    thread::spawn(move || sender.send(File::options().write(true).open(fifo)));
    let _silent = opened.recv_timeout(Duration::from_secs(20)).expect("bookend reads the file").unwrap();
    bookend.terminate();
    assert!(bookend.wait().success());
}

#[test]
fn hundred_reloads_under_load_fail_nothing() {
    let nodes = ["a", "b", "c"].map(Origin::answering);
    let bookend = Bookend::start(&Site::of(&[&nodes[0], &nodes[1]]));
    let extra = Port::free();
    let load = Load::start(bookend.address(), 8);
    let newcomers = Load::start_anew(bookend.address(), 4);
    for round in 0..100_usize {
        let site = Site::default()
            .with_node(nodes[round % 3].address(), "weight: 2")
            .with_node(nodes[(round + 1) % 3].address(), "");
        let mut listeners = vec![bookend.address()];
        listeners.extend((round % 2 == 0).then(|| extra.address()));
        assert_eq!(bookend.reload(&site.to_yaml(&listeners)), Reload::InForce, "round {round}");
    }
    load.wait_for(100);
    load.finish();
    newcomers.finish();
}

#[test]
fn signals_faster_than_reloads_end_in_the_newest_file() {
    let (a, b) = (Origin::answering("a"), Origin::answering("b"));
    let bookend = Bookend::start(&Site::of(&[&a]));
    for round in 0..50 {
        let node = if round % 2 == 0 { &a } else { &b };
        bookend.write_configuration(&Site::of(&[node]).to_yaml(&[bookend.address()]));
        bookend.signal(Signal::HUP);
    }
    until("the newest file is in force", || fetch(bookend.address(), "/").text() == "b");
}

#[test]
fn websocket_survives_the_removal_of_its_node() {
    let old = Origin::start(|call| {
        call.write("HTTP/1.1 101 X\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n");
        call.echo()
    });
    let new = Origin::answering("new");
    let bookend = Bookend::start(&Site::of(&[&old]));
    let mut client = Client::connect(bookend.address());
    client.send("GET / HTTP/1.1\r\nHost: site.test\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n");
    assert_eq!(client.read_head().status, 101);
    assert_eq!(bookend.reload_site(&Site::of(&[&new])), Reload::InForce);
    client.send("hello");
    assert_eq!(client.read_exactly(5), b"hello");
}

#[test]
fn check_accepts_a_good_file_and_names_every_problem_of_a_bad_one() {
    let node = Origin::answering("a");
    let good = check(&Site::of(&[&node]).to_yaml(&[node.socket_address()]));
    assert_eq!(good.status.code(), Some(0), "{}", String::from_utf8_lossy(&good.stderr));
    let bad = check("listeners: []\npools:\n  web:\n    nods: []\nroutes:\n  - pool: wbe\n");
    assert_eq!(bad.status.code(), Some(2));
    let said = String::from_utf8(bad.stderr).unwrap();
    for part in ["bookend.yaml:4:", "nods", "nodes", "wbe"] {
        assert!(said.contains(part), "no {part} in {said}");
    }
}
