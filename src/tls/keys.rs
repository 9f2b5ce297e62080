//! The keys of a listener: which client gets which certificate.

use std::collections::HashMap;
use std::sync::Arc;

use tokio_rustls::rustls::SignatureScheme;
use tokio_rustls::rustls::server::{ClientHello, ResolvesServerCert};
use tokio_rustls::rustls::sign::CertifiedKey;

use super::certificate::{Leaf, Loaded};
use super::names::{Covers, parent};

/// Certificates by the names that they are for, in the order of the file.
#[derive(Debug)]
pub(super) struct Keys {
    exact: HashMap<String, Vec<Arc<CertifiedKey>>>,
    below: HashMap<String, Vec<Arc<CertifiedKey>>>,
    /// The first of the file, and those for the same name with another kind of key.
    usual: Vec<Arc<CertifiedKey>>,
    leaves: Arc<[Leaf]>,
}

impl ResolvesServerCert for Keys {
    fn resolve(&self, hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        self.pick(hello.server_name(), hello.signature_schemes())
    }
}

impl Keys {
    pub(super) fn new(loaded: &[Loaded]) -> Self {
        let (mut exact, mut below) = (HashMap::<_, Vec<_>>::new(), HashMap::<_, Vec<_>>::new());
        for Loaded { key, leaf } in loaded {
            for name in &leaf.names {
                let (names, name) = match Covers::of(name) {
                    Covers::Exactly(name) => (&mut exact, name),
                    Covers::Below(name) => (&mut below, name),
                };
                names.entry(name.to_owned()).or_default().push(Arc::clone(key));
            }
        }
        let first = loaded.first();
        let is_alike = |other: &&Loaded| {
            first.is_some_and(|first| {
                other.leaf.names.iter().any(|name| first.leaf.names.first() == Some(name))
            })
        };
        let mut usual: Vec<_> = first.iter().map(|first| Arc::clone(&first.key)).collect();
        usual.extend(loaded.iter().skip(1).filter(is_alike).map(|other| Arc::clone(&other.key)));
        Self { exact, below, usual, leaves: loaded.iter().map(|loaded| loaded.leaf.clone()).collect() }
    }

    /// The certificate for a client that asks for `name` and can check signatures of `schemes`: the first of the file that is
    /// for the name and that it can check.
    ///
    /// Where it can check none of them it gets the first all the same, and decides for itself.
    pub(super) fn pick(&self, name: Option<&str>, schemes: &[SignatureScheme]) -> Option<Arc<CertifiedKey>> {
        let found = name.and_then(|name| self.find(&name.to_ascii_lowercase())).unwrap_or(&self.usual);
        let fits = |key: &&Arc<CertifiedKey>| key.key.choose_scheme(schemes).is_some();
        found.iter().find(fits).or(found.first()).cloned()
    }

    fn find(&self, name: &str) -> Option<&Vec<Arc<CertifiedKey>>> {
        let name = name.strip_suffix('.').unwrap_or(name);
        self.exact.get(name).or_else(|| self.below.get(parent(name)?))
    }

    /// Whether a certificate is for `host`.
    pub(super) fn has(&self, host: &str) -> bool {
        self.find(&host.to_ascii_lowercase()).is_some()
    }

    /// What the certificates say of themselves, in the order of the file.
    pub(super) fn leaves(&self) -> &Arc<[Leaf]> {
        &self.leaves
    }
}
