//! Where a node is.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::PathBuf;
use std::str::FromStr;

use super::{Advice, DnsNameError, dns};

/// The longest path of a Unix socket in bytes: Linux has room for 108 with the closing zero.
const LONGEST_SOCKET_PATH: usize = 107;

/// Where a node listens.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum NodeAddress {
    /// An IP address and port.
    Socket(SocketAddr),
    /// A DNS name and port, looked up again and again.
    Name {
        /// The name, in lower case, without a trailing dot.
        host: String,
        /// The port, never 0.
        port: u16,
    },
    /// A Unix socket, written `unix:/path`.
    Unix(PathBuf),
}

/// Why a text is no node's address.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AddressError {
    /// Nothing at all.
    #[error("the address is empty")]
    Empty,
    /// A space or a control character.
    #[error("the address holds {0:?}")]
    Blank(char),
    /// A URL.
    #[error("the address begins with `{scheme}://`, but it is a host and a port, not a URL")]
    Scheme {
        /// What stands before `://`.
        scheme: String,
        /// What stands between it and the next `/`.
        rest: String,
    },
    /// A path after the port.
    #[error("the address holds a path, but it is only a host and a port")]
    Path,
    /// No `:port` at the end.
    #[error("the address `{0}` has no port")]
    NoPort(String),
    /// Nothing before `:port`.
    #[error("the address has a port but no host before it")]
    NoHost(String),
    /// A port that is no number.
    #[error("the port `{0}` is not a number")]
    PortNotNumber(String),
    /// A port beyond what there is.
    #[error("the port {0} is out of range: a port is a number from 1 to 65535")]
    PortOutOfRange(String),
    /// An IPv6 address without `[]`.
    #[error("the IPv6 address `{0}` is not in brackets, so its port cannot be told apart")]
    Unbracketed(String),
    /// Something in `[]` that is no IPv6 address.
    #[error("`{0}` is not an IPv6 address")]
    NotIpv6(String),
    /// Numbers and dots that are no IPv4 address.
    #[error("`{0}` is not an IPv4 address: that is four numbers from 0 to 255")]
    NotIpv4(String),
    /// A host that cannot be looked up.
    #[error("the host `{host}` cannot be looked up: {source}")]
    NotName {
        /// The host as it was written.
        host: String,
        /// What is wrong with it.
        source: DnsNameError,
    },
    /// A Unix socket's path that does not begin with `/`.
    #[error("the path of the Unix socket does not begin with `/`")]
    RelativeSocket,
    /// A Unix socket's path that the system cannot take.
    #[error("the path of the Unix socket is longer than 107 bytes, and the system takes no more")]
    LongSocket,
}

impl FromStr for NodeAddress {
    type Err = AddressError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if text.is_empty() {
            return Err(AddressError::Empty);
        }
        if let Some((scheme, path)) = text.split_at_checked("unix:".len())
            && scheme.eq_ignore_ascii_case("unix:")
        {
            return unix_socket(path);
        }
        if let Some(blank) = text.chars().find(|c| c.is_whitespace() || c.is_control()) {
            return Err(AddressError::Blank(blank));
        }
        if let Some((scheme, rest)) = text.split_once("://") {
            let rest = rest.split('/').next().unwrap_or_default();
            return Err(AddressError::Scheme { scheme: scheme.to_owned(), rest: rest.to_owned() });
        }
        if text.contains('/') {
            return Err(AddressError::Path);
        }
        match text.strip_prefix('[') {
            Some(rest) => ipv6_and_port(text, rest),
            None => host_and_port(text),
        }
    }
}

impl fmt::Display for NodeAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Socket(address) => write!(f, "{address}"),
            Self::Name { host, port } => write!(f, "{host}:{port}"),
            Self::Unix(path) => write!(f, "unix:{}", path.display()),
        }
    }
}

impl Advice for AddressError {
    fn advice(&self) -> Option<String> {
        Some(match self {
            Self::Scheme { scheme, rest } => {
                let port = if scheme == "https" { 443 } else { 80 };
                let address = first_fitting([rest.clone(), format!("{rest}:{port}")]);
                address.map_or_else(form, |address| format!("write `{address}`"))
            }
            Self::NoPort(host) => first_fitting([format!("{host}:8080"), format!("{host}8080")])
                .map_or_else(form, |address| format!("add it, as in `{address}`")),
            Self::NoHost(port) => first_fitting([format!("127.0.0.1:{port}")])
                .map_or_else(form, |address| format!("write `{address}` if it is on this machine")),
            Self::Unbracketed(text) => format!("write `\"[{text}]:8080\"`, in quotes"),
            Self::NotName { source, .. } => return dns::advice(*source),
            Self::RelativeSocket => "write it in full, as in `unix:/run/app.sock`".to_owned(),
            Self::Path => "leave the path out; routes decide by path".to_owned(),
            Self::Empty | Self::Blank(_) | Self::PortNotNumber(_) | Self::NotIpv6(_) => form(),
            Self::PortOutOfRange(_) | Self::NotIpv4(_) | Self::LongSocket => return None,
        })
    }
}

/// What addresses look like.
fn form() -> String {
    "write it as in `10.0.0.11:8000`, `\"[::1]:8000\"`, `app.internal:8000` or `unix:/run/app.sock`"
        .to_owned()
}

/// The first of `texts` that is an address, as it has to stand in a file.
fn first_fitting<const COUNT: usize>(texts: [String; COUNT]) -> Option<String> {
    let text = texts.into_iter().find(|text| text.parse::<NodeAddress>().is_ok())?;
    // YAML takes a bracket for the beginning of a list.
    Some(if text.starts_with('[') { format!("\"{text}\"") } else { text })
}

fn unix_socket(path: &str) -> Result<NodeAddress, AddressError> {
    if !path.starts_with('/') {
        return Err(AddressError::RelativeSocket);
    }
    if path.len() > LONGEST_SOCKET_PATH {
        return Err(AddressError::LongSocket);
    }
    match path.chars().find(|c| c.is_control()) {
        Some(odd) => Err(AddressError::Blank(odd)),
        None => Ok(NodeAddress::Unix(PathBuf::from(path))),
    }
}

/// Reads `text`, which is `[` and `rest`.
fn ipv6_and_port(text: &str, rest: &str) -> Result<NodeAddress, AddressError> {
    let Some((inside, after)) = rest.split_once(']') else {
        return Err(AddressError::NotIpv6(text.to_owned()));
    };
    let ip: Ipv6Addr = inside.parse().map_err(|_| AddressError::NotIpv6(inside.to_owned()))?;
    let port = after.strip_prefix(':').ok_or_else(|| AddressError::NoPort(text.to_owned()))?;
    Ok(NodeAddress::Socket(SocketAddr::new(IpAddr::V6(ip), port_number(port, text)?)))
}

fn host_and_port(text: &str) -> Result<NodeAddress, AddressError> {
    if text.parse::<Ipv6Addr>().is_ok() {
        return Err(AddressError::Unbracketed(text.to_owned()));
    }
    let (host, port) = text.rsplit_once(':').ok_or_else(|| AddressError::NoPort(text.to_owned()))?;
    if host.is_empty() {
        return Err(AddressError::NoHost(port.to_owned()));
    }
    let port = port_number(port, host)?;
    if let Ok(ip) = host.parse::<Ipv4Addr>() {
        return Ok(NodeAddress::Socket(SocketAddr::new(IpAddr::V4(ip), port)));
    }
    let host = host.strip_suffix('.').unwrap_or(host).to_ascii_lowercase();
    // It would print as a socket.
    if host == "unix" {
        return Err(AddressError::RelativeSocket);
    }
    if host.split('.').next_back().is_some_and(|last| last.bytes().all(|b| b.is_ascii_digit())) {
        return Err(AddressError::NotIpv4(host));
    }
    match dns::check(&host) {
        Ok(()) => Ok(NodeAddress::Name { host, port }),
        Err(source) => Err(AddressError::NotName { host, source }),
    }
}

fn port_number(port: &str, host: &str) -> Result<u16, AddressError> {
    if port.is_empty() {
        return Err(AddressError::NoPort(host.to_owned()));
    }
    if !port.bytes().all(|b| b.is_ascii_digit()) {
        return Err(AddressError::PortNotNumber(port.to_owned()));
    }
    match port.parse() {
        Ok(0) | Err(_) => Err(AddressError::PortOutOfRange(port.to_owned())),
        Ok(number) => Ok(number),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<NodeAddress, AddressError> {
        text.parse()
    }

    #[test]
    fn address_prints_as_it_is_written() {
        for text in ["10.0.0.1:80", "[::1]:80", "app.internal:8000", "localhost:1", "unix:/run/a b.sock"] {
            assert_eq!(read(text).map(|address| address.to_string()), Ok(text.to_owned()));
        }
    }

    #[test]
    fn name_loses_its_case_and_its_trailing_dot() {
        let wanted = NodeAddress::Name { host: "app.example".to_owned(), port: 80 };
        assert_eq!(read("App.Example.:80"), Ok(wanted));
    }

    #[test]
    fn unix_is_no_host_however_it_is_written() {
        assert_eq!(read("UNIX:/run/A.sock"), Ok(NodeAddress::Unix("/run/A.sock".into())));
    }

    #[test]
    fn wrong_address_says_what_is_wrong() {
        let cases = [
            ("", "empty"),
            ("10.0.0.1", "no port"),
            ("10.0.0.1:", "no port"),
            ("10.0.0.1:0", "out of range"),
            ("10.0.0.1:70000", "out of range"),
            ("10.0.0.1:99999999999999999999", "out of range"),
            ("10.0.0.1:+80", "not a number"),
            ("10.0.0.1:http", "not a number"),
            ("10.0.0.300:80", "not an IPv4"),
            ("10.0.1:80", "not an IPv4"),
            (":80", "no host"),
            ("::1", "not in brackets"),
            ("[::1]", "no port"),
            ("[::1", "not an IPv6"),
            ("[10.0.0.1]:80", "not an IPv6"),
            ("http://a.example", "not a URL"),
            ("a.example:80/x", "path"),
            ("a b:80", "' '"),
            ("a..example:80", "empty part"),
            ("münchen.example:80", "ASCII"),
            ("a$b:80", "'$'"),
            (".:80", "not an IPv4"),
            ("unix:run/x", "does not begin with `/`"),
            ("Unix:8", "does not begin with `/`"),
            ("unix.:8", "does not begin with `/`"),
        ];
        for (text, part) in cases {
            let message = read(text).map_err(|error| error.to_string());
            assert!(matches!(&message, Err(m) if m.contains(part)), "{text:?} gave {message:?}");
        }
        assert!(read(&format!("unix:/{}", "x".repeat(107))).is_err());
        assert!(read(&format!("{}:80", "x".repeat(64))).is_err());
    }

    #[test]
    fn url_is_mended_into_host_and_port() {
        let advice = |text| read(text).map_err(|error| error.advice());
        assert_eq!(advice("http://a.example/x"), Err(Some("write `a.example:80`".to_owned())));
        assert_eq!(advice("https://a.example"), Err(Some("write `a.example:443`".to_owned())));
        assert_eq!(advice("http://10.0.0.1:81/"), Err(Some("write `10.0.0.1:81`".to_owned())));
        assert_eq!(advice("https://[::1]/"), Err(Some("write `\"[::1]:443\"`".to_owned())));
        assert_eq!(advice("[::1]"), Err(Some("add it, as in `\"[::1]:8080\"`".to_owned())));
        assert_eq!(advice("10.0.0.1:"), Err(Some("add it, as in `10.0.0.1:8080`".to_owned())));
        for text in ["http://", "http://user@a.example/", "http://a.example:b/", ":http", ":0"] {
            let advice = advice(text).err().flatten();
            assert!(
                advice.as_ref().is_some_and(|advice| advice.contains("as in `10.0.0.11:8000`")),
                "{advice:?}"
            );
        }
    }
}
