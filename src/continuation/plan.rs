//! What to ask another node for, and whether its answer goes on where the first broke off.

use http::{HeaderValue, StatusCode, header};

use super::head::{Head, Identity, Mismatch, is_framed, strong_etag};
use super::overlap::Overlap;
use super::range::{Part, content_length};
use super::sent::{Evidence, Sent};

/// How an answer is to be finished.
#[derive(Debug)]
pub struct Plan {
    identity: Identity,
    evidence: Evidence,
    /// How many bytes the client has.
    sent: u64,
    /// What is asked for if not the whole.
    rest: Option<Rest>,
    /// Whether the client itself asked for a part.
    is_part: bool,
}

/// What the other node is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ask<'a> {
    /// The rest, if it still has the same.
    Rest {
        /// The value of `Range`.
        range: &'a HeaderValue,
        /// The value of `If-Range`.
        if_range: &'a HeaderValue,
    },
    /// The whole, without `Range` and `If-Range`.
    Whole,
    /// What the client asked for.
    TheSame,
}

#[derive(Debug)]
struct Rest {
    part: Part,
    range: HeaderValue,
    if_range: HeaderValue,
}

impl Plan {
    /// How to finish the answer that began with `head`; `None` if no other answer could show that it is the same.
    pub fn new(head: Head<'_>, sent: &Sent) -> Option<Self> {
        let is_part = head.status == StatusCode::PARTIAL_CONTENT;
        Some(Self {
            identity: Identity::of(head)?,
            evidence: sent.evidence()?,
            sent: sent.length(),
            rest: rest(head, sent.length(), is_part),
            is_part,
        })
    }

    /// What the other node is asked for.
    pub fn ask(&self) -> Ask<'_> {
        match &self.rest {
            Some(Rest { range, if_range, .. }) => Ask::Rest { range, if_range },
            None if self.is_part => Ask::TheSame,
            None => Ask::Whole,
        }
    }

    /// Whether the answer with this head goes on where the first broke off, and what of it the client has already.
    ///
    /// # Errors
    ///
    /// What differs.
    pub fn accept(&self, head: Head<'_>) -> Result<Overlap, Mismatch> {
        if let Some(rest) = &self.rest
            && head.status == StatusCode::PARTIAL_CONTENT
        {
            return self.accept_rest(rest, head);
        }
        self.identity.check(head)?;
        if !is_framed(head.headers) {
            return Err(Mismatch::Endless);
        }
        let by_validator = matches!(self.evidence, Evidence::Validator);
        if !by_validator && head.headers.contains_key(header::SET_COOKIE) {
            return Err(Mismatch::Cookie);
        }
        Ok(Overlap::new(self.sent, self.evidence))
    }

    fn accept_rest(&self, rest: &Rest, head: Head<'_>) -> Result<Overlap, Mismatch> {
        self.identity.check_part(head)?;
        if Part::of(head.headers) != Some(rest.part) {
            return Err(Mismatch::Header(header::CONTENT_RANGE));
        }
        if content_length(head.headers) != Some(rest.part.length()) {
            return Err(Mismatch::Header(header::CONTENT_LENGTH));
        }
        Ok(Overlap::none())
    }
}

/// The rest, if a strong validator vouches for it and its end is known.
fn rest(head: Head<'_>, sent: u64, is_part: bool) -> Option<Rest> {
    let part = match head.status {
        _ if is_part => Part::of(head.headers)?,
        StatusCode::OK => Part::whole(content_length(head.headers)?)?,
        _ => return None,
    };
    // With nothing sent there is no rest to speak of, and nothing to be gained.
    if sent == 0 {
        return None;
    }
    let part = part.after(sent)?;
    Some(Rest { part, range: part.to_range()?, if_range: strong_etag(head.headers)?.clone() })
}
