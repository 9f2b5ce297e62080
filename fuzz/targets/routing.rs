//! The host and path of a request: the route that is found takes them, and the same host in other words finds the same.
//!
//! The input is the host and the path, with a line end between them.
#![no_main]

use std::sync::LazyLock;

use bookend::config::{Config, parse};
use bookend::model::HostPattern;
use bookend::routing::{Request, Router};
use bookend_fuzz::parts;
use http::{HeaderMap, Method};
use libfuzzer_sys::fuzz_target;

const SITE: &str = "\
listeners: [{address: 127.0.0.1:8080}]
pools: {web: {nodes: [127.0.0.1:8001]}}
routes:
  - {pool: web, host: www.example.com, path: /api}
  - {pool: web, host: www.example.com, path: /api/v1/users}
  - {pool: web, host: '*.example.com'}
  - {pool: web, host: '*.a.example.com', path: /x}
  - {pool: web, host: '[::1]', path: /api}
  - {pool: web, host: 10.0.0.1}
  - {pool: web, path: /static}
";

static ROUTES: LazyLock<(Config, Router)> = LazyLock::new(|| {
    let config = parse("site.yaml", SITE.as_bytes()).unwrap_or_else(|problems| panic!("{problems}"));
    let router = Router::new(&config.routes);
    (config, router)
});

fuzz_target!(|data: &[u8]| {
    let [host, path] = parts(data, b"\n");
    let (Ok(host), Ok(path)) = (std::str::from_utf8(host), std::str::from_utf8(path)) else { return };
    let found = find(host, path);
    assert_eq!(find(&host.to_ascii_uppercase(), path), found, "in large letters");
    assert_eq!(find(host, &format!("{path}?/static")), found, "with a query");
    if !host.contains(':') {
        assert_eq!(find(&format!("{host}:8080"), path), found, "with a port");
    }
    let Some(route) = found.map(|index| &ROUTES.0.routes[index]) else { return };
    assert!(route.hosts.iter().any(|pattern| takes(pattern, host)), "{host:?} for {}", route.name);
    let path = path.split('?').next().unwrap_or_default();
    let below = path.strip_prefix(route.path.as_str());
    let is_below = below.is_some_and(|rest| rest.is_empty() || rest.starts_with('/'));
    assert!(is_below || route.path.as_str() == "/", "{path:?} for {}", route.path);
});

fn find(host: &str, path: &str) -> Option<usize> {
    let request = Request { host: Some(host), path, method: &Method::GET, headers: &HeaderMap::new() };
    ROUTES.1.find(&request)
}

fn takes(pattern: &HostPattern, host: &str) -> bool {
    let host = host.to_ascii_lowercase();
    match pattern {
        HostPattern::Exact(name) => host.starts_with(name.as_str()),
        HostPattern::Suffix(domain) => host.contains(&format!(".{domain}")),
        HostPattern::Any => true,
    }
}
