//! TLS to nodes: who is believed, what happens to those who are not, and that nothing is sent to them.

use std::fs;

use crate::support::{Authority, Bookend, Client, Files, Origin, Reload, Sealed, Site, check, fetch, until};

const NODE: &str = "node.test";

/// A node's keys that say how it is verified.
fn by(authority: &Authority, more: &str) -> String {
    format!("tls: {{ authorities: \"{}\", server_name: {NODE}{more} }}", authority.file().display())
}

fn shown(files: &Files) -> String {
    format!(", certificate: \"{}\", key: \"{}\"", files.certificate.display(), files.key.display())
}

#[test]
fn node_is_verified_and_its_connections_and_sessions_are_used_again() {
    let (authority, node) = (Authority::new(), Origin::answering("a"));
    let sealed = Sealed::before(&node, &authority.server("node", &[NODE]));
    let site =
        Site::default().with_node(sealed.address(), &by(&authority, "")).with_pool("health_check: off");
    let bookend = Bookend::start(&site.with_top("server: { threads: 1 }"));
    let mut client = Client::connect(bookend.address());
    for _ in 0..5 {
        assert_eq!(client.get("/").text(), "a");
    }
    assert_eq!((node.accepted(), sealed.handshakes()), (1, (1, 0)), "one connection for all");
    assert_eq!(sealed.names(), [NODE]);
    node.close_connections();
    until("the session goes on", || {
        assert_eq!(client.get("/").text(), "a");
        sealed.handshakes().1 > 0
    });
    assert_eq!(sealed.handshakes().0, 1);
    let request = &node.received()[0];
    assert_eq!(request.headers.one("x-forwarded-proto"), Some("http"), "that is the client's");
}

#[test]
fn node_that_nobody_trusts_gets_no_request_and_says_why() {
    let (authority, stranger) = (Authority::new(), Authority::new());
    let (good, bad) = (Origin::answering("good"), Origin::answering("bad"));
    let cases = [
        (stranger.server("strange", &[NODE]), "is signed by nobody who is trusted"),
        (authority.server("other", &["other.test"]), "is not for node.test but for other.test"),
        (authority.expired_server("old", &[NODE]), "has expired"),
    ];
    for (files, why) in cases {
        let (first, second) =
            (Sealed::before(&bad, &files), Sealed::before(&good, &authority.server("good", &[NODE])));
        let (tls, check) = (by(&authority, ""), "health_check: { interval: 100ms, fall: 1 }");
        let site = Site::default().with_node(first.address(), &tls).with_node(second.address(), &tls);
        let bookend = Bookend::start(&site.with_pool(check));
        for number in 0..6 {
            let answer = Client::connect(bookend.address()).request("POST", "/", "", b"x");
            assert_eq!((answer.status, answer.text()), (200, "good"), "request {number}, {why}");
        }
        bookend.wait_for_log(why);
        let status = String::from_utf8(bookend.command("status").stdout).unwrap();
        assert!(status.contains(why), "{status}");
    }
    assert_eq!(bad.count(), 0);
}

#[test]
fn node_that_does_not_speak_tls_is_passed_over() {
    let (authority, plain, good) = (Authority::new(), Origin::answering("plain"), Origin::answering("good"));
    let sealed = Sealed::before(&good, &authority.server("node", &[NODE]));
    let tls = by(&authority, "");
    let site = Site::default().with_node(plain.address(), &tls).with_node(sealed.address(), &tls);
    let bookend = Bookend::start(&site.with_pool("health_check: off"));
    for _ in 0..4 {
        assert_eq!(Client::connect(bookend.address()).request("POST", "/", "", b"x").text(), "good");
    }
    bookend.wait_for_log("nodes=web-01:not_sent,web-02");
    assert!(plain.received().iter().all(|request| !request.first_line.contains("HTTP/")));
}

#[test]
fn node_that_agrees_on_no_keys_in_time_is_passed_over() {
    let (authority, node) = (Authority::new(), Origin::answering("a"));
    let files = authority.server("node", &[NODE]);
    let (silent, good) = (Sealed::before(&node, &files), Sealed::before(&node, &files));
    silent.falls_silent();
    let tls = by(&authority, "");
    let site = Site::default().with_node(silent.address(), &tls).with_node(good.address(), &tls);
    let bookend = Bookend::start(&site.with_pool("health_check: off").with_pool("timeouts: { tls: 50ms }"));
    for _ in 0..3 {
        assert_eq!(Client::connect(bookend.address()).request("POST", "/", "", b"x").text(), "a");
    }
    bookend.wait_for_log("nodes=web-01:not_sent,web-02");
}

#[test]
fn certificate_is_shown_to_a_node_that_asks_for_one() {
    let (authority, node) = (Authority::new(), Origin::answering("a"));
    let files = authority.server("node", &[NODE]);
    let sealed = Sealed::before_for(&node, &files, &authority);
    let own = authority.server("own", &["bookend.test"]);
    let site = |more: &str| Site::default().with_node(sealed.address(), &by(&authority, more));
    let bookend = Bookend::start(&site(&shown(&own)));
    assert_eq!(fetch(bookend.address(), "/").text(), "a");
    assert_eq!(bookend.reload_site(&site("").with_pool("queue: off")), Reload::InForce);
    until("without one it is turned away", || fetch(bookend.address(), "/").status >= 502);
    assert_eq!(node.count(), 1);
}

#[test]
fn checks_by_http_use_the_same_tls() {
    let (authority, node) = (Authority::new(), Origin::answering("a"));
    let sealed = Sealed::before(&node, &authority.server("node", &[NODE]));
    let site = |status: &str| {
        let check =
            format!("health_check: {{ type: http, path: /up, status: {status}, interval: 50ms, fall: 1 }}");
        Site::default().with_node(sealed.address(), &by(&authority, "")).with_pool(&check)
    };
    let bookend = Bookend::start(&site("200"));
    until("it is checked", || {
        node.received().iter().any(|request| request.first_line.starts_with("GET /up"))
    });
    let host = node.received().iter().find_map(|request| request.headers.one("host").map(str::to_owned));
    assert_eq!(host.as_deref(), Some(NODE));
    assert_eq!(fetch(bookend.address(), "/").text(), "a");
    assert_eq!(bookend.reload_site(&site("204")), Reload::InForce);
    bookend.wait_for_log("answered 200");
}

#[test]
fn authorities_are_read_again_when_the_file_changes() {
    let (old, new, node) = (Authority::new(), Authority::new(), Origin::answering("a"));
    let sealed = Sealed::before(&node, &old.server("node", &[NODE]));
    let site = Site::default().with_node(sealed.address(), &by(&old, ""));
    let bookend = Bookend::start(&site.with_pool("health_check: { interval: 50ms }"));
    assert_eq!(fetch(bookend.address(), "/").text(), "a");
    sealed.now_shows(&new.server("node", &[NODE]));
    node.close_connections();
    bookend.wait_for_log("is signed by nobody who is trusted");

    fs::copy(new.file(), old.file()).unwrap();
    bookend.wait_for_log("certificates renewed");
    until("the node is back", || fetch(bookend.address(), "/").status == 200);
}

#[test]
fn what_cannot_be_verified_is_a_problem_with_its_line() {
    let authority = Authority::new();
    let own = authority.server("own", &["bookend.test"]);
    let garbage = authority.path().join("garbage");
    fs::write(&garbage, "garbage").unwrap();
    let missing = authority.path().join("missing");
    let cases = [
        (format!("authorities: {}", garbage.display()), "authorities", "holds no certificate in PEM"),
        (format!("authorities: {}", missing.display()), "authorities", "cannot be read: No such file"),
        (
            format!("certificate: {}, key: {}", own.certificate.display(), garbage.display()),
            "key",
            "holds no private key in PEM",
        ),
    ];
    for (keys, key, wanted) in cases {
        let authorities = format!("authorities: {}, ", authority.file().display());
        let authorities = if keys.contains("authorities") { "" } else { &authorities };
        let tls = format!("tls: {{ {authorities}{keys}, server_name: {NODE} }}");
        let own = Site::default().with_node("127.0.0.1:1", &tls);
        let pool = Site::default().with_node("127.0.0.1:1", "").with_node("127.0.0.1:2", "").with_pool(&tls);
        for (site, place) in [(own, "pools.web.nodes[0].tls"), (pool, "pools.web.tls")] {
            let yaml = site.to_yaml(&["127.0.0.1:80".parse().unwrap()]);
            let output = check(&yaml);
            let text = [&output.stdout[..], &output.stderr[..]].map(String::from_utf8_lossy).concat();
            assert_eq!(output.status.code(), Some(2), "{text}");
            let line = 1 + yaml.lines().position(|line| line.contains("tls:")).unwrap();
            for part in [&format!(":{line}:"), &format!("{place}.{key}"), wanted, "help: "] {
                assert_eq!(text.matches(part).count(), 1, "{part} in\n{text}");
            }
        }
    }
}
