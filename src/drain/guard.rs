//! Whether the rest of a pool can do without some of its nodes.
//!
//! It cannot if too few of the rest can serve, or if there is evidence that they cannot carry the load: all of them were at
//! their limits at less, or the pool turns requests away as it is. Where nobody knows it is allowed, and said to be unproven.

use std::collections::HashSet;
use std::sync::Arc;

use super::roll::{Present, Roll};
use crate::generation::Generation;
use crate::lease::{Recalled, Target};
use crate::model::Name;
use crate::upstream::{Availability, Member, Place, Proof, Shown};

/// Nodes that are named when there are many.
const MOST_NAMED: usize = 5;

/// For how long a request that was turned away is evidence, in milliseconds.
const RECENTLY: u64 = 10_000;

/// What a pool has besides some of its nodes; all rates in answers a second.
#[derive(Clone, Debug, PartialEq)]
pub struct Rest {
    /// The pool.
    pub pool: Name,
    /// The nodes that it is to do without.
    pub without: Vec<String>,
    /// How many nodes it has.
    pub all: usize,
    /// Those besides `without` that can serve.
    pub able: Vec<Carrier>,
    /// How many of those there have to be.
    pub min_available: usize,
    /// What all nodes carry now.
    pub load: f64,
    /// What the others have shown that they can carry.
    pub rest: f64,
    /// Whether that proves anything.
    pub proof: Proof,
    /// The others that cannot serve, and how they stand.
    unable: Vec<(String, &'static str)>,
    /// Whether the pool turns requests away as it is.
    is_shedding: bool,
    /// Whether `rest` is what they gave when one of `without` was recalled.
    is_remembered: bool,
}

/// A node that can serve, and what it has shown; all rates in answers a second.
#[derive(Clone, Debug, PartialEq)]
pub struct Carrier {
    /// What it is called.
    pub node: String,
    /// What it carries now.
    pub load: f64,
    /// The most that it gave for ten seconds without being late.
    pub shown: f64,
    /// What it gives with more to do than it can; `None` if it never was at its limit.
    pub capacity: Option<f64>,
}

/// The rest of a pool is not enough without a node that somebody wants to drain.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[error("{} (`--force` drains it all the same)", shortfall(.0))]
pub struct Shortfall(pub Box<Rest>);

/// The nodes of a pool are not enough in a configuration where those of the one before were.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[error("{} (`bookend reload --force` loads it all the same)", loss(.rest, .able_now))]
pub struct Loss {
    /// What the pool would have.
    pub rest: Box<Rest>,
    /// Those that can serve now.
    able_now: Vec<String>,
}

/// How the nodes of a pool are, before something changes and after that.
type Change<'a> = [&'a [(&'a Target, &'a Present)]; 2];

impl Rest {
    /// What there would be to spare; below 0 it is lacking, as far as is known.
    pub fn spare(&self) -> f64 {
        self.rest - self.load
    }

    /// The pool of `target` without it. A node without an address cannot serve.
    pub(super) fn without(roll: &Roll, target: &Target, now: u64) -> Self {
        let before = roll.pool(&target.pool);
        let after: Vec<_> = before.iter().copied().filter(|(other, _)| *other != target).collect();
        let rest = Self::of(roll, &target.pool, [&before, &after], None, now);
        Self { without: vec![target.node.clone()], all: before.len(), ..rest }
    }

    /// The pool after a change, by the rules of `roll`; nodes without an address stand as `unknown`.
    fn of(
        roll: &Roll,
        pool: &Name,
        [before, after]: Change<'_>,
        unknown: Option<Availability>,
        now: u64,
    ) -> Self {
        let load = before.iter().flat_map(|(_, present)| present.shown(now)).map(|(_, load)| load).sum();
        let (mut able, mut unable, mut shown) = (Vec::new(), Vec::new(), Vec::new());
        for (target, present) in after {
            match word(present.availability(now).or(unknown)) {
                None => {
                    let of_node = present.shown(now);
                    able.push(Carrier::new(&target.node, &of_node));
                    let has_shown = !of_node.is_empty();
                    shown.extend(of_node);
                    shown.extend((!has_shown).then(|| (Shown::default(), 0.0)));
                }
                Some(word) => unable.push((target.node.clone(), word)),
            }
        }
        let stay: HashSet<_> = after.iter().flat_map(|(_, present)| present.places()).collect();
        let is_gone =
            |(_, present): &&(&Target, &Present)| !present.places().all(|place| stay.contains(place));
        let gone: Vec<_> = before.iter().filter(is_gone).collect();
        let is_missed = gone.iter().any(|(_, present)| may_help(present.availability(now)));
        // Who comes may be the help.
        let has_new = unknown.is_some() && has_new(before, &stay, after);
        let is_shedding = is_missed && !has_new && roll.lost_within(pool, RECENTLY, now);
        let (rest, proof) = Proof::of(load, shown.iter());
        let proof = match proof {
            _ if is_shedding => Proof::Lacking,
            // Who has shown nothing, and has nothing to do, has proven nothing.
            Proof::Enough if rest <= 0.0 => Proof::Unproven,
            proof => proof,
        };
        Self {
            pool: pool.clone(),
            without: gone.iter().map(|(target, _)| target.node.clone()).collect(),
            all: after.len(),
            able,
            min_available: roll.min_available(pool),
            load,
            rest,
            proof,
            unable,
            is_shedding,
            is_remembered: false,
        }
    }

    /// The same with what the others gave when the node was recalled that it is to do without: that was all they could, unless
    /// there are more of them now.
    pub(super) fn remembering(self, recalled: Option<&Recalled>) -> Self {
        let Some(Recalled { plight, others, .. }) = recalled else { return self };
        let (rest, are_more) = (plight.served(), self.able.iter().any(|node| !others.contains(&node.node)));
        if self.proof != Proof::Unproven || are_more || rest <= self.rest {
            return self;
        }
        let proof = if rest < self.load { Proof::Lacking } else { Proof::Enough };
        Self { rest, proof, is_remembered: true, ..self }
    }

    /// Says no if that is not enough.
    pub(super) fn check(&self) -> Result<(), Shortfall> {
        let is_enough = !self.has_too_few() && self.proof != Proof::Lacking;
        if is_enough { Ok(()) } else { Err(Shortfall(Box::new(self.clone()))) }
    }

    fn has_too_few(&self) -> bool {
        self.able.len() < self.min_available
    }

    /// Why the rest cannot carry the load, in numbers.
    fn arithmetic(&self) -> String {
        let (lacking, without) = (-self.spare(), named(&self.without));
        let (shedding, more) =
            if self.is_shedding { (" and turns requests away as it is", " or more") } else { ("", "") };
        let missing = match lacking > 0.0 {
            true => format!("{}/s{more} would be missing", rate(lacking)),
            false => "more would be turned away".to_owned(),
        };
        let (pool, load, rest) = (&self.pool, rate(self.load), rate(self.rest));
        let (rest_can, source) = match self.is_remembered {
            true => ("could", format!("when {without} was recalled")),
            false => ("can", named(&self.able.iter().map(Carrier::told).collect::<Vec<_>>())),
        };
        format!(
            "pool {pool} gives {load} answers/s now{shedding}, and all that the rest {rest_can} give is {rest}/s ({source}): \
             without {without} {missing}"
        )
    }
}

impl Carrier {
    fn new(node: &str, shown: &[(Shown, f64)]) -> Self {
        let capacities: Option<Vec<f64>> = shown.iter().map(|(shown, _)| shown.capacity).collect();
        Self {
            node: node.to_owned(),
            load: shown.iter().map(|(_, load)| load).sum(),
            shown: shown.iter().map(|(shown, _)| shown.rate).sum(),
            capacity: capacities.filter(|known| !known.is_empty()).map(|known| known.iter().sum()),
        }
    }

    fn told(&self) -> String {
        format!("{} {}/s", self.node, rate(self.capacity.unwrap_or(self.shown).max(self.load)))
    }
}

/// Says no to `next` if a pool would have too few nodes that can serve, and fewer than `before`, or loses some that the
/// rest cannot do without. What is not known yet counts as good: a new node, or a name that was not looked up.
pub fn compare(before: &Generation, next: &Generation, now: u64) -> Result<(), Loss> {
    let (before, next) = (Roll::call(before), Roll::call(next));
    for pool in next.pools() {
        let (old, new) = (before.pool(pool), next.pool(pool));
        let is_able = |(_, present): &&(&Target, &Present)| word(present.availability(now)).is_none();
        let able_now: Vec<_> = old.iter().filter(is_able).map(|(target, _)| target.node.clone()).collect();
        let rest = Rest::of(&next, pool, [&old, &new], Some(Availability::Available), now);
        let has_fewer = rest.has_too_few() && rest.able.len() < able_now.len();
        if has_fewer || rest.proof == Proof::Lacking && !rest.without.is_empty() {
            return Err(Loss { rest: Box::new(rest), able_now });
        }
    }
    Ok(())
}

impl Present {
    /// What those of its addresses have shown that can serve, and what they carry.
    fn shown(&self, now: u64) -> Vec<(Shown, f64)> {
        let serves = |member: &&Arc<Member>| word(Some(member.node.availability(now))).is_none();
        let serving = self.members.iter().filter(serves);
        serving.map(|member| (member.node.load().limit().shown(), member.node.rate(now))).collect()
    }

    fn places(&self) -> impl Iterator<Item = &Place> {
        self.members.iter().map(|member| member.node.place())
    }
}

/// What keeps a node from serving; `None` if nothing does.
fn word(availability: Option<Availability>) -> Option<&'static str> {
    availability.map_or(Some("without an address"), Availability::obstacle)
}

/// Whether there are nodes `after` a change, at the places `stay`, that were not there before.
fn has_new(before: &[(&Target, &Present)], stay: &HashSet<&Place>, after: &[(&Target, &Present)]) -> bool {
    let known: HashSet<_> = before.iter().flat_map(|(_, present)| present.places()).collect();
    !stay.is_subset(&known) || after.iter().any(|(_, present)| present.members.is_empty())
}

/// Whether a node that stands like this would be missed by a pool that turns requests away.
fn may_help(availability: Option<Availability>) -> bool {
    match availability {
        Some(
            Availability::Available | Availability::Suspect | Availability::Resting | Availability::Ejected,
        ) => true,
        Some(Availability::CheckFailed | Availability::Drained) | None => false,
    }
}

fn shortfall(rest: &Rest) -> String {
    if !rest.has_too_few() {
        return rest.arithmetic();
    }
    let Rest { pool, all, unable, able, .. } = rest;
    let plural = if *all == 1 { "" } else { "s" };
    let colon = if unable.is_empty() { "" } else { ": " };
    let (standing, able, without) = (standing(unable), able.len(), named(&rest.without));
    let wanted = wanted(rest.min_available);
    format!(
        "pool {pool} has {all} node{plural}{colon}{standing}; without {without} that leaves {able} of {all}{wanted}"
    )
}

fn loss(rest: &Rest, able_now: &[String]) -> String {
    if !rest.has_too_few() {
        return rest.arithmetic();
    }
    let count = match rest.able.len() {
        0 => "no node".to_owned(),
        1 => "1 node".to_owned(),
        count => format!("{count} nodes"),
    };
    let (wanted, standing) = (wanted(rest.min_available), standing(&rest.unable));
    let colon = if standing.is_empty() { "" } else { ": " };
    format!(
        "pool {} would have {count} that can serve{wanted}{colon}{standing}; {} can serve now",
        rest.pool,
        named(able_now)
    )
}

/// How many there have to be, if that is more than one.
fn wanted(min_available: usize) -> String {
    if min_available > 1 { format!(", and min_available is {min_available}") } else { String::new() }
}

/// Nodes and how they stand, as far as they can all be named.
fn standing(unable: &[(String, &'static str)]) -> String {
    let named = unable.iter().take(MOST_NAMED).map(|(node, word)| format!("{node} is {word}"));
    let named = named.collect::<Vec<_>>().join(", ");
    match unable.len().checked_sub(MOST_NAMED) {
        None | Some(0) => named,
        Some(more) => format!("{named}, and {more} more cannot serve"),
    }
}

/// Names, as far as there is room for them all.
fn named(names: &[String]) -> String {
    let mut text = names.iter().take(MOST_NAMED).map(String::as_str).collect::<Vec<_>>().join(", ");
    if let Some(more) = names.len().checked_sub(MOST_NAMED).filter(|more| *more > 0) {
        text.push_str(&format!(" and {more} more"));
    }
    text
}

/// Answers a second, as precise as people read them.
fn rate(per_second: f64) -> String {
    if per_second < 9.95 { format!("{per_second:.1}") } else { format!("{per_second:.0}") }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lease::{Lease, Plight, Requests, Term};

    fn rest(able: &[(&str, f64, Option<f64>)], load: f64) -> Rest {
        let carrier = |(node, load, capacity): &(&str, f64, Option<f64>)| Carrier {
            node: (*node).to_owned(),
            load: *load,
            shown: *load,
            capacity: *capacity,
        };
        let able: Vec<_> = able.iter().map(carrier).collect();
        let shown =
            |node: &Carrier| (Shown { rate: node.shown, in_flight: 1, capacity: node.capacity }, node.load);
        let (rest, proof) = Proof::of(load, able.iter().map(shown).collect::<Vec<_>>().iter());
        Rest {
            pool: "web".parse().expect("a name"),
            without: vec!["web-02".to_owned()],
            all: able.len() + 1,
            able,
            min_available: 1,
            load,
            rest,
            proof,
            unable: Vec::new(),
            is_shedding: false,
            is_remembered: false,
        }
    }

    fn refusal(rest: &Rest) -> String {
        rest.check().map_or_else(|why| why.to_string(), |()| String::new())
    }

    #[test]
    fn drain_that_the_rest_is_known_not_to_bear_is_refused_with_the_numbers() {
        let lacking = rest(&[("web-01", 410.0, Some(512.3)), ("web-03", 3.0, Some(8.04))], 820.0);
        assert_eq!(
            refusal(&lacking),
            "pool web gives 820 answers/s now, and all that the rest can give is 520/s (web-01 512/s, web-03 8.0/s): \
             without web-02 300/s would be missing (`--force` drains it all the same)"
        );
        let loss = Loss { rest: Box::new(lacking), able_now: Vec::new() };
        assert!(
            loss.to_string()
                .ends_with("300/s would be missing (`bookend reload --force` loads it all the same)")
        );
    }

    #[test]
    fn nothing_is_refused_that_is_enough_or_unproven() {
        let enough = rest(&[("web-01", 410.0, Some(900.0))], 820.0);
        assert_eq!((refusal(&enough), enough.proof), (String::new(), Proof::Enough));
        let unproven = rest(&[("web-01", 410.0, None), ("web-03", 0.0, Some(100.0))], 820.0);
        assert_eq!((refusal(&unproven), unproven.proof), (String::new(), Proof::Unproven));
    }

    #[test]
    fn what_the_rest_gave_when_the_node_was_recalled_is_evidence() {
        let lease = Lease::new(
            "web/web-02".parse().expect("a node"),
            "anna".to_owned(),
            "test".parse().expect("a reason"),
            Term::default(),
            1,
        );
        let requests = Requests { total: 8_000, failed: 3_000, shed: 3_000 };
        let others = vec!["web-01".to_owned()];
        let recalled = Recalled {
            lease,
            at: 9,
            plight: Plight { requests, millis: 10_000, usual: Requests::default() },
            others,
        };
        let now = |load| rest(&[("web-01", 410.0, None)], load).remembering(Some(&recalled));
        assert_eq!(
            refusal(&now(820.0)),
            "pool web gives 820 answers/s now, and all that the rest could give is 500/s (when web-02 was recalled): \
             without web-02 320/s would be missing (`--force` drains it all the same)"
        );
        assert_eq!((now(450.0).proof, refusal(&now(450.0))), (Proof::Enough, String::new()));
        let more =
            rest(&[("web-01", 410.0, None), ("web-03", 5.0, None)], 820.0).remembering(Some(&recalled));
        assert_eq!(more.proof, Proof::Unproven, "web-03 could not serve then");
    }

    #[test]
    fn fewer_nodes_than_there_have_to_be_are_refused() {
        let few = Rest { min_available: 2, ..rest(&[("web-01", 1.0, None)], 1.0) };
        let few = Rest { unable: vec![("web-03".to_owned(), "down")], all: 3, ..few };
        assert_eq!(
            refusal(&few),
            "pool web has 3 nodes: web-03 is down; without web-02 that leaves 1 of 3, and min_available is 2 \
             (`--force` drains it all the same)"
        );
    }
}
