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
    /// Whether `peer` is one of them; a peer without an address came over a Unix socket.
    pub fn trust(&self, peer: Option<IpAddr>) -> bool {
        match peer {
            Some(address) => self.networks.iter().any(|network| network.contains(&address)),
            None => self.unix,
        }
    }
}
