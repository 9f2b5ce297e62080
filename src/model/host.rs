//! Which `Host` a route takes.

use std::fmt;
use std::net::Ipv6Addr;
use std::str::FromStr;

use super::{Advice, DnsNameError, dns};

/// A pattern for the host of a request, without its port.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum HostPattern {
    /// This very host, in lower case; an IPv6 address in its brackets.
    Exact(String),
    /// Every host below this domain, written `*.example.com` and held here in lower case as `example.com`;
    /// any number of labels, but not the domain itself.
    Suffix(String),
    /// Every host, and requests that name none; written `*`.
    Any,
}

/// Why a text is no host pattern.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum HostPatternError {
    /// Nothing at all.
    #[error("the host is empty")]
    Empty,
    /// A URL.
    #[error("the host begins with `{0}://`, but a host is not a URL")]
    Scheme(String),
    /// A path after the host.
    #[error("the host holds a path")]
    Path,
    /// An IPv6 address without `[]`.
    #[error("the IPv6 address `{0}` is not in brackets")]
    Unbracketed(String),
    /// A port after the host.
    #[error("the host holds a port")]
    Port {
        /// What stands before the port.
        host: String,
    },
    /// A `*` anywhere but as the whole first part.
    #[error("`*` may only stand for all that comes before the first dot, as in `*.example.com`")]
    Star,
    /// Something in `[]` that is no IPv6 address.
    #[error("`{0}` is not an IPv6 address in brackets")]
    NotIpv6(String),
    /// Something that no client could have looked up.
    #[error("`{text}` is not a host: {source}")]
    NotName {
        /// The host as it was written.
        text: String,
        /// What is wrong with it.
        source: DnsNameError,
    },
}

impl FromStr for HostPattern {
    type Err = HostPatternError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if text.is_empty() {
            return Err(HostPatternError::Empty);
        }
        if text == "*" {
            return Ok(Self::Any);
        }
        if let Some((scheme, _)) = text.split_once("://") {
            return Err(HostPatternError::Scheme(scheme.to_owned()));
        }
        if text.contains('/') {
            return Err(HostPatternError::Path);
        }
        if text.starts_with('[') {
            return ipv6(text);
        }
        if text.parse::<Ipv6Addr>().is_ok() {
            return Err(HostPatternError::Unbracketed(text.to_owned()));
        }
        if let Some((host, _)) = text.split_once(':') {
            return Err(HostPatternError::Port { host: host.to_owned() });
        }
        let text = text.to_ascii_lowercase();
        match text.strip_prefix("*.") {
            Some(domain) => checked(&text, domain).map(Self::Suffix),
            None => checked(&text, &text).map(Self::Exact),
        }
    }
}

impl fmt::Display for HostPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Exact(host) => f.write_str(host),
            Self::Suffix(domain) => write!(f, "*.{domain}"),
            Self::Any => f.write_str("*"),
        }
    }
}

impl Advice for HostPatternError {
    fn advice(&self) -> Option<String> {
        match self {
            Self::Empty => Some("leave the key out for every host".to_owned()),
            Self::Scheme(_) => Some("write the host alone, as in `www.example.com`".to_owned()),
            Self::Path => Some("write the host alone, and the path under `path`".to_owned()),
            Self::Unbracketed(text) => Some(format!("write `\"[{text}]\"`, in quotes")),
            Self::Port { host } => {
                let host = match host.trim_matches('"').parse::<HostPattern>() {
                    Ok(_) => format!("`{host}`"),
                    Err(_) => "the host alone".to_owned(),
                };
                Some(format!("write {host}: routes take a host whatever port it was asked on"))
            }
            Self::Star => Some("write one route or one line for each host".to_owned()),
            Self::NotIpv6(_) => None,
            Self::NotName { source, .. } => dns::advice(*source),
        }
    }
}

/// The host or domain `name`, which stands in `text`.
fn checked(text: &str, name: &str) -> Result<String, HostPatternError> {
    if name.contains('*') {
        return Err(HostPatternError::Star);
    }
    match dns::check(name) {
        Ok(()) => Ok(name.to_owned()),
        Err(source) => Err(HostPatternError::NotName { text: text.to_owned(), source }),
    }
}

fn ipv6(text: &str) -> Result<HostPattern, HostPatternError> {
    let (inside, after) = text.strip_prefix('[').and_then(|rest| rest.split_once(']')).unwrap_or((text, ""));
    if after.starts_with(':') {
        return Err(HostPatternError::Port { host: format!("\"[{inside}]\"") });
    }
    match inside.parse::<Ipv6Addr>() {
        Ok(ip) if after.is_empty() => Ok(HostPattern::Exact(format!("[{ip}]"))),
        Ok(_) | Err(_) => Err(HostPatternError::NotIpv6(text.to_owned())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<HostPattern, HostPatternError> {
        text.parse()
    }

    #[test]
    fn pattern_is_held_in_lower_case() {
        assert_eq!(read("WWW.Example.com"), Ok(HostPattern::Exact("www.example.com".to_owned())));
        assert_eq!(read("*.Example.com"), Ok(HostPattern::Suffix("example.com".to_owned())));
        assert_eq!(read("[FE80::1]"), Ok(HostPattern::Exact("[fe80::1]".to_owned())));
        assert_eq!(read("*"), Ok(HostPattern::Any));
    }

    #[test]
    fn pattern_prints_as_it_is_written() {
        for text in ["www.example.com", "*.example.com", "*", "10.0.0.1", "[::1]", "_srv.example"] {
            assert_eq!(read(text).map(|pattern| pattern.to_string()), Ok(text.to_owned()));
        }
    }

    #[test]
    fn advice_can_be_followed() {
        let advice = |text| read(text).map_err(|error| error.advice());
        assert_eq!(advice("::1"), Err(Some("write `\"[::1]\"`, in quotes".to_owned())));
        let port = "write `a.example`: routes take a host whatever port it was asked on";
        assert_eq!(advice("a.example:80"), Err(Some(port.to_owned())));
        let port = "write `\"[::1]\"`: routes take a host whatever port it was asked on";
        assert_eq!(advice("[::1]:80"), Err(Some(port.to_owned())));
        for text in [":80", "a b:80", "[x]:80"] {
            let alone = "write the host alone: routes take a host whatever port it was asked on";
            assert_eq!(advice(text), Err(Some(alone.to_owned())), "{text:?}");
        }
    }

    #[test]
    fn wrong_pattern_says_what_is_wrong() {
        let cases = [
            ("", "empty"),
            ("example.com:80", "port"),
            ("[::1]:80", "port"),
            ("https://example.com", "URL"),
            ("example.com/x", "path"),
            ("www.*.com", "`*` may only"),
            ("*example.com", "`*` may only"),
            ("*.*.com", "`*` may only"),
            ("*.", "empty part"),
            (".example.com", "empty part"),
            ("example.com.", "empty part"),
            ("a..b", "empty part"),
            ("a b", "' '"),
            ("münchen.example", "ASCII"),
            ("[::1", "IPv6"),
            ("[x]", "IPv6"),
            ("::1", "not in brackets"),
        ];
        for (text, part) in cases {
            let message = read(text).map_err(|error| error.to_string());
            assert!(matches!(&message, Err(m) if m.contains(part)), "{text:?} gave {message:?}");
        }
    }
}
