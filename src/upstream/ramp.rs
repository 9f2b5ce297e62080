//! How much a node takes at once on its way back.
//!
//! Its share of the turns is not enough to keep it from being flooded: while all others are full, every turn that they
//! cannot take is its own.

use std::num::NonZeroU32;
use std::sync::Arc;

use super::{Availability, Member, Share};

/// Bounds what those of `members` take at `now` that are on their way back, unless there is no other to carry the rest.
pub(super) fn limit_returns(members: &[Arc<Member>], now: u64) {
    let mut returning = members.iter().filter(|member| member.node.is_returning()).peekable();
    if returning.peek().is_none() {
        return;
    }
    let is_steady =
        |m: &&Arc<Member>| !m.node.is_returning() && m.node.availability(now) == Availability::Available;
    for member in returning {
        let others = members.iter().filter(is_steady).map(|other| as_busy_as(other, member)).max();
        let (share, most) = (member.node.share(now), member.node.most(member.max_in_flight));
        member.node.limit_return(others.map_or(u32::MAX, |others| ceiling(share, most, others)));
    }
}

/// The most that a node takes with this share of its weight, where `most` is all that it may have and `others` is what it
/// would have to do if it were as busy as the busiest of them.
fn ceiling(share: Share, most: Option<NonZeroU32>, others: u32) -> u32 {
    let part = |of: u32| {
        let part = u64::from(of) * u64::from(share.get()) / u64::from(Share::FULL.get());
        u32::try_from(part).unwrap_or(u32::MAX)
    };
    match most {
        Some(most) => part(most.get()).max(1),
        None => part(others).saturating_add(1),
    }
}

/// What `member` would have to do if it were as busy as `other`, by their weights.
fn as_busy_as(other: &Member, member: &Member) -> u32 {
    let [weight, of_other] = [member, other].map(|member| u64::from(member.weight.get()));
    let in_flight = u64::from(other.node.load().in_flight()) * weight / of_other.max(1);
    u32::try_from(in_flight).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::config;
    use crate::model::{Tier, Weight};
    use crate::upstream::{Jury, Node, Place, Pulse, Thresholds};

    const ONCE: Thresholds = Thresholds { fall: 1, rise: 1 };

    fn members(weights: [i64; 2]) -> Vec<Arc<Member>> {
        let pulse = Arc::new(Pulse::default());
        let member = |weight| Member {
            name: "node".to_owned(),
            weight: Weight::try_from(weight).expect("a weight"),
            tier: Tier(0),
            max_in_flight: None,
            node: Arc::new(Node::new(Place::Unix("/a".into()), &pulse)),
        };
        weights.map(|weight| Arc::new(member(weight))).into()
    }

    /// Out from 0 ms on, and back at 2,000 ms for two seconds.
    fn let_return(member: &Member) {
        assert!(member.node.checked(Some("refused"), ONCE, (0, 0)).is_some());
        assert!(member.node.checked(None, ONCE, (2_000, 2_000)).is_some());
        let mut slot = member.enter(2_000).expect("room");
        let jury = Jury::new(Some(config::Ejection::default()), Duration::from_secs(2));
        assert!(jury.answered(&mut slot, 1, 2_000).is_some());
        assert!(member.node.is_returning());
    }

    #[test]
    fn returning_node_takes_its_share_of_what_the_others_carry() {
        let members = members([1, 2]);
        let _at_the_other: Vec<_> = (0..12).map(|_| members[1].enter(1).expect("room")).collect();
        let_return(&members[0]);
        // Of 6, for half the weight: a tenth, a half, nineteen twentieths, and one more.
        for (now, room) in [(2_000, 1), (3_000, 4), (3_900, 6)] {
            limit_returns(&members, now);
            assert_eq!(members[0].room(), room, "at {now}");
        }
        let here: Vec<_> = std::iter::from_fn(|| members[0].enter(3_900)).take(100).collect();
        assert_eq!((here.len(), members[0].has_room()), (6, false));
    }

    #[test]
    fn returning_node_takes_its_share_of_its_own_bound() {
        let members = members([1, 1]);
        members[0].node.bound(NonZeroU32::new(8));
        let_return(&members[0]);
        for (now, room) in [(2_000, 1), (3_000, 4), (3_999, 7)] {
            limit_returns(&members, now);
            assert_eq!(members[0].room(), room, "at {now}");
        }
    }

    #[test]
    fn nodes_that_all_return_take_all_there_is() {
        let members = members([1, 1]);
        members.iter().for_each(|member| let_return(member));
        limit_returns(&members, 2_000);
        let many = NonZeroU32::new(1_000);
        assert!(members.iter().all(|member| member.node.room(many) == 1_000));
    }
}
