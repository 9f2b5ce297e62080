//! Who connects for Pingora.

use std::time::Duration;

use async_trait::async_trait;
use pingora::connectors::http::custom::{self, Connection};
use pingora::upstreams::peer::Peer;
use pingora::{Error, ErrorType};

use super::{Trouble, errand};

/// Makes connections for Pingora by the links of their nodes. Pingora keeps those that idle, and does the talking.
#[derive(Clone, Copy, Debug, Default)]
pub struct Connector;

#[async_trait]
impl custom::Connector for Connector {
    type Session = ();

    async fn get_http_session<P: Peer + Send + Sync + 'static>(
        &self,
        peer: &P,
    ) -> pingora::Result<(Connection<()>, bool)> {
        let errand = peer.get_peer_options().and_then(|options| options.custom_l4.clone());
        let made = match errand {
            Some(errand) => errand::run(&errand, peer.address()).await?,
            None => None,
        };
        match made {
            Some(stream) => Ok((Connection::Stream(Box::new(stream)), false)),
            None => Error::e_explain(ErrorType::InternalError, "the peer has no link"),
        }
    }

    async fn reused_http_session<P: Peer + Send + Sync + 'static>(&self, _: &P) -> Option<()> {
        None
    }

    async fn release_http_session<P: Peer + Send + Sync + 'static>(
        &self,
        (): (),
        _: &P,
        _: Option<Duration>,
    ) {
    }
}

/// Why there is no connection, as Pingora has it.
pub(super) fn error(trouble: Trouble) -> Box<Error> {
    let kind = match &trouble {
        Trouble::Own(_) => ErrorType::InternalError,
        Trouble::Refused(_) => ErrorType::ConnectError,
        Trouble::Late { .. } => ErrorType::ConnectTimedout,
        Trouble::Unverified(_) => ErrorType::InvalidCert,
        Trouble::Tls(_) => ErrorType::TLSHandshakeFailure,
    };
    Error::because(kind, "connecting to a node", trouble)
}
