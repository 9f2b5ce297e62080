//! Other constants than those in use, and what they would do.

use std::fmt::Write as _;

use bookend::upstream::Tuning;

use crate::scenarios;
use crate::world::World;

/// Every change of one constant, with the expectations that no longer hold.
pub(crate) fn table(seeds: u64) -> String {
    let mut text = String::from(
        "| constant | value | expectations that hold | those that do not always |\n| --- | ---: | ---: | --- |\n",
    );
    for (constant, value, tuning) in variants() {
        let (mut kept, mut all, mut broken) = (0, 0, Vec::new());
        for scenario in scenarios::all() {
            let mut failures = 0;
            for seed in 1..=seeds {
                let outcome = World::play(&scenario.site, tuning, seed);
                all += scenario.expected.len();
                let holding = scenario.expected.iter().filter(|expected| (expected.holds)(&outcome)).count();
                kept += holding;
                failures += scenario.expected.len() - holding;
            }
            if failures > 0 {
                broken.push(format!("{} ({failures})", scenario.name));
            }
        }
        writeln!(text, "| {constant} | {value} | {kept} of {all} | {} |", broken.join("; ")).unwrap();
    }
    text
}

fn variants() -> Vec<(&'static str, String, Tuning)> {
    let usual = Tuning::default();
    let mut all = vec![("as they are", String::new(), usual)];
    let mut add = |name, values: &[f64], set: fn(&mut Tuning, f64)| {
        for &value in values {
            let mut tuning = usual;
            set(&mut tuning, value);
            all.push((name, value.to_string(), tuning));
        }
    };
    add("window (waits)", &[0.25, 1.0, 2.0], |t, v| t.window = v);
    add("shortest window (ms)", &[5.0, 25.0, 50.0], |t, v| t.shortest_window = v);
    add("answers in a window", &[4.0, 16.0, 32.0], |t, v| t.enough = v as u32);
    add("known after (waits)", &[1.0, 1.5, 2.5, 3.0], |t, v| t.known = v);
    add("longer", &[1.0, 1.25, 1.5, 2.0], |t, v| t.longer = v);
    add("leap", &[4.0, 16.0, 32.0], |t, v| t.leap = v);
    add("ease", &[1.5, 3.0, 4.0], |t, v| t.ease = v);
    add("margin (ms)", &[2.0, 5.0, 20.0], |t, v| t.margin = v);
    add("goal", &[0.5, 0.6, 0.85, 1.0], |t, v| t.goal = v);
    add("grace", &[1.0, 1.1, 1.5, 2.0], |t, v| t.grace = v);
    add("grace of the young", &[1.0, 1.5, 2.0], |t, v| t.grace_of_young = v);
    add("proof (ms)", &[100.0, 250.0, 1_000.0], |t, v| t.proof = v);
    add("step", &[0.5, 0.8], |t, v| t.step = v);
    add("sample", &[50.0, 100.0, 400.0], |t, v| t.sample = v as u32);
    add("forget (ms)", &[2_000.0, 30_000.0, 60_000.0], |t, v| t.forget = v as u64);
    add("slower (ms)", &[10_000.0, 60_000.0], |t, v| t.slower = v);
    add("faster (ms)", &[2_000.0, 10_000.0, 30_000.0], |t, v| t.faster = v);
    all
}
