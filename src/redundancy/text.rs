//! Why a pool may not lose a node, in words.

use super::{Lack, Redundancy, State};

/// Nodes that are named when there are many.
const MOST_NAMED: usize = 5;

impl Redundancy {
    /// Why the pool may not lose its largest node, to be said after its name; empty if it may.
    pub fn why(&self) -> String {
        match (self.state(), &self.lack) {
            (State::Protected, _) => String::new(),
            (State::Exposed, Some(lack)) if self.able.len() > 1 => too_much(lack),
            (State::Down | State::Exposed, _) => self.who(),
        }
    }

    /// The command that would help now; empty if none would.
    pub fn help(&self) -> String {
        let drained = self.unable.iter().find(|(_, word)| *word == "drained");
        match (self.state(), drained) {
            (State::Exposed | State::Down, Some((node, _))) => {
                format!("bookend undrain {}/{node}", self.pool)
            }
            (State::Exposed | State::Down, None) | (State::Protected, _) => String::new(),
        }
    }

    /// Who can serve, and who cannot.
    fn who(&self) -> String {
        let configured = self.able.len() + self.unable.len();
        let all = match self.expected.filter(|expected| *expected > configured) {
            Some(expected) => format!("{expected} expected nodes"),
            None if configured == 1 && !self.able.is_empty() => {
                return format!("{} is its only node", self.able.join(""));
            }
            None if configured == 1 => "1".to_owned(),
            None if self.able.is_empty() => configured.to_string(),
            None => format!("{configured} nodes"),
        };
        let mut reasons: Vec<_> =
            self.unable.iter().take(MOST_NAMED).map(|(node, word)| format!("{node} is {word}")).collect();
        if self.unable.len() > MOST_NAMED {
            reasons.push(format!("{} more cannot serve", self.unable.len() - MOST_NAMED));
        }
        if self.missing() > 0 {
            reasons.push(format!("the configuration has {configured}"));
        }
        let who = self.able.first().map_or_else(|| "no node".to_owned(), |node| format!("only {node}"));
        format!("{who} of {all} can serve: {}", reasons.join(", "))
    }
}

fn too_much(Lack { without, load, rest }: &Lack) -> String {
    format!(
        "it could not carry its load without {without}: {load:.0} answers a second are asked for, and the others can give {rest:.0}"
    )
}
