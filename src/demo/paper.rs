//! The paper that bookend writes of an incident.

use std::io;
use std::path::Path;

use http::Method;

use super::DemoError;
use super::site::ask;
use crate::incident::Account;
use crate::terminal::wrapped;

/// Signs of a line.
const WIDTH: usize = 76;

/// What bookend wrote down of the newest incident.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Paper {
    /// Why it came about, in whole sentences.
    pub(super) cause: String,
    /// The post-mortem, in Markdown.
    pub(super) text: String,
}

impl Paper {
    /// Asks bookend for it.
    pub(super) async fn of_last(socket: &Path) -> Result<Self, DemoError> {
        let account: Account = serde_json::from_slice(&read(socket, "json").await?)
            .map_err(|why| DemoError::system("understanding the incident")(io::Error::other(why)))?;
        let text = String::from_utf8_lossy(&read(socket, "markdown").await?).into_owned();
        Ok(Self { cause: account.summary.cause, text })
    }

    /// What it says, for a person to read.
    pub(super) fn lines(&self) -> Vec<String> {
        let mut lines =
            vec![String::new(), "What bookend wrote down of it (bookend incidents show):".to_owned()];
        lines.push(String::new());
        for line in self.text.trim_end().lines() {
            // What goes on in a list stands below its first word, as Markdown has it.
            let margin = if line.starts_with("- ") { "  " } else { "" };
            let mut pieces = wrapped(line, WIDTH - margin.len()).into_iter();
            lines.extend(pieces.next().map(|piece| format!("  {piece}").trim_end().to_owned()));
            lines.extend(pieces.map(|piece| format!("  {margin}{piece}")));
        }
        lines
    }

    /// Whether it finds the cause in the drain of this node, and has the command that ends it.
    pub(super) fn blames_drain_of(&self, node: &str, target: &str) -> bool {
        let command = format!("bookend undrain {target}");
        self.cause.starts_with(&format!("{node} was out of service: ")) && self.text.contains(&command)
    }
}

async fn read(socket: &Path, format: &str) -> Result<Vec<u8>, DemoError> {
    let path = format!("/incidents/last?format={format}");
    let answer = ask(socket, &Method::GET, &path).await.map_err(DemoError::system("reading the incident"))?;
    match answer.status.is_success() {
        true => Ok(answer.body),
        false => {
            let why = String::from_utf8_lossy(&answer.body).into_owned();
            Err(DemoError::Refused { what: "tell of an incident", why })
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn paper(cause: &str, text: &str) -> Paper {
        Paper { cause: cause.to_owned(), text: text.to_owned() }
    }

    #[test]
    fn paper_blames_a_drain_only_with_the_command_that_ends_it() {
        let (cause, text) = ("web-02 was out of service: root had", "`bookend undrain web/web-02` would");
        let blames = |cause, text| paper(cause, text).blames_drain_of("web-02", "web/web-02");
        assert!(blames(cause, text));
        assert!(!blames(cause, "`bookend status`"));
        assert!(!blames("web-02 failed: it broke off.", text));
        assert!(!blames("More requests came than the nodes could carry.", text));
    }

    #[test]
    fn paper_fits_80_columns_and_keeps_its_lists() {
        let item = format!("- {}", "word ".repeat(30));
        let lines = paper("", &format!("# Title\n\n{item}\n")).lines();
        assert_eq!(lines[3..5], ["  # Title".to_owned(), String::new()]);
        assert!(lines[5].starts_with("  - word") && lines[6].starts_with("    word"), "{lines:?}");
        assert!(lines.iter().all(|line| line.chars().count() <= 80), "{lines:?}");
    }
}
