//! Why there is no connection to a node, in words that say what to do.

use std::io;
use std::time::Duration;

use tokio_rustls::rustls::pki_types::ServerName;
use tokio_rustls::rustls::{AlertDescription, CertificateError, Error};

/// Why there is no connection to a node.
#[derive(Debug, thiserror::Error)]
pub enum Trouble {
    /// bookend itself has no descriptor, port or memory for one.
    #[error("no connection could be begun")]
    Own(#[source] io::Error),
    /// The node did not take it.
    #[error("{0}")]
    Refused(io::Error),
    /// The node took its time.
    #[error("it did not {doing} within {limit:?}")]
    Late {
        /// What it was to do.
        doing: &'static str,
        /// In which time.
        limit: Duration,
    },
    /// The node is not who it ought to be.
    #[error("{0}")]
    Unverified(String),
    /// No keys could be agreed on.
    #[error("{0}")]
    Tls(String),
    /// HTTP/2 is not spoken.
    #[error("{0}")]
    Http2(String),
}

impl Trouble {
    pub(super) fn of_socket(why: io::Error) -> Self {
        use io::ErrorKind::{AddrInUse, AddrNotAvailable, OutOfMemory};
        // Too many open files, in the process or in the system, and no room for buffers.
        let is_full = matches!(why.raw_os_error(), Some(24 | 23 | 105));
        match why.kind() {
            AddrInUse | AddrNotAvailable | OutOfMemory => Self::Own(why),
            _ if is_full => Self::Own(why),
            _ => Self::Refused(why),
        }
    }

    pub(super) fn of_tls(why: io::Error, server_name: &ServerName<'_>) -> Self {
        let known = why.get_ref().and_then(|why| why.downcast_ref::<Error>());
        match known {
            Some(Error::InvalidCertificate(flaw)) => Self::Unverified(of_certificate(flaw, server_name)),
            Some(Error::AlertReceived(alert)) => Self::Tls(of_alert(*alert)),
            Some(Error::InvalidMessage(_)) => {
                Self::Tls("it does not speak TLS: remove `tls`, or name the port that does".to_owned())
            }
            Some(why) => Self::Tls(format!("TLS failed: {why}")),
            None if why.kind() == io::ErrorKind::UnexpectedEof => {
                Self::Tls("it closed the connection instead of agreeing on keys (TLS)".to_owned())
            }
            None => Self::Refused(why),
        }
    }

    pub(super) fn of_http2(why: &h2::Error) -> Self {
        let help = "`protocol: http1` if that is what it speaks";
        Self::Http2(format!("it does not speak HTTP/2 ({why}): write {help}"))
    }
}

fn of_certificate(flaw: &CertificateError, server_name: &ServerName<'_>) -> String {
    let name = server_name.to_str();
    match flaw {
        // A signature that is bad is by another key of an authority that has the same name.
        CertificateError::UnknownIssuer | CertificateError::BadSignature => {
            "its certificate is signed by nobody who is trusted: name its authority's file with `tls.authorities`"
                .to_owned()
        }
        CertificateError::NotValidForNameContext { presented, .. } if !presented.is_empty() => {
            format!(
                "its certificate is not for {name} but for {}: name one of them with `tls.server_name`",
                names(presented)
            )
        }
        CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. } => {
            format!("its certificate is not for {name}: name what it is for with `tls.server_name`")
        }
        CertificateError::Expired | CertificateError::ExpiredContext { .. } => {
            "its certificate has expired: renew it on the node, and look at the clock of this machine".to_owned()
        }
        CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. } => {
            "its certificate is not good yet: look at the clocks of both machines".to_owned()
        }
        CertificateError::Revoked => "its certificate was revoked: have it issued anew".to_owned(),
        other => format!("its certificate cannot be verified: {other}"),
    }
}

/// Some of the names, as they stand in messages of rustls: `DnsName("a.example")`.
fn names(presented: &[String]) -> String {
    let bare = |name: &String| match name.split_once("(\"").and_then(|(_, rest)| rest.strip_suffix("\")")) {
        Some(name) => name.to_owned(),
        None => name.clone(),
    };
    let mut names: Vec<_> = presented.iter().take(3).map(bare).collect();
    if presented.len() > names.len() {
        names.push("others".to_owned());
    }
    names.join(", ")
}

fn of_alert(alert: AlertDescription) -> String {
    use AlertDescription as Alert;
    match alert {
        Alert::CertificateRequired => {
            "it asks for a certificate: name one with `tls.certificate` and `tls.key`".to_owned()
        }
        Alert::BadCertificate
        | Alert::UnsupportedCertificate
        | Alert::CertificateRevoked
        | Alert::CertificateExpired
        | Alert::CertificateUnknown
        | Alert::UnknownCA
        | Alert::AccessDenied => {
            format!("it does not accept the certificate that it is shown ({alert:?}): see `tls.certificate`")
        }
        Alert::UnrecognisedName => "it has no site of the name in `tls.server_name`".to_owned(),
        Alert::NoApplicationProtocol => {
            "it speaks TLS, but does not offer what is asked for: write `protocol: auto`, or `http1`"
                .to_owned()
        }
        other => format!("it refused to agree on keys: {other:?}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_a_certificate_are_told_bare() {
        let presented = ["DnsName(\"a.example\")", "DnsName(\"b.example\")", "IpAddress(10.0.0.1)", "x"];
        let presented: Vec<_> = presented.map(str::to_owned).to_vec();
        assert_eq!(names(&presented), "a.example, b.example, IpAddress(10.0.0.1), others");
    }
}
