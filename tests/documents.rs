//! Documents keep their word: every configuration in them loads, every link leads somewhere.
#![allow(clippy::unwrap_used, reason = "a test may panic, and reads only our own documents")]

use std::path::{Path, PathBuf};
use std::process::Command;
use std::{env, fs, process};

const ROOT: &str = env!("CARGO_MANIFEST_DIR");

/// How a YAML block says that it is not a whole configuration.
const FRAGMENT: &str = "yaml fragment";

/// The documents of the package, and their text.
fn documents() -> Vec<(PathBuf, String)> {
    let directories = [Path::new(ROOT).to_owned(), Path::new(ROOT).join("docs")];
    let entries = directories.iter().flat_map(|directory| fs::read_dir(directory).unwrap());
    let entries = entries.map(|entry| entry.unwrap().path());
    let documents = entries.filter(|path| path.extension().is_some_and(|extension| extension == "md"));
    documents.map(|path| (path.clone(), fs::read_to_string(path).unwrap())).collect()
}

/// The fenced blocks of a document: the line of the fence, what it says, and the text within.
fn blocks(text: &str) -> Vec<(usize, &str, String)> {
    let (mut blocks, mut open) = (Vec::new(), None);
    for (number, line) in (1..).zip(text.lines()) {
        open = match (line.strip_prefix("```"), open) {
            (Some(kind), None) => Some((number, kind.trim(), String::new())),
            (Some(_), Some(block)) => {
                blocks.push(block);
                None
            }
            (None, Some((number, kind, block))) => Some((number, kind, block + line + "\n")),
            (None, None) => None,
        };
    }
    blocks
}

/// Where the links of a document lead that stay within the package.
fn local_links(text: &str) -> Vec<&str> {
    let targets = text.split("](").skip(1).filter_map(|rest| rest.split(')').next());
    let without_anchor = targets.map(|target| target.split('#').next().unwrap_or_default());
    without_anchor.filter(|target| !target.is_empty() && !target.contains("://")).collect()
}

#[test]
fn every_configuration_in_a_document_loads() {
    let file = env::temp_dir().join(format!("bookend-documents-{}.yaml", process::id()));
    let mut checked = 0;
    for (document, text) in documents() {
        for (line, kind, block) in blocks(&text) {
            if kind == FRAGMENT || !kind.starts_with("yaml") {
                continue;
            }
            fs::write(&file, block).unwrap();
            let output = Command::new(env!("CARGO_BIN_EXE_bookend"))
                .args(["check", "-c"])
                .arg(&file)
                .output()
                .unwrap();
            let said = String::from_utf8_lossy(&output.stderr);
            assert!(output.status.success(), "{}:{line} does not load:\n{said}", document.display());
            checked += 1;
        }
    }
    fs::remove_file(&file).unwrap();
    assert!(checked > 0, "the README shows no configuration");
}

#[test]
fn configuration_in_the_manifest_for_kubernetes_loads() {
    let manifest = fs::read_to_string(Path::new(ROOT).join("conf/examples/kubernetes.yaml")).unwrap();
    let documents = serde_yaml::Deserializer::from_str(&manifest);
    let documents: Vec<serde_yaml::Value> =
        documents.map(|document| serde::Deserialize::deserialize(document).unwrap()).collect();
    let map = documents.iter().find(|document| document["kind"] == "ConfigMap").unwrap();
    let configuration = map["data"]["bookend.yaml"].as_str().unwrap();
    let problems = bookend::config::parse("kubernetes.yaml", configuration.as_bytes()).err();
    assert!(problems.is_none(), "{}", problems.unwrap());
}

#[test]
fn every_link_within_the_package_leads_somewhere() {
    for (document, text) in documents() {
        for target in local_links(&text) {
            assert!(
                document.with_file_name("").join(target).exists(),
                "{} links to {target}",
                document.display()
            );
        }
    }
}

#[test]
fn every_make_target_in_a_document_exists() {
    let makefile = fs::read_to_string(Path::new(ROOT).join("Makefile")).unwrap();
    for (document, text) in documents() {
        for rest in text.split("make ").skip(1) {
            let target = rest.split(|c: char| !c.is_ascii_lowercase() && c != '-').next().unwrap_or_default();
            let follows_code =
                text.contains(&format!("`make {target}")) || text.contains(&format!("\nmake {target}"));
            let is_there = makefile.contains(&format!("\n{target}:"));
            assert!(is_there || !follows_code, "{} speaks of `make {target}`", document.display());
        }
    }
}
