use std::num::NonZeroU32;
use std::task::{Context, Waker};

use proptest::prelude::*;

use super::*;
use crate::config::Ejection;
use crate::model::{ClientNetwork, Tier, Weight};
use crate::upstream::{InLine, Node, Pulse, Waiting, Why};

const KEY: [u8; 32] = [7; 32];
const NOW: u64 = 10_000;

fn seal(pool: &str) -> Seal {
    Seal::new(&KEY, pool).unwrap()
}

fn place(port: u16) -> Place {
    Place::Tcp(([10, 0, 0, 1], port).into())
}

fn member(port: u16, tier: u8, most: u32) -> Arc<Member> {
    Arc::new(Member {
        name: port.to_string(),
        weight: Weight::ONE,
        tier: Tier(tier),
        max_in_flight: NonZeroU32::new(most),
        node: Arc::new(Node::new(place(port), &Arc::new(Pulse::default()))),
    })
}

fn out(member: &Member, since: u64) {
    member.node.change(|traffic| traffic.standing.eject(Why::Failing(3), &Ejection::default(), since, 0.5));
}

fn tied(member: &Arc<Member>, members: &[Arc<Member>], asker: Asker, now: u64) -> Tie {
    tie(member, members, asker, Member::has_room, now)
}

proptest! {
    #[test]
    fn pass_comes_out_as_it_went_in(session: u64, seat: u64, given: u32) {
        let pass = Pass { session, seat: Seat(seat), given };
        let value = seal("web").sign(pass);
        prop_assert_eq!(value.len(), 72);
        prop_assert_eq!(seal("web").read(value.as_bytes()), Some(pass));
    }

    /// Whatever is changed, it is no pass any more.
    #[test]
    fn changed_pass_is_none(session: u64, seat: u64, at in 0usize..72, to: u8) {
        let mut value = seal("web").sign(Pass { session, seat: Seat(seat), given: 9 }).into_bytes();
        prop_assume!(value[at] != to);
        value[at] = to;
        prop_assert_eq!(seal("web").read(&value), None);
    }

    #[test]
    fn garbage_is_no_pass(bytes in prop::collection::vec(any::<u8>(), 0..100), digits in "[0-9a-f]{72}") {
        prop_assert_eq!(seal("web").read(&bytes), None);
        prop_assert_eq!(seal("web").read(digits.as_bytes()), None);
    }
}

#[test]
fn pass_is_for_one_pool_and_one_key() {
    let value = seal("web").sign(Pass { session: 1, seat: Seat(2), given: 3 });
    assert_eq!(seal("api").read(value.as_bytes()), None);
    assert_eq!(Seal::new(&[8; 32], "web").unwrap().read(value.as_bytes()), None);
    assert!(
        seal("web").read(value.to_uppercase().as_bytes()).is_none() || !value.contains(char::is_alphabetic)
    );
}

/// Computed by Python's `hmac` and `hashlib`, from what the source says.
#[test]
fn signature_is_hmac_sha256() {
    let value = seal("web").sign(Pass { session: 1, seat: Seat(2), given: 3 });
    assert_eq!(value, "0000000000000001000000000000000200000003628f17d45336bacbd92eafab7054b06e");
    assert_eq!(seal("web").seat(&place(8000)), Seat(0x6aa21eccc087d554));
}

#[test]
fn node_is_known_by_its_address_and_tells_nothing_of_it() {
    assert_eq!(seal("web").seat(&place(1)), seal("web").seat(&place(1)));
    assert_ne!(seal("web").seat(&place(1)), seal("web").seat(&place(2)));
    assert_ne!(seal("web").seat(&place(1)), seal("api").seat(&place(1)));
    let pass = Pass { session: 0, seat: seal("web").seat(&place(1)), given: 0 };
    assert!(!seal("web").sign(pass).contains("0a000001"));
}

#[test]
fn session_stays_while_its_node_is_available() {
    let members = [member(1, 0, 0), member(2, 0, 0)];
    assert_eq!(tied(&members[0], &members, Asker::Repeatable, NOW), Tie::Holds);
    members[0].node.rest(NOW + 1);
    assert_eq!(tied(&members[0], &members, Asker::Repeatable, NOW), Tie::Breaks);
    assert_eq!(tied(&members[0], &members, Asker::Repeatable, NOW + 1), Tie::Holds);
}

#[test]
fn session_waits_for_its_node_only_if_another_has_room() {
    let members = [member(1, 0, 1), member(2, 0, 1)];
    let _first = members[0].enter(NOW).unwrap();
    assert_eq!(tied(&members[0], &members, Asker::Repeatable, NOW), Tie::Waits);
    let _second = members[1].enter(NOW).unwrap();
    assert_eq!(tied(&members[0], &members, Asker::Repeatable, NOW), Tie::Holds, "nobody else has room");
}

#[test]
fn room_that_is_kept_for_others_is_none() {
    let members = [member(1, 0, 1), member(2, 0, 1)];
    let is_left = |kept: usize| {
        let kept = members[kept].node.key();
        move |member: &Member| member.has_room() && member.node.key() != kept
    };
    assert_eq!(tie(&members[0], &members, Asker::Repeatable, is_left(0), NOW), Tie::Waits);
    assert_eq!(tie(&members[0], &members, Asker::Repeatable, is_left(1), NOW), Tie::Holds);
}

#[test]
fn those_who_wait_for_their_node_alone_move_when_it_is_none_to_stay_with() {
    let line = Arc::new(OverloadLine::default());
    let client = ClientNetwork::of([10, 0, 0, 1].into());
    let members = [member(1, 0, 1), member(2, 1, 1)];
    let wait = |node: usize| line.join(Waiting::only(client, members[node].node.key()), 9, NOW).unwrap();
    let is_released = |place: &InLine| place.poll(&mut Context::from_waker(Waker::noop())).is_ready();
    let _both: Vec<_> = members.iter().map(|member| member.enter(NOW).unwrap()).collect();
    let [own, of_backup] = [wait(0), wait(1)];
    release_sessions(&members, &line, NOW);
    assert_eq!([&own, &of_backup].map(is_released), [false; 2], "full is no reason");
    out(&members[0], NOW);
    release_sessions(&members, &line, NOW);
    assert_eq!([&own, &of_backup].map(is_released), [true, false], "it is out");
    release_sessions(&members[..1], &line, NOW);
    assert!(is_released(&of_backup), "a reload took it away");
    drop([own, of_backup]);
    assert!(line.is_idle());
}

#[test]
fn session_of_a_backup_moves_when_a_node_before_it_can_serve_again() {
    let members = [member(1, 0, 0), member(2, 1, 0)];
    out(&members[0], NOW);
    assert_eq!(tied(&members[1], &members, Asker::Unrepeatable, NOW), Tie::Holds);
    members[0].node.change(|traffic| traffic.standing.pardon(NOW));
    assert_eq!(tied(&members[1], &members, Asker::Unrepeatable, NOW), Tie::Breaks);
}

#[test]
fn request_is_lent_to_a_node_that_nobody_else_tries() {
    let members = [member(1, 0, 0), member(2, 0, 0)];
    out(&members[1], NOW);
    let due = NOW + 1_000;
    assert_eq!(tied(&members[0], &members, Asker::Repeatable, due), Tie::Holds, "somebody may come yet");
    assert_eq!(tied(&members[0], &members, Asker::Repeatable, due + NO_OTHER_COMES), Tie::Lends);
    assert_eq!(tied(&members[0], &members, Asker::Unrepeatable, due + NO_OTHER_COMES), Tie::Holds);
}
