//! Who connects for Pingora.

use std::time::Duration;

use async_trait::async_trait;
use pingora::connectors::http::custom::{self, Connection};
use pingora::protocols::ALPN;
use pingora::upstreams::peer::Peer;
use pingora::{Error, ErrorType};

use super::errand::{self, Made};
use super::exchange::Exchange;
use super::shelf::{Shelf, Turn};
use super::trouble::Trouble;

/// How long a connection that requests share may take to give a sign of life before another request goes out on it.
const SIGN_OF_LIFE: Duration = Duration::from_millis(300);

/// Makes connections for Pingora by the links of their nodes.
///
/// Those for HTTP/1.1 Pingora keeps while they idle, and does the talking; those that requests share are kept here.
#[derive(Debug, Default)]
pub struct Connector {
    shelf: Shelf,
}

/// Why an exchange broke.
#[derive(Debug, thiserror::Error)]
pub(super) enum Break {
    /// The node refused the stream, and has not begun the request.
    #[error("the node refused the stream")]
    Refused(#[source] h2::Error),
    /// The connection ended in order before the node took the request.
    #[error("the connection was over before the node took the request")]
    Over(#[source] h2::Error),
    /// What the node sends is no HTTP.
    #[error("the node sent no HTTP/2")]
    Nonsense(#[source] h2::Error),
    /// Anything else.
    #[error("the stream broke")]
    Broken(#[source] h2::Error),
    /// The node sent nothing in time.
    #[error("the node sent nothing in time")]
    Late,
    /// The node took nothing in time.
    #[error("the node took nothing in time")]
    Stuck,
    /// The node was given up while it took nothing.
    #[error("the node took nothing, and is silent")]
    GivenUp,
    /// Pingora asked for what cannot be.
    #[error("the request cannot be sent by HTTP/2")]
    Unsendable,
}

/// What an error of Pingora's says of a request on a connection that others share.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Known {
    /// The node refused it.
    Refused,
    /// The connection ended in order before the node took it.
    Over,
    /// The node took nothing more of its body, and was given up.
    GivenUp,
}

/// What is known of a request, where `cause` is what its exchange broke by: that the node has not begun it (RFC 9113, 8.7), or
/// not got all of it.
pub fn known_of(cause: &(dyn std::error::Error + 'static)) -> Option<Known> {
    match cause.downcast_ref()? {
        Break::Refused(_) => Some(Known::Refused),
        Break::Over(_) => Some(Known::Over),
        Break::GivenUp => Some(Known::GivenUp),
        Break::Nonsense(_) | Break::Broken(_) | Break::Late | Break::Stuck | Break::Unsendable => None,
    }
}

impl Break {
    /// What an error says that says nothing of the request itself.
    pub(super) fn of(why: h2::Error) -> Self {
        match why.is_library() {
            true => Self::Nonsense(why),
            false => Self::Broken(why),
        }
    }
}

#[async_trait]
impl custom::Connector for Connector {
    type Session = Exchange;

    async fn get_http_session<P: Peer + Send + Sync + 'static>(
        &self,
        peer: &P,
    ) -> pingora::Result<(Connection<Exchange>, bool)> {
        let Some(errand) = errand::of(peer).await? else {
            return Error::e_explain(ErrorType::InternalError, "the peer has no link");
        };
        let key = peer.reuse_hash();
        let opening = is_shared(peer).then(|| self.shelf.opening(key));
        let turn = match &opening {
            Some(opening) => opening.turn().await,
            None => Turn::Everybodys,
        };
        if let Turn::Failed = turn {
            return Err(error(Trouble::Http2("no connection to it could be opened a moment ago".to_owned())));
        }
        if opening.is_some()
            && let Some(taken) = self.shelf.find(key, SIGN_OF_LIFE).await
        {
            return Ok((Connection::Session(Exchange::new(taken, errand.overseer.clone())), true));
        }
        match errand.make().await {
            Ok(Made::Own(stream)) => {
                // Nobody has to wait for what is not shared.
                opening.iter().for_each(|opening| opening.was_own());
                Ok((Connection::Stream(stream), false))
            }
            Ok(Made::Shared(shared)) => {
                let taken = self.shelf.add(key, shared, peer.idle_timeout());
                drop(turn);
                let taken =
                    taken.ok_or_else(|| error(Trouble::Http2("the node takes no stream".to_owned())))?;
                Ok((Connection::Session(Exchange::new(taken, errand.overseer.clone())), false))
            }
            Err(why) => {
                opening.iter().for_each(|opening| opening.failed());
                Err(error(why))
            }
        }
    }

    async fn reused_http_session<P: Peer + Send + Sync + 'static>(&self, peer: &P) -> Option<Exchange> {
        if !is_shared(peer) {
            return None;
        }
        let taken = self.shelf.find(peer.reuse_hash(), SIGN_OF_LIFE).await?;
        let errand = errand::of(peer).await.ok().flatten()?;
        Some(Exchange::new(taken, errand.overseer.clone()))
    }

    /// Nothing has to be done: the place is free again as the exchange goes.
    async fn release_http_session<P: Peer + Send + Sync + 'static>(
        &self,
        _: Exchange,
        _: &P,
        _: Option<Duration>,
    ) {
    }
}

/// Whether requests may share the connections to `peer`.
fn is_shared(peer: &impl Peer) -> bool {
    matches!(peer.get_alpn(), Some(ALPN::Custom(kind)) if kind.protocol() == errand::SHARED)
}

/// Why there is no connection, as Pingora has it.
pub(super) fn error(trouble: Trouble) -> Box<Error> {
    let kind = match &trouble {
        Trouble::Own(_) => ErrorType::InternalError,
        Trouble::Refused(_) => ErrorType::ConnectError,
        Trouble::Late { .. } => ErrorType::ConnectTimedout,
        Trouble::Unverified(_) => ErrorType::InvalidCert,
        Trouble::Tls(_) => ErrorType::TLSHandshakeFailure,
        Trouble::Http2(_) => ErrorType::H2Error,
    };
    Error::because(kind, "connecting to a node", trouble)
}

/// Why an exchange broke, as Pingora has it.
pub(super) fn broken(why: Break) -> Box<Error> {
    let kind = match &why {
        Break::Refused(_) | Break::Over(_) | Break::Broken(_) => ErrorType::ReadError,
        Break::Nonsense(_) => ErrorType::InvalidHTTPHeader,
        Break::Late => ErrorType::ReadTimedout,
        Break::Stuck | Break::GivenUp => ErrorType::WriteTimedout,
        Break::Unsendable => ErrorType::InternalError,
    };
    Error::because(kind, "on a shared connection to a node", why)
}
