//! One pool of one configuration.

use std::collections::{BTreeSet, HashMap};
use std::net::SocketAddr;
use std::os::unix::net::SocketAddr as UnixAddr;
use std::sync::Arc;

use arc_swap::ArcSwap;
use parking_lot::Mutex;
use pingora::protocols::l4::socket::SocketAddr as AnyAddr;
use pingora_load_balancing::{Backend, Backends, Extensions, LoadBalancer};
use tokio::sync::watch;

use super::discovery::Told;
use super::registry::Registry;
use super::selection::{Selector, Way, key, member};
use super::sessions::Sessions;
use crate::clock;
use crate::config::{self, Balance};
use crate::model::{Name, NodeAddress};
use crate::retry::{Budget, Kinds};
use crate::upstream::{
    Asker, Jury, Member, OverloadLine, Parking, Place, Pulse, offer_room, release_sessions,
};

/// The addresses that names among the nodes were last resolved to, by name and port.
pub type Addresses = HashMap<(String, u16), Vec<SocketAddr>>;

/// How long requests that failed alike on two nodes are not retried, in milliseconds.
const AT_FAULT_FOR: u64 = 10_000;

/// How many of those that wait are let go when the nodes change.
const FIRST_TO_GO: usize = 2;

/// How long requests that were slow are expected to be, in milliseconds.
const SLOW_FOR: u64 = 10 * 60 * 1_000;

/// A set of nodes and the balancer that picks among them.
pub struct Pool {
    name: Name,
    settings: config::Pool,
    balancer: LoadBalancer<Selector>,
    told: Told,
    registry: Arc<Registry>,
    jury: Jury,
    budget: Budget,
    pulse: Arc<Pulse>,
    parking: Arc<Parking>,
    line: Arc<OverloadLine>,
    at_fault: Kinds,
    slow: Kinds,
    addresses: Mutex<Addresses>,
    members: ArcSwap<Vec<Arc<Member>>>,
    /// How sessions find back to their nodes.
    sessions: Option<Sessions>,
    changed: watch::Sender<()>,
}

impl Pool {
    /// A pool as configured, whose names have the given addresses so far. `key` is what passes of its sessions are signed
    /// with; without one its clients stay with nobody.
    pub async fn new(
        name: Name,
        settings: config::Pool,
        registry: Arc<Registry>,
        addresses: Addresses,
        key: Option<&[u8]>,
    ) -> pingora::Result<Self> {
        let told = Told::default();
        let backends = Backends::new(Box::new(told.clone()));
        let balancer = LoadBalancer::from_backends_with_config(backends, Some(Way::of(&settings)));
        let pool = Self {
            jury: Jury::new(settings.ejection.clone(), settings.slow_start),
            budget: Budget::new(settings.retry_budget),
            pulse: registry.pulse(&name),
            parking: registry.parking(&name),
            line: registry.line(&name),
            at_fault: Kinds::new(AT_FAULT_FOR),
            slow: Kinds::new(SLOW_FOR),
            addresses: Mutex::new(addresses),
            members: ArcSwap::default(),
            sessions: key.and_then(|key| Sessions::new(key, name.as_str())),
            name,
            settings,
            balancer,
            told,
            registry,
            changed: watch::Sender::new(()),
        };
        pool.publish().await?;
        Ok(pool)
    }

    /// What the pool is called.
    pub fn name(&self) -> &Name {
        &self.name
    }

    /// What the configuration says of it.
    pub fn settings(&self) -> &config::Pool {
        &self.settings
    }

    /// Its members as they are now; names that have several addresses are several members.
    pub fn members(&self) -> Arc<Vec<Arc<Member>>> {
        self.members.load_full()
    }

    /// Who decides which of them is taken out for what its traffic says.
    pub fn jury(&self) -> &Jury {
        &self.jury
    }

    /// Whether it matters how long its nodes take.
    pub fn goes_by_latency(&self) -> bool {
        self.settings.balance == Balance::PowerOfTwo
    }

    /// Whether this is the key that passes of its sessions are signed with.
    pub fn has_key(&self, key: Option<&[u8]>) -> bool {
        self.sessions.as_ref().map(Sessions::key) == key
    }

    /// How sessions find back to their nodes; `None` if clients stay with nobody.
    pub fn sessions(&self) -> Option<&Sessions> {
        self.sessions.as_ref()
    }

    /// What its retries may cost.
    pub fn budget(&self) -> &Budget {
        &self.budget
    }

    /// Where requests wait while no node takes any.
    pub fn parking(&self) -> &Arc<Parking> {
        &self.parking
    }

    /// Where requests wait while every node that could take them is full.
    pub fn line(&self) -> &Arc<OverloadLine> {
        &self.line
    }

    /// Whether there is anything to look at that time alone changes, since this was last asked.
    pub fn take_unrest(&self) -> bool {
        // Asked first, so that it is taken whoever waits.
        self.pulse.take_unrest() || !self.parking.is_empty() || !self.line.is_idle()
    }

    /// Lets as many of those go on as there is room for.
    pub fn offer_room(&self) {
        if !self.line.is_idle() {
            offer_room(&self.members.load(), &self.line, clock::millis());
        }
    }

    /// Looks at those who wait in line: as many go on as there is room for, and those move whose sessions leave their nodes.
    pub fn review_line(&self) {
        release_sessions(&self.members.load(), &self.line, clock::millis());
        self.offer_room();
    }

    /// Its configuration is in force: what it says of nodes holds for requests of older ones as well.
    pub fn in_force(&self) {
        for member in self.members.load().iter() {
            member.bound();
        }
        self.review_line();
    }

    /// The requests that failed alike on two nodes.
    pub fn at_fault(&self) -> &Kinds {
        &self.at_fault
    }

    /// The requests that take their time on every node.
    pub fn slow(&self) -> &Kinds {
        &self.slow
    }

    /// Tells when the members change.
    pub fn watch(&self) -> watch::Receiver<()> {
        self.changed.subscribe()
    }

    /// The names among the nodes' addresses, with their ports.
    pub fn hosts(&self) -> impl Iterator<Item = (&str, u16)> {
        self.settings.nodes.iter().filter_map(|node| match &node.address {
            NodeAddress::Name { host, port } => Some((host.as_str(), *port)),
            NodeAddress::Socket(_) | NodeAddress::Unix(_) => None,
        })
    }

    /// The addresses its names were last resolved to.
    pub fn addresses(&self) -> Addresses {
        self.addresses.lock().clone()
    }

    /// Takes new addresses for a name and says whether they differ from those before.
    pub async fn resolved(&self, host: &str, port: u16, found: Vec<SocketAddr>) -> pingora::Result<bool> {
        let known = self.addresses.lock().insert((host.to_owned(), port), found.clone());
        if known.is_some_and(|known| known == found) {
            return Ok(false);
        }
        self.publish().await?;
        Ok(true)
    }

    /// Picks the best member for `asker` that `accept` takes; a member is offered once at the most. Requests with the same
    /// `hash` get the same, if the pool goes by that.
    pub fn select(
        &self,
        asker: Asker,
        hash: Option<u64>,
        accept: impl Fn(&Arc<Member>) -> bool,
    ) -> Option<Arc<Member>> {
        let accept = |backend: &Backend, _: bool| member(backend).is_some_and(&accept);
        let backend = self.balancer.select_with(&key(asker, hash), usize::MAX, accept)?;
        member(&backend).cloned()
    }

    /// Brings the balancer up to date with the nodes and the addresses of their names.
    async fn publish(&self) -> pingora::Result<()> {
        let mut backends = BTreeSet::new();
        for node in &self.settings.nodes {
            for place in self.places(&node.address) {
                backends.extend(self.backend(node, place));
            }
        }
        let members: Vec<_> = backends.iter().filter_map(|backend| member(backend).cloned()).collect();
        if let Some(sessions) = &self.sessions {
            sessions.seat(&members);
        }
        self.told.tell(backends);
        self.balancer.update().await?;
        self.members.store(Arc::new(members));
        self.pulse.stir();
        self.registry.forget_unused();
        self.changed.send_replace(());
        // Whoever waits for lack of an address may have one now.
        self.parking.release(FIRST_TO_GO);
        Ok(())
    }

    fn places(&self, address: &NodeAddress) -> Vec<Place> {
        match address {
            NodeAddress::Socket(address) => vec![Place::Tcp(*address)],
            NodeAddress::Unix(path) => vec![Place::Unix(path.clone())],
            NodeAddress::Name { host, port } => {
                let addresses = self.addresses.lock();
                let found = addresses.get(&(host.clone(), *port));
                found.into_iter().flatten().copied().map(Place::Tcp).collect()
            }
        }
    }

    /// The backend of a node at a place; `None` for the path of a Unix socket that no socket can have.
    fn backend(&self, node: &config::Node, place: Place) -> Option<Backend> {
        let addr = address(&place)?;
        let live = self.registry.node(&self.name, place);
        // One that was drained under another name, or the last time that it was here, is not for ever.
        match self.registry.drained(&self.name, &node.name) {
            Some(resort) => live.drain(resort, clock::millis()),
            None => live.undrain(self.settings.health_check.is_some(), clock::millis()),
        }
        let member = Member {
            name: node.name.clone(),
            weight: node.weight,
            tier: node.tier,
            max_in_flight: node.max_in_flight,
            node: live,
        };
        let mut ext = Extensions::new();
        ext.insert(Arc::new(member));
        Some(Backend { addr, weight: usize::from(node.weight.get()), ext })
    }
}

/// A place as Pingora knows it; `None` for the path of a Unix socket that no socket can have.
pub fn address(place: &Place) -> Option<AnyAddr> {
    match place {
        Place::Tcp(address) => Some(AnyAddr::Inet(*address)),
        Place::Unix(path) => UnixAddr::from_pathname(path).ok().map(AnyAddr::Unix),
    }
}

impl std::fmt::Debug for Pool {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Pool")
            .field("name", &self.name)
            .field("members", &self.members)
            .finish_non_exhaustive()
    }
}
