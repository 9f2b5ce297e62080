//! Which client gets which certificate.

use std::fs;
use std::path::PathBuf;

use rcgen::{CertificateParams, KeyPair, PKCS_ECDSA_P256_SHA256, PKCS_RSA_SHA256, SignatureAlgorithm};
use tokio_rustls::rustls::SignatureScheme;
use tokio_rustls::rustls::sign::CertifiedKey;

use super::certificate::{Fault, Loaded, load};
use super::keys::Keys;
use crate::config;

const ECDSA: SignatureScheme = SignatureScheme::ECDSA_NISTP256_SHA256;
const RSA: SignatureScheme = SignatureScheme::RSA_PSS_SHA256;

/// A directory that goes with the test.
struct Files(PathBuf);

impl Files {
    fn new() -> Self {
        let directory =
            std::env::temp_dir().join(format!("bookend-tls-{}-{:x}", std::process::id(), fastrand::u64(..)));
        fs::create_dir(&directory).unwrap();
        Self(directory)
    }

    fn settings(&self, names: &[&str], kind: &'static SignatureAlgorithm) -> config::Certificate {
        let key = KeyPair::generate_for(kind).unwrap();
        let names: Vec<_> = names.iter().map(|name| (*name).to_owned()).collect();
        let made = CertificateParams::new(names).unwrap().self_signed(&key).unwrap();
        let path = |kind| self.0.join(format!("{:x}.{kind}", fastrand::u64(..)));
        let settings = config::Certificate { certificate: path("pem"), key: path("key"), ocsp: None };
        fs::write(&settings.certificate, made.pem()).unwrap();
        fs::write(&settings.key, key.serialize_pem()).unwrap();
        settings
    }

    fn load(&self, names: &[&str], kind: &'static SignatureAlgorithm) -> Loaded {
        load(&self.settings(names, kind), &mut Vec::new()).unwrap()
    }
}

impl Drop for Files {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

fn same(found: Option<std::sync::Arc<CertifiedKey>>, wanted: &Loaded) -> bool {
    found.is_some_and(|found| found.cert == wanted.key.cert)
}

#[test]
fn client_gets_the_first_for_its_name_that_it_can_check() {
    let files = Files::new();
    let (modern, old) = (
        files.load(&["example.com", "www.example.com"], &PKCS_ECDSA_P256_SHA256),
        files.load(&["example.com", "www.example.com"], &PKCS_RSA_SHA256),
    );
    let (shop, any) = (
        files.load(&["shop.example.com"], &PKCS_ECDSA_P256_SHA256),
        files.load(&["*.example.com"], &PKCS_ECDSA_P256_SHA256),
    );
    let keys = Keys::new(&[modern.clone(), old.clone(), any.clone(), shop.clone()]);
    let both = [RSA, ECDSA];
    for (name, schemes, wanted) in [
        (Some("www.example.com"), &both[..], &modern),
        (Some("www.example.com."), &[RSA], &old),
        (Some("WWW.example.com"), &[ECDSA], &modern),
        (Some("shop.example.com"), &both, &shop),
        (Some("other.example.com"), &both, &any),
        (Some("a.other.example.com"), &both, &modern),
        (Some("com"), &[RSA], &old),
        (None, &both, &modern),
        (None, &[RSA], &old),
        // It can check nothing that there is, and says so itself.
        (Some("shop.example.com"), &[RSA], &shop),
    ] {
        assert!(same(keys.pick(name, schemes), wanted), "{name:?} {schemes:?}");
    }
    assert!(keys.has("Shop.Example.com") && keys.has("x.example.com"));
    assert!(!keys.has("a.x.example.com") && !keys.has("") && !keys.has("10.0.0.1"));
}

#[test]
fn certificate_says_for_whom_and_until_when_it_is() {
    let files = Files::new();
    let loaded = files.load(&["Example.com", "127.0.0.1", "*.x.example.com"], &PKCS_ECDSA_P256_SHA256);
    assert_eq!(loaded.leaf.names, ["example.com", "127.0.0.1", "*.x.example.com"]);
    let after = loaded.leaf.not_after + std::time::Duration::from_secs(1);
    assert!(loaded.leaf.is_out_of_date(after).is_some_and(|why| why.contains("expired")));
    assert!(
        loaded.leaf.is_out_of_date(std::time::UNIX_EPOCH).is_some_and(|why| why.contains("not good before"))
    );
}

#[test]
fn whatever_stands_in_a_file_is_a_fault_or_good() {
    let files = Files::new();
    let settings = files.settings(&["example.com"], &PKCS_ECDSA_P256_SHA256);
    let good = [&settings.certificate, &settings.key].map(|path| fs::read(path).unwrap());
    let fault = |settings: &config::Certificate| load(settings, &mut Vec::new()).err();
    assert!(fault(&settings).is_none());
    for (number, path) in [&settings.certificate, &settings.key].into_iter().enumerate() {
        for cut in [0, 1, 20, 30, 100, good[number].len() - 40] {
            fs::write(path, &good[number][..cut]).unwrap();
            let Some(Fault { message, help, .. }) = fault(&settings) else { panic!("cut at {cut}") };
            assert!(message.contains(&path.display().to_string()) && !help.is_empty(), "{message}");
        }
        for _ in 0..200 {
            let mut bytes = good[number].clone();
            let at = fastrand::usize(..bytes.len());
            bytes[at] = fastrand::u8(..);
            fs::write(path, bytes).unwrap();
            let _ = fault(&settings);
        }
        fs::write(path, &good[number]).unwrap();
    }
    let locked = "-----BEGIN ENCRYPTED PRIVATE KEY-----\nAA==\n-----END ENCRYPTED PRIVATE KEY-----\n";
    fs::write(&settings.key, locked).unwrap();
    assert!(fault(&settings).is_some_and(|fault| fault.message.contains("passphrase")));
    fs::write(&settings.key, &good[1]).unwrap();
    let ocsp = files.0.join("ocsp");
    let with_ocsp = config::Certificate { ocsp: Some(ocsp.clone()), ..settings };
    for (bytes, wanted) in [
        (&b"nonsense"[..], "no OCSP response"),
        (&[0x30, 3, 0x0a, 1, 6], "could not answer"),
        (&[0x30, 5, 0x0a, 1, 0, 0xa0, 0], ""),
    ] {
        fs::write(&ocsp, bytes).unwrap();
        let said = fault(&with_ocsp).map_or_else(String::new, |fault| fault.message);
        assert!(said.contains(wanted) && said.is_empty() == wanted.is_empty(), "{said}");
    }
}
