//! A configuration file: whatever the bytes are, there is a configuration that is sound, or a place for each problem.
#![no_main]

use std::collections::HashSet;

use bookend::config::{Config, Whereabouts, parse};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    let _ = Whereabouts::glimpse(data);
    match parse("fuzz.yaml", data) {
        Ok(config) => assert_sound(&config),
        Err(problems) => {
            assert!(problems.len() > 0);
            let mut last = (1, 1);
            for problem in &problems {
                let place = (problem.line, problem.column);
                assert!(problem.line <= lines(data) && problem.column > 0, "out of the file: {problem}");
                assert!(last <= place, "out of order: {problem}");
                assert!(problem.to_string().len() < 4000, "long: {problem}");
                last = place;
            }
        }
    }
});

/// What `Config` promises to those who do not check again.
fn assert_sound(config: &Config) {
    let addresses: HashSet<_> = config.listeners.iter().map(|listener| listener.address).collect();
    assert!(!addresses.is_empty() && addresses.len() == config.listeners.len(), "listeners");
    assert!(!config.pools.is_empty() && !config.routes.is_empty());
    for route in &config.routes {
        assert!(config.pools.contains_key(&route.pool), "no pool {}", route.pool);
        assert!(!route.hosts.is_empty(), "no host for {}", route.name);
    }
    for (name, pool) in &config.pools {
        assert!(!pool.nodes.is_empty(), "no node in {name}");
    }
}

/// How many lines the file has, with the empty one behind the last line end. YAML takes `\r` for a line end as well.
fn lines(data: &[u8]) -> usize {
    let ends = |at: usize| match data[at] {
        b'\n' => true,
        b'\r' => data.get(at + 1) != Some(&b'\n'),
        _ => false,
    };
    1 + (0..data.len()).filter(|&at| ends(at)).count()
}
