//! Where a webhook is.

use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;

use http::uri::{PathAndQuery, Scheme};
use http::{HeaderValue, Uri};

use super::Advice;
use super::dns::{self, DnsNameError};

/// The longest URL in bytes.
const LONGEST: usize = 2048;

/// The URL of a webhook, over http or https, without a user or a password.
///
/// Many services put the secret into the path, so what is shown of it is the scheme and the host alone.
#[derive(Clone, PartialEq, Eq)]
pub struct WebhookUrl {
    is_https: bool,
    host: String,
    port: Option<u16>,
    authority: HeaderValue,
    target: Uri,
}

/// Why a text is no URL of a webhook; it says nothing of the text, in which there may be a secret.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum WebhookUrlError {
    /// It is no URL at all.
    #[error("this is no URL")]
    NoUrl,
    /// More than 2048 bytes.
    #[error("the URL is longer than 2048 bytes")]
    Long,
    /// It begins with something other than `http://` or `https://`.
    #[error("the URL does not begin with `https://` or `http://`")]
    Scheme,
    /// There is a user or a password in it.
    #[error("the URL holds a user or a password")]
    User,
    /// The host is none.
    #[error("the host of the URL is none: {0}")]
    Host(DnsNameError),
}

impl WebhookUrl {
    /// Whether it is reached by TLS.
    pub fn is_https(&self) -> bool {
        self.is_https
    }

    /// The host, a name or an address without brackets.
    pub fn host(&self) -> &str {
        &self.host
    }

    /// The port.
    pub fn port(&self) -> u16 {
        self.port.unwrap_or(if self.is_https { 443 } else { 80 })
    }

    /// The host and port as they stand in `Host`.
    pub fn authority(&self) -> &HeaderValue {
        &self.authority
    }

    /// The path and query, as they stand in the first line of a request. Not to be shown.
    pub fn target(&self) -> &Uri {
        &self.target
    }
}

impl FromStr for WebhookUrl {
    type Err = WebhookUrlError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if text.len() > LONGEST {
            return Err(WebhookUrlError::Long);
        }
        let uri: Uri = text.parse().map_err(|_| WebhookUrlError::NoUrl)?;
        let is_https = match uri.scheme() {
            Some(scheme) if *scheme == Scheme::HTTPS => true,
            Some(scheme) if *scheme == Scheme::HTTP => false,
            Some(_) | None => return Err(WebhookUrlError::Scheme),
        };
        let authority = uri.authority().ok_or(WebhookUrlError::NoUrl)?;
        if authority.as_str().contains('@') {
            return Err(WebhookUrlError::User);
        }
        let host = authority.host().trim_start_matches('[').trim_end_matches(']');
        if host.parse::<IpAddr>().is_err() {
            dns::check(host).map_err(WebhookUrlError::Host)?;
        }
        let port = authority.port();
        let has_bad_port = port.is_none() && authority.as_str().len() != authority.host().len();
        if has_bad_port || port.as_ref().is_some_and(|port| port.as_u16() == 0) {
            return Err(WebhookUrlError::NoUrl);
        }
        let header = HeaderValue::from_str(authority.as_str()).map_err(|_| WebhookUrlError::NoUrl)?;
        let target = match uri.path_and_query().map_or("/", PathAndQuery::as_str) {
            query if query.starts_with('?') => format!("/{query}").parse::<PathAndQuery>(),
            target => target.parse(),
        };
        let target = target.map_err(|_| WebhookUrlError::NoUrl)?.into();
        let port = port.map(|port| port.as_u16());
        Ok(Self { is_https, host: host.to_owned(), port, authority: header, target })
    }
}

/// Shows the scheme and the host alone.
impl fmt::Display for WebhookUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let scheme = if self.is_https { "https" } else { "http" };
        write!(f, "{scheme}://{}", self.authority.to_str().unwrap_or_default())
    }
}

/// As [`Display`](fmt::Display): what is printed somewhere must not be a secret.
impl fmt::Debug for WebhookUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "WebhookUrl({self})")
    }
}

impl Advice for WebhookUrlError {
    fn advice(&self) -> Option<String> {
        match self {
            Self::NoUrl | Self::Scheme => {
                Some("write it as in `https://hooks.example.com/services/…`, in quotes".to_owned())
            }
            Self::User => Some(
                "put it into `headers`, as in `Authorization: Basic …` (base64 of user:password)".to_owned(),
            ),
            Self::Host(error) => dns::advice(*error),
            Self::Long => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn url(text: &str) -> WebhookUrl {
        text.parse().unwrap_or_else(|why| panic!("{text}: {why}"))
    }

    #[test]
    fn url_has_a_host_a_port_and_a_target() {
        for (text, host, port, target) in [
            (
                "https://hooks.example.com/services/T0/B0/x?y=1",
                "hooks.example.com",
                443,
                "/services/T0/B0/x?y=1",
            ),
            ("http://127.0.0.1:9", "127.0.0.1", 9, "/"),
            ("HTTP://[::1]:8080/a#b", "::1", 8080, "/a"),
            ("https://a_b.internal?x", "a_b.internal", 443, "/?x"),
            ("https://a//b.example/c", "a", 443, "//b.example/c"),
        ] {
            let url = url(text);
            assert_eq!((url.host(), url.port(), url.target().to_string().as_str()), (host, port, target));
        }
        assert!(url("https://a").is_https() && !url("http://a").is_https());
        assert_eq!(url("http://[::1]:8080/").authority(), "[::1]:8080");
    }

    #[test]
    fn what_is_shown_is_no_secret() {
        let url = url("https://hooks.example.com:444/services/secret?token=secret");
        assert_eq!(url.to_string(), "https://hooks.example.com:444");
        assert!(!format!("{url:?}").contains("secret"));
    }

    #[test]
    fn what_is_no_url_is_refused_without_a_word_of_it() {
        let secret = "secret".repeat(400);
        for (text, wanted) in [
            ("", WebhookUrlError::NoUrl),
            ("/services/x", WebhookUrlError::Scheme),
            ("hooks.example.com", WebhookUrlError::Scheme),
            ("ftp://a/secret", WebhookUrlError::Scheme),
            ("https://", WebhookUrlError::NoUrl),
            ("https:///secret", WebhookUrlError::NoUrl),
            ("https://a b/secret", WebhookUrlError::NoUrl),
            ("https://a:70000/secret", WebhookUrlError::NoUrl),
            ("https://a:0/secret", WebhookUrlError::NoUrl),
            ("https://a:/secret", WebhookUrlError::NoUrl),
            ("https://me:secret@a/", WebhookUrlError::User),
            ("https://me@a/", WebhookUrlError::User),
            ("https://a..b/", WebhookUrlError::Host(DnsNameError::EmptyLabel)),
            (&format!("https://a/{secret}"), WebhookUrlError::Long),
        ] {
            let why = text.parse::<WebhookUrl>().unwrap_err();
            assert_eq!(why, wanted, "{text}");
            assert!(
                !why.to_string().contains("secret") && !why.advice().unwrap_or_default().contains("secret")
            );
        }
    }
}
