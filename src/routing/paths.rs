//! The routes of one host, as a tree of path segments.

use std::collections::HashMap;

use smallvec::{SmallVec, smallvec};

/// The routes of one host by path prefix.
#[derive(Debug, Default)]
pub(super) struct Paths {
    root: Node,
}

/// What is below one prefix.
#[derive(Debug, Default)]
struct Node {
    /// The routes for exactly this prefix, in the order of the file.
    routes: SmallVec<[usize; 2]>,
    children: HashMap<Box<str>, Node>,
}

impl Paths {
    /// Adds a route for `prefix`, after all that were added for it before.
    pub(super) fn insert(&mut self, prefix: &str, route: usize) {
        let mut node = &mut self.root;
        for segment in segments(prefix) {
            node = node.children.entry(segment.into()).or_default();
        }
        node.routes.push(route);
    }

    /// The first route that `takes` the request, from the longest prefix of `path` to the shortest.
    pub(super) fn find(&self, path: &str, takes: impl Fn(usize) -> bool) -> Option<usize> {
        let mut node = &self.root;
        let mut prefixes: SmallVec<[&Node; 8]> = smallvec![node];
        for segment in segments(path) {
            let Some(child) = node.children.get(segment) else { break };
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
