//! TLS (RFC 8446, RFC 5246): certificates, which client gets which, the settings of each listener, and how nodes are
//! verified.
//!
//! Files are read once at the start, at every reload, and whenever they change. What is in use stays so until all of the new
//! is good; connections keep what they began with.

mod certificate;
mod client;
mod file;
mod initiator;
mod keys;
mod names;
mod roots;
mod terminator;
mod tickets;

#[cfg(test)]
mod tests;

use std::collections::HashMap;
use std::sync::Arc;
use std::time::SystemTime;

use serde::{Deserialize, Serialize};

pub use self::certificate::Leaf;
pub use self::client::subject;
pub use self::file::Files;
use self::file::Stamp;
pub use self::initiator::Initiator;
use self::initiator::Reader;
pub use self::terminator::Terminator;
use self::tickets::{Rules, Secret};
use crate::config::{Config, FileFault, Step};
use crate::model::{ListenAddress, Name};

/// The listeners that speak TLS, ready to, and how nodes are reached by it.
#[derive(Clone, Debug, Default)]
pub struct Tls {
    terminators: HashMap<ListenAddress, Arc<Terminator>>,
    initiators: HashMap<Name, HashMap<String, Initiator>>,
    /// The files that the initiators were read from.
    stamps: Vec<Stamp>,
}

/// The keys of one listener's tickets, for the bookend that takes over from this one and nobody else.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct TicketKeys {
    listener: String,
    rules: Rules,
    secrets: Vec<Secret>,
}

impl Tls {
    /// Reads all that the listeners and nodes of `config` need. Those that are in use and stay as they are keep their settings, and so
    /// the sessions of their clients.
    ///
    /// Blocks on the file system.
    ///
    /// # Errors
    ///
    /// Everything that is wrong with the files, at once. That a certificate has expired is not among it, see
    /// [`out_of_date`](Self::out_of_date).
    pub fn load(config: &Config, in_use: Option<&Self>) -> Result<Self, Vec<FileFault>> {
        let (mut terminators, mut faults) = (HashMap::new(), Vec::new());
        for (index, listener) in config.listeners.iter().enumerate() {
            let Some(settings) = &listener.tls else { continue };
            let known = in_use.and_then(|tls| tls.terminators.get(&listener.address));
            match Terminator::load(settings, listener.http2, index, known) {
                Ok(terminator) => drop(terminators.insert(listener.address.clone(), terminator)),
                Err(found) => faults.extend(found),
            }
        }
        let mut reader = Reader::default();
        let initiators = initiators(config, in_use, &mut reader, &mut faults);
        let stamps = reader.stamps;
        if faults.is_empty() { Ok(Self { terminators, initiators, stamps }) } else { Err(faults) }
    }

    /// How the node of `pool` with this name is reached by TLS; `None` if it is not.
    pub fn initiator(&self, pool: &Name, node: &str) -> Option<&Initiator> {
        self.initiators.get(pool)?.get(node)
    }

    /// What is wrong at `now` with the dates of certificates, but for those that were in use before: that they have expired is
    /// no reason to refuse everything else that a new configuration brings.
    pub fn out_of_date(&self, config: &Config, in_use: Option<&Self>, now: SystemTime) -> Vec<FileFault> {
        let mut faults = Vec::new();
        for (index, listener) in config.listeners.iter().enumerate() {
            let Some(terminator) = self.of(&listener.address) else { continue };
            let known = in_use.and_then(|tls| tls.of(&listener.address));
            faults.extend(terminator.out_of_date(index, known.map(|known| &**known), now));
        }
        faults
    }

    /// How the listener at `address` speaks TLS; `None` if it does not.
    pub fn of(&self, address: &ListenAddress) -> Option<&Arc<Terminator>> {
        self.terminators.get(address)
    }

    /// Whether any listener speaks TLS.
    pub fn is_spoken(&self) -> bool {
        !self.terminators.is_empty()
    }

    /// The port at which `host`, without one, is reached by TLS; `None` if no certificate is for it.
    pub fn port_of(&self, host: &str) -> Option<u16> {
        let has_it =
            |(_, terminator): &(&ListenAddress, &Arc<Terminator>)| terminator.has_certificate_for(host);
        // 443 is where people look first.
        let port_of = |(address, _): (&ListenAddress, &Arc<Terminator>)| match address {
            ListenAddress::Socket(address) => Some(address.port()),
            ListenAddress::Unix(_) => None,
        };
        self.terminators.iter().filter(has_it).filter_map(port_of).min_by_key(|&port| (port != 443, port))
    }

    /// The certificates that are shown: the listener, the first name of the certificate, and until when it is good.
    pub fn shown(&self) -> impl Iterator<Item = (String, String, SystemTime)> {
        self.terminators.iter().flat_map(|(address, terminator)| {
            let leaves = terminator.leaves();
            let told = |leaf: &Leaf| {
                (address.to_string(), leaf.names.first().cloned().unwrap_or_default(), leaf.not_after)
            };
            leaves.iter().map(told).collect::<Vec<_>>()
        })
    }

    /// The keys of all tickets. They are for the memory of a successor, not for a disk or a log.
    pub fn ticket_keys(&self) -> Vec<TicketKeys> {
        let keys = |(address, terminator): (&ListenAddress, &Arc<Terminator>)| {
            let (tickets, rules) = terminator.tickets();
            TicketKeys { listener: address.to_string(), rules, secrets: tickets.secrets() }
        };
        self.terminators.iter().map(keys).collect()
    }

    /// Goes on with the keys of a predecessor, wherever a client has to prove the same as it had to there.
    pub fn inherit(&self, keys: &[TicketKeys]) {
        for (address, terminator) in &self.terminators {
            let (listener, (tickets, rules)) = (address.to_string(), terminator.tickets());
            for keys in keys.iter().filter(|keys| keys.listener == listener && keys.rules == rules) {
                tickets.inherit(&keys.secrets);
            }
        }
    }

    /// Whether no listener speaks TLS.
    pub fn is_empty(&self) -> bool {
        self.terminators.is_empty()
    }

    /// The files that all of this was read from.
    pub fn files(&self) -> Files {
        let listeners = self.terminators.values().flat_map(|terminator| terminator.stamps());
        Files(listeners.chain(&self.stamps).cloned().collect())
    }
}

/// Reads what the nodes need that are reached by TLS, and adds to `faults` what is wrong with it.
fn initiators(
    config: &Config,
    in_use: Option<&Tls>,
    reader: &mut Reader,
    faults: &mut Vec<FileFault>,
) -> HashMap<Name, HashMap<String, Initiator>> {
    let mut initiators = HashMap::<_, HashMap<_, _>>::new();
    for (name, pool) in &config.pools {
        for (index, node) in pool.nodes.iter().enumerate() {
            let Some(settings) = &node.tls else { continue };
            let known = in_use.and_then(|tls| tls.initiator(name, &node.name));
            match Initiator::load(settings, known, reader) {
                Ok(initiator) => {
                    initiators.entry(name.clone()).or_default().insert(node.name.clone(), initiator);
                }
                Err(fault) => {
                    let mut at = vec![Step::Key("pools"), Step::Named(name.to_string())];
                    if settings.is_own {
                        at.extend([Step::Key("nodes"), Step::Item(index)]);
                    }
                    at.extend([Step::Key("tls"), Step::Key(fault.key)]);
                    // What the pool says is wrong for each of its nodes.
                    if faults.iter().all(|known| known.at != at) {
                        faults.push(FileFault { at, message: fault.message, help: fault.help });
                    }
                }
            }
        }
    }
    initiators
}
