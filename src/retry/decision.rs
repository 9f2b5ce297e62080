//! The decision: another node, or the end.

use http::StatusCode;

use super::{Circumstance, Failure, Reach, Repeatability, Request};
use crate::config;

/// Two nodes that break or fall silent on the same request end it: a query of death must not take a third.
const NODES_TO_BREAK: u32 = 2;

/// What a route allows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Policy {
    /// What the configuration says.
    pub rules: config::Retry,
}

/// What has become of one request's attempts so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Progress {
    /// Attempts that may have reached a node.
    pub counted: u32,
    /// Of these, the ones that broke or were silent, each on a node of its own.
    pub broken: u32,
    /// Whether one broke on a connection that had served before, which may be all that was wrong.
    pub doubtful: bool,
    /// The first status that a node answered and that was not passed on.
    pub answered: Option<StatusCode>,
}

/// What there is to choose from.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Options {
    /// There is a node that this request has not tried.
    pub untried: bool,
    /// There is a node that it has tried and that did not refuse it.
    pub returnable: bool,
    /// Requests of its kind failed alike on two nodes.
    pub is_at_fault: bool,
}

/// What comes next for a request whose attempt failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
pub enum Decision {
    /// It goes to a node that it has not tried.
    Another,
    /// Every node was tried: it goes once more to one that did not refuse it, after a [`backoff`](fn@super::backoff).
    Again,
    /// This is its end: what came of this attempt is for the client.
    End,
}

impl Policy {
    /// Decides what comes after an attempt that failed, and keeps count in `progress`.
    ///
    /// `afford` takes a retry out of the budget if there is one left; it is asked last, and not for what was never sent.
    pub fn decide(
        &self,
        request: Request,
        failure: impl Into<Failure>,
        progress: &mut Progress,
        options: Options,
        afford: impl FnOnce() -> bool,
    ) -> Decision {
        let failure = failure.into();
        let reach = failure.reach;
        progress.count(failure);
        if !self.may_repeat(request, failure, progress) || self.is_spent(reach, progress) {
            return Decision::End;
        }
        // An answer is worth more than another try at the same node, and whoever was silent once would be again.
        if matches!(reach, Reach::Answered(_) | Reach::Silent) && !options.untried {
            return Decision::End;
        }
        let decision = match options {
            Options { untried: true, .. } => Decision::Another,
            Options { returnable: true, .. } => Decision::Again,
            Options { .. } => return Decision::End,
        };
        // A node that took nothing, or is out, does no work for it: another one doing it is no more than there was to do.
        let is_free = reach == Reach::NotSent || failure.circumstance == Circumstance::NodeIsOut;
        if !is_free && (options.is_at_fault || !afford()) {
            return Decision::End;
        }
        if let Reach::Answered(status) = reach {
            progress.answered = Some(status);
        }
        decision
    }

    fn is_spent(&self, reach: Reach, progress: &Progress) -> bool {
        reach != Reach::NotSent && (progress.counted >= self.rules.attempts || progress.is_deadly())
    }

    /// The design's table: may a request that got this far be sent again?
    fn may_repeat(&self, request: Request, failure: Failure, progress: &Progress) -> bool {
        let repeatable = request.repeatability != Repeatability::Unsafe;
        match failure.reach {
            Reach::NotSent => match failure.circumstance {
                Circumstance::Unbegun | Circumstance::ConnectionOver => request.is_replayable,
                Circumstance::Usual
                | Circumstance::PooledConnection
                | Circumstance::NodeIsOut
                | Circumstance::OwnLack => true,
            },
            Reach::Truncated => request.is_replayable && request.is_finishable,
            Reach::PartSent => request.is_replayable && (self.rules.part_sent || repeatable),
            Reach::MaybeSent | Reach::Silent => request.is_replayable && request.survives_a_doubt(failure),
            Reach::Nonsense => request.is_replayable && repeatable,
            Reach::Answered(status) => {
                request.is_replayable
                    // The second bad answer is the client's.
                    && progress.answered.is_none()
                    && (failure.circumstance == Circumstance::Unbegun
                        || self.answer_is_worth_another(status, repeatable))
            }
        }
    }

    fn answer_is_worth_another(&self, status: StatusCode, repeatable: bool) -> bool {
        if self.rules.unprocessed_statuses.contains(status.as_u16()) {
            return true;
        }
        repeatable
            && matches!(
                status,
                StatusCode::INTERNAL_SERVER_ERROR
                    | StatusCode::BAD_GATEWAY
                    | StatusCode::SERVICE_UNAVAILABLE
                    | StatusCode::GATEWAY_TIMEOUT
            )
    }
}

impl Progress {
    /// Whether two nodes broke. A connection that broke as it was used again is no node yet, but is in hindsight, if the
    /// next node breaks as well.
    fn is_deadly(&self) -> bool {
        self.broken > 0 && self.broken + u32::from(self.doubtful) >= NODES_TO_BREAK
    }

    fn count(&mut self, failure: Failure) {
        match failure.reach {
            Reach::NotSent => {}
            Reach::Answered(_) | Reach::Truncated => self.counted += 1,
            Reach::PartSent | Reach::MaybeSent | Reach::Silent | Reach::Nonsense => {
                self.counted += 1;
                match failure.circumstance {
                    // Others say that it is the node.
                    Circumstance::NodeIsOut => {}
                    _ if failure.is_of_the_connection() => self.doubtful = true,
                    Circumstance::Usual
                    | Circumstance::PooledConnection
                    | Circumstance::Unbegun
                    | Circumstance::ConnectionOver
                    | Circumstance::OwnLack => self.broken += 1,
                }
            }
        }
    }
}
