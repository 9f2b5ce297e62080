//! Texts that are made to break a reader of YAML.

use std::time::Duration;

use proptest::prelude::*;
use rustix::time::{ClockId, clock_gettime};

use super::super::parse;
use super::SMALLEST;

const REFERENCE: &str = include_str!("../../../conf/reference.yaml");

/// The processor time that a test allows: a second, and more for an unoptimised build.
const LONG: Duration = Duration::from_secs(if cfg!(debug_assertions) { 10 } else { 1 });

/// The processor time that this thread has had: what else the machine does makes no difference.
fn own_time() -> Duration {
    clock_gettime(ClockId::ThreadCPUTime).try_into().expect("time runs forward")
}

/// Reads `bytes`, and holds what every reading must hold.
fn survive(bytes: &[u8]) -> Option<String> {
    let start = own_time();
    let said = match parse("hostile.yaml", bytes) {
        Ok(_) => None,
        Err(problems) => {
            assert!(problems.len() > 0);
            for problem in &problems {
                assert!(problem.line > 0 && problem.column > 0, "no place: {problem}");
                assert!(problem.to_string().len() < 4000, "long: {problem}");
            }
            Some(problems.to_string())
        }
    };
    let took = own_time() - start;
    assert!(took < LONG, "took {took:?}: {said:?}");
    said
}

#[test]
fn text_that_is_slow_to_read_is_refused_or_read_in_time() {
    const SIZE: usize = 512 * 1024;
    let filled = |part: &str| part.repeat(SIZE / part.len());
    let counted = |count: usize, line: &dyn Fn(usize) -> String| (0..count).map(line).collect::<String>();
    let texts = [
        filled("["),
        filled("{"),
        filled("[a: "),
        filled("{a: "),
        filled("[ #]\n"),
        filled("[']', "),
        filled("[!<]> a, "),
        filled("- [a]\n[b]\n"),
        filled("# \u{2028}["),
        filled("- "),
        filled("? "),
        filled(": "),
        filled("-\n"),
        filled("a:\n"),
        filled("- [\n"),
        filled("\u{feff}"),
        filled("'"),
        filled("a "),
        filled("a\n\n"),
        filled("---\n"),
        filled("!a "),
        filled("&a "),
        filled("|\n "),
        format!("a: \"{}\"", filled("\\x41")),
        format!("[{}]", filled("a, ")),
        format!("{{{}}}", filled("? a, ")),
        format!("{}{}", "[".repeat(64), filled("a,")),
        format!("routes: [{}]", filled("{},")),
        format!("routes: [{}]", filled("{pool: ,},")),
        format!("pools:\n  a: &a\n    nodes: []\nroutes:\n{}", filled("- *a\n")),
        format!("a: &a \"{}\"\nb: [{}]", "x".repeat(SIZE / 2), "*a,".repeat(SIZE / 8)),
        format!("%YAML 1.1\n---\n{SMALLEST}"),
        counted(SIZE / 20, &|i| format!("%TAG !{i}! tag:x\n")),
        counted(SIZE / 20, &|i| format!("- &a{i} x\n")),
        counted(SIZE / 12, &|i| format!("k{i}: 1\n")),
        counted(1400, &|i| format!("{}a:\n", " ".repeat(i))),
        counted(SIZE / 20, &|i| format!("{i}.0: !x {i}\n")),
    ];
    for text in &texts {
        let shown: String = text.chars().take(20).collect();
        let text = text.get(..SIZE.min(text.len())).unwrap_or(text);
        assert!(survive(text.as_bytes()).is_some(), "accepted {shown:?}");
    }
}

#[test]
fn many_misspelt_names_are_compared_in_time() {
    let pools: String =
        (0..20_000).map(|i| format!("  pool-number-{i}: {{nodes: [10.0.0.1:80]}}\n")).collect();
    let routes: String = (0..20_000).map(|i| format!("  - pool: pool_numbre_{i}\n")).collect();
    let text = format!("listeners:\n  - address: 0.0.0.0:80\npools:\n{pools}routes:\n{routes}");
    let said = survive(text.as_bytes()).unwrap();
    assert!(said.ends_with("and more: reading ended after 1000 problems"));
}

#[test]
fn byte_order_mark_and_windows_line_ends_are_read() {
    let text = format!("\u{feff}{}", SMALLEST.replace('\n', "\r\n"));
    assert_eq!(survive(text.as_bytes()), None);
}

#[test]
fn other_encodings_are_named() {
    let utf16: Vec<u8> =
        [0xFF, 0xFE].into_iter().chain(SMALLEST.encode_utf16().flat_map(u16::to_le_bytes)).collect();
    assert!(survive(&utf16).unwrap().contains("UTF-16"));
    assert!(survive(b"\xff\xfe").unwrap().contains("1:1: the file is not UTF-8: byte 0 is 0xFF"));
}

/// Words that mean something to YAML.
const WORDS: &[&str] = &[
    "",
    "~",
    "null",
    "off",
    "true",
    "0",
    "-1",
    "1e999",
    "0x10",
    ".nan",
    "99999999999999999999999",
    "10s",
    "64KiB",
    "*",
    "&a",
    "*a",
    "<<: *a",
    "!x",
    "!!str",
    "- ",
    "? ",
    ": ",
    "[",
    "]",
    "{",
    "}",
    ",",
    "|",
    ">",
    "\"",
    "'",
    "#",
    "%",
    "@",
    "`",
    "\t",
    "\n",
    "  ",
    "---",
    "...",
    "pools",
    "nodes:",
    "[]",
    "{}",
    "\u{0}",
    "\u{feff}",
    "ü",
    "\u{2028}",
    "\r",
];

/// A word that YAML, or this configuration, takes for something.
fn word() -> impl Strategy<Value = String> {
    prop_oneof![proptest::sample::select(WORDS).prop_map(str::to_owned), ".{0,12}", "[a-z_]{1,8}: .{0,6}"]
}

/// The reference with a few stretches of it replaced by words.
fn mutated() -> impl Strategy<Value = String> {
    let change = (any::<proptest::sample::Index>(), 0..40_usize, word());
    proptest::collection::vec(change, 1..6).prop_map(|changes| {
        let mut text: Vec<char> = REFERENCE
            .lines()
            .filter(|line| !line.trim_start().starts_with('#'))
            .flat_map(|line| line.chars().chain(['\n']))
            .collect();
        for (at, len, word) in changes {
            let from = at.index(text.len());
            let to = (from + len).min(text.len());
            text.splice(from..to, word.chars());
        }
        text.into_iter().collect()
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_bytes_are_survived(bytes in proptest::collection::vec(any::<u8>(), 0..400)) {
        survive(&bytes);
    }

    #[test]
    fn any_words_are_survived(words in proptest::collection::vec(word(), 0..40)) {
        survive(words.concat().as_bytes());
    }

    #[test]
    fn a_mutated_file_is_survived(text in mutated()) {
        survive(text.as_bytes());
    }
}
