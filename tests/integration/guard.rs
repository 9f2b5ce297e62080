//! Drains and reloads that the rest of a pool cannot do without are refused, where that is known.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use crate::drain::{done, is_drained, over_socket, refused, site};
use crate::support::{Bookend, Load, Origin, Reload, Site, fetch, until};

/// A node that takes 20 ms for each request.
pub(crate) fn slow(body: &'static str) -> Origin {
    Origin::start(move |call| {
        thread::sleep(Duration::from_millis(20));
        call.answer(200, body)
    })
}

/// Clients that ask again whatever they are told.
pub(crate) struct Crowd {
    stop: Arc<AtomicBool>,
    clients: Vec<JoinHandle<()>>,
}

impl Crowd {
    pub(crate) fn start(address: SocketAddr, clients: usize) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let one = |_| {
            let stop = Arc::clone(&stop);
            thread::spawn(move || {
                while !stop.load(Ordering::Relaxed) {
                    fetch(address, "/");
                }
            })
        };
        Self { clients: (0..clients).map(one).collect(), stop }
    }
}

impl Drop for Crowd {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        self.clients.drain(..).for_each(|client| drop(client.join()));
    }
}

fn is_shedding(bookend: &Bookend) -> bool {
    let status: serde_json::Value = serde_json::from_slice(&bookend.ask("/status")).unwrap();
    status["pools"][0]["overloaded"] == true
}

#[test]
fn pool_that_turns_requests_away_gives_up_no_node() {
    let (a, b) = (slow("a"), slow("b"));
    let both =
        Site::default().with_node(a.address(), "max_in_flight: 2").with_node(b.address(), "max_in_flight: 2");
    let both = both.with_pool("queue: { target: 10ms }");
    let bookend = Bookend::start(&both);
    let crowd = Crowd::start(bookend.address(), 24);
    let is_drowned = || is_shedding(&bookend) && [&a, &b].iter().all(|node| node.count() >= 20);
    until("it turns requests away while both give what they can", is_drowned);
    let text = refused(&bookend, "drain web/web-02 --reason test");
    for part in [
        " answers/s now and turns requests away as it is, ",
        "/s (web-01 ",
        "/s or more would be missing (`--force`",
    ] {
        assert!(text.contains(part), "no {part} in\n{text}");
    }
    let (status, problem) = over_socket(&bookend, "/drain", r#"{"node": "web/web-02", "reason": "test"}"#);
    assert_eq!(
        (status, &problem["proof"], &problem["available"]),
        (409, &"lacking".into(), &1.into()),
        "{problem}"
    );
    let number = |key: &str| problem[key].as_f64().unwrap();
    assert!(
        (number("rest") - number("load") - number("spare")).abs() < 0.01 && number("spare") < 0.0,
        "{problem}"
    );
    assert_eq!(problem["others"][0]["name"], "web-01");
    let one = Site::default().with_node(a.address(), "max_in_flight: 2");
    bookend.write_configuration(&one.to_yaml(&[bookend.address()]));
    let text = refused(&bookend, "reload");
    assert!(text.contains("without web-02 ") && text.contains("`bookend reload --force`"), "{text}");
    assert_eq!(bookend.reload_site(&one), Reload::Refused);
    assert!(!is_drained(&bookend, 1));
    let c = slow("c");
    let other = Site::default().with_node(a.address(), "max_in_flight: 2").with_node(c.address(), "");
    assert_eq!(bookend.reload_site(&other), Reload::InForce, "a new node may be the help");
    assert_eq!(bookend.reload_site(&both), Reload::InForce);
    let text = done(&bookend, "drain web/web-02 --reason test --force");
    assert!(text.contains("1 of 2 nodes can serve without it, which is not enough"), "{text}");
    done(&bookend, "reload --force");
    drop(crowd);
}

#[test]
fn node_that_others_do_the_work_of_is_given_up_with_the_proof() {
    let (a, b) = (Origin::answering("a"), Origin::answering("b"));
    let bookend = Bookend::start(&Site::of(&[&a]).with_node(b.address(), "tier: 1"));
    let text = done(&bookend, "drain web/web-02 --reason test");
    assert!(text.contains("can serve without it, whether they can carry the load is unproven"), "{text}");
    done(&bookend, "undrain web/web-02");
    let load = Load::start(bookend.address(), 2);
    load.wait_for(100);
    let text = done(&bookend, "drain web/web-02 --reason test");
    load.finish();
    assert!(text.contains("1 of 2 nodes can serve without it, which is enough: the load is "), "{text}");
}

#[test]
fn more_nodes_can_be_asked_for() {
    let nodes: Vec<_> = (0..3).map(|_| Origin::answering("a")).collect();
    let [a, b, c] = [&nodes[0], &nodes[1], &nodes[2]];
    let wanted = |nodes: &[&Origin]| site(nodes).with_pool("min_available: 2");
    let bookend = Bookend::start(&wanted(&[a, b, c]));
    done(&bookend, "drain web/web-01 --reason test");
    let text = refused(&bookend, "drain web/web-02 --reason test");
    let part =
        "pool web has 3 nodes: web-01 is drained; without web-02 that leaves 1 of 3, and min_available is 2";
    assert!(text.contains(part), "{text}");
    let (status, problem) = over_socket(&bookend, "/drain", r#"{"node": "web/web-02", "reason": "test"}"#);
    assert_eq!(
        (status, &problem["available"], &problem["min_available"]),
        (409, &1.into(), &2.into()),
        "{problem}"
    );
    bookend.write_configuration(&wanted(&[a, b]).to_yaml(&[bookend.address()]));
    let text = refused(&bookend, "reload");
    let part = "pool web would have 1 node that can serve, and min_available is 2: web-01 is drained; web-02, web-03 can";
    assert!(text.contains(part), "{text}");
    assert_eq!(bookend.reload_site(&wanted(&[a, b, c]).with_pool("queue: off")), Reload::InForce);
    done(&bookend, "drain web/web-02 --reason test --force");
}
