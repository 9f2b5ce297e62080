//! Those who wait, in lanes: fail-overs before newcomers, and apart by the nodes that are of no use to them.

use smallvec::SmallVec;

use super::order::{First, Order};
use crate::model::ClientNetwork;
use crate::upstream::NodeKey;

/// Who waits.
#[derive(Clone, Debug)]
pub struct Waiting {
    pub(super) client: ClientNetwork,
    pub(super) rank: Rank,
    wish: Wish,
}

/// Whose places are of use.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Wish {
    /// Those of any node but these, in order and none twice.
    AnyBut(SmallVec<[NodeKey; 2]>),
    /// Those of one node.
    Only(NodeKey),
}

/// Who goes first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Rank {
    /// A node failed it: another one is to save it.
    FailOver,
    /// No node has seen it yet.
    Newcomer,
}

/// All lanes. There are as many as there are sets of nodes that requests wait past, with two nodes three, and one for each
/// node that sessions stay with.
#[derive(Debug, Default)]
pub(super) struct Lanes {
    lanes: Vec<Lane>,
    length: usize,
    /// Turns that were given.
    turns: u64,
}

#[derive(Debug)]
struct Lane {
    rank: Rank,
    wish: Wish,
    order: Order,
    /// When it last had a turn, counted in turns.
    had_turn: u64,
}

impl Waiting {
    /// One of `client` that waits for a place at any node but those that are `excluded`.
    pub fn new(client: ClientNetwork, rank: Rank, excluded: impl IntoIterator<Item = NodeKey>) -> Self {
        let mut nodes: SmallVec<[NodeKey; 2]> = excluded.into_iter().collect();
        nodes.sort_unstable();
        nodes.dedup();
        Self { client, rank, wish: Wish::AnyBut(nodes) }
    }

    /// One of `client` that waits for `node` alone, where its session is, although it could go elsewhere: if it waits in vain
    /// it is not lost.
    pub fn only(client: ClientNetwork, node: NodeKey) -> Self {
        Self { client, rank: Rank::Newcomer, wish: Wish::Only(node) }
    }

    /// The node that it waits for alone.
    pub(super) fn only_for(&self) -> Option<NodeKey> {
        self.wish.only()
    }

    /// Places at `node` are of no use to it after all; `false` if no others are, either.
    pub(super) fn exclude(&mut self, node: NodeKey) -> bool {
        match &mut self.wish {
            Wish::AnyBut(excluded) => {
                if let Err(place) = excluded.binary_search(&node) {
                    excluded.insert(place, node);
                }
                true
            }
            Wish::Only(own) => *own != node,
        }
    }
}

impl Wish {
    fn only(&self) -> Option<NodeKey> {
        match self {
            Self::AnyBut(_) => None,
            Self::Only(node) => Some(*node),
        }
    }

    fn takes(&self, node: NodeKey) -> bool {
        match self {
            Self::AnyBut(excluded) => !excluded.contains(&node),
            Self::Only(own) => *own == node,
        }
    }

    fn takes_any(&self) -> bool {
        matches!(self, Self::AnyBut(excluded) if excluded.is_empty())
    }
}

impl Lanes {
    pub(super) fn len(&self) -> usize {
        self.length
    }

    pub(super) fn is_empty(&self) -> bool {
        self.length == 0
    }

    /// Whether somebody waits who can use a place at any node.
    pub(super) fn want_any(&self) -> bool {
        self.lanes.iter().any(|lane| !lane.order.is_empty() && lane.wish.takes_any())
    }

    /// Whether somebody waits who can use a place at `node`.
    pub(super) fn want(&self, node: NodeKey) -> bool {
        self.lanes.iter().any(|lane| lane.is_open(node))
    }

    /// The nodes that somebody waits for alone.
    pub(super) fn only_for(&self) -> SmallVec<[NodeKey; 2]> {
        let waited_for = self.lanes.iter().filter(|lane| !lane.order.is_empty());
        waited_for.filter_map(|lane| lane.wish.only()).collect()
    }

    /// Takes away all that wait for `node` alone.
    pub(super) fn release(&mut self, node: NodeKey) -> Vec<u64> {
        let Some(lane) = self.lanes.iter_mut().find(|lane| lane.wish.only() == Some(node)) else {
            return Vec::new();
        };
        let released: Vec<u64> = std::iter::from_fn(|| lane.order.next(First::Oldest)).collect();
        self.length = self.length.saturating_sub(released.len());
        released
    }

    pub(super) fn add(&mut self, number: u64, waiting: &Waiting) {
        self.length += 1;
        self.change(waiting, |order| order.add(number, waiting.client));
    }

    /// Adds one again whose turn was of no use.
    pub(super) fn put_back(&mut self, number: u64, waiting: &Waiting) {
        self.length += 1;
        self.change(waiting, |order| order.put_back(number, waiting.client));
    }

    pub(super) fn remove(&mut self, number: u64, waiting: &Waiting) {
        self.length = self.length.saturating_sub(1);
        self.change(waiting, |order| order.remove(number, waiting.client));
    }

    /// Takes away the one whose turn it is, if a place at `node` is free.
    pub(super) fn next(&mut self, node: NodeKey, first: First) -> Option<u64> {
        let open = self.lanes.iter_mut().filter(|lane| lane.is_open(node));
        let lane = open.min_by_key(|lane| (lane.rank, lane.had_turn))?;
        let number = lane.order.next(first)?;
        self.turns += 1;
        lane.had_turn = self.turns;
        self.length = self.length.saturating_sub(1);
        Some(number)
    }

    /// The one that has to make room for another: the newest of the client that has the most, if that is more than the
    /// other's client would have; a newcomer, and any, if the other goes before newcomers.
    pub(super) fn makes_room_for(&self, other: &Waiting) -> Option<u64> {
        let has_too_many = |(count, _): &(usize, u64)| *count > self.count(other) + 1;
        let newcomer = self.most(Rank::Newcomer);
        let found = match other.rank {
            Rank::Newcomer => newcomer.filter(has_too_many),
            Rank::FailOver => newcomer.or_else(|| self.most(Rank::FailOver).filter(has_too_many)),
        };
        found.map(|(_, number)| number)
    }

    /// The most that one client has among those of a rank, and the newest of them.
    fn most(&self, rank: Rank) -> Option<(usize, u64)> {
        self.lanes.iter().filter(|lane| lane.rank == rank).filter_map(|lane| lane.order.most()).max()
    }

    fn count(&self, of: &Waiting) -> usize {
        let lanes = self.lanes.iter().filter(|lane| lane.rank == of.rank);
        lanes.map(|lane| lane.order.count(of.client)).sum()
    }

    /// The order of those who wait like this.
    fn change(&mut self, like: &Waiting, change: impl FnOnce(&mut Order)) {
        let is_theirs = |lane: &&mut Lane| lane.rank == like.rank && lane.wish == like.wish;
        if let Some(lane) = self.lanes.iter_mut().find(is_theirs) {
            return change(&mut lane.order);
        }
        self.lanes.retain(|lane| !lane.order.is_empty());
        let mut lane = Lane::like(like);
        change(&mut lane.order);
        self.lanes.push(lane);
    }
}

impl Lane {
    fn like(like: &Waiting) -> Self {
        Self { rank: like.rank, wish: like.wish.clone(), order: Order::default(), had_turn: 0 }
    }

    /// Whether somebody is in it who can use a place at `node`.
    fn is_open(&self, node: NodeKey) -> bool {
        !self.order.is_empty() && self.wish.takes(node)
    }
}
