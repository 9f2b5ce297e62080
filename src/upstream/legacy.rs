//! What one process knows of a node, for the one that takes over from it.

use serde::{Deserialize, Serialize};

use super::limit::Learnt;
use super::{Node, Standing, Stay, Thresholds, Why};

/// What is known of a node that still holds in another process; durations in milliseconds.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Legacy {
    /// Why its checks fail, if they do.
    failing: Option<String>,
    out: Option<Out>,
    learnt: Learnt,
}

/// The node is out for what it did to requests.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Out {
    /// For so long already, and for so long still until its trial.
    lasted: u64,
    lasts: u64,
    why: Why,
}

impl Node {
    /// What is known of it at `now`.
    pub fn legacy(&self, now: u64) -> Legacy {
        let checks = self.checks();
        let failing =
            (!checks.health.is_passing()).then(|| checks.failure.as_deref().unwrap_or_default().to_owned());
        let out = match self.stay() {
            Stay::Out { since, until, why } => {
                Some(Out { lasted: now.saturating_sub(since), lasts: until.saturating_sub(now), why })
            }
            Stay::In | Stay::Returning { .. } => None,
        };
        Legacy { failing, out, learnt: self.load().limit().learnt() }
    }

    /// Goes on with what another process knew; people were told of it there.
    pub fn inherit(&self, Legacy { failing, out, learnt }: Legacy, now: u64) {
        if let Some(why) = failing {
            // As if it had never been checked here: the next check is as welcome as the first.
            let _ = self.checked(Some(&why), Thresholds { fall: 1, rise: 1 }, (0, now));
        }
        if let Some(Out { lasted, lasts, why }) = out {
            let (since, until) = (now.saturating_sub(lasted), now.saturating_add(lasts));
            self.change(|traffic| traffic.standing = Standing::out(since, until, why));
        }
        self.load().limit().inherit(learnt, now);
        self.stir();
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Availability, Place, Pulse};
    use super::*;

    fn node() -> Node {
        Node::new(Place::Tcp("127.0.0.1:1".parse().unwrap()), &Pulse::default().into())
    }

    fn passed_on(node: &Node, now: u64, then: u64) -> Node {
        let text = serde_json::to_string(&node.legacy(now)).unwrap();
        let next = self::node();
        next.inherit(serde_json::from_str(&text).unwrap(), then);
        next
    }

    #[test]
    fn node_of_which_nothing_bad_is_known_serves() {
        assert_eq!(passed_on(&node(), 9_000, 5).availability(5), node().availability(5));
    }

    #[test]
    fn node_whose_checks_fail_gets_no_work_in_the_next_process() {
        let node = node();
        let _ = node.checked(Some("refused"), Thresholds { fall: 1, rise: 1 }, (1, 2));
        let next = passed_on(&node, 9_000, 5);
        assert_eq!(next.checks().failure.as_deref(), Some("refused"));
        assert_eq!(next.availability(5), node.availability(9_000));
        assert_eq!(next.checks().began, 0, "it was not checked by this process");
    }

    #[test]
    fn node_that_is_out_is_out_for_the_rest_of_its_time() {
        let node = node();
        node.change(|traffic| traffic.standing = Standing::out(8_000, 9_400, Why::Failing(3)));
        let next = passed_on(&node, 9_000, 5_000);
        assert_eq!(next.stay(), Stay::Out { since: 4_000, until: 5_400, why: Why::Failing(3) });
        assert_ne!(next.availability(5_000), Availability::Available);
        assert_eq!(next.wants_trial(5_400).is_some(), node.wants_trial(9_400).is_some());
    }
}
