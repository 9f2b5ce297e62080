//! Certificates of a test's own.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rcgen::{
    BasicConstraints, Certificate, CertificateParams, DistinguishedName, DnType, ExtendedKeyUsagePurpose,
    IsCa, Issuer, KeyPair, date_time_ymd,
};
use tokio_rustls::rustls::client::WantsClientCert;
use tokio_rustls::rustls::crypto::aws_lc_rs;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio_rustls::rustls::{
    ALL_VERSIONS, ClientConfig, ConfigBuilder, RootCertStore, SupportedProtocolVersion,
};

use super::directory::TempDirectory;

/// One who vouches for others.
pub(crate) struct Authority {
    certificate: Certificate,
    issuer: Issuer<'static, KeyPair>,
    directory: TempDirectory,
}

/// A certificate and its key, as files.
#[derive(Clone, Debug)]
pub(crate) struct Files {
    pub(crate) certificate: PathBuf,
    pub(crate) key: PathBuf,
}

impl Files {
    /// The entry of `certificates` in a configuration.
    pub(crate) fn entry(&self) -> String {
        format!("{{ certificate: \"{}\", key: \"{}\" }}", self.certificate.display(), self.key.display())
    }

    /// Puts those of `other` in its place.
    pub(crate) fn become_those_of(&self, other: &Self) {
        // Written whole beside it first, as those who renew certificates do.
        for (from, to) in [(&other.key, &self.key), (&other.certificate, &self.certificate)] {
            let new = to.with_extension("new");
            fs::copy(from, &new).unwrap();
            fs::rename(new, to).unwrap();
        }
    }
}

impl Authority {
    pub(crate) fn new() -> Self {
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.distinguished_name.push(DnType::CommonName, "authority of a test");
        let key = KeyPair::generate().unwrap();
        let certificate = params.self_signed(&key).unwrap();
        let directory = TempDirectory::new();
        fs::write(directory.path().join("authority.pem"), certificate.pem()).unwrap();
        Self { certificate, issuer: Issuer::new(params, key), directory }
    }

    /// The file with its own certificate.
    pub(crate) fn file(&self) -> PathBuf {
        self.directory.path().join("authority.pem")
    }

    pub(crate) fn path(&self) -> &Path {
        self.directory.path()
    }

    /// A certificate of a server for `names`; `file` is what its files are called.
    pub(crate) fn server(&self, file: &str, names: &[&str]) -> Files {
        self.issue(file, params(names), &KeyPair::generate().unwrap())
    }

    /// The same with another kind of key.
    pub(crate) fn server_with_rsa(&self, file: &str, names: &[&str]) -> Files {
        self.issue(file, params(names), &KeyPair::generate_for(&rcgen::PKCS_RSA_SHA256).unwrap())
    }

    /// One that was good in 2020.
    pub(crate) fn expired_server(&self, file: &str, names: &[&str]) -> Files {
        let mut params = params(names);
        params.not_before = date_time_ymd(2020, 1, 1);
        params.not_after = date_time_ymd(2020, 12, 31);
        self.issue(file, params, &KeyPair::generate().unwrap())
    }

    fn issue(&self, file: &str, params: CertificateParams, key: &KeyPair) -> Files {
        let made = params.signed_by(key, &self.issuer).unwrap();
        let path = |kind: &str| self.path().join(format!("{file}.{kind}"));
        let files = Files { certificate: path("pem"), key: path("key") };
        fs::write(&files.certificate, made.pem() + &self.certificate.pem()).unwrap();
        fs::write(&files.key, key.serialize_pem()).unwrap();
        files
    }

    /// The settings of a client that believes this authority.
    pub(crate) fn client(&self) -> Arc<ClientConfig> {
        Arc::new(self.builder(ALL_VERSIONS).with_no_client_auth())
    }

    /// The same, with one version of TLS alone.
    pub(crate) fn client_of(&self, version: &'static SupportedProtocolVersion) -> Arc<ClientConfig> {
        Arc::new(self.builder(&[version]).with_no_client_auth())
    }

    /// The same with a certificate of its own, which this authority vouches for.
    pub(crate) fn client_called(&self, name: &str, organization: &str) -> Arc<ClientConfig> {
        self.client_shown_by(self, name, organization)
    }

    /// The same with a certificate that `other` vouches for.
    pub(crate) fn client_shown_by(&self, other: &Self, name: &str, organization: &str) -> Arc<ClientConfig> {
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.distinguished_name = DistinguishedName::new();
        params.distinguished_name.push(DnType::OrganizationName, organization);
        params.distinguished_name.push(DnType::CommonName, name);
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
        let key = KeyPair::generate().unwrap();
        let made = params.signed_by(&key, &other.issuer).unwrap();
        let key = PrivateKeyDer::Pkcs8(key.serialize_der().into());
        Arc::new(self.builder(ALL_VERSIONS).with_client_auth_cert(vec![made.der().clone()], key).unwrap())
    }

    fn builder(
        &self,
        versions: &[&'static SupportedProtocolVersion],
    ) -> ConfigBuilder<ClientConfig, WantsClientCert> {
        let mut roots = RootCertStore::empty();
        roots.add(CertificateDer::from(self.certificate.der().to_vec())).unwrap();
        ClientConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
            .with_protocol_versions(versions)
            .unwrap()
            .with_root_certificates(roots)
    }
}

fn params(names: &[&str]) -> CertificateParams {
    CertificateParams::new(names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>()).unwrap()
}
