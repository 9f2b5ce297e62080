//! Where clients connect, and what they may take.

use std::collections::HashMap;
use std::net::{IpAddr, SocketAddr};
use std::num::NonZeroUsize;
use std::time::Duration;

use ipnet::IpNet;

use super::bounds;
use super::locate::Place;
use super::proxy_protocol::{self, ProxyProtocol};
use super::read::{Fault, Fields, Value, fault, shown};
use super::tls::{self, Tls};
use crate::model::{AddressError, ListenAddress, NodeAddress, TrustedProxies};

/// One address that clients connect to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listener {
    /// The address and port, or the Unix socket.
    pub address: ListenAddress,
    /// The permissions of its Unix socket's file.
    pub socket_mode: u32,
    /// From whom the PROXY protocol is spoken to it; `None` if it is not.
    pub proxy_protocol: Option<ProxyProtocol>,
    /// Peers whose `X-Forwarded-*` and `Forwarded` are believed.
    pub trusted_proxies: TrustedProxies,
    /// Whether nodes also get `Forwarded` (RFC 7239).
    pub forwarded: bool,
    /// How it speaks TLS; `None` if it does not.
    pub tls: Option<Tls>,
    /// Whether clients may speak HTTP/2; without TLS they have to know it beforehand.
    pub http2: bool,
    /// Whether requests for a host that some listener has a certificate for are sent there.
    pub redirect_to_https: bool,
    /// How long a client may take.
    pub timeouts: ClientTimeouts,
    /// How much a client may take.
    pub limits: ClientLimits,
}

/// How long a client may take; every one is longer than zero.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClientTimeouts {
    /// Agreeing on keys, where TLS is spoken.
    pub handshake: Duration,
    /// The whole head of a request, from its first byte (and from accepting the connection).
    pub head: Duration,
    /// Between two pieces of a request's body.
    pub body: Duration,
    /// Between two pieces of an answer that the client takes.
    pub write: Duration,
    /// Idle between two requests.
    pub keep_alive: Duration,
}

/// How much a client may take.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClientLimits {
    /// Connections of one client address; `None` is no limit.
    pub connections_per_client: Option<NonZeroUsize>,
    /// The head of a request, in bytes.
    pub head: u64,
    /// The fields of a request's head.
    pub fields: usize,
    /// The target of a request, in bytes.
    pub target: usize,
    /// The body of a request, in bytes; `None` is no limit.
    pub body: Option<u64>,
    /// Requests at once on one connection of HTTP/2.
    pub streams: u32,
    /// The least bytes a second of a request's body, over `body_rate_time` of waiting for it; 0 asks for nothing.
    pub body_rate: u64,
    /// For how long a body may be slower than `body_rate`.
    pub body_rate_time: Duration,
    /// The least bytes a second that a client takes of its answer, over `timeouts.write` of waiting for it; 0 asks for
    /// nothing.
    pub answer_rate: u64,
}

/// The permissions of a Unix socket where nobody says: for the user and the group of bookend.
const SOCKET_MODE: u32 = 0o660;

impl Default for ClientTimeouts {
    fn default() -> Self {
        Self {
            handshake: Duration::from_secs(10),
            head: Duration::from_secs(10),
            body: Duration::from_secs(60),
            write: Duration::from_secs(60),
            keep_alive: Duration::from_secs(75),
        }
    }
}

impl Default for ClientLimits {
    fn default() -> Self {
        Self {
            connections_per_client: NonZeroUsize::new(16_384),
            head: 64 * 1024,
            fields: 100,
            target: 8 * 1024,
            body: None,
            streams: 100,
            body_rate: 1024,
            body_rate_time: Duration::from_secs(30),
            answer_rate: 1024,
        }
    }
}

/// Reads all listeners; no two may have the same address.
pub(super) fn read_all(value: Value<'_>) -> Option<Vec<Listener>> {
    let mut first_at = HashMap::new();
    let listeners = value.each("a list of listeners", |item| {
        item.fields("a mapping with the key `address`", |fields| read(fields, &mut first_at))?
    })?;
    if value.is_empty_list() {
        return value.fail(Fault::new("no listener, so nobody could connect").help(EXAMPLE));
    }
    Some(listeners)
}

/// What a list of listeners looks like.
pub(super) const EXAMPLE: &str = "write at least one, as in `- address: 0.0.0.0:8080`";

fn read(fields: &Fields<'_>, first_at: &mut HashMap<ListenAddress, Place>) -> Option<Listener> {
    let address = fields.require("address", "add it, as in `address: 0.0.0.0:8080`", |v| {
        let address = listen_address(v)?;
        match first_at.get(&address) {
            Some(first) => v.report(Fault::new("the same address as the listener").first(first.clone())),
            None => drop(first_at.insert(address.clone(), v.place())),
        }
        Some(address)
    });
    let is_tcp = matches!(address, Some(ListenAddress::Socket(_)));
    let socket_mode = fields.read("socket_mode", |v| match is_tcp {
        true => v.fail(Fault::new("only a Unix socket has a mode").help("remove the key")),
        false => socket_mode(v),
    });
    let proxy_protocol = fields.read("proxy_protocol", proxy_protocol::read);
    let trusted_proxies = fields.read("trusted_proxies", trusted_proxies);
    let forwarded = fields.read("forwarded", |v| v.boolean());
    let tls = fields.read("tls", tls::read);
    let http2 = fields.read("http2", |v| v.boolean());
    let redirect_to_https = fields.read("redirect_to_https", |v| {
        if fields.has("tls") {
            let fault = Fault::new("a listener that speaks TLS sends nobody elsewhere");
            v.report(fault.help("remove the key, or `tls`").on_key());
        }
        v.boolean()
    });
    let timeouts = fields.read("timeouts", read_timeouts);
    let limits = fields.read("limits", read_limits);
    Some(Listener {
        address: address?,
        socket_mode: socket_mode.unwrap_or(SOCKET_MODE),
        proxy_protocol,
        trusted_proxies: trusted_proxies.unwrap_or_default(),
        forwarded: forwarded.unwrap_or_default(),
        http2: http2.unwrap_or(tls.is_some()),
        tls,
        redirect_to_https: redirect_to_https.unwrap_or(true),
        timeouts: timeouts.unwrap_or_default(),
        limits: limits.unwrap_or_default(),
    })
}

/// Reads an IP address and port, or a Unix socket.
fn listen_address(value: Value<'_>) -> Option<ListenAddress> {
    let text = value.text("an address like `0.0.0.0:8080` or `unix:/run/bookend/web.sock`")?;
    match text.parse::<NodeAddress>() {
        Ok(NodeAddress::Unix(path)) => Some(ListenAddress::Unix(path)),
        parsed => ip_address(value, text, parsed).map(ListenAddress::Socket),
    }
}

/// Reads an IP address and port.
pub(super) fn address(value: Value<'_>) -> Option<SocketAddr> {
    let text = value.text("an IP address and port like `0.0.0.0:8080`")?;
    ip_address(value, text, text.parse())
}

fn ip_address(value: Value<'_>, text: &str, parsed: Result<NodeAddress, AddressError>) -> Option<SocketAddr> {
    match parsed {
        Ok(NodeAddress::Socket(address)) => Some(address),
        Ok(NodeAddress::Name { host, port }) => {
            let fault =
                Fault::new(format!("`{}` is a name, but a listener needs an IP address", shown(&host)));
            let ip = if host == "localhost" { "127.0.0.1" } else { "0.0.0.0" };
            value.fail(fault.help(format!("write `{ip}:{port}`")))
        }
        Ok(NodeAddress::Unix(_)) => {
            let fault = Fault::new("this cannot be a Unix socket");
            value.fail(fault.help("write an IP address and port, as in `127.0.0.1:8080`"))
        }
        Err(error @ AddressError::NoHost(_)) => {
            value.fail(Fault::new(error.to_string()).help(format!("write `0.0.0.0{text}` for every address")))
        }
        Err(error) => value.fail(fault(&error)),
    }
}

/// Reads permissions as `chmod` takes them: three octal digits, with or without a zero before.
fn socket_mode(value: Value<'_>) -> Option<u32> {
    // Not a number: `0o660` is the number 432, which is something else without its quotes.
    let text = value.free_text("permissions like `\"0660\"`")?;
    let digits = text.strip_prefix('0').filter(|rest| rest.len() == 3).unwrap_or(text);
    match u32::from_str_radix(digits, 8) {
        Ok(mode) if digits.len() == 3 && !digits.starts_with('+') => Some(mode),
        Ok(_) | Err(_) => {
            let fault = Fault::new(format!("`{}` is no permissions", shown(text)));
            value.fail(fault.help("write them as `chmod` takes them, as in `\"0660\"`"))
        }
    }
}

/// Reads IP addresses, networks and the word `unix`.
pub(super) fn trusted_proxies(value: Value<'_>) -> Option<TrustedProxies> {
    let mut trusted = TrustedProxies::default();
    let networks = value.each_or_one("an IP address or network, or `unix`", |value| {
        if value.is_text() && value.text("a word") == Some("unix") {
            trusted.unix = true;
            return Some(None);
        }
        network(value).map(Some)
    })?;
    trusted.networks = networks.into_iter().flatten().collect();
    Some(trusted)
}

fn network(value: Value<'_>) -> Option<IpNet> {
    let text = value.text("an IP address or network like `10.0.0.0/8`")?;
    if let Ok(ip) = text.parse::<IpAddr>() {
        return Some(IpNet::from(ip));
    }
    match text.parse::<IpNet>() {
        Ok(network) if network.addr() == network.network() => Some(network),
        Ok(network) => {
            let fault = Fault::new(format!("`{text}` is an address within a network, not a network"));
            let help = format!(
                "write `{}` for the network or `{}` for the address",
                network.trunc(),
                network.addr()
            );
            value.fail(fault.help(help))
        }
        Err(_) => {
            let fault = Fault::new(format!("`{}` is not an IP address or network", shown(text)));
            value.fail(fault.help("write it as in `10.0.0.1`, `10.0.0.0/8` or `\"fd00::/8\"`"))
        }
    }
}

fn read_timeouts(value: Value<'_>) -> Option<ClientTimeouts> {
    let default = ClientTimeouts::default();
    let timeout = |v: Value<'_>| v.duration(bounds::TIMEOUT);
    value.fields("a mapping of durations", |fields| ClientTimeouts {
        handshake: fields.read("handshake", |v| v.duration(bounds::HEAD_TIME)).unwrap_or(default.handshake),
        head: fields.read("head", |v| v.duration(bounds::HEAD_TIME)).unwrap_or(default.head),
        body: fields.read("body", timeout).unwrap_or(default.body),
        write: fields.read("write", timeout).unwrap_or(default.write),
        keep_alive: fields.read("keep_alive", timeout).unwrap_or(default.keep_alive),
    })
}

fn read_limits(value: Value<'_>) -> Option<ClientLimits> {
    let default = ClientLimits::default();
    value.fields("a mapping of limits", |fields| ClientLimits {
        connections_per_client: fields
            .read("connections_per_client", |v| {
                v.or_off("a number of connections", |v| v.whole(bounds::CONNECTIONS))
            })
            .map_or(default.connections_per_client, |most| most.and_then(NonZeroUsize::new)),
        head: fields.read("head", |v| v.size(bounds::HEAD)).unwrap_or(default.head),
        fields: fields.read("fields", |v| v.whole(bounds::FIELDS)).unwrap_or(default.fields),
        target: fields.read("target", target).unwrap_or(default.target),
        body: fields
            .read("body", |v| v.or_off("a size like `10MiB`", |v| v.size(bounds::BODY)))
            .unwrap_or(default.body),
        streams: fields.read("streams", |v| v.whole(bounds::STREAMS)).unwrap_or(default.streams),
        body_rate: fields.read("body_rate", rate).unwrap_or(default.body_rate),
        body_rate_time: fields
            .read("body_rate_time", |v| v.duration(bounds::RATE_TIME))
            .unwrap_or(default.body_rate_time),
        answer_rate: fields.read("answer_rate", rate).unwrap_or(default.answer_rate),
    })
}

fn target(value: Value<'_>) -> Option<usize> {
    usize::try_from(value.size(bounds::TARGET_SIZE)?).ok()
}

/// Reads bytes a second, or `off`.
pub(super) fn rate(value: Value<'_>) -> Option<u64> {
    value.size_or_off(bounds::RATE)
}
