//! Clients of HTTP/2 that send frame after frame and ask for nothing: they lose their connection, and nobody else does.

use crate::support::frames::{
    ACK, DATA, Frames, HEADERS, PING, PRIORITY, PRIORITY_UPDATE, RST_STREAM, SETTINGS, frame, get, post, room,
};
use crate::support::{Bookend, Load, Origin, Site, until};

const ENHANCE_YOUR_CALM: u32 = 0xb;

/// Where PRIORITY puts a stream.
const PLACE: &[u8] = &[0, 0, 0, 3, 16];

fn site(node: &Origin) -> Site {
    Site::of(&[node]).with_listener("http2: true")
}

/// By bookend, or by the library that reads the frames, which finds some floods as well.
fn turned_away(bookend: &Bookend) -> u64 {
    let by = |kind| bookend.metric(&format!("bookend_http2_floods_total{{kind=\"{kind}\"}}"));
    by("control") + by("frames")
}

#[test]
fn frames_that_carry_nothing_end_the_connection_and_others_are_served() {
    let node = Origin::answering("a");
    let bookend = Bookend::start(&site(&node));
    let others = Load::start(bookend.address(), 2);
    let ping = |flags| frame(PING, flags, 0, b"8 bytes.");
    let floods = [
        ("PING", get(1), ping(0)),
        ("answers to a PING that nobody sent", get(1), ping(ACK)),
        ("SETTINGS", get(1), frame(SETTINGS, 0, 0, &[])),
        ("SETTINGS that say something", get(1), frame(SETTINGS, 0, 0, &[0, 4, 0, 0, 255, 255])),
        ("PRIORITY", get(1), frame(PRIORITY, 0, 1, PLACE)),
        ("WINDOW_UPDATE", get(1), room(0, 1)),
        ("frames that nobody knows", get(1), frame(0xfa, 0, 0, b"what is this?")),
        ("empty DATA", post(1), frame(DATA, 0, 1, &[])),
        ("RST_STREAM of what is over", get(1), frame(RST_STREAM, 0, 1, &[0, 0, 0, 8])),
    ];
    for (number, (what, begin, one)) in (1..).zip(floods) {
        let mut client = Frames::connect(bookend.address(), &[]);
        client.send(&begin);
        // It may be gone before it has sent all of them.
        let _ = client.try_send(&one.repeat(5_000));
        assert_eq!(client.gone(), Some(ENHANCE_YOUR_CALM), "{what}");
        until(&format!("{what} is counted"), || turned_away(&bookend) == number);
    }
    others.wait_for(10);
    others.finish();
}

#[test]
fn client_that_sends_some_of_them_is_served() {
    let node = Origin::answering("a");
    let bookend = Bookend::start(&site(&node));
    let mut client = Frames::connect(bookend.address(), &[]);
    let some = [
        frame(PING, 0, 0, b"8 bytes."),
        frame(SETTINGS, 0, 0, &[]),
        frame(PRIORITY, 0, 1, PLACE),
        frame(PRIORITY_UPDATE, 0, 0, b"\0\0\0\x01u=1"),
    ];
    client.send(&some.concat().repeat(200));
    client.ping();
    client.send(&get(1));
    assert_eq!(client.until(HEADERS).payload[0], 0x88, "the first field is `:status: 200`");
    assert_eq!(turned_away(&bookend), 0);
}

#[test]
fn empty_pieces_among_whole_ones_are_no_flood() {
    let node = Origin::answering("a");
    let bookend = Bookend::start(&site(&node));
    let mut client = Frames::connect(bookend.address(), &[]);
    for stream in (1..300).step_by(2) {
        let pieces = [frame(DATA, 0, stream, &[]), frame(DATA, 0, stream, b"x"), frame(DATA, 1, stream, &[])];
        client.send(&[post(stream), pieces.concat()].concat());
        assert_eq!(client.until(HEADERS).payload[0], 0x88, "the first field is `:status: 200`");
    }
    assert_eq!((turned_away(&bookend), node.count()), (0, 150));
}

#[test]
fn call_of_many_small_messages_is_no_flood() {
    let node = Origin::answering("a");
    let bookend = Bookend::start(&site(&node));
    let mut client = Frames::connect(bookend.address(), &[]);
    let messages = frame(DATA, 0, 1, b"fifteen bytes..").repeat(4_000);
    client.send(&[post(1), messages, frame(DATA, 1, 1, &[])].concat());
    assert_eq!(client.until(HEADERS).payload[0], 0x88, "the first field is `:status: 200`");
    assert_eq!(turned_away(&bookend), 0);
}

#[test]
fn client_that_reads_none_of_the_answers_is_turned_away_as_well() {
    let node = Origin::answering("a");
    let bookend = Bookend::start(&site(&node));
    let mut client = Frames::connect(bookend.address(), &[]);
    let _ = client.try_send(&frame(PING, 0, 0, b"8 bytes.").repeat(500_000));
    until("it is counted", || turned_away(&bookend) == 1);
    until("it is closed", || bookend.metric("bookend_connections") == 0);
    drop(client);
}
