//! Loads and what is expected of each. The expectations were written down before anything was run.

use crate::machine::{Machine, Thrashes};
use crate::outcome::Outcome;
use crate::traffic::{Rhythm, Source, Work, exponential};
use crate::world::{Change, Site};

pub(crate) struct Scenario {
    pub(crate) name: &'static str,
    pub(crate) site: Site,
    pub(crate) expected: Vec<Expected>,
}

/// A claim, and what it is judged by.
pub(crate) struct Expected {
    pub(crate) claim: &'static str,
    pub(crate) holds: Box<dyn Fn(&Outcome) -> bool + Send + Sync>,
}

/// Sixteen workers of 20 ms: 800 requests a second.
const SIXTEEN: Machine = Machine { workers: 16, thrashes: Thrashes::Never, dies: None };
const CAPACITY: f64 = 800.0;
const USUAL: Work = Work::Exponential(20.0);

fn expect(claim: &'static str, holds: impl Fn(&Outcome) -> bool + Send + Sync + 'static) -> Expected {
    Expected { claim, holds: Box::new(holds) }
}

fn nobody_is_shed() -> Expected {
    expect("nobody is shed", |outcome| outcome.shed(outcome.all()) == 0)
}

fn never_held() -> Expected {
    expect("no limit", |outcome| outcome.held(outcome.all()) == 0.0)
}

fn no_deaths() -> Expected {
    expect("it does not die", |outcome| outcome.deaths == 0)
}

fn nobody_fails() -> Expected {
    expect("nobody fails", |outcome| outcome.failed(outcome.all()) == 0)
}

/// From `from` on, every second serves so much of the capacity.
fn serves(part: f64, capacity: f64, from: usize) -> Expected {
    // What is exponential varies by its root from second to second.
    let least = part * capacity - 2.5 * capacity.sqrt().min(0.1 * capacity);
    expect("every second serves its part of the capacity", move |outcome| {
        let range = from..outcome.seconds.len();
        outcome.worst(range.clone()) >= least && outcome.rate(range) >= part * capacity
    })
}

fn takes_at_most(millis: f64, from: usize) -> Expected {
    expect("99 of 100 are answered in time", move |outcome| {
        outcome.took(99, from..outcome.seconds.len()) <= millis
    })
}

fn site(machine: Machine, source: Source, seconds: usize) -> Site {
    Site { machines: vec![machine], sources: vec![source], script: Vec::new(), seconds }
}

fn with(mut site: Site, script: &[(f64, Change)]) -> Site {
    site.script = script.to_vec();
    site
}

fn steps(steps: &[(f64, f64)], work: Work) -> Source {
    Source::new(Rhythm::Open(steps.to_vec()), work)
}

fn closed(clients: usize, ramp: f64, work: Work) -> Source {
    Source::new(Rhythm::Closed { clients, ramp }, work)
}

/// All of them, or those with one of the words of `BOOKEND_LOADS` in their names.
pub(crate) fn all() -> Vec<Scenario> {
    let mut all = healthy();
    all.extend(benchmarks());
    all.extend(troubled());
    all.extend(browned_out());
    all.extend(overloaded());
    all.extend(dying());
    all.extend(hiccuping());
    all.extend(cold());
    let wanted = std::env::var("BOOKEND_LOADS").unwrap_or_default();
    let words: Vec<&str> = wanted.split(',').filter(|word| !word.is_empty()).collect();
    all.retain(|scenario| words.is_empty() || words.iter().any(|word| scenario.name.contains(word)));
    all
}

fn healthy() -> Vec<Scenario> {
    let bursts = |size, within| Source::new(Rhythm::Bursts { every: 3.0, size, within }, USUAL);
    let burst = |size, within| {
        let mut site = site(SIXTEEN, Source::open(0.3 * CAPACITY, USUAL), 60);
        site.sources.push(bursts(size, within));
        site
    };
    let calm = || vec![nobody_is_shed(), never_held()];
    vec![
        Scenario {
            name: "steady, at 0.8",
            site: site(SIXTEEN, Source::open(640.0, USUAL), 120),
            expected: calm(),
        },
        Scenario {
            name: "steady, at 0.95",
            site: site(SIXTEEN, Source::open(760.0, USUAL), 120),
            expected: vec![expect("1 in 200 is shed", |o| o.part_shed(o.all()) < 0.005)],
        },
        Scenario { name: "bursts of 200 at once", site: burst(200, 5.0), expected: calm() },
        Scenario {
            name: "bursts of 200 in 100 ms",
            site: burst(200, 100.0),
            expected: vec![expect("1 in 1,000 is shed", |o| o.part_shed(o.all()) < 0.001)],
        },
        Scenario { name: "bursts of 400 at once", site: burst(400, 5.0), expected: calm() },
        Scenario {
            name: "400 workers of 100 ms, from the first moment at 0.7",
            site: site(
                Machine { workers: 400, ..SIXTEEN },
                Source::open(2_800.0, Work::Exponential(100.0)),
                20,
            ),
            expected: vec![expect("1 in 100 is shed", |o| o.part_shed(o.all()) < 0.01)],
        },
        Scenario {
            name: "a site of 10 requests a second",
            site: site(SIXTEEN, Source::open(10.0, Work::Two(0.95, 20.0, 2_000.0)), 300),
            expected: calm(),
        },
        Scenario {
            name: "slow readers, 5 s each",
            site: site(SIXTEEN, Source::open(400.0, USUAL).read_in(5_000.0), 60),
            expected: calm(),
        },
        Scenario {
            name: "long polls, then 1.6 times",
            site: Site {
                sources: vec![
                    steps(&[(0.0, 400.0), (30.0, 1.6 * CAPACITY)], USUAL),
                    Source::open(50.0, Work::Exponential(20_000.0)).without_worker(),
                ],
                ..site(SIXTEEN, Source::open(0.0, USUAL), 90)
            },
            expected: vec![
                expect("nobody is shed before", |o| o.shed(0..30) == 0),
                serves(0.8, CAPACITY, 32),
            ],
        },
        Scenario {
            name: "heavy tails (log-normal, 1.5), at 0.7",
            site: site(SIXTEEN, Source::open(560.0, Work::LogNormal(20.0, 1.5)), 120),
            expected: vec![expect("1 in 1,000 is shed", |o| o.part_shed(o.all()) < 0.001)],
        },
        Scenario {
            name: "one in ten takes 400 ms, the others 5, at 0.7",
            site: site(SIXTEEN, Source::open(250.0, Work::Two(0.9, 5.0, 400.0)), 120),
            expected: vec![expect("1 in 1,000 is shed", |o| o.part_shed(o.all()) < 0.001)],
        },
    ]
}

fn benchmarks() -> Vec<Scenario> {
    let quick = |clients, ramp| site(SIXTEEN, closed(clients, ramp, Work::Exponential(0.3)), 3);
    let six = Machine { workers: 6, ..SIXTEEN };
    let free = || vec![nobody_is_shed(), never_held()];
    vec![
        Scenario { name: "50 clients of a node of 0.3 ms", site: quick(50, 0.05), expected: free() },
        Scenario { name: "1,000 clients of it", site: quick(1_000, 0.1), expected: free() },
        Scenario { name: "5,000 clients of it", site: quick(5_000, 0.2), expected: free() },
        Scenario { name: "5,000 clients that come within 2 s", site: quick(5_000, 2.0), expected: free() },
        Scenario {
            name: "5,000 clients where they wait for 250 ms",
            site: site(six, closed(5_000, 0.3, Work::Exponential(0.3)), 5),
            expected: free(),
        },
        Scenario {
            name: "100 clients of sixteen workers of 20 ms",
            site: site(SIXTEEN, closed(100, 0.1, USUAL), 20),
            expected: vec![nobody_is_shed(), serves(0.95, CAPACITY, 1)],
        },
    ]
}

fn troubled() -> Vec<Scenario> {
    let at = |rate| site(SIXTEEN, Source::open(rate, USUAL), 60);
    let two = |rate| Site { machines: vec![SIXTEEN; 2], ..at(rate) };
    vec![
        Scenario {
            name: "half of the workers, for 20 s",
            site: with(at(640.0), &[(20.0, Change::Workers(0, 8)), (40.0, Change::Workers(0, 16))]),
            expected: vec![
                expect("the half that is left is used", |o| o.rate(22..40) >= 0.9 * 400.0),
                expect("nobody is shed again 3 s after it is well", |o| o.shed(43..60) == 0),
            ],
        },
        Scenario {
            name: "everything takes twice as long, for 20 s",
            site: with(at(640.0), &[(20.0, Change::Slowness(2.0)), (40.0, Change::Slowness(1.0))]),
            expected: vec![
                expect("the half that is left is used", |o| o.rate(22..40) >= 0.85 * 400.0),
                expect("nobody is shed again 3 s after it is well", |o| o.shed(43..60) == 0),
            ],
        },
        Scenario {
            name: "a stall of a second, at 0.6",
            site: with(at(480.0), &[(20.0, Change::Stall(0, 1.0))]),
            expected: vec![nobody_is_shed(), never_held()],
        },
        Scenario {
            name: "a database that slows both nodes, which they can bear",
            site: with(two(480.0), &[(20.0, Change::Slowness(2.5))]),
            expected: vec![nobody_is_shed()],
        },
        Scenario {
            name: "a database that slows both nodes, which they cannot bear",
            site: with(two(480.0), &[(20.0, Change::Slowness(4.0))]),
            // What is too slow to be at ease is found by trials, which cost a third of a second now and then.
            expected: vec![
                expect("the capacity is used", |o| o.rate(22..60) >= 0.9 * 400.0),
                expect("every second serves six tenths of it", |o| o.worst(22..60) >= 0.6 * 400.0),
            ],
        },
    ]
}

/// One of two nodes, or both, take ten times as long. At first that can cost what it costs: what is at a node is as slow as
/// the node.
fn browned_out() -> Vec<Scenario> {
    let two = |workers, rate, work, script: &[(f64, Change)]| Site {
        machines: vec![Machine { workers, ..SIXTEEN }; 2],
        ..with(site(SIXTEEN, Source::open(rate, work), 40), script)
    };
    let (one, both) = (Change::SlownessOf(0, 10.0), Change::Slowness(10.0));
    let soon = || expect("3 s later nobody waits for longer than a second", |o| o.longest(23..38) <= 1_000.0);
    let used =
        |part: f64, capacity: f64| expect("what is left is used", move |o| o.rate(23..38) >= part * capacity);
    vec![
        Scenario {
            name: "brown-out of one of two with 2 workers",
            site: two(2, 60.0, Work::Fixed(20.0), &[(20.0, one)]),
            expected: vec![nobody_is_shed(), soon()],
        },
        Scenario {
            name: "brown-out of both with 2 workers",
            site: two(2, 60.0, Work::Fixed(20.0), &[(20.0, both)]),
            expected: vec![soon(), used(0.9, 20.0)],
        },
        Scenario {
            name: "brown-out of one of two with 16 workers",
            site: two(16, 640.0, Work::Fixed(20.0), &[(20.0, one)]),
            expected: vec![nobody_is_shed(), soon()],
        },
        Scenario {
            name: "brown-out of both with 16 workers",
            site: two(16, 640.0, Work::Fixed(20.0), &[(20.0, both)]),
            expected: vec![soon(), used(0.9, 160.0)],
        },
    ]
}

fn overloaded() -> Vec<Scenario> {
    let times = |times: f64, work| site(SIXTEEN, steps(&[(0.0, 560.0), (20.0, times * CAPACITY)], work), 140);
    let bears = |millis| vec![serves(0.93, CAPACITY, 22), takes_at_most(millis, 22)];
    let workers = |workers, rate, work| {
        let machine = Machine { workers, ..SIXTEEN };
        site(machine, steps(&[(0.0, rate * 0.7), (20.0, rate * 1.6)], work), 60)
    };
    vec![
        Scenario { name: "1.05 times, for 2 minutes", site: times(1.05, USUAL), expected: bears(350.0) },
        Scenario { name: "1.6 times, for 2 minutes", site: times(1.6, USUAL), expected: bears(350.0) },
        Scenario { name: "3 times, for 2 minutes", site: times(3.0, USUAL), expected: bears(350.0) },
        Scenario {
            name: "1.6 times, all take 20 ms",
            site: times(1.6, Work::Fixed(20.0)),
            expected: bears(350.0),
        },
        Scenario {
            name: "1.6 times, heavy tails",
            site: times(1.6, Work::LogNormal(20.0, 1.5)),
            // A second of so uneven requests varies by a tenth.
            expected: vec![expect("the capacity is used", |o| o.rate(22..140) >= 0.85 * CAPACITY)],
        },
        Scenario {
            name: "1.6 times from the first moment",
            site: site(SIXTEEN, Source::open(1.6 * CAPACITY, USUAL), 60),
            expected: vec![serves(0.9, CAPACITY, 1), takes_at_most(350.0, 1)],
        },
        Scenario {
            name: "4 workers, 1.6 times",
            site: workers(4, 200.0, USUAL),
            expected: vec![serves(0.85, 200.0, 22), takes_at_most(350.0, 22)],
        },
        Scenario {
            name: "400 workers, 1.6 times",
            site: workers(400, 4_000.0, Work::Exponential(100.0)),
            expected: vec![serves(0.93, 4_000.0, 22), takes_at_most(900.0, 22)],
        },
        Scenario {
            name: "1.6 times for 5 s in every 20",
            site: site(
                SIXTEEN,
                steps(
                    &[
                        (0.0, 400.0),
                        (15.0, 1280.0),
                        (20.0, 400.0),
                        (35.0, 1280.0),
                        (40.0, 400.0),
                        (55.0, 1280.0),
                    ],
                    USUAL,
                ),
                60,
            ),
            expected: vec![
                expect("what is over is over within a second", |o| o.shed(21..35) + o.shed(41..55) == 0),
                expect("it serves what it can meanwhile", |o| o.rate(16..20) >= 0.9 * CAPACITY),
            ],
        },
    ]
}

fn dying() -> Vec<Scenario> {
    let dies = |dies| Machine { dies: Some(dies), thrashes: Thrashes::Over(4 * 16, 2.0), ..SIXTEEN };
    let over =
        |machine, times: f64| site(machine, steps(&[(0.0, 560.0), (20.0, times * CAPACITY)], USUAL), 80);
    let alive = || vec![no_deaths(), serves(0.8, CAPACITY, 21)];
    let two = |machine| Site {
        machines: vec![machine; 2],
        ..with(
            site(machine, Source::open(1.6 * CAPACITY, USUAL), 80),
            &[(20.0, Change::Kill(0)), (50.0, Change::Restart(0))],
        )
    };
    vec![
        Scenario { name: "dies of 128, 1.6 times", site: over(dies(128), 1.6), expected: alive() },
        Scenario { name: "dies of 64, 1.6 times", site: over(dies(64), 1.6), expected: alive() },
        Scenario {
            name: "dies of 64, all take 50 ms, 1.6 times",
            site: site(
                Machine { dies: Some(64), ..SIXTEEN },
                steps(&[(0.0, 220.0), (20.0, 1.6 * 320.0)], Work::Fixed(50.0)),
                80,
            ),
            expected: vec![no_deaths(), serves(0.8, 320.0, 21)],
        },
        Scenario { name: "dies of 128, 3 times", site: over(dies(128), 3.0), expected: alive() },
        Scenario {
            name: "dies of 128, 1.6 times from the first moment",
            site: site(dies(128), Source::open(1.6 * CAPACITY, USUAL), 60),
            // Two or three seconds are lost to finding out whether it is slow, or slowed by what it has to do.
            expected: vec![no_deaths(), serves(0.8, CAPACITY, 4)],
        },
        Scenario {
            name: "the incident with 64 workers of 640 ms, of which little is known",
            site: Site {
                machines: vec![Machine { workers: 64, thrashes: Thrashes::By(256), dies: Some(512) }; 2],
                ..with(site(SIXTEEN, Source::open(160.0, Work::Fixed(640.0)), 25), &[(5.0, Change::Kill(0))])
            },
            // Before the first answer is late that was asked for after the outage it is filled to where it is slow.
            expected: vec![
                no_deaths(),
                expect("four tenths of what it can are served in every second", |o| o.worst(6..25) >= 40.0),
                expect("seven tenths of it on average", |o| o.rate(6..25) >= 70.0),
            ],
        },
        Scenario {
            name: "the incident: one of two is out, the other dies of 128",
            site: two(dies(128)),
            expected: vec![
                no_deaths(),
                nobody_fails(),
                expect("80 % of what is left is served", |o| o.worst(21..50) >= 0.8 * CAPACITY - 70.0),
                expect("nobody is shed 5 s after the return", |o| o.shed(55..80) == 0),
            ],
        },
    ]
}

/// Servers that die of what is in them and slow down before, and stand still for a moment again and again, as one does that
/// collects garbage or shares its processors.
fn hiccuping() -> Vec<Scenario> {
    let of = |workers: usize, capacity: f64, times: f64| {
        let holds = (capacity / 2.0).max(8.0 * workers as f64) as usize;
        let machine = Machine { workers, thrashes: Thrashes::By(holds / 2), dies: Some(holds) };
        let work = Work::Fixed(1_000.0 * workers as f64 / capacity);
        let site = site(machine, steps(&[(0.0, times * capacity / 2.0), (5.0, times * capacity)], work), 65);
        with(site, &hiccups(65.0))
    };
    let alive = |capacity| {
        vec![
            no_deaths(),
            expect("half of the capacity is used in every second", move |o| o.worst(7..65) >= 0.5 * capacity),
            expect("the capacity is used", move |o| o.rate(7..65) >= 0.8 * capacity),
        ]
    };
    let row = |name, workers, capacity, times| Scenario {
        name,
        site: of(workers, capacity, times),
        expected: alive(capacity),
    };
    vec![
        row("hiccups, 1.1 times", 16, 800.0, 1.1),
        row("hiccups, 1.6 times", 16, 800.0, 1.6),
        row("hiccups, 3 times", 16, 800.0, 3.0),
        row("hiccups, 64 workers, 1.6 times", 64, 800.0, 1.6),
        row("hiccups, 4 workers of 40 ms, 1.6 times", 4, 100.0, 1.6),
        row("hiccups, 16 workers of 160 ms, 1.6 times", 16, 100.0, 1.6),
        row("hiccups, 64 workers of 640 ms, 1.6 times", 64, 100.0, 1.6),
        row("hiccups, 2,000 a second, 1.6 times", 16, 2_000.0, 1.6),
        row("hiccups, 64 workers, 2,000 a second, 1.6 times", 64, 2_000.0, 1.6),
    ]
}

/// Stalls of 20 to 120 ms, about every second, at moments that nobody chose.
fn hiccups(seconds: f64) -> Vec<(f64, Change)> {
    let mut rng = fastrand::Rng::with_seed(7);
    let mut at = 1.0;
    std::iter::from_fn(|| {
        at += 0.2 + exponential(&mut rng);
        let lasts = 0.02 + 0.1 * rng.f64();
        let stall = if rng.bool() { Change::Stall(0, lasts) } else { Change::Freeze(lasts) };
        (at < seconds).then_some((at, stall))
    })
    .collect()
}

/// From the first moment on, when nothing is known of the node yet.
fn cold() -> Vec<Scenario> {
    let of =
        |workers, rate, work| site(Machine { workers, ..SIXTEEN }, Source::open(rate, Work::Fixed(work)), 30);
    let crowd = |size: f64| site(SIXTEEN, steps(&[(0.0, size * 100.0), (0.01, 240.0)], USUAL), 30);
    vec![
        Scenario {
            name: "cold, 400 workers of 100 ms at 0.7",
            site: of(400, 2_800.0, 100.0),
            expected: vec![nobody_is_shed()],
        },
        Scenario {
            name: "cold, 400 workers of 500 ms at 0.7",
            site: of(400, 560.0, 500.0),
            expected: vec![nobody_is_shed()],
        },
        Scenario {
            name: "cold, 400 workers of 150 ms at 0.7",
            site: of(400, 1_867.0, 150.0),
            expected: vec![nobody_is_shed()],
        },
        Scenario {
            name: "cold, 1,000 long polls come back",
            site: Site {
                sources: vec![
                    Source::open(400.0, USUAL),
                    steps(&[(0.0, 2_000.0), (0.5, 50.0)], Work::Exponential(20_000.0)).without_worker(),
                ],
                ..of(16, 0.0, 20.0)
            },
            expected: vec![nobody_is_shed()],
        },
        Scenario {
            name: "cold, one in ten takes 5 s",
            site: site(
                Machine { workers: 400, ..SIXTEEN },
                Source::open(400.0, Work::Two(0.9, 20.0, 5_000.0)),
                30,
            ),
            expected: vec![nobody_is_shed()],
        },
        Scenario { name: "cold, a crowd of 200", site: crowd(200.0), expected: vec![nobody_is_shed()] },
        Scenario { name: "cold, a crowd of 400", site: crowd(400.0), expected: vec![nobody_is_shed()] },
        Scenario {
            name: "cold, dies of 400, 3 times",
            site: Site {
                machines: vec![Machine { dies: Some(400), thrashes: Thrashes::Over(200, 2.0), ..SIXTEEN }],
                ..of(16, 2_400.0, 20.0)
            },
            // As for the one that dies of 128: what is lost is the time in which it is found out what it is.
            expected: vec![no_deaths(), serves(0.8, CAPACITY, 5)],
        },
    ]
}
