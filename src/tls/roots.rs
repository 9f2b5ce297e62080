//! Those who may vouch for clients, or for nodes, as a file has them.

use std::path::Path;

use tokio_rustls::rustls::RootCertStore;
use tokio_rustls::rustls::pki_types::CertificateDer;
use tokio_rustls::rustls::pki_types::pem::PemObject;

use super::certificate::Fault;
use super::file::{Stamp, read};

/// Reads who may vouch for others, and gives the file, whole, with them.
pub(super) fn from_file(path: &Path, stamps: &mut Vec<Stamp>) -> Result<(RootCertStore, Vec<u8>), Fault> {
    let wrong =
        |why: String, help: &str| Fault::new("authorities", format!("{} {why}", path.display()), help);
    let bytes = read(path, stamps).map_err(|why| {
        wrong(format!("cannot be read: {why}"), "name a file that is there and that bookend may read")
    })?;
    let mut roots = RootCertStore::empty();
    for certificate in CertificateDer::pem_slice_iter(&bytes) {
        let added = certificate.map_err(|why| why.to_string());
        let added = added.and_then(|root| roots.add(root).map_err(|why| why.to_string()));
        added.map_err(|why| wrong(format!("is damaged: {why}"), "copy it anew"))?;
    }
    if roots.is_empty() {
        let help =
            "name a file with the certificates of the authorities, each after `-----BEGIN CERTIFICATE-----`";
        return Err(wrong("holds no certificate in PEM".to_owned(), help));
    }
    Ok((roots, bytes))
}
