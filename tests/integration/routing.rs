//! Which requests go to which pool.

use crate::support::{Bookend, Client, Origin, Port, fetch};

/// One pool for each name, with one node that answers with that name, and these routes.
fn bookend_with(pools: &[&'static str], routes: &str) -> (Bookend, Vec<Origin>) {
    let nodes: Vec<Origin> = pools.iter().map(|name| Origin::answering(name)).collect();
    let port = Port::free();
    let pools: Vec<String> = pools
        .iter()
        .zip(&nodes)
        .map(|(name, node)| format!("  {name}: {{ nodes: [{{ address: \"{}\" }}] }}\n", node.address()))
        .collect();
    let yaml = format!("listeners: [{{ address: \"{port}\" }}]\npools:\n{}routes:\n{routes}", pools.concat());
    (Bookend::start_with(port, &yaml), nodes)
}

/// What comes back for a host and target: the name of the pool, or the status if it is not 200.
fn ask(bookend: &Bookend, host: &str, target: &str) -> String {
    let mut client = Client::connect(bookend.address());
    let answer = client.request("GET", target, &format!("Host: {host}\r\n"), b"");
    if answer.status == 200 { answer.text().to_owned() } else { answer.status.to_string() }
}

#[test]
fn request_that_no_route_takes_gets_404() {
    let (bookend, nodes) = bookend_with(&["a"], "  - { pool: a, host: a.test, path: /api }\n");
    assert_eq!(ask(&bookend, "b.test", "/api"), "404");
    assert_eq!(ask(&bookend, "a.test", "/other"), "404");
    assert_eq!(nodes[0].count(), 0);
    assert_eq!(ask(&bookend, "a.test", "/api"), "a");
}

#[test]
fn exact_host_comes_before_suffix_and_suffix_before_any() {
    let routes =
        "  - { pool: any }\n  - { pool: suffix, host: \"*.b.test\" }\n  - { pool: exact, host: a.b.test }\n";
    let (bookend, _nodes) = bookend_with(&["exact", "suffix", "any"], routes);
    assert_eq!(ask(&bookend, "a.b.test", "/"), "exact");
    assert_eq!(ask(&bookend, "A.B.Test:8080", "/"), "exact");
    assert_eq!(ask(&bookend, "c.b.test", "/"), "suffix");
    assert_eq!(ask(&bookend, "b.test", "/"), "any");
    assert_eq!(ask(&bookend, "other.test", "/"), "any");
}

#[test]
fn longest_path_wins_whatever_the_order_of_the_file() {
    let routes = "  - { pool: root }\n  - { pool: api, path: /api }\n  - { pool: v2, path: /api/v2 }\n";
    let (bookend, _nodes) = bookend_with(&["root", "api", "v2"], routes);
    assert_eq!(ask(&bookend, "a.test", "/"), "root");
    assert_eq!(ask(&bookend, "a.test", "/api"), "api");
    assert_eq!(ask(&bookend, "a.test", "/api/v2/x?y=1"), "v2");
    assert_eq!(ask(&bookend, "a.test", "/api/v3"), "api");
}

#[test]
fn path_ends_at_a_slash_not_within_a_word() {
    let (bookend, _nodes) =
        bookend_with(&["root", "api"], "  - { pool: root }\n  - { pool: api, path: /api }\n");
    assert_eq!(ask(&bookend, "a.test", "/apiary"), "root");
    assert_eq!(ask(&bookend, "a.test", "/api/"), "api");
    assert_eq!(ask(&bookend, "a.test", "/api?x"), "api");
}

#[test]
fn method_and_header_decide_in_the_order_of_the_file() {
    let routes = "  - { pool: beta, headers: { x-beta: \"1\" } }\n  - { pool: read, methods: [GET, HEAD] }\n  - { pool: write }\n";
    let (bookend, nodes) = bookend_with(&["read", "write", "beta"], routes);
    assert_eq!(fetch(bookend.address(), "/").text(), "read");
    let mut client = Client::connect(bookend.address());
    assert_eq!(client.request("POST", "/", "", b"x").text(), "write");
    assert_eq!(client.request("POST", "/", "X-Beta: 1\r\n", b"x").text(), "beta");
    assert_eq!(client.request("GET", "/", "X-Beta: 1\r\n", b"").text(), "beta");
    assert_eq!(client.request("POST", "/", "X-Beta: 2\r\n", b"x").text(), "write");
    assert_eq!(nodes[1].count(), 2);
}
