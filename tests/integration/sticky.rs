//! Sessions stay with one node.

use std::collections::HashSet;
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use crate::drain::done;
use crate::support::{
    Answer, Bookend, Client, Gate, Origin, Reload, Site, TempDirectory, check, eventually, until,
};

const STICKY: &str = "sticky: { cookie: web_node }";

const NAMES: [&str; 3] = ["a", "b", "c"];

fn site(nodes: &[&Origin]) -> Site {
    Site::of(nodes).with_pool("health_check: off").with_pool("slow_start: 0s").with_pool(STICKY)
}

/// A browser: it has the cookies that it was given.
#[derive(Clone, Default)]
struct Browser {
    cookie: Option<String>,
}

impl Browser {
    fn get(&mut self, bookend: &Bookend, target: &str) -> Answer {
        let cookies =
            self.cookie.iter().map(|cookie| format!("Cookie: a=1; {cookie}; b=2\r\n")).collect::<String>();
        let answer = Client::connect(bookend.address()).request("GET", target, &cookies, b"");
        if let Some(given) = given(&answer) {
            self.cookie = Some(given);
        }
        answer
    }

    /// Who answers.
    fn ask(&mut self, bookend: &Bookend) -> String {
        let answer = self.get(bookend, "/");
        assert_eq!(answer.status, 200);
        answer.text().to_owned()
    }
}

/// The cookie that an answer sets, as in `web_node=value`.
fn given(answer: &Answer) -> Option<String> {
    let mut lines = answer.headers.all("set-cookie").into_iter().filter(|line| line.starts_with("web_node="));
    let cookie = lines.next()?.split(';').next().unwrap().to_owned();
    assert_eq!(lines.next(), None, "one is enough");
    Some(cookie)
}

/// Browsers that have been there once, and who answered them.
fn visitors(bookend: &Bookend, count: usize) -> (Vec<Browser>, Vec<String>) {
    let mut browsers = vec![Browser::default(); count];
    let answers = ask_all(bookend, &mut browsers);
    (browsers, answers)
}

fn ask_all(bookend: &Bookend, browsers: &mut [Browser]) -> Vec<String> {
    browsers.iter_mut().map(|browser| browser.ask(bookend)).collect()
}

#[test]
fn session_stays_with_its_node_and_the_cookie_is_set_once() {
    let nodes = NAMES.map(Origin::answering);
    let bookend = Bookend::start(&site(&nodes.each_ref()));
    let (mut browsers, first) = visitors(&bookend, 9);
    assert_eq!(first.iter().filter(|answer| *answer == "a").count(), 3, "new ones take turns: {first:?}");
    for _ in 0..3 {
        for (browser, first) in browsers.iter_mut().zip(&first) {
            let answer = browser.get(&bookend, "/");
            assert_eq!((answer.text(), given(&answer)), (first.as_str(), None));
            assert_eq!(answer.header("cache-control"), None);
        }
    }
}

#[test]
fn cookie_is_for_bookend_alone() {
    let node = Origin::start(|call| {
        call.answer_with(
            200,
            "Set-Cookie: web_node=theirs\r\nSet-Cookie: shop=1\r\nSet-Cookie: shop=2\r\n",
            "a",
        )
    });
    let bookend = Bookend::start(&site(&[&node]));
    let mut browser = Browser::default();
    let answer = browser.get(&bookend, "/");
    let cookie =
        answer.headers.all("set-cookie").into_iter().find(|line| line.starts_with("web_node=")).unwrap();
    assert!(cookie.ends_with("; Path=/; HttpOnly; SameSite=Lax"), "{cookie}");
    assert!(!cookie.contains("theirs") && !cookie.contains("127.0.0.1"), "{cookie}");
    assert_eq!(answer.headers.all("set-cookie").len(), 3);
    assert_eq!(answer.header("cache-control"), Some("private"), "no cache may hand it to others");
    let again = browser.get(&bookend, "/");
    assert_eq!(again.headers.all("set-cookie"), ["shop=1", "shop=2"]);
    let seen: Vec<_> =
        node.received().iter().map(|request| request.headers.all("cookie").join("|")).collect();
    assert_eq!(seen, ["", "a=1; b=2"], "the node sees all but ours");
}

#[test]
fn what_nobody_may_keep_stays_as_it_is_and_what_all_may_becomes_private() {
    for (from_node, wanted) in [
        ("no-store", vec!["no-store"]),
        ("max-age=5, private", vec!["max-age=5, private"]),
        ("public, max-age=60", vec!["public, max-age=60", "private"]),
    ] {
        let node =
            Origin::start(move |call| call.answer_with(200, &format!("Cache-Control: {from_node}\r\n"), "a"));
        let bookend = Bookend::start(&site(&[&node]));
        let mut browser = Browser::default();
        assert_eq!(browser.get(&bookend, "/").headers.all("cache-control"), wanted);
        assert_eq!(browser.get(&bookend, "/").headers.all("cache-control"), [from_node]);
    }
}

#[test]
fn session_whose_node_dies_moves_and_stays_where_it_moved() {
    let mut nodes = NAMES.map(Origin::answering);
    let bookend = Bookend::start(&site(&nodes.each_ref()));
    // Where each moves to is chance: of twenty sessions all move to the same node once in half a million times.
    let (mut browsers, before) = visitors(&bookend, 60);
    let twins = browsers.clone();
    nodes[1].stop();
    let after = ask_all(&bookend, &mut browsers);
    for (before, after) in before.iter().zip(&after) {
        assert!(if before == "b" { after != "b" } else { after == before }, "{before} to {after}");
    }
    let moved: HashSet<_> =
        before.iter().zip(&after).filter(|(before, _)| *before == "b").map(|(_, to)| to).collect();
    assert_eq!(moved.len(), 2, "the others share them");
    // Those who did the same at the same moment, with the cookie that was no good any more, went to the same node.
    assert_eq!(ask_all(&bookend, &mut twins.clone()), after);
    nodes[1].restart();
    bookend.wait_for_log("node is ejected");
    until("the node is back for newcomers", || Browser::default().ask(&bookend) == "b");
    assert_eq!(ask_all(&bookend, &mut browsers), after, "nobody moves back");
}

#[test]
fn node_returns_although_everybody_has_a_session_elsewhere() {
    let mut nodes = ["a", "b"].map(Origin::answering);
    let bookend = Bookend::start(&site(&nodes.each_ref()));
    let (mut browsers, _) = visitors(&bookend, 4);
    nodes[1].stop();
    until("the node is out", || {
        ask_all(&bookend, &mut browsers);
        Browser::default().ask(&bookend);
        bookend.logs().contains("node is ejected")
    });
    let cookies: Vec<_> = browsers.iter().map(|browser| browser.cookie.clone()).collect();
    nodes[1].restart();
    until("the node is back", || {
        ask_all(&bookend, &mut browsers);
        bookend.logs().contains("node has returned") || bookend.logs().contains("node is returning")
    });
    assert_eq!(ask_all(&bookend, &mut browsers), ["a"; 4]);
    let now: Vec<_> = browsers.iter().map(|browser| browser.cookie.clone()).collect();
    assert_eq!(now, cookies, "a request that was lent moves no session");
}

/// A node that takes one request at a time, and keeps those for `/held` until the gate is open; another that takes them all;
/// and two sessions of the first.
struct Full {
    gate: Gate,
    node: Origin,
    other: Origin,
    bookend: Bookend,
    sessions: [Browser; 2],
}

impl Full {
    fn start(pool: &str) -> Self {
        let gate = Gate::default();
        let node = Origin::start({
            let gate = gate.clone();
            move |call| {
                if call.target() == "/held" {
                    gate.pass();
                }
                call.answer(200, "full")
            }
        });
        let other = Origin::answering("other");
        let site = Site::default()
            .with_node(node.address(), "max_in_flight: 1")
            .with_node(other.address(), "")
            .with_pool("health_check: off")
            .with_pool(STICKY)
            .with_pool(pool);
        let bookend = Bookend::start(&site);
        let session = |_| {
            eventually("a session is at the first node", || {
                let mut browser = Browser::default();
                (browser.ask(&bookend) == "full").then_some(browser)
            })
        };
        let sessions = [0, 1].map(session);
        Self { gate, node, other, bookend, sessions }
    }

    /// A client whose request, in the first session, is on its way.
    fn send(&self, target: &str) -> Client {
        let mut client = Client::connect(self.bookend.address());
        let cookie = self.sessions[0].cookie.as_ref().unwrap();
        client.send(format!("GET {target} HTTP/1.1\r\nHost: site.test\r\nCookie: {cookie}\r\n\r\n"));
        client
    }

    /// The same, once it is at its node; nobody else is there any more.
    fn occupy(&self) -> Client {
        let in_flight = "bookend_node_in_flight{node=\"web-01\",pool=\"web\"}";
        until("its node is free", || self.bookend.metric(in_flight) == 0);
        let before = self.node.count();
        let client = self.send("/held");
        until("its node is full", || self.node.count() > before);
        client
    }

    fn until_in_line(&self, count: u64) {
        let metric = "bookend_pool_in_line{pool=\"web\"}";
        until(&format!("{count} wait for a place"), || self.bookend.metric(metric) == count);
    }

    fn waited(&self, end: &str) -> u64 {
        self.bookend.metric(&format!("bookend_pool_wait_seconds_count{{end=\"{end}\",pool=\"web\"}}"))
    }
}

#[test]
fn session_moves_when_its_node_stays_full() {
    let mut full = Full::start("slow_start: 0s");
    let mut holding = full.occupy();
    let mut moving = full.sessions[1].clone();
    assert_eq!(moving.ask(&full.bookend), "other", "full for longer than it can wait");
    assert_eq!([full.waited("left"), full.waited("shed")], [1, 0], "it waited, and was not turned away");
    full.gate.open();
    assert_eq!(holding.read_answer("GET").text(), "full");
    assert_eq!(full.sessions[0].ask(&full.bookend), "full");
    assert_eq!(moving.ask(&full.bookend), "other", "and nobody moves back");
}

#[test]
fn session_waits_in_line_for_its_own_node_and_newcomers_do_not() {
    let full = Full::start("queue: { target: 10s }");
    let mut holding = full.occupy();
    let before = full.waited("turn");
    let mut waiting = [full.send("/"), full.send("/")];
    full.until_in_line(2);
    for _ in 0..4 {
        assert_eq!(Browser::default().ask(&full.bookend), "other", "the other one has room");
    }
    full.gate.open();
    assert_eq!(holding.read_answer("GET").text(), "full");
    for client in &mut waiting {
        assert_eq!(client.read_answer("GET").text(), "full", "one after the other had its turn");
    }
    full.until_in_line(0);
    assert_eq!([full.waited("turn") - before, full.waited("left"), full.waited("shed")], [2, 0, 0]);
}

#[test]
fn session_that_waits_moves_when_its_node_is_taken_out_and_who_leaves_leaves_at_once() {
    let full = Full::start("queue: { target: 10s }");
    let mut holding = full.occupy();
    drop(full.send("/"));
    until("who left is out of the line", || full.waited("left") == 1);
    let served = full.other.count();
    let mut waiting = full.send("/");
    full.until_in_line(1);
    assert_eq!(full.other.count(), served, "who left went nowhere else");
    done(&full.bookend, "drain web/web-01 --for 5m --reason test");
    assert_eq!(waiting.read_answer("GET").text(), "other");
    full.until_in_line(0);
    assert_eq!(full.waited("shed"), 0);
    full.gate.open();
    assert_eq!(holding.read_answer("GET").text(), "full");
}

#[test]
fn session_does_not_wait_where_nobody_may() {
    let full = Full::start("queue: off");
    let _holding = full.occupy();
    assert_eq!(full.sessions[1].clone().ask(&full.bookend), "other");
    assert_eq!(full.waited("left"), 0);
    full.gate.open();
}

#[test]
fn reload_and_restart_keep_sessions() {
    let nodes = NAMES.map(Origin::answering);
    let state = TempDirectory::new();
    let site = site(&nodes.each_ref()).with_top(&format!("state_dir: {}", state.path().display()));
    let bookend = Bookend::start(&site);
    let (mut browsers, before) = visitors(&bookend, 9);
    assert_eq!(bookend.reload_site(&site.clone().with_pool("retry_budget: 30")), Reload::InForce);
    assert_eq!(ask_all(&bookend, &mut browsers), before);
    let key = state.path().join("sticky.key");
    assert_eq!(fs::metadata(&key).unwrap().mode() & 0o777, 0o600);
    drop(bookend);
    let bookend = Bookend::start(&site);
    assert_eq!(ask_all(&bookend, &mut browsers), before);
    drop(bookend);

    fs::write(&key, "no key").unwrap();
    let bookend = Bookend::start(&site);
    bookend.wait_for_log("sticky sessions: the key was damaged");
    assert_eq!(fs::read_to_string(state.path().join("sticky.key.damaged")).unwrap(), "no key");
    // Passes of the old key are none; everybody gets a new one, and no request fails.
    assert!(browsers.iter_mut().all(|browser| given(&browser.get(&bookend, "/")).is_some()));
    let now = ask_all(&bookend, &mut browsers);
    assert_eq!(ask_all(&bookend, &mut browsers), now);
}

fn key_file(directory: &TempDirectory, digit: &str) -> PathBuf {
    let file = directory.path().join(format!("{digit}.key"));
    fs::write(&file, format!("{}\n", digit.repeat(64))).unwrap();
    file
}

fn site_with_key(nodes: &[&Origin], file: &Path) -> Site {
    let sticky = format!("sticky: {{ cookie: web_node, key_file: {} }}", file.display());
    Site::of(nodes).with_pool("health_check: off").with_pool(&sticky)
}

#[test]
fn two_bookends_with_one_key_agree() {
    let nodes = NAMES.map(Origin::answering);
    let directory = TempDirectory::new();
    let file = key_file(&directory, "a");
    let one = Bookend::start(&site_with_key(&nodes.each_ref(), &file));
    // The other has the nodes in another order, and so under other names.
    let [a, b, c] = &nodes;
    let other = Bookend::start(&site_with_key(&[c, a, b], &file));
    let (mut browsers, before) = visitors(&one, 9);
    for (browser, before) in browsers.iter_mut().zip(&before) {
        let answer = browser.get(&other, "/");
        assert_eq!((answer.text(), given(&answer)), (before.as_str(), None));
    }
}

#[test]
fn key_file_that_is_none_refuses_the_configuration_and_a_new_key_is_taken_at_reload() {
    let node = Origin::answering("a");
    let directory = TempDirectory::new();
    let file = key_file(&directory, "b");
    let site = site_with_key(&[&node], &file);
    let bookend = Bookend::start(&site);
    let mut browser = Browser::default();
    browser.ask(&bookend);
    fs::write(&file, "secret").unwrap();
    assert_eq!(bookend.reload_site(&site), Reload::Refused);
    bookend.wait_for_log("openssl rand -hex 32");
    assert!(!bookend.logs().contains("secret"), "the log tells what is in the file");
    assert_eq!(given(&browser.get(&bookend, "/")), None, "the key before it is in force");
    fs::write(&file, "c".repeat(64)).unwrap();
    assert_eq!(bookend.reload_site(&site), Reload::InForce);
    assert!(given(&browser.get(&bookend, "/")).is_some());
}

#[test]
fn cookie_that_is_no_pass_is_replaced_and_harms_nobody() {
    let nodes = NAMES.map(Origin::answering);
    let bookend = Bookend::start(&site(&nodes.each_ref()));
    let mut browser = Browser::default();
    browser.ask(&bookend);
    let good = browser.cookie.unwrap();
    let value = good.split_once('=').unwrap().1;
    let last = if value.ends_with('0') { "1" } else { "0" };
    let tampered = format!("web_node={}{last}", &value[..value.len() - 1]);
    let bad = [
        tampered,
        "web_node=".to_owned(),
        format!("web_node={}", "0".repeat(72)),
        format!("web_node={}", "x".repeat(4_000)),
        "web_node=\u{fc}\u{0}".replace('\u{0}', "%00"),
        format!("{good}; {good}"),
        format!("{good}; web_node=other"),
        format!("web_node=\"{value}\""),
    ];
    for cookie in bad {
        let answer =
            Client::connect(bookend.address()).request("GET", "/", &format!("Cookie: {cookie}\r\n"), b"");
        assert_eq!(answer.status, 200);
        assert!(given(&answer).is_some_and(|given| given != good), "{cookie}");
    }
    let seen: Vec<_> = nodes.iter().flat_map(Origin::received).collect();
    assert!(seen.iter().all(|request| request.headers.one("cookie").is_none()), "{seen:?}");
}

#[test]
fn cookie_of_another_pool_is_no_pass() {
    let nodes = ["a", "b"].map(Origin::answering);
    let directory = TempDirectory::new();
    let file = key_file(&directory, "d");
    let bookend = Bookend::start(&site_with_key(&nodes.each_ref(), &file));
    let mut browser = Browser::default();
    browser.ask(&bookend);
    let yaml = site_with_key(&nodes.each_ref(), &file).to_yaml(&[bookend.address()]);
    let renamed = yaml.replace("  web:\n", "  shop:\n").replace("- pool: web\n", "- pool: shop\n");
    assert_eq!(bookend.reload(&renamed), Reload::InForce);
    assert!(given(&browser.get(&bookend, "/")).is_some());
}

#[test]
fn node_that_fails_is_none_to_stay_with() {
    let (failing, good) = (Origin::start(|call| call.answer(500, "no")), Origin::answering("good"));
    let bookend = Bookend::start(&site(&[&failing, &good]).with_pool("ejection: off"));
    for _ in 0..6 {
        let mut browser = Browser::default();
        assert_eq!(browser.ask(&bookend), "good");
        let served = failing.count();
        assert_eq!(browser.ask(&bookend), "good");
        assert_eq!(failing.count(), served, "it stays with the one that answered");
    }
    let answer = Client::connect(bookend.address()).request("POST", "/", "", b"x");
    assert!(answer.status == 200 || given(&answer).is_none());
}

#[test]
fn max_age_is_told_to_the_browser() {
    let node = Origin::answering("a");
    let site = Site::of(&[&node]).with_pool("sticky: { cookie: web_node, max_age: 8h }");
    let answer = Browser::default().get(&Bookend::start(&site), "/");
    assert!(answer.header("set-cookie").unwrap().ends_with("; Max-Age=28800"));
}

#[test]
fn hash_and_sticky_do_not_go_together() {
    let node = Origin::answering("a");
    let site = site(&[&node]).with_pool("balance: { hash: path }");
    let output = check(&site.to_yaml(&[([127, 0, 0, 1], 1).into()]));
    assert_eq!(output.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&output.stderr).contains("keep one of them"));
}
