//! Each file in `tests/config` against the text that is said about it.
//!
//! `UPDATE_GOLDEN=1 cargo test golden` writes the texts anew; read the difference before it is kept.

use std::fs;
use std::path::{Path, PathBuf};

use super::super::parse;

fn directory() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/config")
}

fn said_about(name: &str, bytes: &[u8]) -> String {
    match parse(name, bytes) {
        Ok(_) => "nothing is wrong\n".to_owned(),
        Err(problems) => format!("{problems}\n"),
    }
}

/// Holds what is said about `bytes` to the text in `name.txt`.
fn check(name: &str, bytes: &[u8]) {
    let golden = directory().join(format!("{name}.txt"));
    let said = said_about(&format!("{name}.yaml"), bytes);
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        fs::write(&golden, &said).unwrap();
    }
    let expected = fs::read_to_string(&golden).unwrap_or_default();
    assert!(said == expected, "{} differs; it is now:\n{said}", golden.display());
}

#[test]
fn every_broken_file_is_told_what_is_wrong() {
    let mut names: Vec<String> = fs::read_dir(directory())
        .unwrap()
        .filter_map(|entry| entry.unwrap().file_name().to_str()?.strip_suffix(".yaml").map(str::to_owned))
        .collect();
    names.sort();
    assert!(names.len() > 15, "only {names:?}");
    for name in names {
        check(&name, &fs::read(directory().join(format!("{name}.yaml"))).unwrap());
    }
}

#[test]
fn file_of_ten_megabytes_is_refused() {
    check("ten_megabytes", "# a line of a log file\n".repeat(10_000_000 / 23).as_bytes());
}

#[test]
fn alias_bomb_is_refused() {
    let mut bomb = "a: &a [x, x, x, x, x, x, x, x, x]\n".to_owned();
    for (name, before) in ('b'..='i').zip('a'..='h') {
        let uses = vec![format!("*{before}"); 9].join(", ");
        bomb.push_str(&format!("{name}: &{name} [{uses}]\n"));
    }
    check("alias_bomb", bomb.as_bytes());
}

#[test]
fn many_problems_are_all_reported() {
    let bytes = fs::read(directory().join("many.yaml")).unwrap();
    let problems = parse("many.yaml", &bytes).unwrap_err();
    assert!(problems.len() >= 20, "only {}", problems.len());
    assert!(problems.iter().all(|problem| problem.line > 1 && problem.column > 0));
}
