//! Hundreds of malformed, forged and hostile requests for a change: nothing changes, and nothing leaks.

use std::fs;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};

use crate::support::{Bookend, Origin, Port, Site, TempDirectory};

const TOKEN: &str = "a-token-that-nobody-knows";
const PATHS: [&str; 6] = ["/drain", "/undrain", "/renew", "/reload", "/reopen", "/drain/../drain"];

/// Heads without what it takes: `HOST` is the address itself.
const FORGED: [&str; 16] = [
    "Host: HOST\r\n",
    "Host: HOST\r\nAuthorization: Bearer \r\n",
    "Host: HOST\r\nAuthorization: Bearer wrong-token-altogether\r\n",
    "Host: HOST\r\nAuthorization: Basic TOKEN\r\n",
    "Host: HOST\r\nAuthorization: TOKEN\r\n",
    "Host: HOST\r\nAuthorization: Bearer TOKEN\r\nAuthorization: Bearer TOKEN\r\n",
    "Host: HOST\r\nX-Authorization: Bearer TOKEN\r\n",
    "Host: HOST\r\nCookie: token=TOKEN\r\n",
    "Host: evil.example\r\nAuthorization: Bearer TOKEN\r\n",
    "Host: HOST\r\nHost: evil.example\r\nAuthorization: Bearer TOKEN\r\n",
    "Host: evil.example@HOST\r\nAuthorization: Bearer TOKEN\r\n",
    "Authorization: Bearer TOKEN\r\n",
    "Host: HOST\r\nAuthorization: Bearer TOKEN\r\nOrigin: http://evil.example\r\n",
    "Host: HOST\r\nAuthorization: Bearer TOKEN\r\nOrigin: null\r\n",
    "Host: HOST\r\nAuthorization: Bearer TOKEN\r\nSec-Fetch-Site: cross-site\r\n",
    "Host: HOST\r\nAuthorization: Bearer TOKEN\r\nSec-Fetch-Site: same-site\r\n",
];

/// Bodies that are no wish, for those who have the token.
const MALFORMED: [&str; 22] = [
    "",
    "\0",
    "null",
    "[]",
    "{",
    "{}",
    "{]",
    "[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[",
    r#"{"node": null}"#,
    r#"{"node": ["web/web-02"], "reason": "x"}"#,
    r#"{"node": "web/web-02", "node": "web/web-01", "reason": "x"}"#,
    r#"{"node": "web/web-02", "reason": "x"} {}"#,
    r#"{"node": "web/web-02", "reason": "x", "for": "-1h"}"#,
    r#"{"node": "web/web-02", "reason": "x", "for": "1e9h"}"#,
    r#"{"node": "web/web-02", "reason": "x", "for": "99999999999999999999h"}"#,
    r#"{"node": "web/web-02", "reason": "x", "force": "yes"}"#,
    r#"{"node": "web/web-02", "reason": "line\nline"}"#,
    r#"{"node": "web/web-02", "reason": "\u001b[2J"}"#,
    r#"{"node": "web/web-02", "reason": "\u202ereversed"}"#,
    r#"{"node": "web/", "reason": "x"}"#,
    r#"{"node": "/etc/passwd", "reason": "x"}"#,
    r#"{"node": "web/web-02\u0000", "reason": "x"}"#,
];

/// The status and the text of the answer; 0 and nothing for a connection that is closed.
fn send(address: SocketAddr, request: &str) -> (u16, String) {
    let mut stream = TcpStream::connect(address).unwrap();
    stream.write_all(request.as_bytes()).unwrap();
    let mut answer = String::new();
    // Whoever refuses early may cut us off.
    let _ = stream.read_to_string(&mut answer);
    let status = answer.split(' ').nth(1).and_then(|status| status.parse().ok()).unwrap_or_default();
    (status, answer)
}

/// Every request, and whether it is one.
fn requests(address: SocketAddr) -> Vec<String> {
    let wish = r#"{"node": "web/web-02", "reason": "x"}"#;
    let kind = "Content-Type: application/json\r\n";
    let good = format!("Host: {address}\r\nAuthorization: Bearer {TOKEN}\r\n");
    let head = |line: &str, headers: &str, body: &str| {
        format!("{line} HTTP/1.1\r\n{headers}Content-Length: {}\r\n\r\n{body}", body.len())
    };
    let mut requests = Vec::new();
    for path in PATHS {
        for headers in FORGED {
            let headers = headers.replace("HOST", &address.to_string()).replace("TOKEN", TOKEN);
            requests.push(head(&format!("POST {path}"), &format!("{headers}{kind}"), wish));
        }
        for method in ["GET", "HEAD", "PUT", "DELETE", "PATCH", "OPTIONS", "DRAIN", "post"] {
            requests.push(head(&format!("{method} {path}"), &format!("{good}{kind}"), ""));
        }
    }
    for path in ["/drain", "/undrain", "/renew"] {
        for body in MALFORMED {
            requests.push(head(&format!("POST {path}"), &format!("{good}{kind}"), body));
        }
        for kind in
            ["", "Content-Type: text/plain\r\n", "Content-Type: application/x-www-form-urlencoded\r\n"]
        {
            requests.push(head(&format!("POST {path}"), &format!("{good}{kind}"), wish));
        }
        let long = format!(r#"{{"node": "web/web-02", "reason": "{}"}}"#, "x".repeat(70_000));
        requests.push(head(&format!("POST {path}"), &format!("{good}{kind}"), &long));
        let chunks = format!("POST {path} HTTP/1.1\r\n{good}{kind}Transfer-Encoding: chunked\r\n\r\n");
        requests.push(format!("{chunks}zz\r\n{wish}\r\n0\r\n\r\n"));
        requests.push(format!("{chunks}11170\r\n{}\r\n0\r\n\r\n", "x".repeat(70_000)));
    }
    requests
}

#[test]
fn hostile_requests_change_nothing_and_learn_nothing() {
    let (a, b) = (Origin::answering("a"), Origin::answering("b"));
    let (directory, port) = (TempDirectory::new(), Port::free());
    let file = directory.path().join("token");
    fs::write(&file, TOKEN).unwrap();
    let admin = format!("{{ address: \"{port}\", token_file: {} }}", file.display());
    let bookend = Bookend::start(&Site::of(&[&a, &b]).with_admin(&admin));
    let requests = requests(port.address());
    assert!(requests.len() >= 200, "{}", requests.len());
    for request in &requests {
        let (status, answer) = send(port.address(), request);
        let is_refused = status == 0 || (400..500).contains(&status);
        assert!(is_refused, "{request:.300}\n{answer}");
        for secret in [TOKEN, directory.path().to_str().unwrap()] {
            assert!(!answer.contains(secret), "{request:.300}\n{answer}");
        }
        assert!(answer.len() < 2_000, "{request:.300}\n{answer}");
    }
    let status: serde_json::Value = serde_json::from_slice(&bookend.ask("/status")).unwrap();
    assert_eq!(status["configuration"]["generation"], 1);
    for node in status["pools"][0]["nodes"].as_array().unwrap() {
        assert!(node["lease"].is_null() && node["state"] == "up", "{node}");
    }
    assert!(!bookend.state().join("leases.json").exists(), "something was written down");
    assert!(!bookend.logs().contains(TOKEN) && !bookend.logs().contains("\u{1b}"), "{}", bookend.logs());
}
