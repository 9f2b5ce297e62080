//! What repeating a request could do.

use http::{HeaderMap, Method};

use super::repeat::{Repeatability, is_conditional};
use super::{Circumstance, Failure, Reach};

/// What a retry has to know of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Request {
    /// What happens when it is carried out twice.
    pub repeatability: Repeatability,
    /// Whether it changes something on a condition that its own first run would make false (a false 412).
    pub is_conditional: bool,
    /// Whether all of its body that was sent is still at hand.
    pub is_replayable: bool,
    /// Whether another node could finish an answer to it that broke off.
    pub is_finishable: bool,
}

impl Request {
    /// What a retry has to know of a request with this method and these headers, as long as its body can be replayed.
    pub fn of(method: &Method, headers: &HeaderMap) -> Self {
        let repeatability = Repeatability::of(method, headers);
        let is_conditional = repeatability != Repeatability::Safe && is_conditional(headers);
        Self { repeatability, is_conditional, is_replayable: true, is_finishable: false }
    }

    /// Whether it is lost if its connection breaks once all of it is sent.
    pub fn may_run_once_only(self) -> bool {
        !self.survives_a_doubt(Reach::MaybeSent.into())
    }

    /// Whether it may be sent again although it may have been carried out.
    ///
    /// An idempotent request on a node that is merely silent waits until the node is taken out: it may still be at it, and
    /// two runs at the same time are not the same as two runs one after the other.
    pub(super) fn survives_a_doubt(self, failure: Failure) -> bool {
        match self.repeatability {
            Repeatability::Safe => true,
            Repeatability::Idempotent => {
                let is_over =
                    failure.reach == Reach::MaybeSent || failure.circumstance == Circumstance::NodeIsOut;
                is_over && !self.is_conditional
            }
            Repeatability::Unsafe => false,
        }
    }
}
