//! One server of a pool.

use std::collections::HashMap;
use std::num::NonZeroU32;

use super::bounds;
use super::locate::Place;
use super::node_tls::{self, NodeTls, Said};
use super::protocol::{self, Protocol};
use super::read::{Fault, Fields, Value};
use crate::model::{Name, NodeAddress, Tier, Weight};

/// One server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Node {
    /// Where it is.
    pub address: NodeAddress,
    /// What it is called; its address unless told.
    pub name: String,
    /// Its share of the traffic.
    pub weight: Weight,
    /// When it gets any.
    pub tier: Tier,
    /// The most requests that may be at it at once; `None` is left to what it shows that it can carry.
    pub max_in_flight: Option<NonZeroU32>,
    /// How it is reached by TLS; `None` is without.
    pub tls: Option<NodeTls>,
    /// What is spoken with it.
    pub protocol: Protocol,
}

/// What holds for all nodes of a pool that say nothing else.
#[derive(Default)]
pub(super) struct Base {
    /// How they are reached by TLS.
    pub(super) tls: Option<Said>,
    /// What is spoken with them.
    pub(super) protocol: Protocol,
}

/// Where the addresses and names of a pool's nodes stand for the first time.
#[derive(Default)]
struct Taken {
    addresses: HashMap<NodeAddress, Place>,
    names: HashMap<Name, Place>,
}

/// Reads all nodes of a pool; no two may have the same address or name, and one must serve before all backups.
pub(super) fn read_all(value: Value<'_>, base: &Base) -> Option<Vec<Node>> {
    let mut taken = Taken::default();
    let nodes = value.each("a list of nodes", |item| read(item, base, &mut taken))?;
    if value.is_empty_list() {
        return value.fail(Fault::new("no node, so the pool could never answer").help(EXAMPLE));
    }
    if !nodes.is_empty() && nodes.iter().all(|node| node.tier > Tier::default()) {
        let fault = Fault::new("no node has tier 0, so all are backups of nothing");
        return value.fail(fault.help("give the nodes that serve tier 0, or leave `tier` out").on_key());
    }
    Some(nodes)
}

/// What a list of nodes looks like.
const EXAMPLE: &str = "write at least one, as in `- address: 10.0.0.11:8000`";

fn read(item: Value<'_>, base: &Base, taken: &mut Taken) -> Option<Node> {
    if item.is_mapping() {
        return item.fields("a node", |fields| read_fields(fields, &item, base, taken))?;
    }
    let address = address(item, taken)?;
    protocol::check(base.protocol, base.tls.is_some(), &item)?;
    Some(Node {
        protocol: base.protocol,
        name: address.to_string(),
        tls: secured(base.tls.as_ref(), false, &address, &item)?,
        address,
        weight: Weight::default(),
        tier: Tier::default(),
        max_in_flight: None,
    })
}

fn read_fields(fields: &Fields<'_>, item: &Value<'_>, base: &Base, taken: &mut Taken) -> Option<Node> {
    let address = fields.require("address", "add it, as in `address: 10.0.0.11:8000`", |v| address(v, taken));
    let name = fields.read("name", |v| name(v, taken));
    let weight =
        fields.read("weight", |v| v.whole(bounds::WEIGHT)).and_then(|w| Weight::try_from(i64::from(w)).ok());
    let tier = fields.read("tier", |v| v.whole(bounds::TIER)).map(Tier);
    let max_in_flight =
        fields.read("max_in_flight", |v| v.whole(bounds::IN_FLIGHT)).and_then(NonZeroU32::new);
    let tls = fields.read_or("tls", || base.tls.clone(), node_tls::read)?;
    let spoken = fields.read_or("protocol", || base.protocol, protocol::read);
    let (address, protocol) = (address?, spoken?);
    protocol::check(protocol, tls.is_some(), item)?;
    Some(Node {
        protocol,
        tls: secured(tls.as_ref(), fields.has("tls"), &address, item)?,
        name: name.map_or_else(|| address.to_string(), |name| name.to_string()),
        address,
        weight: weight.unwrap_or_default(),
        tier: tier.unwrap_or_default(),
        max_in_flight,
    })
}

/// How the node at `address`, which stands in `item`, is reached by TLS; `None` if that was reported.
fn secured(
    said: Option<&Said>,
    is_own: bool,
    address: &NodeAddress,
    item: &Value<'_>,
) -> Option<Option<NodeTls>> {
    match said {
        None => Some(None),
        Some(said) => said.of_node(is_own, address, item).map(Some),
    }
}

fn address(value: Value<'_>, taken: &mut Taken) -> Option<NodeAddress> {
    let address: NodeAddress = value.parsed("an address like `10.0.0.11:8000`")?;
    match taken.addresses.get(&address) {
        Some(first) => {
            let fault = Fault::new("the same address as the node").first(first.clone());
            value.report(
                fault.help("remove one of them; for a larger share of the traffic give it a `weight`"),
            );
        }
        None => drop(taken.addresses.insert(address.clone(), value.place())),
    }
    Some(address)
}

fn name(value: Value<'_>, taken: &mut Taken) -> Option<Name> {
    let name: Name = value.parsed("a name like `web-01`")?;
    match taken.names.get(&name) {
        Some(first) => value.report(Fault::new("the same name as the node").first(first.clone())),
        None => drop(taken.names.insert(name.clone(), value.place())),
    }
    Some(name)
}
