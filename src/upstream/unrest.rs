//! Unrest: which pools the jury has to look at.
//!
//! Time alone changes a node that is on its way back, silent while somebody waits for it, or held to a limit, and no other.
//! Whatever makes it one of these stirs; where nobody does, there is nothing to see, however many nodes there are.

use super::Node;

impl Node {
    /// Has the jury look at the nodes of its pool: time may change it from now on.
    pub(super) fn stir(&self) {
        self.silence().pulse().stir();
    }

    /// The same if it is held to a limit, which time may end.
    pub(super) fn stir_if_limited(&self) {
        if self.load().limit().most().is_some() {
            self.stir();
        }
    }

    /// Whether time alone changes nothing about it.
    pub(super) fn is_at_rest(&self) -> bool {
        !self.is_returning() && self.silence().is_at_rest() && self.load().limit().held().is_none()
    }

    /// It was taken out, or is gone: its limit is to meet it as it comes back.
    pub(super) fn fell(&self, now: u64) {
        self.load().limit().fell(now);
        self.stir();
    }
}
