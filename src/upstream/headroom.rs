//! What a pool could carry without its largest node.
//!
//! Nobody knows what a node can carry until it has carried it. So this is told from what the nodes have shown, and where
//! that is not enough to tell, it is said that it is not.

use std::sync::Arc;

use super::{Availability, Member, Shown};

/// Less than this is not lacking, in answers a second: a pool that gets a request now and then is asked for nothing.
const LEAST_LACK: f64 = 1.0;

/// What a pool would have to spare, or lack, without its largest node; all numbers in answers a second.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Headroom {
    /// The largest node, by its place among those asked about.
    pub largest: usize,
    /// What all of them carry now.
    pub load: f64,
    /// What the others have shown that they can carry.
    pub rest: f64,
    /// Whether that proves anything.
    pub proof: Proof,
}

/// What the nodes that remain have proven.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Proof {
    /// They have carried the load, or more.
    Enough,
    /// All of them have been at their limits, at less than the load; if there are none, that is so.
    Lacking,
    /// They have carried less than the load, and were not at their limits.
    Unproven,
}

impl Headroom {
    /// What `nodes` could do without the largest of them, where each has shown something and carries so many answers a
    /// second now; `None` if there is none.
    pub fn of(nodes: &[(Shown, f64)]) -> Option<Self> {
        let carried = nodes.iter().map(|(shown, now)| can_carry(shown, *now));
        let (largest, _) = carried.enumerate().max_by(|(_, one), (_, other)| one.total_cmp(other))?;
        let load = nodes.iter().map(|(_, now)| now).sum();
        let others = nodes.iter().enumerate().filter(|(number, _)| *number != largest);
        let (rest, proof) = Proof::of(load, others.map(|(_, node)| node));
        let proof = match proof {
            Proof::Lacking if load - rest < LEAST_LACK => Proof::Unproven,
            proof => proof,
        };
        Some(Self { largest, load, rest, proof })
    }

    /// The same for those of `members` that could serve at `now`, whether or not a request has come to try them, and the
    /// largest of them.
    pub fn of_members(members: &[Arc<Member>], now: u64) -> Option<(Self, Arc<Member>)> {
        let serves = |member: &&Arc<Member>| member.node.prospect(now) == Availability::Available;
        let serving: Vec<_> = members.iter().filter(serves).collect();
        let nodes: Vec<_> = serving
            .iter()
            .map(|member| (member.node.load().limit().shown(), member.node.rate(now)))
            .collect();
        let headroom = Self::of(&nodes)?;
        Some((headroom, Arc::clone(serving.get(headroom.largest)?)))
    }

    /// What there would be to spare; below 0 it is lacking, as far as is known.
    pub fn spare(&self) -> f64 {
        self.rest - self.load
    }
}

impl Proof {
    /// What `nodes` have shown that they can carry together, and whether that proves that they can carry `load`.
    pub fn of<'a>(load: f64, nodes: impl Iterator<Item = &'a (Shown, f64)>) -> (f64, Self) {
        let (mut rest, mut are_limits_known) = (0.0, true);
        for (shown, now) in nodes {
            rest += can_carry(shown, *now);
            are_limits_known &= shown.capacity.is_some();
        }
        // Who was never asked for anything has shown nothing.
        let proof = if rest >= load && rest > 0.0 {
            Self::Enough
        } else if are_limits_known && load > 0.0 {
            Self::Lacking
        } else {
            Self::Unproven
        };
        (rest, proof)
    }

    /// The proof as a word for people and programs.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Enough => "enough",
            Self::Lacking => "lacking",
            Self::Unproven => "unproven",
        }
    }
}

/// What a node can carry that carries so much `now`, as far as it has shown.
fn can_carry(shown: &Shown, now: f64) -> f64 {
    shown.capacity.unwrap_or(shown.rate).max(now)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Tier, Weight};
    use crate::upstream::{Node, Place, Resort};

    fn node(rate: f64, capacity: Option<f64>, now: f64) -> (Shown, f64) {
        (Shown { rate, in_flight: 1, capacity }, now)
    }

    #[test]
    fn two_that_share_a_load_prove_nothing_of_one() {
        let headroom = Headroom::of(&[node(520.0, None, 500.0), node(510.0, None, 500.0)]).expect("nodes");
        assert_eq!((headroom.largest, headroom.load, headroom.rest), (0, 1_000.0, 510.0));
        assert_eq!((headroom.spare(), headroom.proof), (-490.0, Proof::Unproven));
    }

    #[test]
    fn one_that_carried_all_of_it_once_is_enough() {
        let nodes = [node(300.0, None, 300.0), node(1_200.0, None, 300.0), node(700.0, None, 50.0)];
        let headroom = Headroom::of(&nodes).expect("nodes");
        assert_eq!((headroom.largest, headroom.spare(), headroom.proof), (1, 350.0, Proof::Enough));
    }

    #[test]
    fn one_that_was_at_its_limit_at_less_is_lacking() {
        let nodes = [node(700.0, Some(800.0), 600.0), node(650.0, Some(750.0), 600.0)];
        let headroom = Headroom::of(&nodes).expect("nodes");
        assert_eq!((headroom.largest, headroom.spare(), headroom.proof), (0, -450.0, Proof::Lacking));
    }

    #[test]
    fn the_only_node_leaves_nothing() {
        assert_eq!(Headroom::of(&[]), None);
        let alone = Headroom::of(&[node(10.0, None, 10.0)]).expect("a node");
        assert_eq!((alone.rest, alone.proof), (0.0, Proof::Lacking));
        let idle = Headroom::of(&[node(10.0, None, 0.0)]).expect("a node");
        assert_eq!(idle.proof, Proof::Unproven);
    }

    #[test]
    fn pool_that_is_asked_for_hardly_anything_lacks_nothing() {
        for nodes in [&[node(10.0, None, 0.1)][..], &[node(0.9, Some(0.9), 0.9), node(0.2, Some(0.2), 0.1)]] {
            assert_eq!(Headroom::of(nodes).expect("nodes").proof, Proof::Unproven);
        }
    }

    #[test]
    fn node_that_nobody_has_tried_since_it_is_back_counts() {
        const BACK: u64 = 60_000;
        let members = [1, 2].map(|port| {
            Arc::new(Member {
                name: format!("web-0{port}"),
                weight: Weight::default(),
                tier: Tier(0),
                max_in_flight: None,
                node: Arc::new(Node::new(Place::Tcp(([127, 0, 0, 1], port).into()), &Arc::default())),
            })
        });
        members[1].node.drain(Resort::Last, 1_000);
        members[1].node.undrain(false, BACK);
        for _ in 0..50 {
            members[0].node.traffic().evidence.succeeded(BACK);
        }
        let look = |now| Headroom::of_members(&members, now).expect("one serves").0;
        let at_once = look(BACK);
        assert_eq!((at_once.load, at_once.proof), (5.0, Proof::Lacking), "it is about to be tried");
        assert_eq!(look(BACK + 2_000).proof, Proof::Unproven, "nobody comes to try it");
    }
}
