//! TLS in front of a scripted node, as a node has it that speaks TLS itself.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use tokio::io::copy_bidirectional;
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::crypto::aws_lc_rs;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject};
use tokio_rustls::rustls::server::WebPkiClientVerifier;
use tokio_rustls::rustls::{HandshakeKind, RootCertStore, ServerConfig};

use super::origin::Origin;
use super::pki::{Authority, Files};
use super::serving::Serving;

/// A place where TLS is spoken, and behind it a node that knows nothing of that.
pub(crate) struct Sealed {
    serving: Serving,
    shared: Arc<Shared>,
}

struct Shared {
    settings: Mutex<Arc<ServerConfig>>,
    node: SocketAddr,
    /// Whether it takes connections and says nothing.
    is_silent: AtomicBool,
    full: AtomicUsize,
    resumed: AtomicUsize,
    names: Mutex<Vec<String>>,
}

impl Sealed {
    /// Before `node`, with this certificate.
    pub(crate) fn before(node: &Origin, files: &Files) -> Self {
        Self::with(node.socket_address(), settings(files, None))
    }

    /// Before a node at `address`.
    pub(crate) fn before_address(address: SocketAddr, files: &Files) -> Self {
        Self::with(address, settings(files, None))
    }

    /// The same, for those alone who show a certificate of `clients`.
    pub(crate) fn before_for(node: &Origin, files: &Files, clients: &Authority) -> Self {
        Self::with(node.socket_address(), settings(files, Some(clients)))
    }

    fn with(node: SocketAddr, settings: ServerConfig) -> Self {
        let shared = Arc::new(Shared {
            settings: Mutex::new(Arc::new(settings)),
            node,
            is_silent: AtomicBool::new(false),
            full: AtomicUsize::new(0),
            resumed: AtomicUsize::new(0),
            names: Mutex::default(),
        });
        let ours = Arc::clone(&shared);
        let serving = Serving::start(|listener| accept(listener, ours));
        Self { serving, shared }
    }

    /// As a configuration names it.
    pub(crate) fn address(&self) -> SocketAddr {
        self.serving.address()
    }

    /// From the next connection on, it shows this certificate.
    pub(crate) fn now_shows(&self, files: &Files) {
        *self.shared.settings.lock().unwrap() = Arc::new(settings(files, None));
    }

    /// From the next connection on, it offers no HTTP/2.
    pub(crate) fn offers_http1_alone(&self) {
        let mut settings = self.shared.settings.lock().unwrap();
        Arc::make_mut(&mut settings).alpn_protocols = vec![b"http/1.1".to_vec()];
    }

    /// From the next connection on, it says nothing.
    pub(crate) fn falls_silent(&self) {
        self.shared.is_silent.store(true, Ordering::SeqCst);
    }

    /// Handshakes so far: whole ones, and those of sessions that went on.
    pub(crate) fn handshakes(&self) -> (usize, usize) {
        (self.shared.full.load(Ordering::SeqCst), self.shared.resumed.load(Ordering::SeqCst))
    }

    /// The names that were asked for.
    pub(crate) fn names(&self) -> Vec<String> {
        self.shared.names.lock().unwrap().clone()
    }
}

fn settings(files: &Files, clients: Option<&Authority>) -> ServerConfig {
    let provider = Arc::new(aws_lc_rs::default_provider());
    let builder = ServerConfig::builder_with_provider(Arc::clone(&provider));
    let builder = builder.with_safe_default_protocol_versions().unwrap();
    let chain = CertificateDer::pem_file_iter(&files.certificate).unwrap().map(Result::unwrap).collect();
    let key = PrivateKeyDer::from_pem_file(&files.key).unwrap();
    let builder = match clients {
        None => builder.with_no_client_auth(),
        Some(authority) => {
            let mut roots = RootCertStore::empty();
            roots.add(CertificateDer::from_pem_file(authority.file()).unwrap()).unwrap();
            let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider);
            builder.with_client_cert_verifier(verifier.build().unwrap())
        }
    };
    let mut settings = builder.with_single_cert(chain, key).unwrap();
    settings.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    settings
}

async fn accept(listener: TcpListener, shared: Arc<Shared>) {
    let mut kept = Vec::new();
    loop {
        let (stream, _) = listener.accept().await.unwrap();
        if shared.is_silent.load(Ordering::SeqCst) {
            kept.push(stream);
            continue;
        }
        let shared = Arc::clone(&shared);
        tokio::spawn(async move {
            let settings = Arc::clone(&shared.settings.lock().unwrap());
            let Ok(mut tls) = TlsAcceptor::from(settings).accept(stream).await else { return };
            let kind = tls.get_ref().1.handshake_kind();
            let counter = if kind == Some(HandshakeKind::Resumed) { &shared.resumed } else { &shared.full };
            counter.fetch_add(1, Ordering::SeqCst);
            let name = tls.get_ref().1.server_name().unwrap_or_default().to_owned();
            shared.names.lock().unwrap().push(name);
            if let Ok(mut node) = TcpStream::connect(shared.node).await {
                let _ = copy_bidirectional(&mut tls, &mut node).await;
            }
        });
    }
}
