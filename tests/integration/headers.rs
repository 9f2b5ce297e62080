//! What nodes are told about a request, and what does not travel.

use crate::support::{Answer, Bookend, Client, Headers, Origin, Site};

/// What the node gets when a client at 127.0.0.1 sends these headers, and what the client gets.
fn passed_on(listener: &str, headers: &str) -> (Headers, Answer) {
    let node = Origin::answering("hello");
    let site = Site::of(&[&node]);
    let site = if listener.is_empty() { site } else { site.with_listener(listener) };
    let bookend = Bookend::start(&site);
    let answer = Client::connect(bookend.address()).request("GET", "/", headers, b"");
    assert_eq!(answer.status, 200);
    (node.only_request().headers, answer)
}

#[test]
fn node_learns_client_scheme_and_host() {
    let (seen, _) = passed_on("", "Host: shop.test:8080\r\n");
    assert_eq!(seen.one("host"), Some("shop.test:8080"));
    assert_eq!(seen.one("x-forwarded-for"), Some("127.0.0.1"));
    assert_eq!(seen.one("x-forwarded-proto"), Some("http"));
    assert_eq!(seen.one("x-forwarded-host"), Some("shop.test:8080"));
    assert_eq!(seen.one("via"), Some("1.1 bookend"));
    assert_eq!(seen.one("forwarded"), None);
}

#[test]
fn forged_headers_of_a_stranger_are_replaced() {
    let forged = "X-Forwarded-For: 1.2.3.4\r\nX-Forwarded-For: 5.6.7.8\r\nX-Forwarded-Proto: https\r\n\
                  X-Forwarded-Host: evil.test\r\nForwarded: for=1.2.3.4\r\n";
    let (seen, _) = passed_on("", forged);
    assert_eq!(seen.all("x-forwarded-for"), ["127.0.0.1"]);
    assert_eq!(seen.all("x-forwarded-proto"), ["http"]);
    assert_eq!(seen.all("x-forwarded-host"), ["site.test"]);
    assert_eq!(seen.all("forwarded"), [""; 0]);
}

#[test]
fn trusted_proxy_is_believed_and_added_to() {
    let from_proxy = "X-Forwarded-For: 203.0.113.7\r\nX-Forwarded-Proto: https\r\nX-Forwarded-Host: shop.test\r\n\
                      Via: 1.1 outer\r\n";
    let (seen, _) = passed_on("trusted_proxies: [127.0.0.0/8]", from_proxy);
    assert_eq!(seen.all("x-forwarded-for").join(", "), "203.0.113.7, 127.0.0.1");
    assert_eq!(seen.one("x-forwarded-proto"), Some("https"));
    assert_eq!(seen.one("x-forwarded-host"), Some("shop.test"));
    assert_eq!(seen.all("via").join(", "), "1.1 outer, 1.1 bookend");
}

#[test]
fn forwarded_is_sent_where_asked() {
    let (seen, _) = passed_on("forwarded: true", "Host: shop.test\r\n");
    let forwarded = seen.one("forwarded").unwrap();
    for part in ["for=127.0.0.1", "proto=http", "host=shop.test"] {
        assert!(forwarded.contains(part), "no {part} in {forwarded}");
    }
}

#[test]
fn hop_by_hop_headers_do_not_travel() {
    let hop = "Connection: keep-alive, X-Private\r\nKeep-Alive: timeout=5\r\nX-Private: 1\r\nTE: gzip\r\n\
               Proxy-Connection: keep-alive\r\nProxy-Authorization: Basic x\r\nX-Public: 2\r\n";
    let (seen, _) = passed_on("", hop);
    for name in ["keep-alive", "x-private", "te", "proxy-connection", "proxy-authorization"] {
        assert_eq!(seen.all(name), [""; 0], "{name} reached the node");
    }
    assert_eq!(seen.one("x-public"), Some("2"));
}

#[test]
fn each_hop_by_hop_header_stays_behind_by_itself() {
    let node = Origin::answering("hello");
    let bookend = Bookend::start(&Site::of(&[&node]));
    let alone = [
        "Connection: keep-alive",
        "Connection: Keep-Alive",
        "Connection: close",
        "Connection: X-Absent",
        "Keep-Alive: timeout=5",
        "Proxy-Connection: keep-alive",
        "Proxy-Authorization: Basic x",
        "TE: trailers",
        "Trailer: X-Sum",
        "Upgrade: h2c",
        "HTTP2-Settings: AAMAAABk",
    ];
    for line in alone {
        let headers = format!("{line}\r\nX-Public: 2\r\n");
        assert_eq!(
            Client::connect(bookend.address()).request("GET", "/", &headers, b"").status,
            200,
            "{line}"
        );
        let received = node.received();
        let seen = &received.last().unwrap().headers;
        let name = line.split(':').next().unwrap().to_lowercase();
        assert_eq!(seen.all(&name), [""; 0], "{line} reached the node");
        assert_eq!(seen.one("x-public"), Some("2"), "{line}");
        assert_eq!(seen.one("x-forwarded-for"), Some("127.0.0.1"), "{line}");
    }
}

#[test]
fn client_cannot_have_bookends_own_headers_dropped() {
    let node = Origin::answering("hello");
    let bookend = Bookend::start(&Site::of(&[&node]));
    let nominates = "Connection: close, X-Forwarded-For, X-Forwarded-Proto, Via\r\n";
    let answer = Client::connect(bookend.address()).request("GET", "/", nominates, b"");
    // To refuse is as good as to keep them.
    assert!([200, 400].contains(&answer.status), "{}", answer.status);
    for request in node.received() {
        assert_eq!(request.headers.one("x-forwarded-for"), Some("127.0.0.1"));
        assert_eq!(request.headers.one("x-forwarded-proto"), Some("http"));
        assert_eq!(request.headers.one("via"), Some("1.1 bookend"));
    }
}

#[test]
fn hop_by_hop_headers_of_the_node_do_not_travel() {
    let node = Origin::start(|call| {
        call.answer_with(
            200,
            "Keep-Alive: timeout=5\r\nConnection: X-Inner\r\nX-Inner: 1\r\nX-Outer: 2\r\n",
            "",
        )
    });
    let bookend = Bookend::start(&Site::of(&[&node]));
    let answer = Client::connect(bookend.address()).get("/");
    assert_eq!(answer.headers.all("keep-alive"), [""; 0]);
    assert_eq!(answer.headers.all("x-inner"), [""; 0]);
    assert_eq!(answer.header("x-outer"), Some("2"));
}

#[test]
fn request_id_is_made_where_there_is_none() {
    let (seen, _) = passed_on("", "");
    let id = seen.one("x-request-id").unwrap();
    assert!(id.len() >= 16 && id.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-'), "{id}");
    let (seen_next, _) = passed_on("", "");
    assert_ne!(seen_next.one("x-request-id"), Some(id));
}

#[test]
fn request_id_of_the_client_is_kept() {
    let (seen, _) = passed_on("", "X-Request-Id: order-4711\r\n");
    assert_eq!(seen.one("x-request-id"), Some("order-4711"));
}

#[test]
fn request_id_that_is_no_id_is_replaced() {
    let (seen, _) = passed_on("", "X-Request-Id: <script>\r\n");
    assert_ne!(seen.one("x-request-id"), Some("<script>"));
}

#[test]
fn body_and_target_reach_the_node_as_they_were() {
    let node = Origin::answering("ok");
    let bookend = Bookend::start(&Site::of(&[&node]));
    let body: Vec<u8> = (0..=255).cycle().take(200_000).collect();
    let target = "/a%2Fb/../c?q=%20&r=ü".replace('ü', "%C3%BC");
    let answer = Client::connect(bookend.address()).request("PUT", &target, "", &body);
    assert_eq!(answer.status, 200);
    let request = node.only_request();
    assert_eq!(request.first_line, format!("PUT {target} HTTP/1.1"));
    assert!(request.body == body, "the body changed on its way");
}

#[test]
fn chunked_body_reaches_the_node_whole() {
    let node = Origin::answering("ok");
    let bookend = Bookend::start(&Site::of(&[&node]));
    let mut client = Client::connect(bookend.address());
    client.send("POST / HTTP/1.1\r\nHost: site.test\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n");
    client.send("6\r\n world\r\n0\r\n\r\n");
    assert_eq!(client.read_answer("POST").status, 200);
    assert_eq!(node.only_request().body, b"hello world");
}
