//! The architecture, kept by reading `src/` as text: floors, the world, Pingora's places, size.
//!
//! Every rule below names what to do about a violation. A rule that turns out to be wrong is changed here, in a commit
//! that says why, never worked around.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::string_slice,
    reason = "a test may panic, and reads only our own source"
)]

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

/// Which module stands where. A module imports only from floors below its own.
const FLOORS: [&[&str]; 11] = [
    &["model"],
    &["config"],
    &[
        "answer",
        "continuation",
        "framing",
        "routing",
        "upstream",
        "retry",
        "headers",
        "policy",
        "redundancy",
        "lease",
        "incident",
        "terminal",
        "proxy_protocol",
    ],
    &["clock", "observe"],
    &["balance", "tls", "link", "journal", "state", "socket_file", "passed", "session"],
    &["generation", "handover"],
    &["listen", "probe", "drain", "monitor", "announce", "timeline"],
    &["reload"],
    &["proxy", "admin"],
    &["server", "demo"],
    &["cli"],
];

/// The floors up to this one know no world: time and chance are arguments, what was decided is returned.
const LAST_FLOOR_WITHOUT_WORLD: usize = 2;

/// The modules that may name Pingora.
const PINGORA_IS_KNOWN_TO: [&str; 7] = ["balance", "tls", "link", "probe", "listen", "proxy", "session"];

/// The one file that decides what a `pingora::Error` means.
const FILE_OF_ERRORS: &str = "src/proxy/failure.rs";

/// The other files that make such errors: Pingora's checks and those who connect for it can say no in no other way.
const FILES_THAT_SAY_NO: [&str; 2] = ["src/probe/check.rs", "src/link/connector.rs"];

/// And one more: the time of a stream of HTTP/2 ends with the error that Pingora itself would make of its client's.
const FILE_OF_STREAMS: &str = "src/listen/http2/timed.rs";

/// Lines of production code that one file may have, comments included.
const LINES_PER_FILE: usize = 400;

/// What floors without a world may not name, and what they do instead.
const WORLD: [(&str, &str); 20] = [
    ("std::env", "let `cli` read it and pass it down"),
    ("std::fs", "let `reload` or `cli` read files"),
    ("std::process", "let `server` or `cli` do it"),
    ("std::thread", "let `server` own threads"),
    ("std::io::stdin", "let `cli` read it"),
    ("std::io::stdout", "return what is to be said"),
    ("std::io::stderr", "return what is to be said"),
    ("std::time::SystemTime", "take the time as an argument"),
    ("fastrand::*", "take `&mut fastrand::Rng` as an argument"),
    ("fastrand::Rng::new", "take `&mut fastrand::Rng` as an argument"),
    ("rand", "take `&mut fastrand::Rng` as an argument"),
    ("log", "return a fact; `observe` tells the world"),
    ("socket2", "leave sockets to `listen`"),
    ("rustix", "leave the system to `server` and `listen`"),
    ("tokio", "leave waiting to `proxy`; `std::task::Waker` is fine"),
    ("TcpStream", "leave sockets to the floors above"),
    ("TcpListener", "leave sockets to the floors above"),
    ("UdpSocket", "leave sockets to the floors above"),
    ("UnixStream", "leave sockets to the floors above"),
    ("UnixListener", "leave sockets to the floors above"),
];

#[test]
fn source_keeps_to_the_architecture() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let sources = read_all(root);
    assert!(!sources.is_empty(), "there is no source under {}", root.display());
    let mut report = String::new();
    for violation in sources.iter().flat_map(violations).chain(undeclared_modules(&sources)) {
        writeln!(report, "{violation}").unwrap();
    }
    assert!(report.is_empty(), "the architecture is broken:\n{report}");
}

/// Every file of production code under `src/`.
fn read_all(root: &Path) -> Vec<Source> {
    let mut found = Vec::new();
    let mut to_visit = vec![root.join("src")];
    while let Some(directory) = to_visit.pop() {
        for entry in fs::read_dir(directory).unwrap() {
            let path: PathBuf = entry.unwrap().path();
            let stem = path.file_stem().unwrap().to_str().unwrap();
            let is_test = stem == "tests" || stem.ends_with("_tests");
            if path.is_dir() && !is_test {
                to_visit.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") && !is_test {
                let name = path.strip_prefix(root).unwrap().to_str().unwrap().to_owned();
                found.push(Source::new(&name, &fs::read_to_string(&path).unwrap()));
            }
        }
    }
    found.sort_by(|a, b| a.path.cmp(&b.path));
    found
}

/// One file, without comments, literals and tests.
struct Source {
    /// From the root of the package, as in `src/routing/table.rs`.
    path: String,
    /// The module under `src/` that it belongs to, as in `routing`; `lib` and `main` for the two roots.
    module: String,
    words: Vec<Word>,
    production_lines: usize,
}

#[derive(Clone)]
struct Word {
    text: String,
    line: usize,
}

/// Something named through `::`, with the braces of `use` resolved: `std::fs::File`.
struct Named {
    path: Vec<String>,
    line: usize,
}

impl Source {
    fn new(path: &str, text: &str) -> Self {
        let module = path.trim_start_matches("src/").split(['/', '.']).next().unwrap_or_default().to_owned();
        let (words, test_lines) = without_tests(&words_of(text));
        Self { path: path.to_owned(), module, words, production_lines: text.lines().count() - test_lines }
    }

    fn floor(&self) -> Option<usize> {
        floor_of(&self.module)
    }

    /// How many `super::` lead from this file to the crate's root.
    fn depth(&self) -> usize {
        let inner = self.path.trim_start_matches("src/").trim_end_matches(".rs").trim_end_matches("/mod");
        inner.split('/').count()
    }

    fn says(&self, line: usize, what: &str) -> String {
        format!("{}:{line}: {what}", self.path)
    }
}

fn floor_of(module: &str) -> Option<usize> {
    FLOORS.iter().position(|floor| floor.contains(&module))
}

/// Everything that is wrong in one file, each as `file:line: what, and what to do`.
fn violations(source: &Source) -> Vec<String> {
    let named = named_in(&source.words);
    let mut found = Vec::new();
    if source.production_lines > LINES_PER_FILE {
        let lines = source.production_lines;
        found.push(source.says(LINES_PER_FILE, &format!("{lines} lines of production code; split the idea")));
    }
    for name in &named {
        found.extend(import_violation(source, name).map(|what| source.says(name.line, &what)));
        found.extend(pingora_violation(source, name).map(|what| source.says(name.line, &what)));
        if source.floor().is_some_and(|floor| floor <= LAST_FLOOR_WITHOUT_WORLD) {
            found.extend(world_violation(name).map(|what| source.says(name.line, &what)));
        }
        let reads_time = [["Instant", "now"], ["SystemTime", "now"]].iter().any(|end| ends_with(name, end));
        if reads_time && source.module != "clock" {
            let what = "only `clock` reads the time; take `now` as an argument or ask `clock`";
            found.push(source.says(name.line, what));
        }
    }
    found.extend(word_violations(source));
    found.dedup();
    found
}

/// What is wrong with naming something of our own crate.
fn import_violation(source: &Source, name: &Named) -> Option<String> {
    let supers = name.path.iter().take_while(|part| *part == "super").count();
    if supers >= source.depth() && supers > 0 && name.path.len() > supers {
        return Some(
            "`super` reaches the crate's root; write `crate::` so that the floor can be seen".into(),
        );
    }
    let (root, target) = (name.path.first()?, name.path.get(1)?);
    if source.path == "src/main.rs" {
        return (root == "bookend" && target != "cli").then(|| "`main` only calls `cli`".into());
    }
    if root != "crate" || source.path == "src/lib.rs" || *target == source.module {
        return None;
    }
    let Some(theirs) = floor_of(target) else {
        return Some(format!("`crate::{target}` is no module on a floor; import the module that owns it"));
    };
    let ours = source.floor()?;
    (theirs >= ours).then(|| match theirs == ours {
        true => format!("`{}` and `{target}` share floor {ours} and do not know each other", source.module),
        false => format!(
            "`{}` (floor {ours}) looks up to `{target}` (floor {theirs}); turn it round",
            source.module
        ),
    })
}

/// What is wrong with naming something of Pingora.
fn pingora_violation(source: &Source, name: &Named) -> Option<String> {
    let may_say_no = FILES_THAT_SAY_NO.contains(&source.path.as_str()) || FILE_OF_STREAMS == source.path;
    if FILE_OF_ERRORS == source.path || may_say_no {
        return None;
    }
    let is_pingora = name.path.len() > 1 && name.path[0].starts_with("pingora");
    if is_pingora && !PINGORA_IS_KNOWN_TO.contains(&source.module.as_str()) {
        return Some(format!("Pingora is known to {} only", PINGORA_IS_KNOWN_TO.join(", ")));
    }
    if !PINGORA_IS_KNOWN_TO.contains(&source.module.as_str()) {
        return None;
    }
    if name.path.iter().any(|part| ["ErrorType", "ErrorSource", "RetryType"].contains(&part.as_str())) {
        return Some(format!("what a Pingora error means is decided in {FILE_OF_ERRORS} only"));
    }
    let names_error = is_pingora && name.path.iter().any(|part| part == "Error");
    let makes_error = match &name.path[..] {
        [.., error, made] => error == "Error" && starts_lower(made) && (is_pingora || name.path.len() == 2),
        _ => false,
    };
    if source.module == "proxy" && makes_error || source.module != "proxy" && names_error {
        return Some(format!("Pingora errors are made and read in {FILE_OF_ERRORS} only; `Result` is fine"));
    }
    None
}

/// What is wrong with naming the world on a floor that does not know it.
fn world_violation(name: &Named) -> Option<String> {
    let path = name.path.join("::");
    let hit = WORLD.iter().find(|(pattern, _)| match pattern.strip_suffix("::*") {
        Some(crate_name) => name.path[0] == crate_name && name.path.len() == 2 && starts_lower(&name.path[1]),
        None if pattern.starts_with(char::is_uppercase) => name.path.iter().any(|part| part == pattern),
        None if pattern.contains("::") => path == *pattern || path.starts_with(&format!("{pattern}::")),
        None => name.path.len() > 1 && name.path[0] == *pattern,
    });
    hit.map(|(_, instead)| format!("`{path}` is of the world, which this floor does not know; {instead}"))
}

/// What is wrong with single words, wherever they stand.
fn word_violations(source: &Source) -> Vec<String> {
    let pure = source.floor().is_some_and(|floor| floor <= LAST_FLOOR_WITHOUT_WORLD);
    let mut found = Vec::new();
    for (at, word) in source.words.iter().enumerate() {
        let around = |offset: isize| at.checked_add_signed(offset).and_then(|i| source.words.get(i));
        let is = |offset, text: &str| around(offset).is_some_and(|word| word.text == text);
        let what = match word.text.as_str() {
            "elapsed" if source.module != "clock" && is(-1, ".") && is(1, "(") && is(2, ")") => {
                "`elapsed` reads the clock; take `now` and use `saturating_duration_since`"
            }
            "static" if pure => "no global state here; use `const`, or pass it in",
            "print" | "println" | "eprint" | "eprintln" if pure && is(1, "!") => "return what is to be said",
            _ => continue,
        };
        found.push(source.says(word.line, what));
    }
    found
}

/// Modules that stand on no floor, and modules that `lib.rs` does not declare.
fn undeclared_modules(sources: &[Source]) -> Vec<String> {
    let declared: Vec<&str> = sources
        .iter()
        .filter(|source| source.path == "src/lib.rs")
        .flat_map(|source| source.words.windows(3))
        .filter(|three| three[0].text == "mod" && three[2].text == ";")
        .map(|three| three[1].text.as_str())
        .collect();
    let mut found = Vec::new();
    for source in sources.iter().filter(|source| !["lib", "main"].contains(&source.module.as_str())) {
        if source.floor().is_none() {
            let what = format!("`{}` is on no floor; give it one in {}", source.module, file!());
            found.push(source.says(1, &what));
        }
        if !declared.contains(&source.module.as_str()) {
            found.push(source.says(1, &format!("`{}` is not declared in src/lib.rs", source.module)));
        }
    }
    found
}

fn ends_with(name: &Named, end: &[&str]) -> bool {
    name.path.len() >= end.len() && name.path[name.path.len() - end.len()..] == *end
}

fn starts_lower(text: &str) -> bool {
    text.starts_with(char::is_lowercase)
}

/// Identifiers, lifetimes, `::` and single signs; comments and literals left out.
fn words_of(text: &str) -> Vec<Word> {
    let mut words = Vec::new();
    let (mut rest, mut line) = (text, 1);
    while let Some(first) = rest.chars().next() {
        let word_length = rest.find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(rest.len());
        let raw = raw_string_length(rest);
        let (length, is_word) = if rest.starts_with("//") {
            (rest.find('\n').unwrap_or(rest.len()), false)
        } else if rest.starts_with("/*") {
            (block_comment_length(rest), false)
        } else if raw > 0 {
            (raw, false)
        } else if first == '"' {
            (quoted_length(rest, '"'), false)
        } else if first == '\'' {
            let is_lifetime = !rest[1..].starts_with('\\') && rest.chars().nth(2).is_none_or(|c| c != '\'');
            let name = rest[1..].find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(rest.len() - 1);
            if is_lifetime { (1 + name, true) } else { (quoted_length(rest, '\''), false) }
        } else if word_length > 0 {
            (word_length, true)
        } else if rest.starts_with("::") {
            (2, true)
        } else {
            (first.len_utf8(), !first.is_whitespace())
        };
        let (word, after) = rest.split_at(length);
        if is_word {
            words.push(Word { text: word.to_owned(), line });
        }
        line += word.matches('\n').count();
        rest = after;
    }
    words
}

fn quoted_length(text: &str, quote: char) -> usize {
    let mut escaped = false;
    for (at, c) in text.char_indices().skip(1) {
        if c == quote && !escaped {
            return at + 1;
        }
        escaped = c == '\\' && !escaped;
    }
    text.len()
}

/// The length of a literal like `r#"…"#` at the start of the text, or 0.
fn raw_string_length(text: &str) -> usize {
    let Some(after) = ["r", "br", "cr"].iter().find_map(|prefix| text.strip_prefix(prefix)) else { return 0 };
    let hashes = after.len() - after.trim_start_matches('#').len();
    if !after[hashes..].starts_with('"') {
        return 0;
    }
    let end = format!("\"{}", "#".repeat(hashes));
    let start = text.len() - after.len() + hashes + 1;
    text[start..].find(&end).map_or(text.len(), |at| start + at + end.len())
}

fn block_comment_length(text: &str) -> usize {
    let (mut depth, mut at) = (0_usize, 0);
    while at < text.len() {
        match &text.as_bytes()[at..] {
            [b'/', b'*', ..] => (depth, at) = (depth + 1, at + 2),
            [b'*', b'/', ..] => (depth, at) = (depth - 1, at + 2),
            _ => at += 1,
        }
        if depth == 0 {
            break;
        }
    }
    at
}

/// The words without the items under `#[cfg(test)]`, and how many lines those take.
fn without_tests(words: &[Word]) -> (Vec<Word>, usize) {
    const MARK: [&str; 7] = ["#", "[", "cfg", "(", "test", ")", "]"];
    let (mut kept, mut lines, mut at) = (Vec::new(), 0, 0);
    while at < words.len() {
        if !words[at..].iter().map(|word| word.text.as_str()).take(MARK.len()).eq(MARK) {
            kept.push(words[at].clone());
            at += 1;
            continue;
        }
        let start = at;
        at += MARK.len();
        let mut depth = 0_usize;
        while at < words.len() {
            match words[at].text.as_str() {
                "{" | "(" | "[" => depth += 1,
                "}" | ")" | "]" => depth = depth.saturating_sub(1),
                _ => {}
            }
            at += 1;
            if depth == 0 && ["}", ";"].contains(&words[at - 1].text.as_str()) {
                break;
            }
        }
        lines += words[at - 1].line - words[start].line + 1;
    }
    (kept, lines)
}

/// Every path, the braces of `use` resolved; a single name is a path of one part.
fn named_in(words: &[Word]) -> Vec<Named> {
    let (mut found, mut at) = (Vec::new(), 0);
    while at < words.len() {
        let starts_path = is_name(&words[at]) && !(at > 0 && words[at - 1].text == ".");
        at = if starts_path { follow(words, at, &[], &mut found) } else { at + 1 };
    }
    found
}

/// Follows one path from `at` and returns where it ends.
fn follow(words: &[Word], mut at: usize, prefix: &[String], found: &mut Vec<Named>) -> usize {
    let mut path = prefix.to_vec();
    let line = words[at].line;
    loop {
        path.push(words[at].text.clone());
        let next = |offset: usize| words.get(at + offset).map(|word| word.text.as_str());
        match (next(1), next(2)) {
            (Some("::"), Some("{")) => {
                at += 3;
                while at < words.len() && words[at].text != "}" {
                    at = if is_name(&words[at]) { follow(words, at, &path, found) } else { at + 1 };
                }
                return at + 1;
            }
            (Some("::"), Some(_)) if is_name(&words[at + 2]) || words[at + 2].text == "*" => at += 2,
            _ => break,
        }
    }
    found.push(Named { path, line });
    at + 1
}

fn is_name(word: &Word) -> bool {
    word.text.starts_with(|c: char| c.is_alphabetic() || c == '_')
}

mod checker {
    use super::*;

    /// What the checker says about one file with this text.
    fn check(path: &str, text: &str) -> String {
        violations(&Source::new(path, text)).join("\n")
    }

    #[track_caller]
    fn assert_says(path: &str, text: &str, expected: &str) {
        let said = check(path, text);
        assert!(said.contains(expected), "about {text:?} the checker says {said:?}, not {expected:?}");
    }

    #[track_caller]
    fn assert_silent(path: &str, text: &str) {
        assert_eq!(check(path, text), "", "about {text:?}");
    }

    #[test]
    fn imports_point_down() {
        assert_silent("src/proxy/mod.rs", "use crate::model::Name;\nuse crate::{clock, routing::Table};");
        assert_says(
            "src/config/mod.rs",
            "\nuse crate::routing::Table;",
            "src/config/mod.rs:2: `config` (floor 1) looks up",
        );
        assert_says("src/model/name.rs", "fn f() -> crate::config::Config {}", "looks up to `config`");
        assert_says(
            "src/retry/mod.rs",
            "use crate::{\n model::Name,\n upstream::{Node, Pool},\n};",
            "mod.rs:3: `retry` and",
        );
        assert_says("src/retry/mod.rs", "use crate::Thing;", "no module on a floor");
    }

    #[test]
    fn a_module_may_name_itself_and_its_parents() {
        assert_silent(
            "src/routing/table.rs",
            "use super::Route; use crate::routing::Route; use self::inner::X;",
        );
        assert_says("src/routing/table.rs", "use super::super::clock;", "`super` reaches the crate's root");
        assert_says("src/clock.rs", "use super::observe;", "`super` reaches the crate's root");
    }

    #[test]
    fn main_only_calls_cli() {
        assert_silent("src/main.rs", "fn main() { bookend::cli::main() }");
        assert_says("src/main.rs", "use bookend::server;", "`main` only calls `cli`");
    }

    #[test]
    fn lower_floors_know_no_world() {
        let file = "src/retry/mod.rs";
        for bad in [
            "use std::fs;",
            "use std::{fmt, fs::File};",
            "use tokio::sync::Notify;",
            "use std::net::{SocketAddr, TcpStream};",
            "fn f() { log::info!(\"x\") }",
            "fn f() { fastrand::u32(..); }",
            "fn f() { fastrand::Rng::new(); }",
            "static COUNT: AtomicU64 = AtomicU64::new(0);",
            "thread_local! { static X: u8 = 1; }",
            "fn f() { println!() }",
            "fn f(t: std::time::SystemTime) {}",
            "use pingora::Result;",
        ] {
            assert_says(file, bad, "src/retry/mod.rs:1: ");
        }
        assert_silent(
            file,
            "use std::net::SocketAddr; use std::task::Waker; fn f(r: &mut fastrand::Rng, s: &'static str) {}",
        );
        assert_silent("src/server/mod.rs", "use std::fs; use tokio::time::sleep; static X: u8 = 1;");
    }

    #[test]
    fn only_the_clock_reads_the_time() {
        assert_says("src/proxy/mod.rs", "fn f() { Instant::now() }", "only `clock` reads the time");
        assert_says(
            "src/proxy/mod.rs",
            "fn f() { tokio::time::Instant::now() }",
            "only `clock` reads the time",
        );
        assert_says("src/proxy/mod.rs", "fn f() { since.elapsed() }", "`elapsed` reads the clock");
        assert_silent("src/clock.rs", "fn f() { Instant::now(); since.elapsed(); }");
    }

    #[test]
    fn pingora_stays_where_it_may_be() {
        assert_silent("src/balance/mod.rs", "use pingora_load_balancing::Backend; use pingora::Result;");
        assert_says("src/server/mod.rs", "use pingora::server::Server;", "Pingora is known to");
        assert_says(
            "src/balance/mod.rs",
            "use pingora::{Error, Result};",
            "are made and read in src/proxy/failure.rs",
        );
        assert_says("src/proxy/mod.rs", "use pingora::ErrorType;", "decided in src/proxy/failure.rs");
        assert_says("src/proxy/mod.rs", "fn f() { Error::new(x) }", "are made and read in");
        assert_silent(
            "src/proxy/mod.rs",
            "use pingora::{BError, Error}; fn f(e: &Error) -> Box<Error> { io::Error::other(x) }",
        );
        assert_silent(
            FILE_OF_ERRORS,
            "use pingora::{Error, ErrorType}; fn f() { Error::new(ErrorType::ReadError) }",
        );
    }

    #[test]
    fn tests_comments_and_literals_do_not_count() {
        let file = "src/model/mod.rs";
        assert_silent(file, "// std::fs::x\n/* tokio::x /* y */ log::x */ /// crate::cli\n");
        assert_silent(
            file,
            r##"const X: &str = "tokio::x"; const Y: &str = r#"log::"x"#; const Z: char = '"'; const N: char = '\'';"##,
        );
        assert_silent(file, "#[cfg(test)]\nmod tests {\n use std::fs;\n fn f() {}\n}\n");
        assert_silent(file, "#[cfg(test)]\n#[path = \"x.rs\"]\nmod tests;\n");
        assert_says(file, "#[cfg(test)]\nmod tests {\n}\nuse std::fs;", "src/model/mod.rs:4: ");
    }

    #[test]
    fn long_files_are_reported_without_their_tests() {
        let code = "fn f() {}\n";
        let tests = format!("#[cfg(test)]\nmod tests {{\n{}}}\n", code.repeat(500));
        assert_silent("src/model/mod.rs", &(code.repeat(LINES_PER_FILE) + &tests));
        assert_says("src/model/mod.rs", &code.repeat(LINES_PER_FILE + 1), "401 lines of production code");
    }

    #[test]
    fn every_module_has_a_floor_and_is_declared() {
        let sources = [
            Source::new("src/lib.rs", "pub mod model;\npub mod shed;"),
            Source::new("src/model/mod.rs", ""),
            Source::new("src/shed/mod.rs", ""),
            Source::new("src/clock.rs", ""),
        ];
        let said = undeclared_modules(&sources).join("\n");
        assert!(said.contains("`shed` is on no floor"), "{said}");
        assert!(said.contains("`clock` is not declared"), "{said}");
        assert_eq!(said.lines().count(), 2, "{said}");
    }
}
