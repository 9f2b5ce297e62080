//! The figures as tables in Markdown, one for each row of the table or one for all.

use std::time::Duration;

use crate::document;
use crate::figures::Figures;
use crate::front::{Peer, Proxy};
use crate::row::Row;
use crate::run::Form;

const HEAD: &str = "| replay | behind | carries | arrives | served | in the worst second | median | p99 | 503 | 503 after (p99, at most) | other failures | deaths | all served after | verdict |\n\
                    | --- | --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: | --- | ---: | ---: | --- |\n";

/// One line of a table.
#[derive(Clone, Debug)]
pub(crate) struct Line {
    /// The places of the row and of the proxy.
    place: (usize, usize),
    text: String,
}

impl Line {
    pub(crate) fn new(
        place: (usize, usize),
        row: &Row,
        proxy: Proxy,
        figures: &Figures,
        verdict: &str,
    ) -> Self {
        let failed: Vec<String> =
            figures.failed.iter().map(|(what, count)| format!("{count} × {what}")).collect();
        let text = format!(
            "| {} | {} | {:.0} | {:.0} | {:.0} | {:.0} % | {} | {} | {} | {}, {} | {} | {} | {} | {verdict} |\n",
            row.name.replace('_', " "),
            name(proxy),
            row.can_be_carried(),
            figures.arrived,
            figures.served,
            figures.least * 100.0,
            millis(figures.served_after.0),
            millis(figures.served_after.1),
            figures.refused,
            millis(figures.refused_after.0),
            millis(figures.refused_after.1),
            if failed.is_empty() { "0".to_owned() } else { failed.join(", ") },
            figures.deaths,
            figures
                .all_served_after
                .map_or("never".to_owned(), |after| format!("{:.1} s", after.as_secs_f64())),
        );
        Self { place, text }
    }
}

/// What a proxy is called.
pub(crate) fn name(proxy: Proxy) -> &'static str {
    match proxy {
        Proxy::Bookend => "bookend",
        Proxy::Peer(peer) => peer.name,
    }
}

/// Prints the long form's lines and, where `BOOKEND_INCIDENT_WRITE` is set, puts them into `docs/incident.md`.
pub(crate) fn publish(form: &Form, proxies: &[Proxy], mut lines: Vec<Line>) {
    lines.sort_by_key(|line| line.place);
    let mut found = HEAD.to_owned();
    found.extend(lines.into_iter().map(|line| line.text));
    found.push_str(&format!("\nbookend {}", env!("CARGO_PKG_VERSION")));
    let is_compared = proxies.len() > 1;
    if is_compared {
        found.extend(Peer::DEBIAN.iter().take(2).map(|peer| format!(", {}", peer.version())));
    }
    found.push_str(".\n");
    let command = if is_compared { "make incident-peers" } else { "make incident" };
    if form.is_long {
        document::publish("incident.md", "BOOKEND_INCIDENT_WRITE", command, &found);
    }
}

/// The same with what bookend wrote down of the node that was forgotten.
pub(crate) fn publish_post_mortem(form: &Form, post_mortem: &str) {
    if form.is_long {
        let quoted: String =
            post_mortem.lines().map(|line| format!("> {line}\n").replace("> \n", ">\n")).collect();
        document::publish("incident.md", "BOOKEND_INCIDENT_WRITE", "bookend incidents show last", &quoted);
    }
}

fn millis(duration: Duration) -> String {
    format!("{} ms", duration.as_millis())
}
