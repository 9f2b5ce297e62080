//! The settings with which one node is reached by TLS.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use tokio_rustls::rustls::client::{ResolvesClientCert, WebPkiServerVerifier};
use tokio_rustls::rustls::crypto::aws_lc_rs;
use tokio_rustls::rustls::pki_types::{CertificateDer, ServerName};
use tokio_rustls::rustls::sign::{CertifiedKey, SingleCertAndKey};
use tokio_rustls::rustls::{ClientConfig, RootCertStore};

use super::certificate::{self, Fault};
use super::file::Stamp;
use super::roots;
use crate::config;

/// How one node is reached by TLS: its certificate has to be for the name, by those whom it may be vouched by.
#[derive(Clone, Debug)]
pub struct Initiator {
    settings: config::NodeTls,
    client: Arc<ClientConfig>,
    server_name: ServerName<'static>,
    /// All that was read for it: other content needs other settings.
    read: Arc<[Vec<u8>]>,
}

/// Those who may vouch for nodes, and their certificates in one piece.
type Roots = (Arc<RootCertStore>, Vec<u8>);

/// What several nodes need, read once.
#[derive(Default)]
pub(super) struct Reader {
    roots: HashMap<Option<PathBuf>, Result<Roots, Fault>>,
    pub(super) stamps: Vec<Stamp>,
}

impl Initiator {
    /// Reads what a node needs that speaks one of these protocols, the first rather than the others; `known` is what is in
    /// use for it, and stays if all is as it was, with the sessions that can be resumed.
    pub(super) fn load(
        settings: &config::NodeTls,
        known: Option<&Self>,
        reader: &mut Reader,
    ) -> Result<Self, Fault> {
        let (roots, bytes) = reader.roots(settings.authorities.as_deref())?;
        let shown = settings.certificate.as_ref().map(|shown| certificate::load(shown, &mut reader.stamps));
        let shown = shown.transpose()?.map(|loaded| loaded.key);
        let fingerprint = shown.as_ref().map(|key| in_one(&key.cert)).unwrap_or_default();
        let read = [bytes, fingerprint];
        if let Some(known) = known.filter(|known| known.settings == *settings && *known.read == read) {
            return Ok(known.clone());
        }
        let server_name = ServerName::try_from(settings.server_name.clone()).map_err(|why| {
            let message = format!("`{}` cannot be verified: {why}", settings.server_name);
            Fault::new("server_name", message, "write the name that is in the node's certificate")
        })?;
        let client = client(roots, shown).map_err(|why| {
            Fault::new("authorities", format!("TLS cannot be set up: {why}"), "change the settings")
        })?;
        Ok(Self { settings: settings.clone(), client: Arc::new(client), server_name, read: read.into() })
    }

    /// What the handshake of each connection follows; the same for as long as nothing changes.
    pub fn client(&self) -> &Arc<ClientConfig> {
        &self.client
    }

    /// The name that is asked for and verified.
    pub fn server_name(&self) -> &ServerName<'static> {
        &self.server_name
    }
}

impl Reader {
    /// Those who may vouch for nodes, and their certificates in one piece; those that the system trusts without a file.
    fn roots(&mut self, file: Option<&Path>) -> Result<Roots, Fault> {
        let key = file.map(Path::to_owned);
        if let Some(known) = self.roots.get(&key) {
            return known.clone();
        }
        let found = match file {
            Some(file) => {
                roots::from_file(file, &mut self.stamps).map(|(roots, bytes)| (Arc::new(roots), bytes))
            }
            None => of_the_system(),
        };
        self.roots.insert(key, found.clone());
        found
    }
}

/// Certificates in one piece.
fn in_one(certificates: &[CertificateDer<'_>]) -> Vec<u8> {
    certificates.iter().flat_map(|certificate| certificate.iter().copied()).collect()
}

fn of_the_system() -> Result<Roots, Fault> {
    let found = rustls_native_certs::load_native_certs();
    let bytes = in_one(&found.certs);
    let mut roots = RootCertStore::empty();
    let (good, _) = roots.add_parsable_certificates(found.certs);
    if good > 0 {
        return Ok((Arc::new(roots), bytes));
    }
    let why = found.errors.first().map(|why| format!(": {why}")).unwrap_or_default();
    let message = format!("the system has no root certificates, so no node could be verified{why}");
    Err(Fault::new(
        "authorities",
        message,
        "install `ca-certificates`, or name a file of your own with `authorities`",
    ))
}

fn client(
    roots: Arc<RootCertStore>,
    shown: Option<Arc<CertifiedKey>>,
) -> Result<ClientConfig, tokio_rustls::rustls::Error> {
    let provider = Arc::new(aws_lc_rs::default_provider());
    let verifier = WebPkiServerVerifier::builder_with_provider(roots, Arc::clone(&provider)).build();
    let verifier = verifier.map_err(|why| tokio_rustls::rustls::Error::General(why.to_string()))?;
    let builder = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions()?;
    let builder = builder.with_webpki_verifier(verifier);
    Ok(match shown {
        None => builder.with_no_client_auth(),
        Some(key) => {
            let key: Arc<dyn ResolvesClientCert> = Arc::new(SingleCertAndKey::from(key));
            builder.with_client_cert_resolver(key)
        }
    })
}
