//! `conf/reference.yaml` against the code.

use super::super::*;
use super::{SMALLEST, read};

const REFERENCE: &str = include_str!("../../../conf/reference.yaml");

#[test]
fn reference_has_every_key_and_no_other() {
    let findings = Findings::with_keys();
    parse_with(&findings, &"reference.yaml".into(), REFERENCE.as_bytes()).unwrap();
    let keys = findings.into_keys();
    assert!(keys.known.len() > 40, "only {:?}", keys.known);
    let missing: Vec<_> = keys.known.difference(&keys.present).collect();
    assert!(missing.is_empty(), "conf/reference.yaml does not show {missing:?}");
}

#[test]
fn every_value_of_the_reference_is_marked() {
    for line in REFERENCE.lines().filter(|line| !line.trim_start().starts_with('#') && line.contains(": ")) {
        let is_marked = line.ends_with("# default") || line.ends_with("# example");
        assert!(is_marked || is_within_example(line), "not marked: {line}");
    }
}

/// Whether `line` stands below a key that is an example as a whole.
fn is_within_example(line: &str) -> bool {
    let indent = |line: &str| line.len() - line.trim_start().len();
    let before = REFERENCE.split_once(line).unwrap().0;
    let parent = before.lines().rev().find(|above| !above.is_empty() && indent(above) < indent(line));
    parent.is_some_and(|parent| parent.ends_with(": # example"))
}

#[test]
fn value_marked_as_default_can_be_left_out() {
    let (mut defaults, mut lines) = (0, Vec::new());
    for line in REFERENCE.lines() {
        match line.ends_with("# default") {
            true => defaults += 1,
            false => lines.push(line),
        }
    }
    assert!(defaults > 25, "only {defaults}");
    let without_defaults = lines.join("\n");
    assert_eq!(read(&close_empty_mappings(&without_defaults)), read(REFERENCE));
}

/// Writes `{}` after each key that has lost all of its values.
fn close_empty_mappings(text: &str) -> String {
    let lines: Vec<_> =
        text.lines().filter(|line| !line.trim().is_empty() && !line.trim_start().starts_with('#')).collect();
    let indent = |line: &str| line.len() - line.trim_start_matches([' ', '-']).len();
    let mut closed = String::new();
    for (index, line) in lines.iter().enumerate() {
        let next = lines.get(index + 1).map_or(0, |next| indent(next));
        let is_empty = line.ends_with(':') && next <= indent(line);
        closed.push_str(&format!("{line}{}\n", if is_empty { " {}" } else { "" }));
    }
    closed
}

#[test]
fn smallest_file_has_the_defaults_of_the_reference() {
    let (smallest, reference) = (read(SMALLEST), read(REFERENCE));
    let (pool, wanted) = (&smallest.pools["web"], &reference.pools["web"]);
    assert_eq!(smallest.listeners, reference.listeners[..1]);
    assert_eq!(Pool { nodes: wanted.nodes.clone(), ..pool.clone() }, *wanted);
    let route = &smallest.routes[0];
    assert_eq!(Route { name: reference.routes[0].name.clone(), ..route.clone() }, reference.routes[0]);
    let server = Server { threads: None, pid_file: None, max_connections: None, ..reference.server };
    assert_eq!(smallest.server, server);
}
