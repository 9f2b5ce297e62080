//! Streams that nobody waits for any more, on a connection from which nothing comes.
//!
//! Each is told to the node by a reset. But a node that was stopped reads them all at once when it goes on, and servers end
//! a connection, with all that others still wait for on it, if more than a few streams are reset that they had not begun
//! (CVE-2023-44487). So a silent node is told of some only, and of the others when it speaks again.

/// The most resets that a node is sent without a word from it, and between two looks after that. Twice as many are still
/// fewer than the twenty that the strictest of the servers that we know allows.
const AT_ONCE: usize = 8;

/// The streams of one connection that are not reset yet. Whatever goes is reset by that.
#[derive(Debug)]
pub(super) struct Leftovers<T> {
    kept: Vec<T>,
    /// What was reset since this word of the node, which is known by its time.
    told: usize,
    heard: u64,
}

impl<T> Default for Leftovers<T> {
    fn default() -> Self {
        Self { kept: Vec::new(), told: 0, heard: 0 }
    }
}

impl<T> Leftovers<T> {
    /// Keeps `stream` if the node, silent since it was `heard`, should not be told of one more. Otherwise it is returned.
    pub(super) fn keep(&mut self, stream: T, heard: u64) -> Option<T> {
        if self.heard != heard {
            (self.heard, self.told) = (heard, 0);
        }
        if self.told < AT_ONCE && self.kept.is_empty() {
            self.told += 1;
            return Some(stream);
        }
        self.kept.push(stream);
        None
    }

    /// What the node may be told of at this look, having last been `heard` then.
    pub(super) fn release(&mut self, heard: u64) -> Vec<T> {
        if self.kept.is_empty() || self.heard == heard {
            return Vec::new();
        }
        (self.heard, self.told) = (heard, AT_ONCE);
        let some = self.kept.len().min(AT_ONCE);
        self.kept.drain(..some).collect()
    }

    /// How many there are.
    pub(super) fn len(&self) -> usize {
        self.kept.len()
    }

    /// All of them: nobody else is left on the connection.
    pub(super) fn clear(&mut self) -> Vec<T> {
        std::mem::take(&mut self.kept)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn silent_node_is_told_of_few_and_of_the_others_when_it_speaks() {
        let mut leftovers = Leftovers::default();
        let told: Vec<u8> = (0..20).filter_map(|stream| leftovers.keep(stream, 100)).collect();
        assert_eq!(told, Vec::from_iter(0..8));
        assert!(leftovers.release(100).is_empty(), "not a word yet");
        assert_eq!(leftovers.release(200), Vec::from_iter(8..16));
        assert!(leftovers.release(200).is_empty(), "nor since");
        assert_eq!(leftovers.keep(20, 300), None, "each in its turn");
        assert_eq!(leftovers.release(400), [16, 17, 18, 19, 20]);
        assert_eq!(leftovers.keep(21, 500), Some(21));
    }

    #[test]
    fn nothing_is_kept_for_nobody() {
        let mut leftovers = Leftovers::default();
        let told = (0..20).filter_map(|stream| leftovers.keep(stream, 100)).count();
        assert_eq!((told, leftovers.len(), leftovers.clear().len()), (8, 12, 12));
        assert!(leftovers.release(200).is_empty());
    }
}
