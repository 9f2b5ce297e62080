//! The first in the order of the file; the next only when the one before is not available or full.
//!
//! For traffic that one node can carry and that is better off on one: a cache that is warm there, a licence for each node,
//! a second machine that costs money for every minute that it does something. With `max_in_flight` on the nodes it fills
//! one after the other. What one node cannot carry and nobody bounds, it drowns; weights mean nothing to it.

use super::Contenders;

/// Picks the first of the `contenders`, which are in the order of the file.
pub(super) fn pick(contenders: &Contenders) -> Option<usize> {
    contenders.first().map(|&(number, _)| number)
}
