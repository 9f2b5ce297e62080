//! The table of requests: what each client sends, byte by byte, and what may come of it.

use super::recorder::Request;

/// A message and what may come of it.
pub(super) struct Row {
    pub(super) name: String,
    pub(super) raw: Vec<u8>,
    pub(super) expected: Expected,
}

/// What comes of a message.
pub(super) enum Expected {
    /// It gets this status, the connection ends, and no node hears of it.
    Refused(u16),
    /// These requests reach a node.
    Served(Vec<Request>),
}

impl Expected {
    pub(super) fn requests(&self) -> &[Request] {
        match self {
            Self::Refused(_) => &[],
            Self::Served(requests) => requests,
        }
    }
}

/// What stands behind every refused message: a request that must not be found.
const HIDDEN: &str = "GET /hidden HTTP/1.1\r\nHost: site.test\r\n\r\n";

/// First lines that are refused, with their status.
const FIRST_LINES: &[(&str, u16)] = &[
    ("GET  / HTTP/1.1", 400),
    ("GET /  HTTP/1.1", 400),
    ("GET / HTTP/1.1 ", 400),
    ("GET /\tHTTP/1.1", 400),
    ("GET\t/ HTTP/1.1", 400),
    (" GET / HTTP/1.1", 400),
    ("GET / x HTTP/1.1", 400),
    ("GET /a b HTTP/1.1", 400),
    ("GET /", 400),
    ("GET", 400),
    ("GET / ", 400),
    ("GET HTTP/1.1", 400),
    ("/ HTTP/1.1", 400),
    ("G(T / HTTP/1.1", 400),
    ("G\u{e9}T / HTTP/1.1", 400),
    ("GET: / HTTP/1.1", 400),
    ("GET / HTTP/1.2", 400),
    ("GET / HTTP/1.9", 400),
    ("GET / HTTP/1.10", 400),
    ("GET / HTTP/1", 400),
    ("GET / HTTP/1.", 400),
    ("GET / HTTP/11", 400),
    ("GET / HTTP/01.1", 400),
    ("GET / HTTP/+1.1", 400),
    ("GET / HTTP/1,1", 400),
    ("GET / HTTP/A.1", 400),
    ("GET / http/1.1", 400),
    ("GET / Http/1.1", 400),
    ("GET / HTTPS/1.1", 400),
    ("GET / HTTP /1.1", 400),
    ("GET / HTTP/ 1.1", 400),
    ("GET / ICY/1.1", 400),
    ("GET / HTTP/0.9", 505),
    ("GET / HTTP/2.0", 505),
    ("GET / HTTP/3.0", 505),
    ("GET / HTTP/9.9", 505),
    ("PRI * HTTP/2.0", 505),
    ("GET /\u{e9} HTTP/1.1", 400),
    ("GET /?q=\u{20ac} HTTP/1.1", 400),
    ("GET /a#b HTTP/1.1", 400),
    ("GET # HTTP/1.1", 400),
    ("GET * HTTP/1.1", 400),
    ("GET *x HTTP/1.1", 400),
    ("GET x HTTP/1.1", 400),
    ("GET ?q HTTP/1.1", 400),
    ("GET site.test HTTP/1.1", 400),
    ("GET site.test:80 HTTP/1.1", 400),
    ("GET %2f HTTP/1.1", 400),
    ("GET ftp://site.test/ HTTP/1.1", 400),
    ("GET file:///etc/passwd HTTP/1.1", 400),
    ("GET http:/site.test/ HTTP/1.1", 400),
    ("GET http:///x HTTP/1.1", 400),
    ("GET http://other.test/ HTTP/1.1", 400),
    ("GET http://site.test:81/ HTTP/1.1", 400),
    ("GET http://u@site.test/ HTTP/1.1", 400),
    ("GET http://site.test@other.test/ HTTP/1.1", 400),
    ("GET http://site.test\\@other.test/ HTTP/1.1", 400),
    ("GET http://site.test#x HTTP/1.1", 400),
    ("CONNECT site.test:80 HTTP/1.1", 405),
];

/// Fields that are refused, behind a plain first line and a plain host.
const FIELDS: &[&str] = &[
    "Content-Length: 4\r\nTransfer-Encoding: chunked",
    "Transfer-Encoding: chunked\r\nContent-Length: 4",
    "Transfer-Encoding: chunked\r\nX: y\r\ncontent-length: 0",
    "Content-Length: 4\r\nContent-Length: 5",
    "Content-Length: 4\r\nContent-Length: 4",
    "Content-Length: 0\r\nContent-Length: 4",
    "Content-Length: 4, 4",
    "Content-Length: 4,5",
    "Content-Length: 4,",
    "Content-Length: ,4",
    "Content-Length: 4 4",
    "Content-Length: +4",
    "Content-Length: -4",
    "Content-Length: -0",
    "Content-Length: 0x4",
    "Content-Length: 4.0",
    "Content-Length: 4e0",
    "Content-Length: 4;",
    "Content-Length: \"4\"",
    "Content-Length: 4\u{a0}",
    "Content-Length: \u{661}",
    "Content-Length:",
    "Content-Length: ",
    "Content-Length: abc",
    "Content-Length: 9223372036854775808",
    "Content-Length: 18446744073709551616",
    "Content-Length: 18446744073709551620",
    "Content-Length: 99999999999999999999999999",
    "Content-Length: 00000000000000000000000004",
    "Content_Length: 4",
    "Content-Length : 4",
    "Content-Length\t: 4",
    " Content-Length: 4",
    "\tContent-Length: 4",
    "Transfer-Encoding: identity",
    "Transfer-Encoding: gzip",
    "Transfer-Encoding: gzip, chunked",
    "Transfer-Encoding: chunked, gzip",
    "Transfer-Encoding: chunked, identity",
    "Transfer-Encoding: identity, chunked",
    "Transfer-Encoding: chunked, chunked",
    "Transfer-Encoding: chunked,",
    "Transfer-Encoding: ,chunked",
    "Transfer-Encoding: chunked;",
    "Transfer-Encoding: chunked;q=1",
    "Transfer-Encoding: xchunked",
    "Transfer-Encoding: chunkedx",
    "Transfer-Encoding: chunke",
    "Transfer-Encoding: \"chunked\"",
    "Transfer-Encoding: 'chunked'",
    "Transfer-Encoding: ch\u{fc}nked",
    "Transfer-Encoding: chun\u{212a}ed",
    "Transfer-Encoding: [chunked]",
    "Transfer-Encoding:",
    "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked",
    "Transfer-Encoding: chunked\r\nTransfer-Encoding: identity",
    "Transfer-Encoding: identity\r\nTransfer-Encoding: chunked",
    "Transfer-Encoding: chunked\r\nTransfer-Encoding:",
    "Transfer-Encoding:\r\n chunked",
    "Transfer-Encoding: chunked\r\n , identity",
    "Transfer_Encoding: chunked",
    "Transfer-Encoding : chunked",
    "Transfer-Encoding\t: chunked",
    " Transfer-Encoding: chunked",
    "X: y\r\n folded",
    "X: y\r\n\tfolded",
    "X: y\r\n ",
    "X : y",
    "X Y: z",
    ": y",
    ":",
    "X",
    "X y",
    "X(: y",
    "X[0]: y",
    "X\u{e9}: y",
    "X\"Y: z",
    "X/Y: z",
    "X@: y",
    "X: y\nZ: w",
    "X: y\n",
    "X: y\rZ: w",
    "X: y\r",
    "X: y\r\r",
    "X: \rTransfer-Encoding: chunked",
    "X: y\nTransfer-Encoding: chunked",
    "X: y\r\n\nTransfer-Encoding: chunked",
    "X: y\r\n\rTransfer-Encoding: chunked",
    "X: y\n\nGET /hidden HTTP/1.1\r\nHost: site.test",
    "X\0: y",
    "X: \0",
    "Connection: host",
    "Host: site.test",
    "Host: other.test",
    "host: site.test",
    "HOST:",
];

/// Hosts that are refused, behind a plain first line.
const HOSTS: &[&str] = &[
    "",
    "X: y\r\n",
    "Host:\r\n",
    "Host: \r\n",
    "Host : site.test\r\n",
    "Host: site test\r\n",
    "Host: site.test other.test\r\n",
    "Host: site.test,other.test\r\n",
    "Host: site.test, other.test\r\n",
    "Host: site.test;other.test\r\n",
    "Host: user@site.test\r\n",
    "Host: site.test/\r\n",
    "Host: /\r\n",
    "Host: site.test?x\r\n",
    "Host: site.test#x\r\n",
    "Host: site.test\\\r\n",
    "Host: http://site.test\r\n",
    "Host: site.test:http\r\n",
    "Host: site.test:-1\r\n",
    "Host: site.test:+80\r\n",
    "Host: site.test:80:80\r\n",
    "Host: site.test:65536\r\n",
    "Host: site.test:080808\r\n",
    "Host: :80\r\n",
    "Host: ::1\r\n",
    "Host: [::1\r\n",
    "Host: ::1]\r\n",
    "Host: []\r\n",
    "Host: [::g]\r\n",
    "Host: [::1]x\r\n",
    "Host: [::1]]\r\n",
    "Host: [127.0.0.1]\r\n",
    "Host: s\u{ef}te.test\r\n",
    "Host: site%2etest\r\n",
    "Host: \"site.test\"\r\n",
    "Host: <site.test>\r\n",
    "Host: site.test\r\n other.test\r\n",
];

/// Bodies in chunks that are refused.
const CHUNKS: &[&str] = &[
    "\r\n",
    "\r\n0\r\n\r\n",
    "x\r\n",
    "g\r\n",
    "-1\r\n",
    "+5\r\nhello\r\n0\r\n\r\n",
    "0x5\r\nhello\r\n0\r\n\r\n",
    "5h\r\nhello\r\n0\r\n\r\n",
    " 5\r\nhello\r\n0\r\n\r\n",
    "5 \r\nhello\r\n0\r\n\r\n",
    "5\t\r\nhello\r\n0\r\n\r\n",
    "5 5\r\nhello\r\n0\r\n\r\n",
    "5,5\r\nhello\r\n0\r\n\r\n",
    "5.0\r\nhello\r\n0\r\n\r\n",
    "\"5\"\r\nhello\r\n0\r\n\r\n",
    "\u{b2}\r\nab\r\n0\r\n\r\n",
    "5\0\r\nhello\r\n0\r\n\r\n",
    "ffffffffffffffff\r\nhello\r\n0\r\n\r\n",
    "fffffffffffffffff\r\nhello\r\n0\r\n\r\n",
    "10000000000000005\r\nhello\r\n0\r\n\r\n",
    "0000000000000005\r\nhello\r\n0\r\n\r\n",
    "5\nhello\r\n0\r\n\r\n",
    "5\rhello\r\n0\r\n\r\n",
    "5\r\nhello\n0\r\n\r\n",
    "5\r\nhello\r0\r\n\r\n",
    "5\r\nhello0\r\n\r\n",
    "5\r\nhello!\r\n0\r\n\r\n",
    "5\r\nhell\r\n0\r\n\r\n",
    "5\r\nhello\r\n\r\n0\r\n\r\n",
    "5\r\nhello\r\n0\n\r\n",
    "5\r\nhello\r\n0\r\n\n",
    "5\r\nhello\r\n0\r\n\rX",
    "5\r\nhello\r\n0\n\n",
    "5;\r\nhello\r\n0\r\n\r\n",
    "5;;x\r\nhello\r\n0\r\n\r\n",
    "5; \r\nhello\r\n0\r\n\r\n",
    "5;=x\r\nhello\r\n0\r\n\r\n",
    "5;x=\r\nhello\r\n0\r\n\r\n",
    "5;x y\r\nhello\r\n0\r\n\r\n",
    "5;x \r\nhello\r\n0\r\n\r\n",
    "5;x=\"y\r\nhello\r\n0\r\n\r\n",
    "5;x=\"\n\"\r\nhello\r\n0\r\n\r\n",
    "5;x=\"y\"z\r\nhello\r\n0\r\n\r\n",
    "5;x\nhello\r\n0\r\n\r\n",
    "5;\nhello\r\n0\r\n\r\n",
    "5;x\rhello\r\n0\r\n\r\n",
    "5;x\r\rhello\r\n0\r\n\r\n",
    "5;x\0\r\nhello\r\n0\r\n\r\n",
    "5;\u{e9}\r\nhello\r\n0\r\n\r\n",
    "0;\nGET /hidden HTTP/1.1\r\n\r\n",
    "0\r\nX\r\n\r\n",
    "0\r\n: y\r\n\r\n",
    "0\r\nX : y\r\n\r\n",
    "0\r\nX: y\n\r\n",
    "0\r\nX: y\r\r\n\r\n",
    "0\r\nX: \0\r\n\r\n",
    "0\r\n X: y\r\n\r\n",
    "0\r\nX: y\r\n z\r\n\r\n",
    "0\r\nGET /hidden HTTP/1.1\r\nHost: site.test\r\n\r\n",
];

/// Other messages, refused as a whole.
const WHOLE: &[(&str, u16)] = &[
    ("\n", 400),
    ("\r\r\n", 400),
    ("\r\n\r\n\r\n", 400),
    ("\nGET / HTTP/1.1\r\nHost: site.test\r\n\r\n", 400),
    ("\r\n\r\nGET / HTTP/1.1\r\nHost: site.test\r\n\r\n", 400),
    ("GET / HTTP/1.1\nHost: site.test\n\n", 400),
    ("GET / HTTP/1.1\r\nHost: site.test\n\r\n", 400),
    ("GET / HTTP/1.1\nHost: site.test\r\n\r\n", 400),
    ("GET / HTTP/1.1\rHost: site.test\r\r", 400),
    ("GET / HTTP/1.1\r\n\r\n", 400),
    ("GET / HTTP/1.1\r\n Host: site.test\r\n\r\n", 400),
    ("GET / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400),
    ("GET / HTTP/1.0\r\nHost: a\r\nHost: b\r\n\r\n", 400),
    ("GET / HTTP/1.0\r\nHost: a b\r\n\r\n", 400),
    ("GET / HTTP/1.0\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nxy", 400),
    ("\u{feff}GET / HTTP/1.1\r\nHost: site.test\r\n\r\n", 400),
    ("\x16\x03\x01\x02\x00\x01\x00\x01\x7c\x03\x03", 400),
    ("\0", 400),
    ("SSH-2.0-OpenSSH_9.2\r\n", 400),
    ("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", 400),
    ("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 505),
];

/// Messages that are plain: what is sent, and the requests that a node reads.
type Plain = (&'static str, &'static [(&'static str, &'static str)]);
const PLAIN: &[Plain] = &[
    ("GET /p1 HTTP/1.1\r\nHost: site.test\r\n\r\n", &[("GET /p1", "")]),
    ("\r\nGET /p2 HTTP/1.1\r\nhost:site.test\r\n\r\n", &[("GET /p2", "")]),
    ("GET /p3 HTTP/1.0\r\n\r\n", &[("GET /p3", "")]),
    ("GET /p4 HTTP/1.0\r\nHost: site.test\r\nX:\r\n\r\n", &[("GET /p4", "")]),
    ("GET http://site.test/p5?q HTTP/1.1\r\nHost: site.test\r\n\r\n", &[("GET /p5?q", "")]),
    ("GET http://site.test HTTP/1.1\r\nHost: site.test\r\n\r\n", &[("GET /", "")]),
    ("GET http://site.test?q HTTP/1.1\r\nHost: site.test\r\n\r\n", &[("GET /?q", "")]),
    ("GET http://site.test/p6 HTTP/1.0\r\n\r\n", &[("GET /p6", "")]),
    ("OPTIONS * HTTP/1.1\r\nHost: site.test\r\n\r\n", &[("OPTIONS *", "")]),
    ("GET /p7 HTTP/1.1\r\nHost: [::1]:80\r\n\r\n", &[("GET /p7", "")]),
    ("GET /p8 HTTP/1.1\r\nHost: site_test:8080\r\nX: caf\u{e9}\ty\r\n\r\n", &[("GET /p8", "")]),
    ("GET /p9?a=%00|{}[] HTTP/1.1\r\nHost: site.test\r\n\r\n", &[("GET /p9?a=%00|{}[]", "")]),
    ("POST /p10 HTTP/1.1\r\nHost: site.test\r\nContent-Length: 5\r\n\r\nhello", &[("POST /p10", "hello")]),
    (
        "POST /p11 HTTP/1.1\r\nHost: site.test\r\nContent-Length:\t0005 \r\n\r\nhello",
        &[("POST /p11", "hello")],
    ),
    ("GET /p12 HTTP/1.1\r\nHost: site.test\r\nContent-Length: 2\r\n\r\nhi", &[("GET /p12", "hi")]),
    (
        "POST /p13 HTTP/1.1\r\nHost: site.test\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n",
        &[("POST /p13", "hello")],
    ),
    (
        "POST /p14 HTTP/1.1\r\nHost: site.test\r\nTransfer-Encoding: Chunked \r\n\r\n05;a=b;c=\";\"\r\nhello\r\n1\r\n!\r\n0\r\nX: y\r\n\r\n",
        &[("POST /p14", "hello!")],
    ),
    (
        "POST /p15 HTTP/1.1\r\nHost: site.test\r\nConnection: close, content-length, transfer-encoding\r\nContent-Length: 5\r\n\r\nhello",
        &[("POST /p15", "hello")],
    ),
    (
        "POST /p16 HTTP/1.1\r\nHost: site.test\r\nConnection: transfer-encoding\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n",
        &[("POST /p16", "hello")],
    ),
    (
        "GET /p17 HTTP/1.1\r\nHost: site.test\r\nTransfer-Encoding: chunked\r\n\r\n2b\r\nGET /hidden HTTP/1.1\r\nHost: site.test\r\n\r\n..\r\n0\r\n\r\n",
        &[("GET /p17", "GET /hidden HTTP/1.1\r\nHost: site.test\r\n\r\n..")],
    ),
    (
        "GET /p18 HTTP/1.1\r\nHost: site.test\r\n\r\nPOST /p19 HTTP/1.1\r\nHost: site.test\r\nContent-Length: 2\r\n\r\nhiGET /p20 HTTP/1.1\r\nHost: site.test\r\n\r\n",
        &[("GET /p18", ""), ("POST /p19", "hi"), ("GET /p20", "")],
    ),
    (
        "POST /p21 HTTP/1.1\r\nHost: site.test\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n\r\nGET /p22 HTTP/1.1\r\nHost: site.test\r\n\r\n",
        &[("POST /p21", ""), ("GET /p22", "")],
    ),
];

/// Every message.
pub(super) fn all() -> Vec<Row> {
    let mut rows = Vec::new();
    for (line, status) in FIRST_LINES {
        rows.push(refused(format!("line {line:?}"), format!("{line}\r\nHost: site.test\r\n\r\n"), *status));
    }
    for fields in FIELDS {
        let raw = format!("POST /f HTTP/1.1\r\nHost: site.test\r\n{fields}\r\n\r\n0\r\n\r\n");
        rows.push(refused(format!("fields {fields:?}"), raw, 400));
    }
    for hosts in HOSTS {
        rows.push(refused(format!("hosts {hosts:?}"), format!("GET /h HTTP/1.1\r\n{hosts}\r\n"), 400));
    }
    for chunks in CHUNKS {
        let head = "POST /c HTTP/1.1\r\nHost: site.test\r\nTransfer-Encoding: chunked\r\n\r\n";
        rows.push(refused(format!("chunks {chunks:?}"), format!("{head}{chunks}"), 400));
    }
    for (raw, status) in WHOLE {
        rows.push(refused(format!("whole {raw:?}"), (*raw).to_owned(), *status));
    }
    rows.extend(with_control_bytes());
    rows.push(too_long(
        "target",
        format!("GET /{} HTTP/1.1\r\nHost: site.test\r\n\r\n", "x".repeat(9_000)),
        414,
    ));
    let fields = "X: y\r\n".repeat(120);
    rows.push(too_long("fields", format!("GET / HTTP/1.1\r\nHost: site.test\r\n{fields}\r\n"), 431));
    for (raw, requests) in PLAIN {
        let requests = requests.iter().map(|(asks, body)| Request::new(asks, body)).collect();
        let name = format!("plain {raw:?}");
        rows.push(Row { name, raw: raw.as_bytes().to_vec(), expected: Expected::Served(requests) });
    }
    rows.push(in_long_heads());
    rows
}

/// Several requests at once, each with a head that Pingora takes in several pieces.
fn in_long_heads() -> Row {
    let fields = format!("X: {}\r\n", "y".repeat(1_000)).repeat(7);
    let one = |target: &str, body: &str| {
        format!(
            "GET {target} HTTP/1.1\r\nHost: site.test\r\n{fields}Content-Length: {}\r\n\r\n{body}",
            body.len()
        )
    };
    let (first, second, third) = (("/long1", "body"), ("/long2", ""), ("/long3", "end"));
    let raw = [first, second, third].map(|(target, body)| one(target, body)).concat().into_bytes();
    let requests = [first, second, third].map(|(target, body)| Request::new(&format!("GET {target}"), body));
    Row { name: "long heads".to_owned(), raw, expected: Expected::Served(requests.to_vec()) }
}

fn refused(name: String, raw: String, status: u16) -> Row {
    Row { name, raw: [raw.as_bytes(), HIDDEN.as_bytes()].concat(), expected: Expected::Refused(status) }
}

fn too_long(what: &str, raw: String, status: u16) -> Row {
    refused(format!("too much of {what}"), raw, status)
}

/// Each control byte in a target, a name and a value.
fn with_control_bytes() -> Vec<Row> {
    let bytes = (0..=31_u8).filter(|byte| *byte != b'\t').chain([127]).map(char::from);
    let row = |byte: char| {
        [
            ("target", format!("GET /a{byte}b HTTP/1.1\r\nHost: site.test\r\n\r\n")),
            ("name", format!("GET / HTTP/1.1\r\nHost: site.test\r\nX{byte}Y: z\r\n\r\n")),
            ("value", format!("GET / HTTP/1.1\r\nHost: site.test\r\nX: y{byte}z\r\n\r\n")),
        ]
        .map(|(place, raw)| refused(format!("{byte:?} in a {place}"), raw, 400))
    };
    bytes.flat_map(row).collect()
}
