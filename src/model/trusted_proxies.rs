//! Whose word about clients is believed.

use std::net::IpAddr;

use ipnet::IpNet;

/// The peers whose word about clients is believed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TrustedProxies {
    /// Addresses and networks.
    pub networks: Vec<IpNet>,
    /// Whoever connects over a Unix socket.
    pub unix: bool,
}

impl TrustedProxies {
    /// Whether `peer` is one of them; a peer without an address came over a Unix socket, and an IPv4 address in an IPv6 one
    /// is IPv4.
    pub fn trust(&self, peer: Option<IpAddr>) -> bool {
        match peer.map(|address| address.to_canonical()) {
            Some(address) => self.networks.iter().any(|network| network.contains(&address)),
            None => self.unix,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ipv4_peer_of_an_ipv6_listener_is_one_of_its_network() {
        let network = "10.0.0.0/8".parse().expect("a network");
        let trusted = TrustedProxies { networks: vec![network], unix: false };
        let trusts = |peer: &str| trusted.trust(peer.parse().ok());
        assert!(trusts("10.1.2.3") && trusts("::ffff:10.1.2.3"));
        assert!(!trusts("11.1.2.3") && !trusts("::ffff:11.1.2.3"));
        assert!(!trusted.trust(None));
    }
}
