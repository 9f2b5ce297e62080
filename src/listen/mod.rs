//! The front door: where clients connect.
//!
//! The accept loop is ours and hands each connection to Pingora as a stream of our own, because what the edge needs is
//! decided on the connection: listeners that come and go with a reload, a deadline for the whole head of a request,
//! limits on connections, and one timer for all the waiting that a connection does.

mod accept;
mod alarm;
mod bind;
mod channel;
mod connection;
mod cut;
mod door;
mod handshake;
mod http1;
mod http2;
mod intake;
mod introduction;
mod limits;
mod linger;
mod pace;
mod peer;
mod presence;
mod refusal;
mod shard;
mod socket;
mod stream;
mod uptake;

pub use connection::{Connection, Late, Waiting};
pub use door::{BindError, FrontDoor, Prepared};
pub use limits::Limits;
pub use pace::Pace;
pub use peer::{Peer, Security};
pub use shard::{Serve, Served, Shard};
