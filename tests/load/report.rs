//! The tables of `docs/load.md`.

use std::fmt::Write as _;
use std::fs;
use std::path::Path;

use bookend::upstream::Tuning;

use crate::outcome::Outcome;
use crate::world::World;
use crate::{scenarios, sweep};

/// Seeds of each scenario, unless `BOOKEND_LOAD` is another number.
const SEEDS: u64 = 5;

/// Prints what was found and, where `BOOKEND_LOAD_WRITE` is set, puts it into `docs/load.md`.
pub(crate) fn publish(wanted: &str) {
    let seeds = wanted.parse().unwrap_or(SEEDS);
    publish_one("limit", &scenarios(seeds));
    publish_one("constants", &sweep::table(seeds));
}

fn publish_one(name: &str, table: &str) {
    println!("\n{name}\n\n{table}");
    if std::env::var_os("BOOKEND_LOAD_WRITE").is_none() {
        return;
    }
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/load.md");
    let text = fs::read_to_string(&path).unwrap();
    let begin = format!("<!-- {name}: printed by make load -->\n");
    let start = text.find(&begin).expect("the document has a place for it") + begin.len();
    let stop = start + text[start..].find("<!-- end of what was printed -->").expect("it has an end");
    fs::write(path, format!("{}\n{table}\n{}", &text[..start], &text[stop..])).unwrap();
}

/// Every scenario, with several seeds.
fn scenarios(seeds: u64) -> String {
    let mut text = String::from(
        "| load | served/s | worst second | shed | p50 | p99 | most inside | limited | deaths | expectations that hold |\n\
         | --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: |\n",
    );
    for scenario in scenarios::all() {
        let (mut kept, mut all) = (0, 0);
        let mut first = None;
        for seed in 1..=seeds {
            let outcome = World::play(&scenario.site, Tuning::default(), seed);
            all += scenario.expected.len();
            kept += scenario.expected.iter().filter(|expected| (expected.holds)(&outcome)).count();
            first.get_or_insert(outcome);
        }
        let outcome = first.unwrap();
        // What is told is of the time after the change, which is after 20 s where there is one.
        let range =
            if outcome.seconds.len() >= 60 { 22..outcome.seconds.len() } else { 1..outcome.seconds.len() };
        writeln!(
            text,
            "| {} | {:.0} | {:.0} | {:.1} % | {:.0} ms | {:.0} ms | {} | {:.0} s | {} | {kept} of {all} |",
            scenario.name,
            outcome.rate(range.clone()),
            outcome.worst(range.clone()),
            100.0 * outcome.part_shed(outcome.all()),
            outcome.took(50, range.clone()),
            outcome.took(99, range.clone()),
            outcome.inside(outcome.all()),
            outcome.held(outcome.all()),
            outcome.deaths,
        )
        .unwrap();
    }
    text
}

/// Second by second, for one who wants to know why.
pub(crate) fn seconds(outcome: &Outcome) -> String {
    let mut text = String::from("second  asked served   shed failed    p50    p99 longest inside limits\n");
    for (number, second) in outcome.seconds.iter().enumerate() {
        let range = number..number + 1;
        writeln!(
            text,
            "{number:>6} {:>6} {:>6} {:>6} {:>6} {:>6.0} {:>6.0} {:>7.0} {:?} {:?} held {}",
            second.asked,
            second.served,
            second.shed,
            second.failed,
            outcome.took(50, range.clone()),
            outcome.took(99, range.clone()),
            outcome.longest(range),
            second.inside,
            second.limits,
            second.held,
        )
        .unwrap();
    }
    text
}
