//! Nodes that are taken out for what their traffic says, and that come back.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use crate::support::{Bookend, Client, Gate, Load, Next, Origin, Site, eventually, fetch};

/// A node that answers with its name until it is told to fail, and again once it is told not to.
fn fallible(name: &'static str) -> (Origin, Arc<AtomicBool>) {
    let fails = Arc::new(AtomicBool::new(false));
    let told = Arc::clone(&fails);
    let node = Origin::start(move |call| match told.load(Ordering::Relaxed) {
        true => call.answer(500, "broken"),
        false => call.answer(200, name),
    });
    (node, fails)
}

#[test]
fn failing_node_is_taken_out_and_comes_back_by_itself() {
    let ((a, fails), b) = (fallible("a"), Origin::answering("b"));
    let bookend = Bookend::start(&Site::of(&[&a, &b]));
    let load = Load::start(bookend.address(), 4);
    load.wait_for(50);
    fails.store(true, Ordering::Relaxed);
    bookend.wait_for_log("node is ejected pool=web node=web-01 why=\"3 attempts in a row failed\"");
    let before = a.count();
    load.wait_for(200);
    assert!(a.count() - before < 20, "{} requests of 200 went to a node that is out", a.count() - before);
    fails.store(false, Ordering::Relaxed);
    bookend.wait_for_log("node is returning pool=web node=web-01");
    bookend.wait_for_log("node has returned pool=web node=web-01");
    load.finish();
}

#[test]
fn nobody_waits_for_a_node_that_fell_silent() {
    let (gate, silent) = (Gate::default(), Arc::new(AtomicBool::new(false)));
    let (closed, told) = (gate.clone(), Arc::clone(&silent));
    let a = Origin::start(move |call| {
        call.body();
        if told.load(Ordering::Relaxed) {
            closed.pass();
            return Next::Close;
        }
        call.answer(200, "a")
    });
    let b = Origin::answering("b");
    let bookend = Bookend::start(&Site::of(&[&a, &b]));
    let load = Load::start(bookend.address(), 8);
    load.wait_for(50);
    silent.store(true, Ordering::Relaxed);
    let address = bookend.address();
    let change = || thread::spawn(move || Client::connect(address).request("PUT", "/", "", b"hello").status);
    let changes: Vec<_> = (0..4).map(|_| change()).collect();
    let orders: Vec<_> = (0..4)
        .map(|_| thread::spawn(move || Client::connect(address).request("POST", "/", "", b"hello").status))
        .collect();
    bookend.wait_for_log("node is suspect pool=web node=web-01");
    bookend.wait_for_log("node is ejected pool=web node=web-01 why=\"nothing came from it");
    assert!(changes.into_iter().all(|change| change.join().unwrap() == 200), "changes go to the other node");
    load.finish();
    gate.open();
    let statuses: Vec<_> = orders.into_iter().map(|order| order.join().unwrap()).collect();
    assert!(statuses.iter().all(|status| [200, 502].contains(status)), "{statuses:?}");
    let ran = |node: &Origin| {
        node.received().iter().filter(|request| request.first_line.starts_with("POST")).count()
    };
    assert_eq!(ran(&a) + ran(&b), 4, "each order ran once");
}

/// Asks for so many reports at once, which all have to come, and says whether they came together: where a busy machine kept
/// a node back by half a second, it was silent while another answered.
fn are_answered_together(address: SocketAddr, count: usize) -> bool {
    let report = move || {
        assert_eq!(fetch(address, "/report").status, 200);
        Instant::now()
    };
    let reports: Vec<_> = (0..count).map(|_| thread::spawn(report)).collect();
    let ends: Vec<_> = reports.into_iter().map(|report| report.join().unwrap()).collect();
    let [Some(first), Some(last)] = [ends.iter().min(), ends.iter().max()] else { return true };
    last.duration_since(*first) < Duration::from_millis(500)
}

#[test]
fn slow_requests_on_idle_nodes_are_left_to_finish() {
    let slow = || {
        Origin::start(|call| {
            thread::sleep(Duration::from_millis(2_500));
            call.answer(200, "done")
        })
    };
    let nodes = [slow(), slow()];
    let bookend = Bookend::start(&Site::of(&[&nodes[0], &nodes[1]]));
    let address = bookend.address();
    let is_even = are_answered_together(address, 10);
    let reports = |node: &Origin| {
        node.received().iter().filter(|request| request.first_line.starts_with("GET")).count()
    };
    assert!(!is_even || reports(&nodes[0]) + reports(&nodes[1]) == 10, "a report was asked for twice");
    assert!(!is_even || !bookend.logs().contains("suspect"), "{}", bookend.logs());
}

#[test]
fn slow_requests_are_left_to_finish_by_nodes_that_give_a_sign_of_life() {
    let node = || {
        Origin::start(|call| {
            if call.method() == "GET" {
                thread::sleep(Duration::from_millis(2_500));
            }
            call.answer(200, "done")
        })
    };
    let (busy, idle) = (node(), node());
    let bookend = Bookend::start(&Site::of(&[&busy, &idle]).with_pool("health_check: off"));
    let address = bookend.address();
    assert_eq!(fetch(address, "/first").status, 200);
    // Every second one goes to the other node.
    let is_even = are_answered_together(address, 8);
    assert!(!is_even || !bookend.logs().contains("suspect"), "{}", bookend.logs());
}

#[test]
fn request_that_fails_everywhere_is_retried_once_and_takes_no_node_out() {
    let node = || {
        Origin::start(|call| match call.target() {
            "/bad" => call.answer(500, "bad"),
            _ => call.answer(200, "good"),
        })
    };
    let nodes = [node(), node()];
    let bookend = Bookend::start(&Site::of(&[&nodes[0], &nodes[1]]));
    let mut client = Client::connect(bookend.address());
    for _ in 0..20 {
        assert_eq!(client.get("/bad").status, 500);
    }
    let attempts = nodes[0].count() + nodes[1].count();
    assert_eq!(attempts, 21, "once it is known, a retry is of no use");
    assert_eq!(client.get("/").status, 200);
    assert!(!bookend.logs().contains("ejected"), "{}", bookend.logs());
}

#[test]
fn retries_do_not_double_the_load_of_nodes_that_all_fail() {
    let node = || {
        Origin::start(|call| {
            let target = call.target().to_owned();
            call.answer(500, target)
        })
    };
    let nodes = [node(), node()];
    let bookend = Bookend::start(&Site::of(&[&nodes[0], &nodes[1]]).with_pool("retry_budget: 0"));
    let mut client = Client::connect(bookend.address());
    for request in 0..300 {
        assert_eq!(client.get(&format!("/{request}")).status, 500);
    }
    let attempts = nodes[0].count() + nodes[1].count();
    assert!((400..=440).contains(&attempts), "{attempts} attempts for 300 requests and ten retries a second");
}

#[test]
fn last_node_is_never_taken_out() {
    let (node, fails) = fallible("a");
    let bookend = Bookend::start(&Site::of(&[&node]));
    fails.store(true, Ordering::Relaxed);
    let mut client = Client::connect(bookend.address());
    for _ in 0..20 {
        assert_eq!(client.get("/").status, 500);
    }
    fails.store(false, Ordering::Relaxed);
    assert_eq!(client.get("/").text(), "a");
    assert!(!bookend.logs().contains("ejected"), "{}", bookend.logs());
}

#[test]
fn ejection_can_be_turned_off() {
    let ((a, fails), b) = (fallible("a"), Origin::answering("b"));
    let bookend = Bookend::start(&Site::of(&[&a, &b]).with_pool("ejection: off"));
    fails.store(true, Ordering::Relaxed);
    let mut client = Client::connect(bookend.address());
    let before = a.count();
    eventually("it is asked again and again", || {
        assert_eq!(client.get("/").text(), "b");
        (a.count() - before > 20).then_some(())
    });
}
