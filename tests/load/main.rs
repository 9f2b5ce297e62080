//! Load without a network: the real limit, load, line-up and jury before servers that are made up, in made-up time.
//!
//! `make test` plays every scenario once and holds it to what was expected of it; `make load` plays each with several seeds,
//! tries other constants, and prints the tables of `docs/load.md`.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::string_slice,
    clippy::panic,
    clippy::print_stdout,
    reason = "a test may panic, and reads only what it made"
)]

mod machine;
mod outcome;
mod report;
mod scenarios;
mod sweep;
mod traffic;
mod world;

use std::process::ExitCode;

use bookend::upstream::Tuning;
use libtest_mimic::{Arguments, Failed, Trial};

use crate::scenarios::Scenario;
use crate::world::World;

/// The seed, unless `BOOKEND_LOAD_SEED` is another.
const SEED: u64 = 1;

fn main() -> ExitCode {
    if let Ok(wanted) = std::env::var("BOOKEND_LOAD") {
        report::publish(&wanted);
        return ExitCode::SUCCESS;
    }
    let trials = scenarios::all().into_iter().map(trial).collect();
    libtest_mimic::run(&Arguments::from_args(), trials).exit_code()
}

fn trial(scenario: Scenario) -> Trial {
    Trial::test(scenario.name.replace([' ', ','], "_"), move || {
        let seed = std::env::var("BOOKEND_LOAD_SEED").ok().and_then(|seed| seed.parse().ok()).unwrap_or(SEED);
        let outcome = World::play(&scenario.site, Tuning::default(), seed);
        let broken: Vec<&str> = scenario
            .expected
            .iter()
            .filter(|expected| !(expected.holds)(&outcome))
            .map(|e| e.claim)
            .collect();
        if broken.is_empty() {
            return Ok(());
        }
        Err(Failed::from(format!("{broken:?} does not hold\n{}", report::seconds(&outcome))))
    })
}
