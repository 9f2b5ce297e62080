//! What the client has of an answer.

use highway::{HighwayHash, HighwayHasher};
use http::{StatusCode, header};

use super::head::{Head, is_framed, strong_etag};
use super::range::{Part, content_length};
use super::{Digest, Key};

/// The most bytes that are compared by their hash: what another node has to send again in vain, and what the client waits
/// for meanwhile. Answers with a strong validator have no such bound.
pub const LONGEST_UNVERIFIED: u64 = 4 * 1024 * 1024;

/// What the client has of an answer that another node could finish.
#[derive(Debug)]
pub struct Sent {
    length: u64,
    proof: Proof,
}

/// How it can be shown that another answer is the same.
#[derive(Debug)]
enum Proof {
    /// By its strong validator.
    Validator,
    /// By the hash of what the client has. It is begun when the first piece turns out not to be the last.
    Hash { key: Key, running: Option<Box<HighwayHasher>> },
    /// Not at all, or there is nothing to finish any more.
    Nothing,
}

impl Sent {
    /// Nothing yet of the answer to a GET; `None` if no other node could finish it.
    ///
    /// That is an answer whose end cannot be told from a break, one without a body of interest (only 2xx and 4xx have
    /// that), one in several parts, and one that sets a cookie and has no strong validator: its other half would be
    /// another client's.
    pub fn nothing_of(head: Head<'_>, key: Key) -> Option<Self> {
        let Head { status, headers } = head;
        let has_body = !matches!(status, StatusCode::NO_CONTENT | StatusCode::RESET_CONTENT);
        if !has_body || !(status.is_success() || status.is_client_error()) || !is_framed(headers) {
            return None;
        }
        if status == StatusCode::PARTIAL_CONTENT && Part::of(headers)?.length() != content_length(headers)? {
            return None;
        }
        if headers.get(header::CONTENT_TYPE).is_some_and(|kind| is_in_parts(kind.as_bytes())) {
            return None;
        }
        let proof = match strong_etag(headers) {
            Some(_) => Proof::Validator,
            None if headers.contains_key(header::SET_COOKIE) => return None,
            None => Proof::Hash { key, running: None },
        };
        Some(Self { length: 0, proof })
    }

    /// A piece goes to the client. What is complete with it needs no other node, so the last piece costs nothing.
    pub fn add(&mut self, piece: &[u8], is_last: bool) {
        self.length += piece.len() as u64;
        match &mut self.proof {
            Proof::Hash { .. } | Proof::Validator if is_last => self.proof = Proof::Nothing,
            Proof::Hash { .. } if self.length > LONGEST_UNVERIFIED => self.proof = Proof::Nothing,
            Proof::Hash { key, running } => {
                running.get_or_insert_with(|| Box::new(begin(*key))).append(piece);
            }
            Proof::Validator | Proof::Nothing => {}
        }
    }

    /// How many bytes the client has.
    pub fn length(&self) -> u64 {
        self.length
    }

    /// What another answer has to show; `None` if it cannot.
    pub(super) fn evidence(&self) -> Option<Evidence> {
        match &self.proof {
            Proof::Validator => Some(Evidence::Validator),
            Proof::Hash { running: None, .. } if self.length > 0 => None,
            Proof::Hash { running: None, .. } => Some(Evidence::NothingSent),
            Proof::Hash { key, running: Some(running) } => {
                Some(Evidence::Hash { key: *key, digest: running.as_ref().clone().finalize256() })
            }
            Proof::Nothing => None,
        }
    }
}

/// What another answer has to show.
#[derive(Clone, Copy, Debug)]
pub(super) enum Evidence {
    /// The same strong validator.
    Validator,
    /// A head that agrees: the client has no more than that.
    NothingSent,
    /// A beginning with this hash.
    Hash { key: Key, digest: Digest },
}

/// A hash of nothing yet.
pub(super) fn begin(key: Key) -> HighwayHasher {
    HighwayHasher::new(highway::Key(key))
}

/// Parts have boundaries made up by each node, and pictures that replace each other never end.
fn is_in_parts(kind: &[u8]) -> bool {
    const MULTIPART: &[u8] = b"multipart/";
    kind.get(..MULTIPART.len()).is_some_and(|begin| begin.eq_ignore_ascii_case(MULTIPART))
}
