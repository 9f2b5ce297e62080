//! What a second answer repeats of the first.

use bytes::Bytes;
use highway::{HighwayHash, HighwayHasher};

use super::Digest;
use super::head::Mismatch;
use super::sent::{Evidence, begin};

/// The beginning of a second answer, which the client has already: it is cut off and compared.
#[derive(Debug)]
pub struct Overlap {
    /// How much of it is still to come.
    left: u64,
    compared: Option<Box<Compared>>,
}

#[derive(Debug)]
struct Compared {
    running: HighwayHasher,
    wanted: Digest,
}

impl Overlap {
    pub(super) fn new(length: u64, evidence: Evidence) -> Self {
        let compared = match evidence {
            Evidence::Hash { key, digest } => {
                Some(Box::new(Compared { running: begin(key), wanted: digest }))
            }
            Evidence::Validator | Evidence::NothingSent => None,
        };
        Self { left: length, compared }
    }

    /// For an answer that holds the rest alone.
    pub(super) fn none() -> Self {
        Self { left: 0, compared: None }
    }

    /// Cuts off of `piece` what the client has. No byte after the overlap is let through before all of it was compared.
    ///
    /// # Errors
    ///
    /// [`Mismatch::Beginning`] if it differs, or ends with `is_last` before it is over.
    pub fn cut_off(&mut self, piece: &mut Option<Bytes>, is_last: bool) -> Result<(), Mismatch> {
        if self.left == 0 {
            return Ok(());
        }
        if let Some(bytes) = piece {
            let length = usize::try_from(self.left).map_or(bytes.len(), |left| left.min(bytes.len()));
            let seen = bytes.split_to(length);
            self.left -= length as u64;
            if let Some(compared) = &mut self.compared {
                compared.running.append(&seen);
            }
            // An empty piece could be written as the last chunk.
            if bytes.is_empty() {
                *piece = None;
            }
        }
        match self.left {
            0 => self.compare(),
            _ if is_last => Err(Mismatch::Beginning),
            _ => Ok(()),
        }
    }

    fn compare(&mut self) -> Result<(), Mismatch> {
        let Some(Compared { running, wanted }) = self.compared.take().map(|compared| *compared) else {
            return Ok(());
        };
        if running.finalize256() == wanted { Ok(()) } else { Err(Mismatch::Beginning) }
    }
}
