//! Whose certificates are believed: those that the system believes.

use std::sync::Arc;

use tokio_rustls::rustls::crypto::aws_lc_rs;
use tokio_rustls::rustls::{ClientConfig, RootCertStore};

use crate::generation::Generation;

/// What is believed of those who are reached by TLS.
#[derive(Clone, Debug)]
pub(super) enum Trust {
    /// Nobody is reached by TLS.
    Nobody,
    /// Those whom these settings let through.
    Roots(Arc<ClientConfig>),
    /// Nobody can be believed, for this reason.
    Lost(String),
}

impl Trust {
    /// What the webhooks of a generation need, read anew: who is believed may change while bookend runs.
    pub(super) async fn for_those(generation: &Generation) -> Self {
        if !generation.config().alerts.webhooks.iter().any(|hook| hook.url.is_https()) {
            return Self::Nobody;
        }
        let read = tokio::task::spawn_blocking(Self::read).await;
        read.unwrap_or_else(|why| Self::Lost(why.to_string()))
    }

    /// Blocks on the file system.
    fn read() -> Self {
        let found = rustls_native_certs::load_native_certs();
        let mut roots = RootCertStore::empty();
        let (good, _) = roots.add_parsable_certificates(found.certs);
        if good == 0 {
            let why = found.errors.first().map(|why| format!(": {why}")).unwrap_or_default();
            return Self::Lost(format!(
                "the system has no root certificates, install `ca-certificates`{why}"
            ));
        }
        let settings = ClientConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
            .with_safe_default_protocol_versions();
        match settings {
            Ok(settings) => {
                Self::Roots(Arc::new(settings.with_root_certificates(roots).with_no_client_auth()))
            }
            Err(why) => Self::Lost(why.to_string()),
        }
    }
}
