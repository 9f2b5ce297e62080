//! What was learnt of a node, for another process.

use serde::{Deserialize, Serialize};

use super::hold::Hold;
use super::learner::{Learner, Stage};
use super::usual::Usual;
use super::{Limit, Shown, whole};

/// What was learnt of a node that still holds in another process.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Learnt {
    /// The limit, if the node was found to have more to do than it can.
    most: Option<f64>,
    usual: Option<Usual>,
    shown: Shown,
}

impl Limit {
    /// What was learnt.
    pub fn learnt(&self) -> Learnt {
        let learning = self.learner.lock();
        let learner = &learning.learner;
        Learnt { most: learner.held(), usual: learner.usual, shown: learner.shown() }
    }

    /// Goes on with what was learnt in another process; people were told of it there.
    pub fn inherit(&self, learnt: Learnt, now: u64) {
        let mut learning = self.learner.lock();
        learning.learner.inherit(learnt, now);
        learning.told = learning.learner.held().map(whole);
        self.publish(&learning.learner);
    }
}

impl Learner {
    fn inherit(&mut self, Learnt { most, usual, shown }: Learnt, now: u64) {
        self.usual = usual.map(|usual| usual.learnt_until(now));
        self.shown = shown;
        if let Some(most) = most.filter(|most| most.is_finite()) {
            self.stage = Stage::Holding(Hold::new(most, self.tuning.forget, now));
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn what_was_learnt_holds_in_another_process() {
        let before = Limit::default();
        // 8 wait at any time, and each for 10 ms: what is usual.
        for now in (0..2_000).map(|step| 1 + step * 5) {
            before.answered(Duration::from_millis(10), 8, now);
        }
        let text = serde_json::to_string(&Learnt { most: Some(12.0), ..before.learnt() }).unwrap();
        let learnt: Learnt = serde_json::from_str(&text).unwrap();
        assert!(learnt.usual.is_some());

        let after = Limit::default();
        after.inherit(learnt, 7);
        assert_eq!((after.held(), after.most()), (Some(12), Some(12)));
        assert_eq!(after.review(8), None, "people were told of it");
        assert_eq!(after.shown(), before.shown());
        assert_eq!(
            after.learnt().usual.map(|usual| usual.wait()),
            before.learnt().usual.map(|usual| usual.wait())
        );
    }

    #[test]
    fn nothing_learnt_is_nothing_held() {
        let limit = Limit::default();
        limit.inherit(Limit::default().learnt(), 7);
        assert_eq!((limit.held(), limit.most(), limit.review(8)), (None, None, None));
    }
}
