//! How long it takes to find a request's route: under a microsecond among 10,000 routes.
#![allow(missing_docs, reason = "criterion's macros make undocumented items")]
#![allow(clippy::unwrap_used, reason = "a bench may stop at once")]

use std::hint::black_box;
use std::time::Duration;

use bookend::config::{NodeTimeouts, Retry, Route};
use bookend::model::HostPattern;
use bookend::routing::{Request, Router};
use criterion::{BenchmarkId, Criterion, criterion_group, criterion_main};
use http::{HeaderMap, Method};

/// Paths for each host, every one a segment deeper than the one before.
const DEPTH: usize = 5;

fn route(host: HostPattern, path: &str) -> Route {
    let second = Duration::from_secs(1);
    Route {
        name: "route".parse().unwrap(),
        hosts: vec![host],
        path: path.parse().unwrap(),
        methods: Vec::new(),
        headers: Vec::new(),
        pool: "web".parse().unwrap(),
        retry: Retry::default(),
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

/// `count` routes: every second host is a suffix, each host has [`DEPTH`] paths below one another.
fn many_hosts(count: usize) -> Vec<Route> {
    (0..count)
        .map(|index| {
            let tenant = index / DEPTH;
            let domain = format!("tenant-{tenant}.shop.example.com");
            let host = if tenant.is_multiple_of(2) {
                HostPattern::Exact(domain)
            } else {
                HostPattern::Suffix(domain)
            };
            route(host, &deep_path("api", index % DEPTH))
        })
        .collect()
}

/// `count` routes of one host, [`DEPTH`] below one another for each service.
fn one_host(count: usize) -> Vec<Route> {
    (0..count)
        .map(|index| {
            route(HostPattern::Any, &deep_path(&format!("service-{}", index / DEPTH), index % DEPTH))
        })
        .collect()
}

fn deep_path(first: &str, depth: usize) -> String {
    (0..depth).fold(format!("/{first}"), |path, level| format!("{path}/level-{level}"))
}

/// Requests spread over the whole table, so that the caches of the processor do not tell a fairy tale.
fn spread(count: usize, name: impl Fn(usize) -> (String, String)) -> Vec<(String, String)> {
    (0..1024).map(|step: usize| name(step * 7919 % count / DEPTH)).collect()
}

fn bench(c: &mut Criterion, name: &str, routes: &[Route], requests: &[(String, String)]) {
    let router = Router::new(routes);
    let headers = HeaderMap::new();
    let mut turn = requests.iter().cycle();
    c.bench_with_input(BenchmarkId::new(name, routes.len()), &router, |b, router| {
        b.iter(|| {
            let (host, path) = turn.next().unwrap();
            let request = Request { host: Some(host), path, method: &Method::GET, headers: &headers };
            black_box(router.find(black_box(&request)))
        });
    });
}

fn find(c: &mut Criterion) {
    let deepest = deep_path("api", DEPTH) + "/7?sort=name";
    for count in [10, 1_000, 10_000] {
        let hosts = many_hosts(count);
        let host = |tenant: usize| {
            let below = if tenant.is_multiple_of(2) { "" } else { "www.eu." };
            format!("{below}tenant-{tenant}.shop.example.com")
        };
        bench(c, "hosts, hit", &hosts, &spread(count, |tenant| (host(tenant) + ":443", deepest.clone())));
        bench(
            c,
            "hosts, hit, upper case",
            &hosts,
            &spread(count, |t| (host(t).to_uppercase(), deepest.clone())),
        );
        bench(c, "hosts, no such path", &hosts, &spread(count, |t| (host(t), "/assets/logo.svg".to_owned())));
        bench(
            c,
            "hosts, no such host",
            &hosts,
            &spread(count, |t| (format!("{t}.a.b.c.d.e.f"), deepest.clone())),
        );
        bench(c, "hosts, longest host", &hosts, &spread(count, |_| ("a.".repeat(127), deepest.clone())));
        let services = one_host(count);
        let path = |service: usize| deep_path(&format!("service-{service}"), DEPTH) + "/7?sort=name";
        bench(c, "one host, hit", &services, &spread(count, |t| ("example.com".to_owned(), path(t))));
        bench(
            c,
            "one host, miss",
            &services,
            &spread(count, |t| ("example.com".to_owned(), format!("/x/{t}"))),
        );
    }
}

criterion_group!(benches, find);
criterion_main!(benches);
