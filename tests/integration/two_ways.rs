//! Messages that could be read in two ways: what reaches a node is one plain request or nothing, and what reaches a client
//! is one plain answer or a broken one.

mod answers;
mod recorder;
mod requests;
mod servers;

use std::io::{Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};

use self::recorder::Recorder;
use self::requests::{Expected, Row};
use crate::support::{Bookend, PATIENCE, Site};

/// How a message is sent.
#[derive(Clone, Copy, Debug)]
enum Manner {
    Whole,
    /// Each byte by itself, as far as the network keeps them apart; a few at a time of those that are long.
    Bytes,
}

#[test]
fn every_request_is_plain_or_nothing() {
    assert_reads_alike(Manner::Whole);
}

#[test]
fn every_request_is_plain_or_nothing_byte_by_byte() {
    assert_reads_alike(Manner::Bytes);
}

fn assert_reads_alike(manner: Manner) {
    let node = Recorder::start();
    let site = Site::default().with_node(node.address(), "").with_pool("health_check: off");
    let bookend = Bookend::start(&site);
    let rows = requests::all();
    assert!(rows.len() >= 150, "{} messages", rows.len());
    tell(&rows, &format!("a scripted node ({manner:?})"));
    let wrong: Vec<String> =
        rows.iter().filter_map(|row| played(row, bookend.address(), manner).err()).collect();
    assert!(wrong.is_empty(), "{} of {} messages:\n{}", wrong.len(), rows.len(), wrong.join("\n"));
    let expected: Vec<_> = rows.iter().flat_map(|row| row.expected.requests().to_vec()).collect();
    assert_eq!(node.requests(), expected);
    bookend.wait_for_log("request malformed client=127.0.0.1 flaw=");
}

/// Says what is played, for `make conformance`.
fn tell(rows: &[Row], node: &str) {
    let refused = rows.iter().filter(|row| row.expected.requests().is_empty()).count();
    eprintln!("{node}: {} requests, {refused} of them refused", rows.len());
}

/// Sends one message on a connection of its own, and compares the answers.
fn played(row: &Row, address: SocketAddr, manner: Manner) -> Result<(), String> {
    let statuses = statuses(&exchange(address, &row.raw, manner, &row.expected));
    let expected = match &row.expected {
        Expected::Refused(status) => vec![*status],
        Expected::Served(requests) => vec![200; requests.len()],
    };
    if statuses == expected {
        return Ok(());
    }
    Err(format!(
        "{}: answered {statuses:?}, expected {expected:?}: {:?}",
        row.name,
        String::from_utf8_lossy(&row.raw)
    ))
}

/// Everything that comes back until bookend ends the connection; what is served ends when all of it is answered.
fn exchange(address: SocketAddr, raw: &[u8], manner: Manner, expected: &Expected) -> String {
    let mut stream = TcpStream::connect(address).unwrap();
    stream.set_nodelay(true).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    let pieces: Vec<&[u8]> = match manner {
        Manner::Whole => vec![raw],
        Manner::Bytes => raw.chunks(1 + raw.len() / 1_000).collect(),
    };
    for piece in pieces {
        if stream.write_all(piece).is_err() {
            // It was refused before it was whole.
            break;
        }
    }
    let mut answers = Vec::new();
    let mut buffer = [0; 4096];
    while let Ok(length @ 1..) = stream.read(&mut buffer) {
        answers.extend_from_slice(&buffer[..length]);
        let text = String::from_utf8_lossy(&answers);
        if matches!(expected, Expected::Served(requests) if statuses(&text).len() == requests.len()) {
            break;
        }
    }
    let _ = stream.shutdown(Shutdown::Both);
    String::from_utf8(answers).unwrap()
}

/// The statuses of the answers in `text`; no body in these tests has `HTTP/1.` in it.
fn statuses(text: &str) -> Vec<u16> {
    let heads = text.split("HTTP/1.1 ").skip(1);
    heads.map(|head| head.split(' ').next().unwrap().parse().unwrap()).collect()
}
