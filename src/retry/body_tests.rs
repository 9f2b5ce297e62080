use proptest::prelude::*;

use super::*;

const PLENTY: KeepLimits = KeepLimits { body: u64::MAX, process: u64::MAX };

fn room() -> Arc<BodyRoom> {
    Arc::default()
}

fn piece(length: usize) -> Bytes {
    Bytes::from(vec![b'x'; length])
}

/// What the pieces and the tail of a body hold.
fn held(body: &KeptBody) -> u64 {
    let pieces: usize = body.pieces.iter().map(Bytes::len).sum();
    (pieces + body.tail.capacity()) as u64
}

proptest! {
    #[test]
    fn what_was_kept_comes_again_byte_for_byte(
        lengths in prop::collection::vec(prop_oneof![0_usize..64, 0_usize..6_000, 0_usize..70_000], 0..40),
    ) {
        let room = room();
        let mut body = KeptBody::new(&room);
        let mut expected = Vec::new();
        for (number, length) in lengths.into_iter().enumerate() {
            let piece: Vec<u8> = (0..length).map(|at| (at * 31 + number) as u8).collect();
            expected.extend_from_slice(&piece);
            body.keep(&Bytes::from(piece), PLENTY).unwrap();
            prop_assert_eq!(body.length(), expected.len() as u64);
            prop_assert!(held(&body) <= room.taken(), "{} of {}", held(&body), room.taken());
        }
        for _ in 0..2 {
            prop_assert_eq!(&body.pieces().flatten().collect::<Vec<u8>>(), &expected);
        }
        drop(body);
        prop_assert_eq!(room.taken(), 0);
    }

    #[test]
    fn all_bodies_together_stay_within_the_room(
        steps in prop::collection::vec((0_usize..8, 0_usize..9_000, any::<bool>()), 0..200),
    ) {
        const MOST: u64 = 40_000;
        let limits = KeepLimits { body: 20_000, process: MOST };
        let room = room();
        let mut bodies: Vec<Option<KeptBody>> = (0..8).map(|_| None).collect();
        for (which, length, leaves) in steps {
            let slot = &mut bodies[which];
            let body = slot.get_or_insert_with(|| KeptBody::new(&room));
            if body.keep(&piece(length), limits).is_err() || leaves {
                *slot = None;
            }
            let all: u64 = bodies.iter().flatten().map(held).sum();
            prop_assert!(all <= room.taken() && room.taken() <= MOST, "{all} of {}", room.taken());
        }
        drop(bodies);
        prop_assert_eq!(room.taken(), 0);
    }
}

#[test]
fn many_small_pieces_are_few_large_ones() {
    let room = room();
    let mut body = KeptBody::new(&room);
    for _ in 0..100_000 {
        body.keep(&piece(1), PLENTY).unwrap();
    }
    assert_eq!(body.pieces().len(), 100_000_usize.div_ceil(TAIL));
    assert!(room.taken() < 120_000, "{} bytes for 100,000", room.taken());
}

#[test]
fn long_piece_is_not_copied() {
    let room = room();
    let mut body = KeptBody::new(&room);
    let long = piece(SMALL);
    body.keep(&long, PLENTY).unwrap();
    assert_eq!(body.pieces().next().map(|piece| piece.as_ptr()), Some(long.as_ptr()));
}

#[test]
fn body_as_long_as_may_be_is_kept_and_a_byte_more_is_not() {
    let room = room();
    let limits = KeepLimits { body: 10_000, process: u64::MAX };
    let mut body = KeptBody::new(&room);
    body.keep(&piece(10_000), limits).unwrap();
    assert_eq!(body.keep(&piece(1), limits), Err(NotKept::TooLarge));
}

#[test]
fn room_that_one_body_gives_back_is_there_for_the_next() {
    let room = room();
    let limits = KeepLimits { body: u64::MAX, process: 15_000 };
    let (mut first, mut second) = (KeptBody::new(&room), KeptBody::new(&room));
    first.keep(&piece(10_000), limits).unwrap();
    assert_eq!(second.keep(&piece(10_000), limits), Err(NotKept::NoRoom));
    drop(first);
    second.keep(&piece(10_000), limits).unwrap();
    assert_eq!(room.taken(), 10_000);
}
