//! Whether a pool may lose its largest node.
//!
//! A site that has lost one of two servers works, and that is what makes it dangerous: nobody sees that the next loss is
//! the last. So a pool is [`Protected`](State::Protected), [`Exposed`](State::Exposed) or [`Down`](State::Down), for whatever
//! reason: a failure, a drain, its configuration, or a load that the others cannot carry.

mod text;

use std::fmt;

/// Whether a pool may lose its largest node.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum State {
    /// It may.
    Protected,
    /// It may not.
    Exposed,
    /// No node can serve.
    Down,
}

/// A node of a pool's configuration.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Node {
    /// What it is called.
    pub name: String,
    /// What keeps it from serving, in a word; `None` if nothing does.
    pub obstacle: Option<&'static str>,
}

/// A load that the pool could not carry without its largest node, as its nodes have proven.
#[derive(Clone, Debug, PartialEq)]
pub struct Lack {
    /// The largest node.
    pub without: String,
    /// Answers a second that are asked for.
    pub load: f64,
    /// Answers a second that the others can give.
    pub rest: f64,
}

/// What a pool has.
#[derive(Clone, Debug, PartialEq)]
pub struct Redundancy {
    /// The pool.
    pool: String,
    /// Those that can serve.
    able: Vec<String>,
    /// Those that cannot, and why.
    unable: Vec<(String, &'static str)>,
    /// How many there ought to be, if somebody said so.
    expected: Option<usize>,
    lack: Option<Lack>,
}

impl State {
    /// All states.
    pub const ALL: [Self; 3] = [Self::Protected, Self::Exposed, Self::Down];

    /// The state as a word for people and programs.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Protected => "protected",
            Self::Exposed => "exposed",
            Self::Down => "down",
        }
    }
}

impl fmt::Display for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.as_str().to_uppercase())
    }
}

impl Redundancy {
    /// What `pool` has with these nodes, where `expected` is how many there ought to be, and `lack` what is proven that
    /// it could not carry.
    pub fn of(pool: &str, nodes: Vec<Node>, expected: Option<usize>, lack: Option<Lack>) -> Self {
        let (mut able, mut unable) = (Vec::new(), Vec::new());
        for Node { name, obstacle } in nodes {
            match obstacle {
                None => able.push(name),
                Some(word) => unable.push((name, word)),
            }
        }
        Self { pool: pool.to_owned(), able, unable, expected, lack }
    }

    /// Whether the pool may lose its largest node.
    pub fn state(&self) -> State {
        match (self.able.len(), &self.lack) {
            (0, _) => State::Down,
            (1, _) | (_, Some(_)) => State::Exposed,
            (_, None) => State::Protected,
        }
    }

    /// Whether somebody said that it is meant to be as it is: a pool of one node that can serve.
    pub fn is_meant(&self) -> bool {
        self.expected == Some(1) && self.able.len() == 1 && self.unable.is_empty()
    }

    /// How many nodes the configuration lacks.
    pub fn missing(&self) -> usize {
        self.expected.unwrap_or_default().saturating_sub(self.able.len() + self.unable.len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pool(
        nodes: &[(&str, Option<&'static str>)],
        expected: Option<usize>,
        lack: Option<Lack>,
    ) -> Redundancy {
        let nodes =
            nodes.iter().map(|(name, obstacle)| Node { name: (*name).to_owned(), obstacle: *obstacle });
        Redundancy::of("web", nodes.collect(), expected, lack)
    }

    fn said(redundancy: &Redundancy) -> (State, String, String) {
        (redundancy.state(), redundancy.why(), redundancy.help())
    }

    #[test]
    fn two_that_can_serve_are_enough_until_they_have_proven_that_one_is_not() {
        let nodes = [("web-01", None), ("web-02", None)];
        let protected = pool(&nodes, None, None);
        assert_eq!(said(&protected), (State::Protected, String::new(), String::new()));
        let lack = Lack { without: "web-01".to_owned(), load: 900.4, rest: 500.0 };
        let (state, why, _) = said(&pool(&nodes, None, Some(lack)));
        assert_eq!(state, State::Exposed);
        assert_eq!(
            why,
            "it could not carry its load without web-01: 900 answers a second are asked for, and the others can give 500"
        );
    }

    #[test]
    fn whatever_takes_the_second_exposes_the_first() {
        for (word, help) in [("drained", "bookend undrain web/web-02"), ("down", ""), ("ejected", "")] {
            let (state, why, helps) = said(&pool(&[("web-01", None), ("web-02", Some(word))], None, None));
            assert_eq!(state, State::Exposed);
            assert_eq!(why, format!("only web-01 of 2 nodes can serve: web-02 is {word}"));
            assert_eq!(helps, help);
        }
    }

    #[test]
    fn pool_without_a_node_that_can_serve_is_down() {
        let (state, why, _) =
            said(&pool(&[("web-01", Some("down")), ("web-02", Some("drained"))], None, None));
        assert_eq!(
            (state, why.as_str()),
            (State::Down, "no node of 2 can serve: web-01 is down, web-02 is drained")
        );
    }

    #[test]
    fn node_that_was_taken_out_of_the_file_is_missing() {
        let one = [("web-01", None)];
        let redundancy = pool(&one, Some(2), None);
        assert_eq!((redundancy.state(), redundancy.missing()), (State::Exposed, 1));
        assert_eq!(redundancy.why(), "only web-01 of 2 expected nodes can serve: the configuration has 1");
        assert!(!redundancy.is_meant());
        let three = pool(&[("a", None), ("b", None)], Some(3), None);
        assert_eq!((three.state(), three.missing()), (State::Protected, 1));
    }

    #[test]
    fn pool_of_one_node_is_exposed_and_may_be_meant_to_be() {
        let redundancy = pool(&[("web-01", None)], None, None);
        assert_eq!((redundancy.state(), redundancy.is_meant()), (State::Exposed, false));
        assert_eq!(redundancy.why(), "web-01 is its only node");
        let meant = pool(&[("web-01", None)], Some(1), None);
        assert_eq!((meant.state(), meant.is_meant()), (State::Exposed, true));
        let down = pool(&[("web-01", Some("down"))], Some(1), None);
        assert_eq!((down.state(), down.is_meant()), (State::Down, false));
    }
}
