//! One certificate: its chain, its key, and what it says of itself.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use sha2::{Digest, Sha256};
use tokio_rustls::rustls::crypto::{CryptoProvider, aws_lc_rs};
use tokio_rustls::rustls::pki_types::pem::{self, PemObject};
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio_rustls::rustls::sign::CertifiedKey;
use tokio_rustls::rustls::{Error, InconsistentKeys};
use x509_parser::certificate::X509Certificate;
use x509_parser::extensions::GeneralName;
use x509_parser::prelude::FromDer;
use x509_parser::time::ASN1Time;

use super::file::{Stamp, read};
use crate::config;

/// What the certificate of a server says of itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Leaf {
    /// The names that it is for, in small letters; `*.` begins one that is for every name one step below.
    pub names: Vec<String>,
    /// From when on it is good.
    pub not_before: SystemTime,
    /// Until when it is good.
    pub not_after: SystemTime,
    /// Its SHA-256.
    pub fingerprint: [u8; 32],
    /// The file it was read from, as the configuration names it.
    pub file: String,
}

/// A certificate that can be shown.
#[derive(Clone, Debug)]
pub(super) struct Loaded {
    pub(super) key: Arc<CertifiedKey>,
    pub(super) leaf: Leaf,
}

/// What is wrong with a file.
#[derive(Clone, Debug)]
pub(super) struct Fault {
    /// The key of the configuration that names it.
    pub(super) key: &'static str,
    pub(super) message: String,
    pub(super) help: String,
}

impl Fault {
    pub(super) fn new(key: &'static str, message: impl Into<String>, help: impl Into<String>) -> Self {
        Self { key, message: message.into(), help: help.into() }
    }
}

impl Leaf {
    /// What is wrong with its dates at `now`, if anything is.
    pub fn is_out_of_date(&self, now: SystemTime) -> Option<String> {
        let date = |at| humantime::format_rfc3339_seconds(at);
        if now > self.not_after {
            return Some(format!("the certificate has expired at {}", date(self.not_after)));
        }
        (now < self.not_before)
            .then(|| format!("the certificate is not good before {}", date(self.not_before)))
    }
}

/// Reads a certificate with all that belongs to it, and notes in `stamps` the files.
pub(super) fn load(settings: &config::Certificate, stamps: &mut Vec<Stamp>) -> Result<Loaded, Fault> {
    let file = settings.certificate.display().to_string();
    // All of them are noted, whichever is wrong: when it changes, all are read again.
    let chain = read(&settings.certificate, stamps);
    let key = read(&settings.key, stamps);
    let ocsp = settings.ocsp.as_deref().map(|path| read(path, stamps)).transpose();
    let unreadable = |key: &'static str, path: &std::path::Path, why: &std::io::Error| {
        let help = "name a file that is there and that bookend may read";
        Fault::new(key, format!("{} cannot be read: {why}", path.display()), help)
    };
    let chain = chain.map_err(|why| unreadable("certificate", &settings.certificate, &why))?;
    let chain = chain_of(&file, &chain)?;
    let key = key.map_err(|why| unreadable("key", &settings.key, &why))?;
    let key = key_of(&settings.key.display().to_string(), &key)?;
    let leaf = chain.first().map_or(Err("it is empty".to_owned()), |leaf| leaf_of(leaf, &file));
    let leaf = leaf.map_err(|why| {
        Fault::new(
            "certificate",
            format!("{file} is no certificate of a server: {why}"),
            "have it issued anew",
        )
    })?;
    let key = pair(chain, key, aws_lc_rs::default_provider(), settings)?;
    let ocsp = ocsp.map_err(|why| match &settings.ocsp {
        Some(path) => unreadable("ocsp", path, &why),
        None => Fault::new("ocsp", why.to_string(), "remove the key"),
    })?;
    if let Some(ocsp) = &ocsp {
        check_ocsp(settings, ocsp)?;
    }
    Ok(Loaded { key: Arc::new(CertifiedKey { ocsp, ..key }), leaf })
}

fn chain_of(file: &str, bytes: &[u8]) -> Result<Vec<CertificateDer<'static>>, Fault> {
    let wrong = |why: &str, help: &str| Err(Fault::new("certificate", format!("{file} {why}"), help));
    let found: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(bytes).collect();
    match found {
        Ok(chain) if !chain.is_empty() => Ok(chain),
        Ok(_) if bytes.first() == Some(&0x30) => {
            let help = "convert it: `openssl x509 -inform der -in FILE -out FILE.pem`";
            wrong("holds no certificate in PEM, but looks like one in DER", help)
        }
        Ok(_) => wrong(
            "holds no certificate in PEM",
            "name the file that begins with `-----BEGIN CERTIFICATE-----`, with those of the authorities below",
        ),
        Err(why) => wrong(&format!("is damaged: {}", told(&why)), "have it issued or copied anew"),
    }
}

fn key_of(file: &str, bytes: &[u8]) -> Result<PrivateKeyDer<'static>, Fault> {
    let wrong = |why: String, help: &str| Err(Fault::new("key", format!("{file} {why}"), help));
    if bytes.windows(21).any(|part| part == b"BEGIN ENCRYPTED PRIVA") {
        let help =
            "store it without one, readable for bookend alone: `openssl pkey -in FILE -out FILE.plain`";
        return wrong("is locked with a passphrase".to_owned(), help);
    }
    PrivateKeyDer::from_pem_slice(bytes).or_else(|why| match why {
        pem::Error::NoItemsFound => {
            let help = "name the file that begins with `-----BEGIN PRIVATE KEY-----`";
            wrong("holds no private key in PEM".to_owned(), help)
        }
        why => wrong(format!("is damaged: {}", told(&why)), "copy it anew"),
    })
}

/// What is wrong with a file of PEM.
fn told(why: &pem::Error) -> String {
    match why {
        pem::Error::MissingSectionEnd { .. } => "a section has no end".to_owned(),
        pem::Error::IllegalSectionStart { .. } => "a section begins wrongly".to_owned(),
        pem::Error::Base64Decode(_) => "what stands in it is not Base64".to_owned(),
        other => other.to_string(),
    }
}

/// Puts a chain and its key together.
fn pair(
    chain: Vec<CertificateDer<'static>>,
    key: PrivateKeyDer<'static>,
    provider: CryptoProvider,
    settings: &config::Certificate,
) -> Result<CertifiedKey, Fault> {
    let (file, key_file) = (settings.certificate.display(), settings.key.display());
    let key = provider.key_provider.load_private_key(key).map_err(|why| {
        let help = "RSA of 2048 bits or more, ECDSA on P-256, P-384 or P-521, and Ed25519 can be used";
        Fault::new("key", format!("{key_file} cannot be used: {why}"), help)
    })?;
    let certified = CertifiedKey::new(chain, key);
    match certified.keys_match() {
        Ok(()) | Err(Error::InconsistentKeys(InconsistentKeys::Unknown)) => Ok(certified),
        Err(Error::InconsistentKeys(_)) => {
            let help = "name the key that the certificate was made for; in a chain the server's own certificate comes first";
            Err(Fault::new("key", format!("{key_file} is not the key of {file}"), help))
        }
        Err(why) => {
            Err(Fault::new("certificate", format!("{file} cannot be used: {why}"), "have it issued anew"))
        }
    }
}

fn leaf_of(certificate: &CertificateDer<'_>, file: &str) -> Result<Leaf, String> {
    let (_, parsed) = X509Certificate::from_der(certificate).map_err(|why| why.to_string())?;
    let validity = parsed.validity();
    Ok(Leaf {
        names: names_of(&parsed),
        not_before: wall(validity.not_before),
        not_after: wall(validity.not_after),
        fingerprint: Sha256::digest(certificate).into(),
        file: file.to_owned(),
    })
}

/// The names that a certificate is for: its alternative names, or where there are none its common name.
fn names_of(certificate: &X509Certificate<'_>) -> Vec<String> {
    let alternative = certificate.subject_alternative_name().ok().flatten();
    let alternative = alternative.into_iter().flat_map(|found| &found.value.general_names);
    let mut names: Vec<_> = alternative.filter_map(name_of).collect();
    if names.is_empty() {
        let common = certificate.subject().iter_common_name().filter_map(|name| name.as_str().ok());
        names.extend(common.map(str::to_ascii_lowercase));
    }
    names
}

fn name_of(name: &GeneralName<'_>) -> Option<String> {
    match name {
        GeneralName::DNSName(name) => Some(name.to_ascii_lowercase()),
        GeneralName::IPAddress(bytes) => {
            let v4 = <[u8; 4]>::try_from(*bytes).map(IpAddr::from);
            v4.or_else(|_| <[u8; 16]>::try_from(*bytes).map(IpAddr::from)).ok().map(|ip| ip.to_string())
        }
        _ => None,
    }
}

/// A date as the clock has it. Dates before 1970 are as good as 1970.
fn wall(time: ASN1Time) -> SystemTime {
    let seconds = u64::try_from(time.timestamp()).unwrap_or_default();
    SystemTime::UNIX_EPOCH.checked_add(Duration::from_secs(seconds)).unwrap_or(SystemTime::UNIX_EPOCH)
}

/// An OCSP response that says something begins like this (RFC 6960, 4.2.1): a sequence with the status 0.
fn check_ocsp(settings: &config::Certificate, bytes: &[u8]) -> Result<(), Fault> {
    let file = settings.ocsp.as_deref().map(|path| path.display().to_string()).unwrap_or_default();
    let wrong = |why: &str| {
        let help = "fetch it with `openssl ocsp -respout`, or remove the key";
        Err(Fault::new("ocsp", format!("{file} {why}"), help))
    };
    let Ok((rest, sequence)) = x509_parser::der_parser::asn1_rs::Sequence::from_der(bytes) else {
        return wrong("is no OCSP response in DER");
    };
    match sequence.content.as_ref() {
        _ if !rest.is_empty() => wrong("has something behind its end"),
        [0x0a, 0x01, 0x00, _, ..] => Ok(()),
        [0x0a, 0x01, _, ..] => wrong("says that the authority could not answer"),
        _ => wrong("is no OCSP response"),
    }
}
