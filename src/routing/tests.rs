use std::time::Duration;

use http::{HeaderMap, HeaderName, HeaderValue, Method};
use proptest::prelude::*;

use super::{Request, Router};
use crate::config::{NodeTimeouts, Retry, Route};
use crate::model::HostPattern;

fn route(hosts: &[&str], path: &str) -> Route {
    let second = Duration::from_secs(1);
    Route {
        name: "route".parse().unwrap(),
        hosts: hosts.iter().map(|host| host_pattern(host)).collect(),
        path: path.parse().unwrap(),
        methods: Vec::new(),
        headers: Vec::new(),
        pool: "web".parse().unwrap(),
        retry: Retry { attempts: 1, ..Retry::default() },
        timeouts: NodeTimeouts {
            connect: second,
            tls: second,
            first_byte: second,
            between_bytes: second,
            write: second,
            idle: second,
        },
        max_body: None,
        body_rate: None,
    }
}

fn host_pattern(text: &str) -> HostPattern {
    match text.strip_prefix("*.") {
        Some(suffix) => HostPattern::Suffix(suffix.to_owned()),
        None if text == "*" => HostPattern::Any,
        None => HostPattern::Exact(text.to_owned()),
    }
}

fn with_methods(route: Route, methods: &[Method]) -> Route {
    Route { methods: methods.to_vec(), ..route }
}

fn with_header(mut route: Route, name: &'static str, value: Option<&'static str>) -> Route {
    route.headers.push((HeaderName::from_static(name), value.map(HeaderValue::from_static)));
    route
}

/// The index of the route that takes `GET path` for `host`.
fn get(router: &Router, host: Option<&str>, path: &str) -> Option<usize> {
    router.find(&Request { host, path, method: &Method::GET, headers: &HeaderMap::new() })
}

#[test]
fn exact_host_comes_before_suffixes_and_any() {
    let router = Router::new(&[
        route(&["*"], "/"),
        route(&["*.example.com"], "/"),
        route(&["*.a.example.com"], "/"),
        route(&["x.a.example.com"], "/"),
    ]);
    let cases = [
        ("x.a.example.com", 3),
        ("y.a.example.com", 2),
        ("z.y.a.example.com", 2),
        ("a.example.com", 1),
        ("b.example.com", 1),
        ("example.com", 0),
        ("notexample.com", 0),
        ("com", 0),
    ];
    for (host, expected) in cases {
        assert_eq!(get(&router, Some(host), "/"), Some(expected), "{host}");
    }
}

#[test]
fn host_is_compared_without_case_port_and_trailing_dot() {
    let router = Router::new(&[route(&["example.com"], "/"), route(&["[2001:db8::1]"], "/")]);
    let cases = [
        ("example.com", Some(0)),
        ("EXAMPLE.com", Some(0)),
        ("example.com.", Some(0)),
        ("example.com:8080", Some(0)),
        ("Example.Com.:8080", Some(0)),
        ("example.com:", Some(0)),
        ("[2001:db8::1]", Some(1)),
        ("[2001:DB8::1]:443", Some(1)),
        ("2001:db8::1", None),
        ("[2001:db8::1", None),
        ("[2001:db8::1]443", None),
        ("[example.com]", None),
        ("[2001:db8::1.]", None),
        ("[2001:db8::1].", None),
        ("example.com..", None),
        ("example.com:80:80", None),
        ("example.com:http", None),
        ("user@example.com", None),
        ("", None),
        (".", None),
        (":80", None),
        ("[]", None),
    ];
    for (host, expected) in cases {
        assert_eq!(get(&router, Some(host), "/"), expected, "{host:?}");
    }
}

#[test]
fn what_stands_in_brackets_and_is_no_address_is_no_host() {
    let router = Router::new(&[route(&["*.example.com"], "/")]);
    for host in ["[x:y.example.com]", "[::1.example.com]:80", "[a.example.com:]"] {
        assert_eq!(get(&router, Some(host), "/"), None, "{host:?}");
    }
}

#[test]
fn no_host_an_empty_one_and_an_overlong_one_go_to_any_only() {
    let label = "a".repeat(63);
    let overlong = format!("{label}.{label}.{label}.{label}.example.com");
    let router = Router::new(&[route(&["*.example.com"], "/"), route(&["*"], "/")]);
    for host in [None, Some(""), Some(":80"), Some(overlong.as_str()), Some("b\u{e9}b\u{e9}")] {
        assert_eq!(get(&router, host, "/"), Some(1), "{host:?}");
    }
    let longest = overlong.get(overlong.len() - super::host::LONGEST..);
    assert_eq!(get(&router, longest, "/"), Some(0));
}

#[test]
fn longest_prefix_of_whole_segments_wins() {
    let router = Router::new(&[route(&["*"], "/"), route(&["*"], "/api"), route(&["*"], "/api/v1/users")]);
    let cases = [
        ("/", 0),
        ("", 0),
        ("//", 0),
        ("//api", 0),
        ("/apix", 0),
        ("/%61pi", 0),
        ("/x/../api", 0),
        ("*", 0),
        ("api", 0),
        ("?api", 0),
        ("/?/api", 0),
        ("/api", 1),
        ("/api/", 1),
        ("/api//", 1),
        ("/api?x=/v1/users", 1),
        ("/api/v1", 1),
        ("/api//v1/users", 1),
        ("/api/v1/usersx", 1),
        ("/api/v1/users", 2),
        ("/api/v1/users?all", 2),
        ("/api/v1/users/7", 2),
    ];
    for (path, expected) in cases {
        assert_eq!(get(&router, None, path), Some(expected), "{path:?}");
    }
}

#[test]
fn asterisk_of_options_is_not_found_below_a_longer_prefix() {
    let router = Router::new(&[route(&["*"], "/api")]);
    let request = Request { host: None, path: "*", method: &Method::OPTIONS, headers: &HeaderMap::new() };
    assert_eq!(router.find(&request), None);
}

#[test]
fn deepest_prefix_is_found_and_dropped_on_a_small_stack() {
    let deepest = "/".repeat(4095) + "x";
    let search = move || {
        let router = Router::new(&[route(&["*"], "/"), route(&["*"], &deepest)]);
        assert_eq!(get(&router, None, &deepest), Some(1));
        assert_eq!(get(&router, None, &deepest.replace('x', "y")), Some(0));
    };
    let small = std::thread::Builder::new().stack_size(2 << 20);
    small.spawn(search).unwrap().join().unwrap();
}

#[test]
fn order_of_the_file_decides_between_equals() {
    let router = Router::new(&[route(&["b", "a"], "/x"), route(&["a"], "/x"), route(&["b", "b"], "/x")]);
    assert_eq!(get(&router, Some("a"), "/x"), Some(0));
    assert_eq!(get(&router, Some("b"), "/x"), Some(0));
}

#[test]
fn other_method_or_header_passes_a_route_over() {
    let router = Router::new(&[
        with_methods(route(&["a.b.c"], "/x/y"), &[Method::POST]),
        with_header(route(&["a.b.c"], "/x"), "x-canary", Some("yes")),
        with_header(route(&["*.b.c"], "/x"), "x-tenant", None),
        with_methods(route(&["*.c"], "/"), &[Method::PUT, Method::GET]),
        with_methods(route(&["*"], "/"), &[Method::DELETE]),
    ]);
    type Lines = &'static [(&'static str, &'static str)];
    let cases: [(Method, Lines, Option<usize>); 7] = [
        (Method::POST, &[], Some(0)),
        (Method::GET, &[("x-canary", "no"), ("x-canary", "yes")], Some(1)),
        (Method::GET, &[("x-canary", "YES"), ("x-tenant", "")], Some(2)),
        (Method::GET, &[], Some(3)),
        (Method::DELETE, &[], Some(4)),
        (Method::DELETE, &[("x-tenant", "7")], Some(2)),
        (Method::PATCH, &[], None),
    ];
    for (method, lines, expected) in cases {
        let headers = lines.iter().fold(HeaderMap::new(), |mut headers, (name, value)| {
            headers.append(*name, HeaderValue::from_static(value));
            headers
        });
        let request = Request { host: Some("a.b.c"), path: "/x/y/z", method: &method, headers: &headers };
        assert_eq!(router.find(&request), expected, "{method} {lines:?}");
    }
}

#[test]
fn router_without_routes_takes_nothing() {
    assert_eq!(get(&Router::new(&[]), Some("a"), "/"), None);
}

/// What [`Router`] promises, said in the plainest way: every host and path of every route in order, then a scan.
fn oracle(routes: &[Route], request: &Request<'_>) -> Option<usize> {
    let mut candidates: Vec<(&HostPattern, &str, usize)> = Vec::new();
    for (index, route) in routes.iter().enumerate() {
        candidates.extend(route.hosts.iter().map(|host| (host, route.path.as_str(), index)));
    }
    candidates.sort_by_key(|(host, path, index)| {
        let (rank, length) = match host {
            HostPattern::Exact(_) => (0, 0),
            HostPattern::Suffix(suffix) => (1, suffix.len()),
            HostPattern::Any => (2, 0),
        };
        (rank, usize::MAX - length, usize::MAX - path.len(), *index)
    });
    let host = request.host.unwrap_or("").to_ascii_lowercase();
    let host = host.split(':').next().unwrap().trim_end_matches('.');
    let path = request.path.split('?').next().unwrap();
    let takes = |(pattern, prefix, index): &&(&HostPattern, &str, usize)| {
        let host_matches = match pattern {
            HostPattern::Exact(name) => host == name,
            HostPattern::Suffix(suffix) => host.ends_with(&format!(".{suffix}")),
            HostPattern::Any => true,
        };
        let below = *prefix == "/" || path == *prefix || path.starts_with(&format!("{prefix}/"));
        let route = &routes[*index];
        let method_matches = route.methods.is_empty() || route.methods.contains(request.method);
        host_matches
            && below
            && method_matches
            && route.headers.iter().all(|(n, _)| request.headers.contains_key(n))
    };
    candidates.iter().find(takes).map(|(_, _, index)| *index)
}

fn any_host() -> impl Strategy<Value = String> {
    prop::collection::vec("[ab]", 1..5).prop_map(|labels| labels.join("."))
}

fn any_path() -> impl Strategy<Value = String> {
    prop::collection::vec("[xy]{0,2}", 0..5).prop_map(|segments| format!("/{}", segments.join("/")))
}

fn any_prefix() -> impl Strategy<Value = String> {
    prop::collection::vec("[xy]{1,2}", 0..4).prop_map(|segments| format!("/{}", segments.join("/")))
}

fn any_route() -> impl Strategy<Value = Route> {
    let pattern =
        prop_oneof![Just("*".to_owned()), any_host(), any_host().prop_map(|host| format!("*.{host}"))];
    let method = prop_oneof![3 => Just(None), 1 => Just(Some(Method::POST)), 1 => Just(Some(Method::GET))];
    (prop::collection::vec(pattern, 1..3), any_prefix(), method, prop::bool::weighted(0.2)).prop_map(
        |(hosts, path, method, asks_for_header)| {
            let hosts: Vec<&str> = hosts.iter().map(String::as_str).collect();
            let route = with_methods(route(&hosts, &path), method.as_slice());
            if asks_for_header { with_header(route, "x-canary", None) } else { route }
        },
    )
}

proptest! {
    #[test]
    fn router_agrees_with_a_scan_in_order(
        routes in prop::collection::vec(any_route(), 0..24),
        requests in prop::collection::vec(
            (prop::option::of(any_host()), "(\\.?)(:80)?", any_path(), "(\\?x/y)?", any::<(bool, bool, bool)>()),
            1..24,
        ),
    ) {
        let router = Router::new(&routes);
        for (host, rest, path, query, (shout, post, canary)) in requests {
            let host = host.map(|host| if shout { host.to_uppercase() } else { host } + &rest);
            let path = path + &query;
            let mut headers = HeaderMap::new();
            if canary {
                headers.insert("x-canary", HeaderValue::from_static("1"));
            }
            let method = if post { Method::POST } else { Method::GET };
            let request = Request { host: host.as_deref(), path: &path, method: &method, headers: &headers };
            prop_assert_eq!(router.find(&request), oracle(&routes, &request), "{:?}", request);
        }
    }

    #[test]
    fn whatever_a_client_sends_is_searched_for(host in ".{0,300}", path in ".{0,300}") {
        let router = Router::new(&[route(&["*.b", "[::1]"], "/x"), route(&["*"], "/")]);
        prop_assert!(get(&router, Some(&host), &path).is_some());
    }
}
