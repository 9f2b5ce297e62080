//! How a pool picks nodes.

use http::HeaderName;

use super::read::{Fault, Value, shown};
use crate::model::CookieName;

/// How a pool picks nodes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Balance {
    /// Each in turn, smoothly by weight.
    #[default]
    RoundRobin,
    /// The one with the fewest requests in flight for its weight.
    LeastLoaded,
    /// The better of two, by latency and requests in flight.
    PowerOfTwo,
    /// The same one for the same key.
    Hash(HashKey),
    /// Any, by weight.
    Random,
    /// The first of the file that can.
    First,
}

/// What requests have in common that go to the same node.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum HashKey {
    /// The address of their client; for IPv6 its network, the first 64 bits.
    ClientAddress,
    /// The path, without what follows a `?`.
    Path,
    /// The value of this header.
    Header(HeaderName),
    /// The value of this cookie.
    Cookie(CookieName),
}

const WORDS: [(&str, Word); 6] = [
    ("round_robin", Word::RoundRobin),
    ("least_loaded", Word::LeastLoaded),
    ("power_of_two", Word::PowerOfTwo),
    ("random", Word::Random),
    ("first", Word::First),
    ("hash", Word::Hash),
];

#[derive(Clone, Copy)]
enum Word {
    RoundRobin,
    LeastLoaded,
    PowerOfTwo,
    Random,
    First,
    Hash,
}

const KEY: &str = "a key like `client_address`, `path`, `{header: X-User}` or `{cookie: user}`";

pub(super) fn read(value: Value<'_>) -> Option<Balance> {
    if value.is_mapping() {
        let what = "a mapping like `{hash: client_address}`";
        let key = value
            .fields(what, |fields| fields.require("hash", "add it, as in `hash: client_address`", hash_key));
        return Some(Balance::Hash(key.flatten()?));
    }
    match value.one_of("a way to balance", &WORDS)? {
        Word::RoundRobin => Some(Balance::RoundRobin),
        Word::LeastLoaded => Some(Balance::LeastLoaded),
        Word::PowerOfTwo => Some(Balance::PowerOfTwo),
        Word::Random => Some(Balance::Random),
        Word::First => Some(Balance::First),
        Word::Hash => {
            let fault =
                Fault::new("`hash` does not say what requests have in common that go to the same node");
            value.fail(fault.help(format!("write `{{hash: KEY}}` with {KEY}")))
        }
    }
}

fn hash_key(value: Value<'_>) -> Option<HashKey> {
    if !value.is_mapping() {
        let words = [("client_address", HashKey::ClientAddress), ("path", HashKey::Path)];
        let word = value.one_of("a key to hash", &words.each_ref().map(|(word, _)| (*word, *word)))?;
        return words.into_iter().find_map(|(name, key)| (name == word).then_some(key));
    }
    let keys = value.fields(KEY, |fields| {
        let header = fields.read("header", header).map(HashKey::Header);
        let cookie = fields.read("cookie", |v| v.parsed("the name of a cookie")).map(HashKey::Cookie);
        (header, cookie, fields.has("header"), fields.has("cookie"))
    })?;
    match keys {
        (Some(key), _, _, false) | (_, Some(key), false, _) => Some(key),
        (_, _, true, true) => {
            value.fail(Fault::new("two keys, a header and a cookie").help("keep one of them"))
        }
        (_, _, false, false) => value.fail(Fault::new("no key to hash").help(format!("write {KEY}"))),
        // It was reported where it stands.
        (_, _, _, _) => None,
    }
}

fn header(value: Value<'_>) -> Option<HeaderName> {
    let text = value.text("the name of a header")?;
    match HeaderName::from_bytes(text.as_bytes()) {
        Ok(name) => Some(name),
        Err(_) => {
            let fault = Fault::new(format!("`{}` is no header's name", shown(text)));
            value.fail(fault.help("write it as in `X-User`"))
        }
    }
}
