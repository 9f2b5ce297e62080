//! The routes of one host, as a tree of path segments.

use std::collections::HashMap;

use smallvec::{SmallVec, smallvec};

/// The routes of one host by path prefix.
///
/// The nodes stand in one list and not in each other, or dropping a long path would need a deep stack.
#[derive(Debug)]
pub(super) struct Paths {
    /// The root is the first; never empty.
    nodes: Vec<Node>,
}

/// What is known of one prefix.
#[derive(Debug, Default)]
struct Node {
    /// The routes for exactly this prefix, in the order of the file.
    routes: SmallVec<[usize; 2]>,
    /// Where the prefixes stand that are longer by one segment.
    children: HashMap<Box<str>, usize>,
}

impl Default for Paths {
    fn default() -> Self {
        Self { nodes: vec![Node::default()] }
    }
}

impl Paths {
    /// Adds a route for `prefix`, after all that were added for it before.
    pub(super) fn insert(&mut self, prefix: &str, route: usize) {
        let mut at = 0;
        for segment in segments(prefix) {
            let next = self.nodes.len();
            let Some(node) = self.nodes.get_mut(at) else { return };
            at = *node.children.entry(segment.into()).or_insert(next);
            if at == next {
                self.nodes.push(Node::default());
            }
        }
        if let Some(node) = self.nodes.get_mut(at) {
            node.routes.push(route);
        }
    }

    /// The first route that `takes` the request, from the longest prefix of `path` to the shortest.
    pub(super) fn find(&self, path: &str, takes: impl Fn(usize) -> bool) -> Option<usize> {
        let mut node = self.nodes.first()?;
        let mut prefixes: SmallVec<[&Node; 8]> = smallvec![node];
        for segment in segments(path) {
            let Some(child) = node.children.get(segment).and_then(|&at| self.nodes.get(at)) else { break };
            if !child.routes.is_empty() {
                prefixes.push(child);
            }
            node = child;
        }
        prefixes.iter().rev().flat_map(|prefix| prefix.routes.iter().copied()).find(|&route| takes(route))
    }
}

/// The segments of a path that begins with `/`; none for `/` itself and for all else.
fn segments(path: &str) -> impl Iterator<Item = &str> {
    path.strip_prefix('/').filter(|rest| !rest.is_empty()).into_iter().flat_map(|rest| rest.split('/'))
}
