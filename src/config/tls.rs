//! What a listener needs to speak TLS.

use std::path::PathBuf;
use std::time::Duration;

use http::HeaderValue;

use super::bounds;
use super::read::{Fault, Fields, Value};

/// How a listener speaks TLS.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tls {
    /// The certificates, of which each client gets the one for the name it asks for; never empty. The first is for clients
    /// that ask for no name, or for one that none is for.
    pub certificates: Vec<Certificate>,
    /// Whether clients show certificates of their own; `None` if they are not asked.
    pub client_certificates: Option<ClientCertificates>,
    /// The oldest version that is spoken.
    pub min_version: TlsVersion,
    /// What browsers are told to remember (RFC 6797); `None` is nothing.
    pub hsts: Option<Hsts>,
}

/// One certificate, as files.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Certificate {
    /// The certificate and those that vouch for it, in PEM, its own first.
    pub certificate: PathBuf,
    /// Its private key, in PEM.
    pub key: PathBuf,
    /// What its authority says of it (an OCSP response, in DER), handed to clients.
    pub ocsp: Option<PathBuf>,
}

/// Certificates of clients.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClientCertificates {
    /// Those who may vouch for clients, in PEM.
    pub authorities: PathBuf,
    /// Whether a client without one is turned away.
    pub required: bool,
}

/// A version of TLS.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum TlsVersion {
    /// TLS 1.2 (RFC 5246).
    #[default]
    V1_2,
    /// TLS 1.3 (RFC 8446).
    V1_3,
}

/// What browsers are told to remember: that this site is to be reached by TLS alone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hsts {
    /// The value of `Strict-Transport-Security` (RFC 6797, 6.1).
    pub header: HeaderValue,
}

impl Hsts {
    fn new(max_age: Duration, include_subdomains: bool, preload: bool) -> Option<Self> {
        let mut text = format!("max-age={}", max_age.as_secs());
        for (is_told, directive) in [(include_subdomains, "; includeSubDomains"), (preload, "; preload")] {
            if is_told {
                text.push_str(directive);
            }
        }
        Some(Self { header: HeaderValue::try_from(text).ok()? })
    }
}

const WHAT: &str = "a mapping with the key `certificates`";
const EXAMPLE: &str =
    "add them, as in `certificates: [{certificate: /etc/bookend/site.pem, key: /etc/bookend/site.key}]`";

/// Reads how a listener speaks TLS.
pub(super) fn read(value: Value<'_>) -> Option<Tls> {
    value.fields(WHAT, |fields| {
        let certificates = fields.require("certificates", EXAMPLE, certificates);
        let client_certificates = fields.read("client_certificates", client_certificates);
        let versions = [("1.2", TlsVersion::V1_2), ("1.3", TlsVersion::V1_3)];
        let min_version = fields.read("min_version", |v| v.one_of("a version of TLS", &versions));
        let hsts = fields.read("hsts", |v| v.or_off("a mapping like `{max_age: 365d}`", |v| hsts(*v)));
        Some(Tls {
            certificates: certificates?,
            client_certificates,
            min_version: min_version.unwrap_or_default(),
            hsts: hsts.flatten(),
        })
    })?
}

fn certificates(value: Value<'_>) -> Option<Vec<Certificate>> {
    let found = value
        .each("a list of certificates", |item| item.fields("a certificate and its key", certificate)?)?;
    if value.is_empty_list() {
        return value.fail(Fault::new("no certificate, so nobody could connect").help(EXAMPLE));
    }
    Some(found)
}

fn certificate(fields: &Fields<'_>) -> Option<Certificate> {
    let file = |v: Value<'_>| v.file_path();
    let help = "add the file, as in `certificate: /etc/bookend/site.pem`";
    let certificate = fields.require("certificate", help, file);
    let key = fields.require("key", "add the file, as in `key: /etc/bookend/site.key`", file);
    let ocsp = fields.read("ocsp", file);
    Some(Certificate { certificate: certificate?, key: key?, ocsp })
}

fn client_certificates(value: Value<'_>) -> Option<ClientCertificates> {
    value.fields("a mapping with the key `authorities`", |fields| {
        let help = "add the file, as in `authorities: /etc/bookend/clients.pem`";
        let authorities = fields.require("authorities", help, |v| v.file_path());
        let required = fields.read("required", |v| v.boolean());
        Some(ClientCertificates { authorities: authorities?, required: required.unwrap_or(true) })
    })?
}

fn hsts(value: Value<'_>) -> Option<Hsts> {
    value.fields("a mapping like `{max_age: 365d}`", |fields| {
        let help = "add it, as in `max_age: 365d`";
        let max_age = fields.require("max_age", help, |v| v.duration(bounds::HSTS));
        let include_subdomains = fields.read("include_subdomains", |v| v.boolean()).unwrap_or_default();
        let preload = fields.read("preload", |v| v.boolean()).unwrap_or_default();
        Hsts::new(max_age?, include_subdomains, preload)
    })?
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn header_says_what_browsers_are_to_remember() {
        let year = Duration::from_secs(365 * 24 * 60 * 60);
        let header = |subdomains, preload| Hsts::new(year, subdomains, preload).unwrap().header;
        assert_eq!(header(false, false), "max-age=31536000");
        assert_eq!(header(true, true), "max-age=31536000; includeSubDomains; preload");
    }
}
