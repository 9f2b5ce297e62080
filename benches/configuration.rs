//! How long it takes to read a configuration.

use std::fmt::Write as _;
use std::hint::black_box;

use bookend::config::parse;
use criterion::{Criterion, criterion_group, criterion_main};

const SMALLEST: &str = include_str!("../conf/bookend.yaml");

/// A file with 1,000 pools of 5 nodes each and 10,000 routes, as a person or program would write it.
fn large() -> String {
    let mut text = "listeners:\n  - address: 0.0.0.0:8080\npools:\n".to_owned();
    for pool in 0..1_000_u32 {
        let _ = writeln!(text, "  pool-{pool}:\n    nodes:");
        for node in 0..5 {
            let _ = writeln!(
                text,
                "      - address: 10.{}.{}.{node}:8000\n        name: node-{node}",
                pool / 250,
                pool % 250
            );
        }
    }
    text.push_str("routes:\n");
    for route in 0..10_000_u32 {
        let _ = writeln!(
            text,
            "  - pool: pool-{}\n    name: site-{route}\n    host: site-{}.example.com\n    path: /area-{}",
            route % 1_000,
            route / 4,
            route % 4
        );
    }
    text
}

/// The same file with a slip in every hundredth route.
fn large_and_wrong() -> String {
    let mut text = String::new();
    for (index, line) in large().lines().enumerate() {
        let line =
            if index % 400 == 0 { line.replace("pool: pool-", "pool: poool-") } else { line.to_owned() };
        text.push_str(&line);
        text.push('\n');
    }
    text
}

fn read(criterion: &mut Criterion) {
    let (large, wrong) = (large(), large_and_wrong());
    assert!(parse("large", large.as_bytes()).is_ok() && parse("wrong", wrong.as_bytes()).is_err());
    let mut group = criterion.benchmark_group("configuration");
    group.bench_function("smallest", |b| b.iter(|| parse("smallest", black_box(SMALLEST.as_bytes()))));
    group.sample_size(20);
    group.bench_function("10,000 routes", |b| b.iter(|| parse("large", black_box(large.as_bytes()))));
    group.bench_function("10,000 routes, some wrong", |b| {
        b.iter(|| parse("wrong", black_box(wrong.as_bytes())))
    });
    group.finish();
}

criterion_group!(benches, read);
criterion_main!(benches);
