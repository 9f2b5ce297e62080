//! Certificates of clients: who may vouch for them, and what a node is told of them.

use std::fmt::Write;
use std::sync::Arc;

use tokio_rustls::rustls::crypto::CryptoProvider;
use tokio_rustls::rustls::server::WebPkiClientVerifier;
use tokio_rustls::rustls::server::danger::ClientCertVerifier;
use tokio_rustls::rustls::{Error, RootCertStore};
use x509_parser::certificate::X509Certificate;
use x509_parser::objects::{oid_registry, oid2abbrev};
use x509_parser::prelude::FromDer;
use x509_parser::x509::AttributeTypeAndValue;

use super::certificate::Fault;
use super::file::Stamp;
use super::roots;
use crate::config;

/// Those who may vouch for clients.
#[derive(Debug)]
pub(super) struct Authorities {
    /// The file, whole.
    pub(super) bytes: Vec<u8>,
    roots: RootCertStore,
    required: bool,
}

/// Reads who may vouch for clients.
pub(super) fn authorities(
    settings: &config::ClientCertificates,
    stamps: &mut Vec<Stamp>,
) -> Result<Authorities, Fault> {
    let (roots, bytes) = roots::from_file(&settings.authorities, stamps)?;
    Ok(Authorities { bytes, roots, required: settings.required })
}

impl Authorities {
    pub(super) fn verifier(
        self,
        provider: Arc<CryptoProvider>,
    ) -> Result<Arc<dyn ClientCertVerifier>, Error> {
        let builder = WebPkiClientVerifier::builder_with_provider(Arc::new(self.roots), provider);
        let builder = if self.required { builder } else { builder.allow_unauthenticated() };
        builder.build().map_err(|why| Error::General(why.to_string()))
    }
}

/// Whom a certificate is for, as RFC 4514 writes it: `CN=Anna,O=Example`. `None` if it cannot be read.
///
/// ASCII whatever stands in the certificate, and every character that could be mistaken for one of the format is escaped.
pub fn subject(certificate: &[u8]) -> Option<String> {
    let (_, parsed) = X509Certificate::from_der(certificate).ok()?;
    let mut steps: Vec<_> = parsed
        .subject()
        .iter_rdn()
        .map(|step| {
            let parts: Vec<_> = step.iter().map(attribute).collect();
            parts.join("+")
        })
        .collect();
    // The last of the certificate comes first (RFC 4514, 2.1).
    steps.reverse();
    Some(steps.join(","))
}

fn attribute(attribute: &AttributeTypeAndValue<'_>) -> String {
    let kind = attribute.attr_type();
    let mut text = match oid2abbrev(kind, oid_registry()) {
        Ok(name) => name.to_owned(),
        Err(_) => kind.to_id_string(),
    };
    text.push('=');
    match attribute.as_str() {
        Ok(value) => escape(value, &mut text),
        Err(_) => {
            // What is no text stands as its bytes (RFC 4514, 2.4).
            text.push('#');
            for byte in attribute.as_slice() {
                // Writing to a string cannot fail.
                let _ = write!(text, "{byte:02x}");
            }
        }
    }
    text
}

/// Adds `value` to `text`, with all escaped that is not plain (RFC 4514, 2.4).
fn escape(value: &str, text: &mut String) {
    let last = value.len().saturating_sub(1);
    for (index, byte) in value.bytes().enumerate() {
        let is_plain = match byte {
            b'"' | b'+' | b',' | b';' | b'<' | b'>' | b'\\' | b'=' => false,
            b' ' => index != 0 && index != last,
            b'#' => index != 0,
            byte => byte.is_ascii_graphic(),
        };
        if is_plain {
            text.push(char::from(byte));
        } else {
            // Writing to a string cannot fail.
            let _ = write!(text, "\\{byte:02X}");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn value_cannot_pass_for_another_part_of_the_name() {
        let mut text = String::new();
        escape(" anna,O=admin\r\nX: é ", &mut text);
        assert_eq!(text, "\\20anna\\2CO\\3Dadmin\\0D\\0AX: \\C3\\A9\\20");
    }
}
