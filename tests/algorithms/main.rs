//! The algorithms beside each other, on traffic that suits each of them and on traffic that does not.
//!
//! `cargo test --test algorithms` runs thirty seconds of each and holds them to what is expected below; `make algorithms` runs
//! ten minutes and writes the table into `docs/load.md`.
#![allow(
    clippy::cast_possible_truncation,
    clippy::cast_precision_loss,
    clippy::cast_sign_loss,
    clippy::indexing_slicing,
    clippy::print_stdout,
    clippy::string_slice,
    clippy::unwrap_used,
    reason = "a test may panic, and its numbers are small"
)]

mod simulation;

use std::fmt::Write;
use std::{env, fs};

use bookend::config::{Balance, HashKey};
use fastrand::Rng;

use simulation::{MEAN_COST, NODES, Result, Scenario, exponential, run};

const EVEN: Scenario = Scenario {
    name: "even",
    what: "nodes and requests alike: 20 ms, exponential",
    cost: |rng| exponential(MEAN_COST, rng),
    slower: 1.0,
    hot: 0,
};

const SKEWED: Scenario = Scenario {
    name: "skewed",
    what: "the same, and of ten requests four have the same key",
    hot: 40,
    ..EVEN
};

const SLOW_NODE: Scenario =
    Scenario { name: "one slow node", what: "the first node takes 20 times as long", slower: 20.0, ..EVEN };

const MIXED: Scenario = Scenario {
    name: "mixed costs",
    what: "of a hundred requests 95 take 5 ms and 5 take 305 ms",
    cost: |rng: &mut Rng| if rng.u64(..100) < 5 { 305_000.0 } else { 5_000.0 },
    ..EVEN
};

const SCENARIOS: [&Scenario; 4] = [&EVEN, &SKEWED, &SLOW_NODE, &MIXED];

/// The algorithms, each with the bound of its nodes: what `first` may give to one is for `max_in_flight` to say.
const ALGORITHMS: [(&str, Balance, Option<u32>); 6] = [
    ("round_robin", Balance::RoundRobin, None),
    ("least_loaded", Balance::LeastLoaded, None),
    ("power_of_two", Balance::PowerOfTwo, None),
    ("hash", Balance::Hash(HashKey::ClientAddress), None),
    ("random", Balance::Random, None),
    ("first", Balance::First, Some(8)),
];

fn result(scenario: &Scenario, name: &str) -> Result {
    let (_, balance, most) = ALGORITHMS.iter().find(|(known, ..)| *known == name).unwrap();
    run(scenario, balance, *most, 30)
}

#[test]
fn even_traffic_is_shared_evenly_by_all_but_first() {
    for name in ["round_robin", "least_loaded", "power_of_two", "hash", "random"] {
        let result = result(&EVEN, name);
        // One answer that was slow by chance keeps some from a node for seconds where latency counts.
        let within = if name == "power_of_two" { 20.0..30.0 } else { 22.5..27.5 };
        for node in 0..NODES {
            assert!(within.contains(&result.share(node)), "{name}: {:?}", result.shares);
        }
        // The mean is 20 ms, and 1 % of exponential costs are over 92 ms.
        assert!(result.percentile(99) < 110.0, "{name}: {}", result.percentile(99));
    }
}

#[test]
fn first_fills_one_node_after_the_other() {
    let result = result(&EVEN, "first");
    assert!(result.shares.is_sorted_by(|one, next| one > next), "{:?}", result.shares);
    let all = result.refused + result.shares.iter().sum::<usize>();
    assert!(result.refused * 100 < all, "{} of {all}", result.refused);
}

#[test]
fn node_that_is_slow_gets_little_from_those_who_look_at_it() {
    let shares = |name| result(&SLOW_NODE, name).share(0);
    assert!((24.9..25.1).contains(&shares("round_robin")), "which is what it is");
    assert!(shares("power_of_two") < 1.0, "{}", shares("power_of_two"));
    // It can carry 10 of the 533 a second: 2 %.
    assert!(shares("least_loaded") < 4.0, "{}", shares("least_loaded"));
}

#[test]
fn only_power_of_two_keeps_latency_with_a_slow_node() {
    let worst = |name| result(&SLOW_NODE, name).percentile(99);
    assert!(worst("power_of_two") < 400.0, "{}", worst("power_of_two"));
    for name in ["round_robin", "random"] {
        assert!(worst(name) > 2_000.0, "{name}: {}", worst(name));
    }
}

#[test]
fn hot_key_drowns_no_node() {
    let result = result(&SKEWED, "hash");
    assert!((0..NODES).all(|node| result.share(node) < 25.0 * 1.25 + 2.0), "{:?}", result.shares);
    assert!(result.percentile(99) < 110.0, "{}", result.percentile(99));
}

#[test]
fn costs_that_differ_are_best_shared_by_load() {
    let worst = |name| result(&MIXED, name).peak;
    assert!(worst("least_loaded") < 0.85 * worst("round_robin"));
    assert!(worst("least_loaded") < worst("random"));
}

#[test]
fn table_is_written() {
    let seconds = match env::var("BOOKEND_ALGORITHMS").as_deref() {
        Ok("write") => 600,
        _ => 2,
    };
    let table = table(seconds);
    assert_eq!(table.matches("| round_robin |").count(), SCENARIOS.len());
    if seconds > 2 {
        println!("{table}");
        write_between("<!-- printed by make algorithms -->\n", "<!-- end of what was printed -->", &table);
    }
}

/// The table, in Markdown.
fn table(seconds: u64) -> String {
    let mut table = String::new();
    for scenario in SCENARIOS {
        writeln!(table, "**{}**: {}.\n", scenario.name, scenario.what).unwrap();
        table.push_str("| | p50 | p99 | share of each node, % | most over mean load | no place |\n");
        table.push_str("| --- | ---: | ---: | ---: | ---: | ---: |\n");
        for (name, balance, most) in &ALGORITHMS {
            let result = run(scenario, balance, *most, seconds);
            let shares: Vec<_> = (0..NODES).map(|node| format!("{:.1}", result.share(node))).collect();
            let [half, most] = [50, 99].map(|percent| time(result.percentile(percent)));
            let shares = shares.join(" ");
            writeln!(
                table,
                "| {name} | {half} | {most} | {shares} | {:.2} | {} |",
                result.peak, result.refused
            )
            .unwrap();
        }
        table.push('\n');
    }
    table
}

fn time(millis: f64) -> String {
    if millis < 10_000.0 { format!("{millis:.0} ms") } else { format!("{:.0} s", millis / 1_000.0) }
}

fn write_between(begin: &str, end: &str, text: &str) {
    let file = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/load.md");
    let document = fs::read_to_string(file).unwrap();
    let (before, rest) = document.split_once(begin).unwrap();
    let (_, after) = rest.split_once(end).unwrap();
    fs::write(file, format!("{before}{begin}\n{text}{end}{after}")).unwrap();
}
