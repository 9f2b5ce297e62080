//! What is no HTTP/1.1, what says two things of its length, and what hides a second request.

use super::attacks::{Attack, Attacker, CHANGES};

/// Heads that say nothing clear of the length, with a body that would do; `LENGTH` is its length.
const LENGTHS: [&str; 20] = [
    "Content-Length: -1\r\n",
    "Content-Length: +LENGTH\r\n",
    "Content-Length: 0x20\r\n",
    "Content-Length: 1e3\r\n",
    "Content-Length: LENGTH LENGTH\r\n",
    "Content-Length: LENGTH, 5\r\n",
    "Content-Length: LENGTH\r\nContent-Length: 5\r\n",
    "Content-Length: 99999999999999999999999999\r\n",
    "Content-Length: 18446744073709551615\r\n",
    "Content-Length: 65537\r\n",
    "Content-Length : LENGTH\r\n",
    "Content-Length:\r\n LENGTH\r\n",
    "Content-Length: LENGTH\r\nTransfer-Encoding: chunked\r\n",
    "Transfer-Encoding: chunked\r\nContent-Length: LENGTH\r\n",
    "Transfer-Encoding: gzip\r\n",
    "Transfer-Encoding: xchunked\r\n",
    "Transfer-Encoding: chunked, identity\r\n",
    "Transfer-Encoding: chunked\r\nTransfer-Encoding: gzip\r\n",
    "Transfer-Encoding: \u{b}chunked\r\n",
    "Transfer-Encoding\r\n: chunked\r\n",
];

/// Chunks that are none; `#` is a body that would do.
const CHUNKS: [&str; 12] = [
    "zz\r\n#\r\n0\r\n\r\n",
    "-1\r\n#\r\n0\r\n\r\n",
    "0x5\r\n#\r\n0\r\n\r\n",
    "5 5\r\n#\r\n0\r\n\r\n",
    "\r\n#\r\n0\r\n\r\n",
    "1\r\n#\r\n0\r\n\r\n",
    "FFFFFFFFFFFFFFFFF\r\n#\r\n0\r\n\r\n",
    "FFFFFFFFFFFFFFFF\r\n#",
    "7FFFFFFFFFFFFFFF\r\n#",
    "ffff\r\n#",
    "0\r\n\r\n#",
    "0\r\nX: y\r\n",
];

/// What speaks something else, or nothing that is spoken.
const OTHER_TONGUES: [&[u8]; 23] = [
    b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0",
    b"\x16\x03\x01\x00\xa5\x01\x00\x00\xa1\x03\x03aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\x00",
    b"\x80\x2e\x01\x03\x01\x00\x15\x00\x00\x00\x10",
    b"SSH-2.0-OpenSSH_9.9\r\n",
    b"EHLO evil.example\r\n",
    b"*1\r\n$4\r\nPING\r\n",
    b"PROXY TCP4 127.0.0.1 127.0.0.1 1 2\r\nPOST /reload HTTP/1.1\r\nHost: localhost\r\n\r\n",
    b"\r\n\r\n\r\n\r\n",
    b"\0\0\0\0\0\0\0\0",
    b"\xff\xff\xff\xff\xff\xff",
    b"GET\r\n\r\n",
    b"POST /reload\r\n\r\n",
    b"POST  /reload HTTP/1.1\r\nHost: localhost\r\n\r\n",
    b"POST /reload HTTP/0.9\r\nHost: localhost\r\n\r\n",
    b"POST /reload HTTP/1.2\r\nHost: localhost\r\n\r\n",
    b"POST /reload HTTP/2.0\r\nHost: localhost\r\n\r\n",
    b"POST /reload HTTP/11\r\nHost: localhost\r\n\r\n",
    b"POST /reload http/1.1\r\nHost: localhost\r\n\r\n",
    b"POST /reload HTTP/1.1 x\r\nHost: localhost\r\n\r\n",
    b"POST /reload HTTP/1.1\r\nHost\r\n\r\n",
    b"POST /reload HTTP/1.1\r\n: localhost\r\n\r\n",
    b"POST /reload HTTP/1.1\r\n\0Host: localhost\r\n\r\n",
    b"POST /reload HTTP/1.1\r\nX: a\rb\0c\r\nHost: localhost\r\n\r\n",
];

pub(super) fn broken(by: Attacker) -> Vec<Attack> {
    let mut attacks = Vec::new();
    for (path, good) in CHANGES.into_iter().filter(|(_, body)| !body.is_empty()) {
        let kind = "Content-Type: application/json\r\n";
        let head = |headers: &str| format!("POST {path} HTTP/1.1\r\n{}{kind}{headers}\r\n", by.rights());
        for length in LENGTHS {
            let length = length.replace("LENGTH", &good.len().to_string());
            attacks.push(Attack::new(by.way, head(&length) + good).cut());
        }
        for chunks in CHUNKS {
            let body = chunks.replace('#', good);
            attacks.push(Attack::new(by.way, head("Transfer-Encoding: chunked\r\n") + &body).cut());
        }
        // Half of it, and then nothing.
        let half = head(&format!("Content-Length: {}\r\n", good.len())) + &good[..good.len() / 2];
        attacks.push(Attack::new(by.way, half).cut());
        attacks.push(Attack::new(by.way, head("Content-Length: 60000\r\n") + good).cut());
        let long = format!("11170\r\n{}\r\n0\r\n\r\n", " ".repeat(70_000));
        attacks.push(Attack::new(by.way, head("Transfer-Encoding: chunked\r\n") + &long));
        let extension = format!("1;{}\r\n", "x".repeat(70_000));
        attacks.push(Attack::new(by.way, head("Transfer-Encoding: chunked\r\n") + &extension).cut());
        let flood = "X-Flood: x\r\n".repeat(100);
        attacks.push(Attack::new(by.way, head(&flood)));
        let large = format!("X-Large: {}\r\n", "x".repeat(100_000));
        attacks.push(Attack::new(by.way, head(&large)));
        attacks.extend(hidden(by, &(head(&format!("Content-Length: {}\r\n", good.len())) + good)));
    }
    attacks.extend(OTHER_TONGUES.map(|bytes| Attack::new(by.way, bytes).cut()));
    attacks
}

/// A request that would do, behind another one that is no change: a connection takes one.
fn hidden(by: Attacker, change: &str) -> Vec<Attack> {
    let rights = by.rights();
    let first = [
        format!("GET /healthz HTTP/1.1\r\n{rights}\r\n"),
        format!("GET /healthz HTTP/1.1\r\n{rights}Connection: keep-alive\r\n\r\n"),
        format!("GET /healthz HTTP/1.0\r\n{rights}Connection: keep-alive\r\n\r\n"),
        format!(
            "GET /healthz HTTP/1.1\r\n{rights}Content-Length: 0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"
        ),
        format!("HEAD /healthz HTTP/1.1\r\n{rights}\r\n"),
        format!("OPTIONS /healthz HTTP/1.1\r\n{rights}\r\n"),
        format!("GET /healthz HTTP/1.1\r\n{rights}Content-Length: {}\r\n\r\n", change.len()),
        format!(
            "GET /healthz HTTP/1.1\r\n{rights}Upgrade: h2c\r\nConnection: Upgrade, HTTP2-Settings\r\n\r\n"
        ),
        format!("CONNECT localhost:80 HTTP/1.1\r\n{rights}\r\n"),
    ];
    first.map(|first| Attack::new(by.way, first + change).harmless()).to_vec()
}
