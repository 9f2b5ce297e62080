//! bookend beside its peers, fault by fault: what clients saw fail that the table says is saved.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::process::ExitCode;
use std::sync::{Arc, Mutex};

use libtest_mimic::{Arguments, Completion, Failed, Trial};

use crate::client::Protocol;
use crate::front::{PEERS, Proxy};
use crate::leaks::Leaks;
use crate::report;
use crate::row::{Fault, Row};
use crate::run::{self, SHORT};
use crate::table::TABLE;
use crate::trial::seed;
use crate::verdict;

/// What was found, by the places of the row and of the proxy.
type Cells = Mutex<BTreeMap<(usize, usize), Option<Leaks>>>;

/// Runs every row in front of every proxy, and prints a table. A leak is a finding, not a failed test.
pub(crate) fn run(arguments: &Arguments) -> ExitCode {
    let cells = Arc::new(Cells::default());
    let mut trials = Vec::new();
    for (column, proxy) in proxies().into_iter().enumerate() {
        // Peers are configured for clients of HTTP/1.1.
        let rows = TABLE.iter().enumerate().filter(|(_, row)| row.speaks == Protocol::Http1);
        for (place, row) in rows {
            let cells = Arc::clone(&cells);
            let name = format!("{}::{}", name(proxy), row.name);
            trials.push(Trial::ignorable_test(name, move || compare((place, column), row, proxy, &cells)));
        }
    }
    let conclusion = libtest_mimic::run(arguments, trials);
    let cells = std::mem::take(&mut *cells.lock().unwrap());
    report::publish("make faults-peers", &table(&cells));
    conclusion.exit_code()
}

fn proxies() -> Vec<Proxy> {
    std::iter::once(Proxy::Bookend).chain(PEERS.iter().map(Proxy::Peer)).collect()
}

fn name(proxy: Proxy) -> &'static str {
    match proxy {
        Proxy::Bookend => "bookend",
        Proxy::Peer(peer) => peer.name,
    }
}

fn compare(cell: (usize, usize), row: &Row, proxy: Proxy, cells: &Cells) -> Result<Completion, Failed> {
    let cannot_reload = matches!(proxy, Proxy::Peer(peer) if !peer.reloads);
    if row.fault == Fault::KillBesideReloads && cannot_reload {
        cells.lock().unwrap().insert(cell, None);
        return Ok(Completion::ignored_with("it does not reload by signal"));
    }
    let evidence = run::run(row, &SHORT, proxy, seed());
    let leaks = Leaks::of(row, &evidence);
    let completion = match leaks.is_clean() {
        true => Completion::Completed,
        false => Completion::ignored_with(verdict::violations(row, &SHORT, &evidence).join("; ")),
    };
    cells.lock().unwrap().insert(cell, Some(leaks));
    Ok(completion)
}

fn table(cells: &BTreeMap<(usize, usize), Option<Leaks>>) -> String {
    let proxies = proxies();
    let mut text = "| fault |".to_owned();
    for proxy in &proxies {
        write!(text, " {} |", name(*proxy).replace('_', " ")).unwrap();
    }
    writeln!(text, "\n| --- |{}", " --- |".repeat(proxies.len())).unwrap();
    let was_run = |place: &usize| cells.keys().any(|(one, _)| one == place);
    for (place, row) in TABLE.iter().enumerate().filter(|(place, _)| was_run(place)) {
        write!(text, "| {} |", row.name.replace('_', " ")).unwrap();
        for column in 0..proxies.len() {
            let cell = match cells.get(&(place, column)) {
                Some(Some(leaks)) => leaks.to_string(),
                Some(None) => "-".to_owned(),
                None => String::new(),
            };
            write!(text, " {cell} |").unwrap();
        }
        text.push('\n');
    }
    write!(text, "| **rows that are clean** |").unwrap();
    for column in 0..proxies.len() {
        let of_column =
            cells.iter().filter(|((_, one), _)| *one == column).filter_map(|(_, cell)| cell.as_ref());
        let (clean, all) =
            of_column.fold((0, 0), |(clean, all), leaks| (clean + usize::from(leaks.is_clean()), all + 1));
        write!(text, " {clean} of {all} |").unwrap();
    }
    text.push_str("\n\nbookend ");
    text.push_str(env!("CARGO_PKG_VERSION"));
    for peer in PEERS.iter().step_by(2) {
        write!(text, ", {}", peer.version()).unwrap();
    }
    text.push_str(".\n");
    text
}
