//! All the attacks, put together from lists.

use std::fmt;
use std::net::SocketAddr;

use super::{bodies, framing, heads};

/// Every path that changes something, and a body with which it would.
pub(super) const CHANGES: [(&str, &str); 10] = [
    ("/drain", r#"{"node": "web/web-01", "for": "1h", "reason": "x", "force": true}"#),
    ("/renew", r#"{"node": "web/web-02", "for": "1h"}"#),
    ("/undrain", r#"{"node": "web/web-02"}"#),
    ("/silence", r#"{"pool": "web", "for": "1h", "reason": "x"}"#),
    ("/unsilence", r#"{"pool": "web"}"#),
    ("/reload", r#"{"force": true}"#),
    ("/reload", ""),
    ("/reopen", ""),
    ("/upgrade", ""),
    ("/alerts/test", ""),
];

/// Where it is sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Way {
    Tcp,
    Socket,
}

/// What has to come of it, if there is an answer at all.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Wanted {
    Refusal,
    /// Whatever is not a failure of ours.
    Harmless,
}

/// A request that must change nothing.
#[derive(Clone, Debug)]
pub(super) struct Attack {
    pub(super) way: Way,
    pub(super) wanted: Wanted,
    pub(super) bytes: Vec<u8>,
    /// Whether nothing comes after it, although there should.
    pub(super) is_cut: bool,
}

impl Attack {
    pub(super) fn new(way: Way, bytes: impl Into<Vec<u8>>) -> Self {
        Self { way, wanted: Wanted::Refusal, bytes: bytes.into(), is_cut: false }
    }

    pub(super) fn harmless(self) -> Self {
        Self { wanted: Wanted::Harmless, ..self }
    }

    pub(super) fn cut(self) -> Self {
        Self { is_cut: true, ..self }
    }

    /// Whether no answer to it has a body.
    pub(super) fn has_no_body(&self) -> bool {
        self.bytes.starts_with(b"HEAD ")
    }

    /// Whether it could be meant as a change, so that it is worth a look at once.
    pub(super) fn changes(&self) -> bool {
        !self.bytes.starts_with(b"GET ") && !self.bytes.starts_with(b"HEAD ")
    }
}

impl fmt::Display for Attack {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = String::from_utf8_lossy(&self.bytes);
        write!(f, "{:?} {:?}", self.way, text.chars().take(500).collect::<String>())
    }
}

/// Who attacks: where to, and with the right to it or without.
#[derive(Clone, Copy)]
pub(super) struct Attacker {
    pub(super) way: Way,
    pub(super) address: SocketAddr,
    pub(super) token: &'static str,
}

impl Attacker {
    /// The lines of a head with which a change is let through.
    pub(super) fn rights(&self) -> String {
        format!("Host: {}\r\nAuthorization: Bearer {}\r\n", self.address, self.token)
    }

    /// `HOST` and `TOKEN` are filled in.
    pub(super) fn fill(&self, text: &str) -> String {
        text.replace("HOST", &self.address.to_string()).replace("TOKEN", self.token)
    }

    /// A whole request, with a length.
    pub(super) fn request(&self, line: &str, headers: &str, body: &[u8]) -> Attack {
        let kind = if body.is_empty() { "" } else { "Content-Type: application/json\r\n" };
        self.request_of(line, &format!("{headers}{kind}"), body)
    }

    /// The same, without a word on what the body is.
    pub(super) fn request_of(&self, line: &str, headers: &str, body: &[u8]) -> Attack {
        let head = format!("{line} HTTP/1.1\r\n{headers}Content-Length: {}\r\n\r\n", body.len());
        Attack::new(self.way, [head.as_bytes(), body].concat())
    }
}

pub(super) fn all(address: SocketAddr, token: &'static str) -> Vec<Attack> {
    let [tcp, socket] = [Way::Tcp, Way::Socket].map(|way| Attacker { way, address, token });
    let mut attacks = heads::forged(tcp);
    attacks.extend(heads::of_a_browser(socket));
    for attacker in [tcp, socket] {
        attacks.extend(heads::misdirected(attacker));
        attacks.extend(bodies::malformed(attacker));
        attacks.extend(framing::broken(attacker));
    }
    attacks
}
