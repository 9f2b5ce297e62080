//! What it costs to pick a node: the order of resort alone, and all of it through Pingora's balancer.

#![allow(clippy::expect_used, reason = "a bench that cannot be set up has to stop")]

use std::hint::black_box;
use std::sync::Arc;

use bookend::balance::{Pool, Registry};
use bookend::config;
use bookend::model::{Tier, Weight};
use bookend::upstream::{Asker, Lineup, Member, Node, Offers, Place, Pulse};
use criterion::{BenchmarkId, Criterion, criterion_group, criterion_main};

const COUNTS: [u16; 4] = [2, 10, 100, 1000];

fn lineup(count: u16) -> Lineup {
    let pulse = Arc::new(Pulse::default());
    Lineup::new((0..count).map(|number| {
        let place = Place::Tcp(([10, 0, 0, 1], 1 + number).into());
        let node = Arc::new(Node::new(place, &pulse));
        Arc::new(Member {
            name: number.to_string(),
            weight: Weight::ONE,
            tier: Tier(0),
            max_in_flight: None,
            node,
        })
    }))
}

fn pool(count: u16) -> Pool {
    let mut text = String::from(
        "listeners: [{address: 127.0.0.1:1}]\nroutes: [{pool: web}]\npools:\n  web:\n    nodes:\n",
    );
    for number in 0..count {
        text.push_str(&format!("      - 10.0.0.1:{}\n", 1 + number));
    }
    let config = config::parse("bench", text.as_bytes()).expect("a configuration");
    let (name, settings) = config.pools.into_iter().next().expect("a pool");
    let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
    let made = Pool::new(name, settings, Arc::new(Registry::default()), Default::default(), None);
    runtime.block_on(made).expect("a pool")
}

fn selection(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("selection");
    for count in COUNTS {
        let lineup = lineup(count);
        group.bench_function(BenchmarkId::new("order", count), |bencher| {
            bencher.iter(|| lineup.offer(&mut Offers::default(), Asker::Repeatable, black_box(1)));
        });
        let pool = pool(count);
        group.bench_function(BenchmarkId::new("balancer", count), |bencher| {
            bencher.iter(|| {
                pool.select(Asker::Repeatable, None, |member| black_box(member).weight == Weight::ONE)
            });
        });
    }
    group.finish();
}

criterion_group!(benches, selection);
criterion_main!(benches);
