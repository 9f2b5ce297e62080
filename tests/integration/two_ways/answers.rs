//! The table of answers: what a node sends, byte by byte, and what its client may see of it.

use crate::support::{Bookend, Client, Next, Origin, Site};

/// What a client sees of an answer.
#[derive(Clone, Copy, Debug)]
enum Seen {
    /// 502: it was nonsense.
    Nonsense,
    /// 502, or an answer that its client can tell is not complete.
    NotWhole,
    /// This status and this body.
    Plain(u16, &'static str),
}

use Seen::{Nonsense, NotWhole, Plain};

/// What the node sends before it closes, and what comes of it.
const ANSWERS: &[(&str, Seen)] = &[
    // Heads that are none.
    ("HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\nok!", Nonsense),
    ("HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 2\r\n\r\nok", Nonsense),
    ("HTTP/1.1 200 OK\r\nContent-Length: 2, 2\r\n\r\nok", Nonsense),
    ("HTTP/1.1 200 OK\r\nContent-Length: 2, 3\r\n\r\nok!", Nonsense),
    ("HTTP/1.1 200 OK\r\nContent-Length: +2\r\n\r\nok", Nonsense),
    ("HTTP/1.1 200 OK\r\nContent-Length: -2\r\n\r\nok", Nonsense),
    ("HTTP/1.1 200 OK\r\nContent-Length: 0x2\r\n\r\nok", Nonsense),
    ("HTTP/1.1 200 OK\r\nContent-Length: 2 2\r\n\r\nok", Nonsense),
    ("HTTP/1.1 200 OK\r\nContent-Length:\r\n\r\nok", Nonsense),
    ("HTTP/1.1 200 OK\r\nContent-Length: two\r\n\r\nok", Nonsense),
    ("HTTP/1.1 200 OK\r\nContent-Length: 99999999999999999999\r\n\r\nok", Nonsense),
    ("HTTP/1.1 200 OK\r\nContent-Length: 9223372036854775808\r\n\r\nok", Nonsense),
    ("HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\n\r\nok", Nonsense),
    ("HTTP/1.1 200 OK\r\nTransfer-Encoding: identity\r\n\r\nok", Nonsense),
    ("HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n", Nonsense),
    ("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked, gzip\r\n\r\n2\r\nok\r\n0\r\n\r\n", Nonsense),
    ("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked, chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n", Nonsense),
    ("HTTP/1.1 200 OK\r\nTransfer-Encoding: xchunked\r\n\r\n2\r\nok\r\n0\r\n\r\n", Nonsense),
    (
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n",
        Nonsense,
    ),
    (
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: x\r\n\r\n2\r\nok\r\n0\r\n\r\n",
        Nonsense,
    ),
    ("HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n", Nonsense),
    ("HTTP/1.1 200 OK\r\nContent-Length: 2\r\nX: a\0b\r\n\r\nok", Nonsense),
    ("HTTP/1.1 200 OK\r\nContent-Length: 2\r\nX: a\x01b\r\n\r\nok", Nonsense),
    ("HTTP/1.1 200 OK\r\nContent-Length: 2\r\nX: a\x7fb\r\n\r\nok", Nonsense),
    ("HTTP/1.1 200 OK\r\nContent-Length: 2\r\nX: a\rb\r\n\r\nok", Nonsense),
    ("HTTP/1.1 200 OK\r\nContent-Length: 2\r\nX\0: a\r\n\r\nok", Nonsense),
    ("HTTP/1.1 200 OK\r\nContent-Length: 2\r\nX Y: a\r\n\r\nok", Nonsense),
    ("HTTP/1.1 200 OK\r\nContent-Length: 2\r\nno colon\r\n\r\nok", Nonsense),
    ("HTTP/1.1 200 OK\r\n: a\r\nContent-Length: 2\r\n\r\nok", Nonsense),
    ("HTTP/1.1 200 O\0K\r\nContent-Length: 2\r\n\r\nok", Nonsense),
    ("HTTP/2.0 200 OK\r\nContent-Length: 2\r\n\r\nok", Nonsense),
    ("HTTP/1.2 200 OK\r\nContent-Length: 2\r\n\r\nok", Nonsense),
    ("HTTP/0.9 200 OK\r\nContent-Length: 2\r\n\r\nok", Nonsense),
    ("http/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok", Nonsense),
    ("ICY 200 OK\r\nContent-Length: 2\r\n\r\nok", Nonsense),
    ("HTTP/1.1 20 OK\r\nContent-Length: 2\r\n\r\nok", Nonsense),
    ("HTTP/1.1 2000 OK\r\nContent-Length: 2\r\n\r\nok", Nonsense),
    ("HTTP/1.1 abc OK\r\nContent-Length: 2\r\n\r\nok", Nonsense),
    ("HTTP/1.1 -20 OK\r\nContent-Length: 2\r\n\r\nok", Nonsense),
    ("HTTP/1.1\t200 OK\r\nContent-Length: 2\r\n\r\nok", Nonsense),
    ("hello, client\r\n\r\n", Nonsense),
    ("GET / HTTP/1.1\r\nHost: a\r\n\r\n", Nonsense),
    // Bodies where there are none.
    ("HTTP/1.1 204 No Content\r\nContent-Length: 2\r\n\r\nok", Nonsense),
    ("HTTP/1.1 204 No Content\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n", Nonsense),
    (
        "HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\nHTTP/1.1 200 OK\r\n\r\n",
        Nonsense,
    ),
    (
        "HTTP/1.1 103 Early Hints\r\nContent-Length: 2\r\n\r\nokHTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok",
        Nonsense,
    ),
    (
        "HTTP/1.1 103 Early Hints\r\nTransfer-Encoding: chunked\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok",
        Nonsense,
    ),
    ("HTTP/1.1 204 No Content\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nhidden", Plain(204, "")),
    ("HTTP/1.1 204 No Content\r\nContent-Length: 0\r\n\r\n", Plain(204, "")),
    ("HTTP/1.1 304 Not Modified\r\nContent-Length: 6\r\n\r\nhidden", Plain(304, "")),
    (
        "HTTP/1.1 304 Not Modified\r\nTransfer-Encoding: chunked\r\n\r\n6\r\nhidden\r\n0\r\n\r\n",
        Plain(304, ""),
    ),
    // Answers that break off.
    ("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhello", NotWhole),
    ("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n", NotWhole),
    ("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n", NotWhole),
    ("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", NotWhole),
    ("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5", NotWhole),
    ("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r", NotWhole),
    ("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\n", NotWhole),
    ("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhel", NotWhole),
    ("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello", NotWhole),
    ("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r", NotWhole),
    ("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n", NotWhole),
    ("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0", NotWhole),
    ("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n", NotWhole),
    ("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r", NotWhole),
    ("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\nX: y\r\n", NotWhole),
    // Chunks that are none.
    ("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nx\r\nhello\r\n0\r\n\r\n", NotWhole),
    ("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n-5\r\nhello\r\n0\r\n\r\n", NotWhole),
    ("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0x5\r\nhello\r\n0\r\n\r\n", NotWhole),
    (
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n10000000000000005\r\nhello\r\n0\r\n\r\n",
        NotWhole,
    ),
    ("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\nhello\r\n0\r\n\r\n", NotWhole),
    ("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\rhello\r\n0\r\n\r\n", NotWhole),
    ("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhelloX\r\n0\r\n\r\n", NotWhole),
    ("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\n0\r\n\r\n", NotWhole),
    ("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\n", NotWhole),
    // What Pingora mends has one meaning for the client.
    (
        "HTTP/1.1 200 OK\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n",
        Plain(200, "hello"),
    ),
    ("HTTP/1.1 200 OK\r\nX: a\r\n b\r\nContent-Length: 5\r\n\r\nhello", Plain(200, "hello")),
    ("HTTP/1.1 200 OK\r\nContent-Length : 5\r\n\r\nhello", Plain(200, "hello")),
    ("HTTP/1.1 200 OK\nContent-Length: 5\n\nhello", Plain(200, "hello")),
    // Nobody shows us a chunk without a size, which counts as the last one (docs/decisions.md).
    ("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n\r\n\r\n", Plain(200, "hello")),
    // Plain answers.
    ("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello", Plain(200, "hello")),
    ("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhelloHTTP/1.1 200 OK\r\n\r\nhidden", Plain(200, "hello")),
    ("HTTP/1.0 200 OK\r\n\r\nhello", Plain(200, "hello")),
    ("HTTP/1.1 200\r\nContent-Length: 5\r\n\r\nhello", Plain(200, "hello")),
    (
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: Chunked\r\n\r\n5;a=b\r\nhello\r\n0\r\nX: y\r\n\r\n",
        Plain(200, "hello"),
    ),
    (
        "HTTP/1.1 103 Early Hints\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello",
        Plain(200, "hello"),
    ),
];

#[test]
fn every_answer_is_plain_or_broken() {
    let nonsense = ANSWERS.iter().filter(|(_, seen)| matches!(seen, Nonsense | NotWhole)).count();
    eprintln!("a scripted node: {} answers, {nonsense} of them broken off or 502", ANSWERS.len());
    let node = Origin::start(|call| {
        call.body();
        match call.target().trim_start_matches('/').parse::<usize>() {
            Ok(row) => call.write(ANSWERS[row].0),
            Err(_) => return call.answer(200, "next"),
        }
        Next::Close
    });
    let bookend = Bookend::start(&Site::of(&[&node]).with_pool("health_check: off"));
    let wrong: Vec<String> = (0..ANSWERS.len()).filter_map(|row| seen(row, &bookend).err()).collect();
    assert!(wrong.is_empty(), "{} of {} answers:\n{}", wrong.len(), ANSWERS.len(), wrong.join("\n"));
}

/// Asks for one answer, and then for another that nothing of it may be left in.
fn seen(row: usize, bookend: &Bookend) -> Result<(), String> {
    let (raw, expected) = ANSWERS[row];
    let mut client = Client::connect(bookend.address());
    let answer = client.try_request("GET", &format!("/{row}"), "", b"");
    let told = answer.as_ref().map(|answer| (answer.status, answer.text().to_owned()));
    let is_right = match (expected, &told) {
        (Nonsense, Ok((502, _))) | (NotWhole, Ok((502, _)) | Err(_)) => true,
        (Plain(status, body), Ok(told)) => (told.0, told.1.as_str()) == (status, body),
        _ => false,
    };
    if !is_right {
        return Err(format!("{raw:?} is seen as {told:?}, not {expected:?}"));
    }
    if answer.is_ok_and(|answer| {
        answer.headers.all("content-length").len() + answer.headers.all("transfer-encoding").len() > 1
    }) {
        return Err(format!("{raw:?} has two ends"));
    }
    let next = Client::connect(bookend.address()).get("/next");
    if next.text() == "next" { Ok(()) } else { Err(format!("{raw:?} is followed by {next:?}")) }
}
