//! Session tickets (RFC 5077; RFC 8446, 4.6.1): what clients keep to begin again without a whole handshake.
//!
//! rustls has tickets of its own, but nobody can ask for their keys, and so every session would end with the process. These
//! keys go along to a successor, from memory to memory: whoever has them can read what was said under TLS 1.2.

use std::collections::VecDeque;
use std::fmt;
use std::time::Duration;

use aws_lc_rs::aead::{AES_256_GCM_SIV, Aad, Nonce, RandomizedNonceKey};
use aws_lc_rs::error::Unspecified;
use aws_lc_rs::rand;
use parking_lot::RwLock;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use tokio_rustls::rustls::server::ProducesTickets;

use crate::clock;
use crate::config::{self, TlsVersion};

/// How long a key seals tickets; for as long again it opens those that it has sealed.
const SEALING: Duration = Duration::from_secs(6 * 60 * 60);

/// Keys that open tickets: the one that seals, and the one before it.
const KEPT: usize = 2;

const NAME: usize = 16;
const NONCE: usize = 12;

/// The tickets of one listener.
#[derive(Debug)]
pub(super) struct Tickets {
    /// The newest first; never empty.
    keys: RwLock<VecDeque<Key>>,
}

/// A key as it goes to a successor.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Secret {
    name: [u8; NAME],
    bytes: [u8; 32],
    /// When it was made, in milliseconds since 1970.
    made: u64,
}

struct Key {
    secret: Secret,
    cipher: RandomizedNonceKey,
}

/// What a client had to prove for its ticket, boiled down: a ticket says that it has, so it is good only under the same rules.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Rules([u8; 32]);

impl Rules {
    /// The rules of `settings`, where `authorities` is the file with those who vouch for clients, whole.
    pub(super) fn of(settings: &config::Tls, authorities: Option<&[u8]>) -> Self {
        let version = match settings.min_version {
            TlsVersion::V1_2 => 2,
            TlsVersion::V1_3 => 3,
        };
        let clients = settings.client_certificates.as_ref().map(|clients| clients.required);
        let mut digest =
            Sha256::new_with_prefix([version, clients.map_or(0, |required| 1 + u8::from(required))]);
        digest.update(authorities.unwrap_or_default());
        Self(digest.finalize().into())
    }
}

impl Tickets {
    /// Tickets under a new key.
    pub(super) fn new() -> Result<Self, Unspecified> {
        Ok(Self { keys: RwLock::new(VecDeque::from([Key::new(clock::steady())?])) })
    }

    /// All keys, the newest first.
    pub(super) fn secrets(&self) -> Vec<Secret> {
        self.keys.read().iter().map(|key| key.secret.clone()).collect()
    }

    /// Goes on with the keys of a predecessor, the newest first, in the place of its own.
    pub(super) fn inherit(&self, secrets: &[Secret]) {
        let keys = secrets.iter().take(KEPT).map(|secret| Key::of(secret.clone()));
        match keys.collect::<Result<VecDeque<_>, _>>() {
            Ok(keys) if !keys.is_empty() => *self.keys.write() = keys,
            // Its own are as good, but for clients that have tickets already.
            Ok(_) | Err(Unspecified) => {}
        }
    }

    fn seal(&self, session: &[u8], now: u64) -> Result<Vec<u8>, Unspecified> {
        if self.keys.read().front().is_none_or(|newest| !newest.seals(now)) {
            self.roll(now)?;
        }
        self.keys.read().front().ok_or(Unspecified)?.seal(session)
    }

    /// A new key, unless somebody else has made it by now.
    fn roll(&self, now: u64) -> Result<(), Unspecified> {
        let key = Key::new(now)?;
        let mut keys = self.keys.write();
        if keys.front().is_none_or(|newest| !newest.seals(now)) {
            keys.push_front(key);
            keys.truncate(KEPT);
        }
        Ok(())
    }

    fn open(&self, ticket: &[u8], now: u64) -> Option<Vec<u8>> {
        let (name, sealed) = ticket.split_first_chunk::<NAME>()?;
        let keys = self.keys.read();
        keys.iter().find(|key| key.secret.name == *name && key.opens(now))?.open(sealed)
    }
}

impl ProducesTickets for Tickets {
    fn enabled(&self) -> bool {
        true
    }

    fn lifetime(&self) -> u32 {
        u32::try_from(2 * SEALING.as_secs()).unwrap_or(u32::MAX)
    }

    fn encrypt(&self, plain: &[u8]) -> Option<Vec<u8>> {
        // Without a key, as without a ticket, the next handshake is a whole one.
        self.seal(plain, clock::steady()).ok()
    }

    fn decrypt(&self, cipher: &[u8]) -> Option<Vec<u8>> {
        self.open(cipher, clock::steady())
    }
}

impl Key {
    fn new(now: u64) -> Result<Self, Unspecified> {
        let mut secret = Secret { name: [0; NAME], bytes: [0; 32], made: now };
        rand::fill(&mut secret.name)?;
        rand::fill(&mut secret.bytes)?;
        Self::of(secret)
    }

    fn of(secret: Secret) -> Result<Self, Unspecified> {
        // Many more tickets than random nonces could be different for with AES-GCM itself.
        let cipher = RandomizedNonceKey::new(&AES_256_GCM_SIV, &secret.bytes)?;
        Ok(Self { secret, cipher })
    }

    fn age(&self, now: u64) -> Duration {
        Duration::from_millis(now.saturating_sub(self.secret.made))
    }

    fn seals(&self, now: u64) -> bool {
        self.age(now) < SEALING
    }

    fn opens(&self, now: u64) -> bool {
        self.age(now) < 2 * SEALING
    }

    /// The name of the key, the nonce, and what is sealed.
    fn seal(&self, session: &[u8]) -> Result<Vec<u8>, Unspecified> {
        let mut sealed = session.to_vec();
        let nonce = self.cipher.seal_in_place_append_tag(Aad::from(&self.secret.name), &mut sealed)?;
        Ok([&self.secret.name[..], nonce.as_ref(), &sealed].concat())
    }

    fn open(&self, sealed: &[u8]) -> Option<Vec<u8>> {
        let (nonce, sealed) = sealed.split_first_chunk::<NONCE>()?;
        let mut session = sealed.to_vec();
        let aad = Aad::from(&self.secret.name);
        let opened = self.cipher.open_in_place(Nonce::from(nonce), aad, &mut session).ok()?;
        Some(opened.to_vec())
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Secret").field("made", &self.made).finish_non_exhaustive()
    }
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.secret.fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PERIOD: u64 = 6 * 60 * 60 * 1_000;
    const NOW: u64 = 1_000 * PERIOD;

    fn tickets() -> Tickets {
        Tickets { keys: RwLock::new(VecDeque::from([Key::new(NOW).unwrap()])) }
    }

    #[test]
    fn ticket_is_good_until_its_key_is_twice_as_old_as_it_seals() {
        let tickets = tickets();
        let early = tickets.seal(b"early", NOW).unwrap();
        let late = tickets.seal(b"late", NOW + PERIOD - 1).unwrap();
        let next = tickets.seal(b"next", NOW + PERIOD).unwrap();
        assert_eq!(early[..NAME], late[..NAME]);
        assert_ne!(early[..NAME], next[..NAME], "the key was not changed");
        for (ticket, wanted) in [(&early, "early"), (&late, "late"), (&next, "next")] {
            assert_eq!(tickets.open(ticket, NOW + 2 * PERIOD - 1).unwrap(), wanted.as_bytes());
        }
        assert_eq!(tickets.open(&early, NOW + 2 * PERIOD), None);
        assert_eq!(tickets.open(&late, NOW + 2 * PERIOD), None);
        assert!(tickets.open(&next, NOW + 3 * PERIOD - 1).is_some());
        assert_eq!(tickets.secrets().len(), KEPT);
    }

    #[test]
    fn successor_opens_what_was_sealed_and_goes_on_changing_keys() {
        let (before, after) = (tickets(), tickets());
        let old = before.seal(b"old", NOW).unwrap();
        let new = before.seal(b"new", NOW + PERIOD).unwrap();
        assert_eq!(after.open(&new, NOW + PERIOD), None);
        let told = serde_json::to_string(&before.secrets()).unwrap();
        after.inherit(&serde_json::from_str::<Vec<Secret>>(&told).unwrap());
        assert_eq!(after.open(&old, NOW + PERIOD).unwrap(), b"old");
        assert_eq!(after.open(&new, NOW + PERIOD).unwrap(), b"new");
        let same = after.seal(b"", NOW + 2 * PERIOD - 1).unwrap();
        assert_eq!(same[..NAME], new[..NAME]);
        let rolled = after.seal(b"", NOW + 2 * PERIOD).unwrap();
        assert_ne!(rolled[..NAME], new[..NAME]);
        assert!(
            before.open(&same, NOW + 2 * PERIOD).is_some()
                && before.open(&rolled, NOW + 2 * PERIOD).is_none()
        );
        after.inherit(&[]);
        assert!(after.open(&rolled, NOW + 2 * PERIOD).is_some(), "nothing to inherit changes nothing");
    }

    #[test]
    fn ticket_that_anybody_has_touched_is_none() {
        let tickets = tickets();
        let good = tickets.seal(b"session", NOW).unwrap();
        assert_ne!(
            good,
            tickets.seal(b"session", NOW).unwrap(),
            "it can be told that two are for one session"
        );
        for at in 0..good.len() {
            let mut bad = good.clone();
            bad[at] ^= 1;
            assert_eq!(tickets.open(&bad, NOW), None, "byte {at}");
            assert_eq!(tickets.open(&good[..at], NOW), None, "{at} bytes");
        }
        assert_eq!(tickets.open(&good, NOW).unwrap(), b"session");
    }

    #[test]
    fn keys_are_not_for_logs() {
        let tickets = tickets();
        let secret = tickets.secrets().remove(0);
        let (shown, byte) = (format!("{tickets:?} {secret:?}"), format!("{:?}", secret.bytes));
        assert!(shown.contains("made") && !shown.contains("bytes") && !shown.contains(&byte), "{shown}");
    }

    #[test]
    fn other_rules_make_another_digest() {
        let clients = |required| config::ClientCertificates { authorities: "ca.pem".into(), required };
        let settings = |min_version, client_certificates| config::Tls {
            certificates: Vec::new(),
            client_certificates,
            min_version,
            hsts: None,
        };
        let all = [
            Rules::of(&settings(TlsVersion::V1_2, None), None),
            Rules::of(&settings(TlsVersion::V1_3, None), None),
            Rules::of(&settings(TlsVersion::V1_2, Some(clients(true))), Some(b"a")),
            Rules::of(&settings(TlsVersion::V1_2, Some(clients(false))), Some(b"a")),
            Rules::of(&settings(TlsVersion::V1_2, Some(clients(false))), Some(b"b")),
        ];
        for (number, rules) in all.iter().enumerate() {
            assert!(all[..number].iter().all(|other| other != rules), "{number}");
        }
        assert_eq!(all[0], Rules::of(&settings(TlsVersion::V1_2, None), None));
    }
}
