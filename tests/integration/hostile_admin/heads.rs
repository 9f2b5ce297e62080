//! Heads: without the right, with a stolen one, for somebody else, for what is not there.

use super::attacks::{Attack, Attacker, CHANGES};

/// No token, another one, or one at a place where it does not count.
const TOKENS: [&str; 30] = [
    "",
    "Authorization:\r\n",
    "Authorization: Bearer\r\n",
    "Authorization: Bearer \r\n",
    "Authorization: Bearer wrong-token-altogether\r\n",
    "Authorization: Bearer TOKENx\r\n",
    "Authorization: Bearer xTOKEN\r\n",
    "Authorization: Bearer a-token-that-nobody-know\r\n",
    "Authorization: Bearer A-TOKEN-THAT-NOBODY-KNOWS\r\n",
    "Authorization: Bearer TOKEN TOKEN\r\n",
    "Authorization: Bearer TOKEN, Bearer wrong\r\n",
    "Authorization: Bearer \"TOKEN\"\r\n",
    "Authorization: Bearer\tTOKEN\r\n",
    "Authorization: Bearer=TOKEN\r\n",
    "Authorization: TOKEN\r\n",
    "Authorization: Basic TOKEN\r\n",
    "Authorization: Basic YS10b2tlbi10aGF0LW5vYm9keS1rbm93czo=\r\n",
    "Authorization: Digest username=\"root\", response=\"TOKEN\"\r\n",
    "Authorization: Token TOKEN\r\n",
    "Authorization: Bearer \u{fc}ber-token\r\n",
    "Authorization: Bearer TOKEN\r\nAuthorization: Bearer TOKEN\r\n",
    "Authorization: Bearer wrong\r\nAuthorization: Bearer TOKEN\r\n",
    "Authorization : Bearer TOKEN\r\n",
    "Authorization: Bearer\r\n TOKEN\r\n",
    "Proxy-Authorization: Bearer TOKEN\r\n",
    "X-Authorization: Bearer TOKEN\r\nX-Api-Key: TOKEN\r\n",
    "Cookie: token=TOKEN; Authorization=Bearer TOKEN\r\n",
    "X-Forwarded-For: 127.0.0.1\r\nX-Real-IP: 127.0.0.1\r\nForwarded: for=127.0.0.1\r\n",
    "X-Remote-User: root\r\nX-Forwarded-User: root\r\n",
    "Connection: Upgrade, Host\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n",
];

/// Names that lead to 127.0.0.1 and are not it: whoever rebinds a name has a page under it.
const HOSTS: [&str; 29] = [
    "Host:\r\n",
    "",
    "Host: evil.example\r\n",
    "Host: evil.example:7070\r\n",
    "Host: localhost.evil.example\r\n",
    "Host: 127.0.0.1.evil.example\r\n",
    "Host: 127.0.0.1.nip.io\r\n",
    "Host: 127-0-0-1.sslip.io\r\n",
    "Host: localtest.me\r\n",
    "Host: localhost.\r\n",
    "Host: localhost.localdomain\r\n",
    "Host: 127.1\r\n",
    "Host: 2130706433\r\n",
    "Host: 0x7f.0.0.1\r\n",
    "Host: 0177.0.0.1\r\n",
    "Host: 0.0.0.0\r\n",
    "Host: [::]\r\n",
    "Host: 192.0.2.1\r\n",
    "Host: [::ffff:192.0.2.1]\r\n",
    "Host: evil.example@HOST\r\n",
    "Host: HOST@evil.example\r\n",
    "Host: HOST, evil.example\r\n",
    "Host: HOST evil.example\r\n",
    "Host: HOST/evil\r\n",
    "Host: HOST#evil\r\n",
    "Host: http://HOST\r\n",
    "Host: HOST\r\nHost: HOST\r\n",
    "Host: HOST\r\nHost: evil.example\r\n",
    "X-Forwarded-Host: HOST\r\nHost: evil.example\r\n",
];

/// What a browser says of a page that is not ours.
const PAGES: [&str; 18] = [
    "Origin: http://evil.example\r\n",
    "Origin: https://evil.example\r\n",
    "Origin: null\r\n",
    "Origin:\r\n",
    "Origin: HOST\r\n",
    "Origin: file://\r\n",
    "Origin: http://127.0.0.1:1\r\n",
    "Origin: http://localhost:3000\r\n",
    "Origin: http://HOST.evil.example\r\n",
    "Origin: http://evil.example@HOST\r\n",
    "Origin: chrome-extension://HOST\r\n",
    "Origin: http://HOST http://evil.example\r\n",
    "Origin: http://HOST\r\nOrigin: http://evil.example\r\n",
    "Sec-Fetch-Site: cross-site\r\n",
    "Sec-Fetch-Site: same-site\r\n",
    "Sec-Fetch-Site: nonsense\r\n",
    "Sec-Fetch-Site: same-origin\r\nSec-Fetch-Site: cross-site\r\n",
    "Origin: http://HOST\r\nSec-Fetch-Site: cross-site\r\n",
];

/// Other ways to ask; `#` is the path of a change.
const TARGETS: [&str; 10] = [
    "#?token=TOKEN",
    "#?access_token=TOKEN&authorization=Bearer%20TOKEN",
    "#;token=TOKEN",
    "http://HOST#?token=TOKEN",
    "http://TOKEN@HOST#",
    "http://root:TOKEN@HOST#",
    "http://evil.example#",
    "/%2e%2e#",
    "/healthz/..#",
    "/healthz?#",
];

/// Absolute targets that are not ours, which count for more than any `Host` (RFC 9112, section 3.2.2).
const ELSEWHERE: [&str; 6] = [
    "http://evil.example#",
    "https://evil.example:7070#",
    "http://127.0.0.1.evil.example#",
    "http://evil.example@HOST#",
    "http://0.0.0.0#",
    "http://localhost.#",
];

const PATHS: [&str; 19] = [
    "/healthz",
    "/readyz",
    "/metrics",
    "/status",
    "/incidents",
    "/incidents/last",
    "/openapi.json",
    "/reload",
    "/reopen",
    "/upgrade",
    "/drain",
    "/renew",
    "/undrain",
    "/silence",
    "/unsilence",
    "/alerts/test",
    "/nothing",
    "/",
    "*",
];

const METHODS: [&str; 12] = [
    "PUT",
    "DELETE",
    "PATCH",
    "OPTIONS",
    "TRACE",
    "CONNECT",
    "post",
    "Post",
    "DRAIN",
    "PRI",
    "M-SEARCH",
    "PO\u{0}ST",
];

/// What is nearly a path, and what would like to be another one.
const NOWHERE: [&str; 26] = [
    "/drain/",
    "//drain",
    "/./drain",
    "/status/../drain",
    "/drain/../drain",
    "/%2e%2e/drain",
    "/..%2fdrain",
    "/%64rain",
    "/DRAIN",
    "/drain%00",
    "/drain%0a",
    "/drain%20",
    "/drain\u{0}",
    "/drain\u{7f}",
    "/drain\t",
    "/drain;x=y",
    "/drain/web%2fweb-01",
    "\\drain",
    "drain",
    "../drain",
    "/../../../../etc/passwd",
    "/%2e%2e/%2e%2e/etc/passwd",
    "/\u{1b}[2J",
    "/\u{202e}niard",
    "/%0a[2026-11-22T00:00:00Z%20ERROR%20bookend]%20forged",
    "/%0d%0aSet-Cookie:%20a=b",
];

/// What is no incident; `..` is nobody's parent here.
const INCIDENTS: [&str; 22] = [
    "",
    "/",
    "..",
    "../status",
    "../../etc/passwd",
    "%2e%2e%2fstatus",
    "..%5c..",
    "last/..",
    "last%00",
    "last\u{0}",
    "last\u{7f}",
    "LAST",
    "%6cast",
    "%0a[2026-11-22T00:00:00Z%20ERROR%20bookend]%20forged",
    "\u{1b}[2J",
    "\u{202e}tsal",
    "<script>alert(1)</script>",
    "2026-11-22-99999999999999999999",
    "-1",
    "*",
    "last?format=../../etc/passwd",
    "last?format=markdown&format=json",
];

/// Every change, asked for by somebody without the right, or through somebody who has it.
pub(super) fn forged(by: Attacker) -> Vec<Attack> {
    let mut attacks = of_a_browser(by);
    let authorization = by.fill("Authorization: Bearer TOKEN\r\n");
    let long = format!("Host: HOST\r\nAuthorization: Bearer {}\r\n", "x".repeat(8_000));
    let forms = ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x"];
    for (path, body) in CHANGES {
        let body = body.as_bytes();
        let line = format!("POST {path}");
        for token in TOKENS {
            attacks.push(by.request(&line, &by.fill(&format!("Host: HOST\r\n{token}")), body));
        }
        attacks.push(by.request(&line, &by.fill(&long), body));
        for host in HOSTS {
            attacks.push(by.request(&line, &format!("{}{authorization}", by.fill(host)), body));
        }
        for target in TARGETS {
            let line = by.fill(&format!("POST {}", target.replace('#', path)));
            attacks.push(by.request(&line, &by.fill("Host: HOST\r\n"), body));
        }
        for target in ELSEWHERE {
            let line = by.fill(&format!("POST {}", target.replace('#', path)));
            attacks.push(by.request(&line, &by.rights(), body));
        }
        // What a form sends without asking first; the browser adds what it knows by itself.
        for kind in forms {
            let headers = by.fill(&format!("Host: HOST\r\nContent-Type: {kind}\r\n"));
            attacks.push(by.request_of(&line, &headers, body));
        }
        for line in ["X-HTTP-Method-Override: POST", "X-Original-URL: /drain", "X-Rewrite-URL: /drain"] {
            let headers = by.fill(&format!("Host: HOST\r\n{line}\r\n"));
            attacks.push(by.request(&format!("GET {path}"), &headers, body));
        }
        let old = format!("POST {path} HTTP/1.0\r\n{authorization}\r\n");
        attacks.push(Attack::new(by.way, old));
    }
    attacks
}

/// Every change, asked for by a page of another origin, with all rights but that.
pub(super) fn of_a_browser(by: Attacker) -> Vec<Attack> {
    let mut attacks = Vec::new();
    for (path, body) in CHANGES {
        for page in PAGES {
            let headers = format!("{}{}", by.rights(), by.fill(page));
            attacks.push(by.request(&format!("POST {path}"), &headers, body.as_bytes()));
        }
    }
    attacks
}

/// What there is not, asked for with every right.
pub(super) fn misdirected(by: Attacker) -> Vec<Attack> {
    let mut attacks = Vec::new();
    let (_, body) = CHANGES[0];
    for path in PATHS {
        for method in METHODS {
            attacks.push(by.request(&format!("{method} {path}"), &by.rights(), b""));
        }
        let long = "X".repeat(10_000);
        attacks.push(by.request(&format!("{long} {path}"), &by.rights(), b""));
        attacks.push(by.request(&format!("HEAD {path}"), &by.rights(), b"").harmless());
        attacks.push(by.request(&format!("GET {path}"), &by.rights(), body.as_bytes()).harmless());
    }
    for path in PATHS.iter().filter(|path| !CHANGES.iter().any(|(change, _)| change == *path)) {
        attacks.push(by.request(&format!("POST {path}"), &by.rights(), body.as_bytes()));
    }
    for path in NOWHERE {
        attacks.push(by.request(&format!("POST {path}"), &by.rights(), body.as_bytes()));
    }
    for id in INCIDENTS {
        attacks.push(by.request(&format!("GET /incidents/{id}"), &by.rights(), b""));
    }
    attacks.push(by.request(&format!("GET /incidents/{}", "x".repeat(10_000)), &by.rights(), b""));
    let long = format!("POST /{}", "x".repeat(10_000));
    attacks.push(by.request(&long, &by.rights(), body.as_bytes()));
    attacks
}
