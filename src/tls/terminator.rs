//! The settings with which one listener speaks TLS.

use std::sync::Arc;
use std::time::SystemTime;

use tokio_rustls::rustls::crypto::aws_lc_rs;
use tokio_rustls::rustls::server::danger::ClientCertVerifier;
use tokio_rustls::rustls::server::{NoServerSessionStorage, WebPkiClientVerifier};
use tokio_rustls::rustls::{Error, ServerConfig, version};

use super::certificate::{self, Fault, Leaf, Loaded};
use super::client;
use super::file::Stamp;
use super::keys::Keys;
use super::tickets::{Rules, Tickets};
use crate::config::{self, FileFault, Step, TlsVersion};

/// How one listener speaks TLS.
#[derive(Debug)]
pub struct Terminator {
    server: Arc<ServerConfig>,
    keys: Arc<Keys>,
    tickets: Arc<Tickets>,
    /// Those under which tickets are good.
    rules: Rules,
    stamps: Vec<Stamp>,
}

impl Terminator {
    /// Reads what listener number `index` needs, whose clients may speak HTTP/2 if it has that; `known` is the one in use at its address.
    pub(super) fn load(
        settings: &config::Tls,
        has_http2: bool,
        index: usize,
        known: Option<&Arc<Self>>,
    ) -> Result<Arc<Self>, Vec<FileFault>> {
        let (mut stamps, mut faults, mut loaded) = (Vec::new(), Vec::new(), Vec::new());
        for (number, certificate) in settings.certificates.iter().enumerate() {
            match certificate::load(certificate, &mut stamps) {
                Ok(certificate) => loaded.push(certificate),
                Err(fault) => faults.push(of_certificate(index, number, fault)),
            }
        }
        let clients = settings.client_certificates.as_ref();
        let authorities = clients.map(|clients| client::authorities(clients, &mut stamps)).transpose();
        match authorities {
            Ok(authorities) if faults.is_empty() => {
                Self::put_together((settings, has_http2), known, &loaded, authorities, stamps)
                    .map(Arc::new)
                    .map_err(|why| vec![unusable(index, &why)])
            }
            Ok(_) => Err(faults),
            Err(fault) => {
                faults.push(of_clients(index, fault));
                Err(faults)
            }
        }
    }

    fn put_together(
        (settings, has_http2): (&config::Tls, bool),
        known: Option<&Arc<Self>>,
        loaded: &[Loaded],
        authorities: Option<client::Authorities>,
        stamps: Vec<Stamp>,
    ) -> Result<Self, Error> {
        let keys = Arc::new(Keys::new(loaded));
        let rules = Rules::of(settings, authorities.as_ref().map(|authorities| &authorities.bytes[..]));
        let tickets = known.filter(|known| known.rules == rules).map(|known| Arc::clone(&known.tickets));
        let no_chance = |_| Error::FailedToGetRandomBytes;
        let tickets = tickets.map_or_else(|| Tickets::new().map(Arc::new).map_err(no_chance), Ok)?;
        let mut server = server(settings, Arc::clone(&keys), authorities, Arc::clone(&tickets))?;
        if has_http2 {
            server.alpn_protocols.insert(0, b"h2".to_vec());
        }
        Ok(Self { server: Arc::new(server), keys, tickets, rules, stamps })
    }

    /// The keys of its tickets, and the rules under which they are good.
    pub(super) fn tickets(&self) -> (&Tickets, Rules) {
        (&self.tickets, self.rules)
    }

    /// What the handshake of each connection follows.
    pub fn server(&self) -> Arc<ServerConfig> {
        Arc::clone(&self.server)
    }

    /// What the certificates that it shows say of themselves.
    pub fn leaves(&self) -> Arc<[Leaf]> {
        Arc::clone(self.keys.leaves())
    }

    /// Whether a certificate is for `host`.
    pub(super) fn has_certificate_for(&self, host: &str) -> bool {
        self.keys.has(host)
    }

    /// What is wrong with the dates of its certificates at `now`, but for those that `known` shows as well.
    pub(super) fn out_of_date(&self, index: usize, known: Option<&Self>, now: SystemTime) -> Vec<FileFault> {
        let known = known.map(Self::leaves).unwrap_or_default();
        let leaves = self.leaves();
        let is_new = |leaf: &Leaf| known.iter().all(|known| known.fingerprint != leaf.fingerprint);
        let fault = |(number, leaf): (usize, &Leaf)| {
            let message = format!("{}: {}", leaf.file, leaf.is_out_of_date(now).filter(|_| is_new(leaf))?);
            let fault = Fault::new("certificate", message, "renew it, and look at the clock of this machine");
            Some(of_certificate(index, number, fault))
        };
        leaves.iter().enumerate().filter_map(fault).collect()
    }

    /// The files that it was read from.
    pub(super) fn stamps(&self) -> &[Stamp] {
        &self.stamps
    }
}

fn server(
    settings: &config::Tls,
    keys: Arc<Keys>,
    authorities: Option<client::Authorities>,
    tickets: Arc<Tickets>,
) -> Result<ServerConfig, Error> {
    let provider = Arc::new(aws_lc_rs::default_provider());
    let versions: &[_] = match settings.min_version {
        TlsVersion::V1_2 => &[&version::TLS13, &version::TLS12],
        TlsVersion::V1_3 => &[&version::TLS13],
    };
    let builder =
        ServerConfig::builder_with_provider(Arc::clone(&provider)).with_protocol_versions(versions)?;
    let verifier: Arc<dyn ClientCertVerifier> = match authorities {
        None => WebPkiClientVerifier::no_client_auth(),
        Some(authorities) => authorities.verifier(provider)?,
    };
    let mut server = builder.with_client_cert_verifier(verifier).with_cert_resolver(keys);
    server.alpn_protocols = vec![b"http/1.1".to_vec()];
    // Sessions are resumed by tickets alone: nothing is kept for a client, and the keys that seal tickets rotate.
    server.ticketer = tickets;
    server.session_storage = Arc::new(NoServerSessionStorage {});
    server.ignore_client_order = true;
    Ok(server)
}

fn way(index: usize) -> Vec<Step> {
    vec![Step::Key("listeners"), Step::Item(index), Step::Key("tls")]
}

fn of_certificate(index: usize, number: usize, fault: Fault) -> FileFault {
    let mut at = way(index);
    at.extend([Step::Key("certificates"), Step::Item(number), Step::Key(fault.key)]);
    FileFault { at, message: fault.message, help: fault.help }
}

fn of_clients(index: usize, fault: Fault) -> FileFault {
    let mut at = way(index);
    at.extend([Step::Key("client_certificates"), Step::Key(fault.key)]);
    FileFault { at, message: fault.message, help: fault.help }
}

fn unusable(index: usize, why: &Error) -> FileFault {
    let (message, help) = (format!("TLS cannot be set up: {why}"), "change the settings".to_owned());
    FileFault { at: way(index), message, help }
}
