//! Where a client's messages begin and end, read so strictly that nobody can read them in another way (RFC 9112).
//!
//! Two programs that read one message in two ways are how a request is smuggled: what one of them takes for a body, the
//! other takes for the next request. So whatever leaves a choice is refused here before anybody else has seen it, even where
//! the standard would let a recipient mend it. What is passed on has one meaning, and Pingora's parser, which is more
//! patient, can only find that one.
//!
//! [`Requests`] follows a connection byte by byte; [`Head`] reads the head of a request, [`Chunks`] a body in chunks.
//! [`Parsed`] is a head that came in parts. [`is_plain_answer`] judges what a node says of its answer's end, [`begins_refusal`]
//! whether it says no. [`Frames`] finds the frames of HTTP/2.

mod answer;
mod bytes;
mod chunks;
mod flaw;
mod frames;
mod head;
mod host;
mod parsed;
mod requests;

pub use answer::{STATUS, begins_refusal, is_plain_answer};
pub use chunks::Chunks;
pub use flaw::Flaw;
pub use frames::{Frames, SMALL_PIECE, Sifted};
pub use head::{Body, Bounds, Head, split_url};
pub use parsed::Parsed;
pub use requests::{Passed, Requests};

#[cfg(test)]
mod tests;
